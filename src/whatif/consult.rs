//! The search for indexes: the workload, who answers for the planner, and the choice.

use super::{Hypopg, Probe, Question, Told, redact_plan};
use crate::advise::{
    Bounds, Estimate, Found, Mixed, Pool, Price, Query, Task, Weigh, WhatIf, Windows, Workload, existing, prices,
    search, workload,
};
use crate::ddl::Draftsman;
use crate::model::snapshot::{Snapshot, Statement};
use crate::postgres::{ReadError, Reader};
use crate::statement::{ColumnType, Repaired, redact};
use std::collections::HashMap;
use tokio::runtime::Handle;

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Consultation {
    /// What a statement's weight is.
    pub weigh: Weigh,
    /// Bounds of the choice.
    pub bounds: Bounds,
    /// How long counters have counted: what writes pay is weighed by that. None: it is not weighed.
    pub windows: Option<Windows>,
    /// Sessions that ask the planner.
    pub sessions: usize,
    /// EXPLAINs at most.
    pub max_calls: usize,
    /// Find what other sizes would save, too.
    pub with_curve: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Consulted {
    /// The statements that were advised on, and why others were not.
    pub workload: Workload,
    /// All candidates.
    pub pool: Pool,
    /// The choice.
    pub found: Found,
}

/// Why there is no advice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsultError {
    /// The extension is not there.
    #[error(
        "HypoPG is not installed in this database\n  next: create extension hypopg; or name a copy of the database that has it with --what-if"
    )]
    NoHypopg,
    /// The server did not answer.
    #[error("cannot ask the planner: {0}")]
    Read(#[from] ReadError),
    /// The search was ended.
    #[error("the search was ended")]
    Ended,
}

/// Searches for indexes.
pub async fn consult(
    reader: &Reader,
    snapshot: &Snapshot,
    consultation: Consultation,
    column_type: &ColumnType<'_>,
) -> Result<Consulted, ConsultError> {
    let extension = snapshot.extensions.iter().find(|row| row.name == "hypopg");
    let schema = extension.map(|row| row.schema.clone()).ok_or(ConsultError::NoHypopg)?;
    let (snapshot, asked) = asked(reader, snapshot, column_type).await?;
    let mut workload = workload(&snapshot);
    of_indexable_tables(&mut workload, &snapshot);
    let (probes, tried) = probes(reader, &workload, asked, column_type).await?;
    let planner = Hypopg::connect(reader, consultation.sessions, &schema, probes, Handle::current()).await?;
    let searched = tokio::task::spawn_blocking(move || {
        let estimate = Estimate::new(&snapshot, &workload.queries);
        let (pool, mut found) =
            searched(&workload, &snapshot, consultation, &mut Mixed::new(planner, estimate, &workload.queries));
        found.calls += tried;
        Consulted { workload, pool, found }
    });
    searched.await.map_err(|_| ConsultError::Ended)
}

/// Searches for indexes without a server: by the plans and statistics of the snapshot.
#[must_use]
pub fn estimate(snapshot: &Snapshot, consultation: Consultation) -> Consulted {
    let mut workload = workload(snapshot);
    of_indexable_tables(&mut workload, snapshot);
    let mut oracle = Estimate::new(snapshot, &workload.queries);
    let (pool, found) = searched(&workload, snapshot, consultation, &mut oracle);
    Consulted { workload, pool, found }
}

/// The search, whoever answers.
fn searched(
    workload: &Workload,
    snapshot: &Snapshot,
    consultation: Consultation,
    oracle: &mut dyn WhatIf,
) -> (Pool, Found) {
    let weights: Vec<f64> = workload.queries.iter().map(|query| weight(query, consultation.weigh)).collect();
    let priced = |pool: &Pool| {
        consultation.windows.map_or_else(Vec::new, |windows| {
            let hours = windows.statements / 3600.0;
            let in_window = |price: Price| match consultation.weigh {
                Weigh::Time => price.ms_per_hour * hours,
                Weigh::Calls => price.cost_per_hour * hours,
            };
            prices(snapshot, pool, windows).into_iter().map(in_window).collect()
        })
    };
    let task = Task {
        queries: &workload.queries,
        weights: &weights,
        is_of_whole: consultation.weigh == Weigh::Time,
        prices: &priced,
        bounds: consultation.bounds,
        max_calls: consultation.max_calls,
        with_curve: consultation.with_curve,
    };
    let mut pool = Pool::new(existing(snapshot));
    let found = search(task, &mut pool, oracle);
    (pool, found)
}

/// A statement as the server takes it, by its fingerprint.
type Asked = HashMap<String, (Probe, Repaired)>;

/// Plans all statements anew, as the planner of now sees them. The plans show literals of views and policies, which
/// a snapshot does not keep: partial indexes are made of them.
async fn asked(
    reader: &Reader,
    snapshot: &Snapshot,
    column_type: &ColumnType<'_>,
) -> Result<(Snapshot, Asked), ReadError> {
    let statements: HashMap<&str, &Statement> =
        snapshot.statements.iter().map(|row| (row.fingerprint.as_str(), row)).collect();
    let mut asked = Asked::new();
    let mut plans = snapshot.plans.clone();
    for plan in plans.iter_mut().filter(|plan| plan.plan.is_some()) {
        let Some(statement) = statements.get(plan.fingerprint.as_str()) else { continue };
        let question = Question {
            database: &snapshot.target.database,
            fingerprint: &plan.fingerprint,
            text: &statement.text,
            search_path: &plan.search_path,
        };
        match Hypopg::repaired(reader, snapshot.server.major(), question, column_type).await {
            Ok((probe, repaired, mut fresh)) => {
                // A literal of the statement's own is one value of many.
                if redact(&statement.text).is_none_or(|redacted| redacted != statement.text) {
                    redact_plan(&mut fresh);
                }
                asked.insert(plan.fingerprint.clone(), (probe, repaired));
                plan.plan = Some(fresh);
            }
            Err((code, _)) => (plan.plan, plan.unplannable) = (None, Some(code.to_owned())),
        }
    }
    Ok((Snapshot { plans, ..snapshot.clone() }, asked))
}

/// Without tables that no index can be made on, as partitions of theirs are elsewhere.
fn of_indexable_tables(workload: &mut Workload, snapshot: &Snapshot) {
    let draftsman = Draftsman::of(snapshot);
    for query in &mut workload.queries {
        query.tables.retain(|table, _| draftsman.can_index(table));
    }
    workload.queries.retain(|query| !query.tables.is_empty());
}

/// What is asked about each statement of the workload, in order, and how many EXPLAINs it took to find out.
async fn probes(
    reader: &Reader,
    workload: &Workload,
    mut asked: Asked,
    column_type: &ColumnType<'_>,
) -> Result<(Vec<Probe>, usize), ReadError> {
    let of = |query: &Query| {
        let (probe, repaired) = asked.remove(&query.fingerprint)?;
        let tables = query.tables.keys().cloned().collect();
        Some(Told { probe, repaired, tables, rows_per_call: query.rows_per_call })
    };
    Hypopg::typical(reader, workload.queries.iter().filter_map(of).collect(), column_type).await
}

#[allow(clippy::cast_precision_loss, reason = "weights")]
fn weight(query: &Query, weigh: Weigh) -> f64 {
    match weigh {
        Weigh::Time => query.total_ms,
        Weigh::Calls => query.calls as f64,
    }
}
