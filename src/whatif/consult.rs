//! The search for indexes on a live server: its workload, its planner, and the choice.

use super::{Hypopg, Probe, Question};
use crate::advise::{
    Bounds, Found, Pool, Price, Query, Task, Weigh, Windows, Workload, existing, prices, search, workload,
};
use crate::ddl::Draftsman;
use crate::model::snapshot::{Relation, RelationName, Snapshot, Statement};
use crate::postgres::{ReadError, Reader};
use crate::statement::{ColumnType, Repaired};
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
    let probes = probes(reader, &workload, asked, column_type).await?;
    let mut oracle = Hypopg::connect(reader, consultation.sessions, &schema, probes, Handle::current()).await?;
    let mut pool = Pool::new(existing(&snapshot));
    let priced = consultation.windows.map(|windows| (snapshot, windows));
    let searched = tokio::task::spawn_blocking(move || {
        let weights: Vec<f64> = workload.queries.iter().map(|query| weight(query, consultation.weigh)).collect();
        let task = Task {
            queries: &workload.queries,
            weights: &weights,
            is_of_whole: consultation.weigh == Weigh::Time,
            prices: &|pool| {
                priced.as_ref().map_or_else(Vec::new, |(snapshot, windows)| {
                    let hours = windows.statements / 3600.0;
                    let in_window = |price: Price| match consultation.weigh {
                        Weigh::Time => price.ms_per_hour * hours,
                        Weigh::Calls => price.cost_per_hour * hours,
                    };
                    prices(snapshot, pool, *windows).into_iter().map(in_window).collect()
                })
            },
            bounds: consultation.bounds,
            max_calls: consultation.max_calls,
        };
        let found = search(task, &mut pool, &mut oracle);
        Consulted { workload, pool, found }
    });
    searched.await.map_err(|_| ConsultError::Ended)
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
            Ok((probe, repaired, fresh)) => {
                let probe = if names_views(statement, snapshot) { probe.without_partial() } else { probe };
                asked.insert(plan.fingerprint.clone(), (probe, repaired));
                plan.plan = Some(fresh);
            }
            Err((code, _)) => (plan.plan, plan.unplannable) = (None, Some(code.to_owned())),
        }
    }
    Ok((Snapshot { plans, ..snapshot.clone() }, asked))
}

/// It names a relation that is no table: a view, for all that is known.
fn names_views(statement: &Statement, snapshot: &Snapshot) -> bool {
    let is_table = |name: &RelationName| {
        let is_it =
            |row: &Relation| row.name == name.name && name.schema.as_ref().is_none_or(|schema| *schema == row.schema);
        snapshot.relations.iter().any(is_it)
    };
    !statement.relations.iter().all(is_table)
}

/// Without tables that no index can be made on, as partitions of theirs are elsewhere.
fn of_indexable_tables(workload: &mut Workload, snapshot: &Snapshot) {
    let draftsman = Draftsman::of(snapshot);
    for query in &mut workload.queries {
        query.tables.retain(|table, _| draftsman.can_index(table));
    }
    workload.queries.retain(|query| !query.tables.is_empty());
}

/// What is asked about each statement of the workload, in order.
async fn probes(
    reader: &Reader,
    workload: &Workload,
    mut asked: Asked,
    column_type: &ColumnType<'_>,
) -> Result<Vec<Probe>, ReadError> {
    let of = |query: &Query| {
        let (probe, repaired) = asked.remove(&query.fingerprint)?;
        Some((probe, repaired, query.tables.keys().cloned().collect()))
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
