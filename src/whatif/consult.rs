//! The search for indexes on a live server: its workload, its planner, and the choice.

use super::{Hypopg, Probe, Question};
use crate::advise::{
    Bounds, Candidate, Found, Key, Pool, Price, Query, Task, Weigh, Windows, Workload, prices, search, workload,
};
use crate::model::plan::Name;
use crate::model::snapshot::{RelationKind, Snapshot};
use crate::postgres::{ReadError, Reader};
use crate::statement::ColumnType;
use std::collections::BTreeSet;
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
    let workload = of_plain_tables(workload(snapshot), snapshot);
    let (workload, probes) = probes(reader, snapshot, workload, column_type).await?;
    let mut oracle = Hypopg::connect(reader, consultation.sessions, &schema, probes, Handle::current()).await?;
    let mut pool = Pool::new(existing(snapshot));
    let priced = consultation.windows.map(|windows| (snapshot.clone(), windows));
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

/// Without partitioned tables, whose indexes are made partition by partition: that is not advised on.
fn of_plain_tables(mut workload: Workload, snapshot: &Snapshot) -> Workload {
    let partitioned = snapshot.relations.iter().filter(|row| row.kind == RelationKind::PartitionedTable);
    let partitioned: BTreeSet<Name> = partitioned.map(|row| Name::new(&row.schema, &row.name)).collect();
    for query in &mut workload.queries {
        query.tables.retain(|table, _| !partitioned.contains(table));
    }
    workload.queries.retain(|query| !query.tables.is_empty());
    workload
}

/// Statements that can be asked about; the others are counted.
async fn probes(
    reader: &Reader,
    snapshot: &Snapshot,
    mut workload: Workload,
    column_type: &ColumnType<'_>,
) -> Result<(Workload, Vec<Probe>), ReadError> {
    let mut kept = Vec::new();
    let mut probes = Vec::new();
    for query in std::mem::take(&mut workload.queries) {
        let question = Question {
            database: &snapshot.target.database,
            fingerprint: &query.fingerprint,
            text: &query.text,
            search_path: &query.search_path,
        };
        match Hypopg::repaired(reader, snapshot.server.major(), question, column_type).await {
            Ok((probe, repaired)) => {
                probes.push((probe, repaired, query.tables.keys().cloned().collect()));
                kept.push(query);
            }
            Err((code, _)) => *workload.unplanned.entry(code.to_owned()).or_default() += 1,
        }
    }
    let probes = Hypopg::typical(reader, probes, column_type).await?;
    Ok((Workload { queries: kept, ..workload }, probes))
}

#[allow(clippy::cast_precision_loss, reason = "weights")]
fn weight(query: &Query, weigh: Weigh) -> f64 {
    match weigh {
        Weigh::Time => query.total_ms,
        Weigh::Calls => query.calls as f64,
    }
}

/// The B-trees that are there already.
fn existing(snapshot: &Snapshot) -> BTreeSet<Candidate> {
    let plain = snapshot.indexes.iter().filter(|index| {
        index.method == "btree" && index.is_valid && index.predicate.is_none() && index.expressions.is_none()
    });
    plain
        .map(|index| Candidate {
            table: Name::new(&index.schema, &index.table),
            keys: (index.key_columns.iter().zip(&index.orders))
                .map(|(column, order)| Key {
                    column: column.clone(),
                    is_descending: order & 1 != 0,
                    nulls_first: order & 2 != 0,
                })
                .collect(),
        })
        .collect()
}
