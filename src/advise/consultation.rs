//! One run: the workload, who answers for the planner, and the choice.

use super::candidate::Pool;
use super::choose::Bounds;
use super::estimate::Estimate;
use super::existing::{existing, replaceable};
use super::oracle::WhatIf;
use super::search::{Found, Task, search};
use super::workload::{Query, Weigh, Workload, workload};
use super::writes::{Price, Windows, prices};
use crate::ddl::Draftsman;
use crate::model::advice::Visits;
use crate::model::snapshot::Snapshot;
use std::collections::BTreeMap;

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
    /// Find what the choice would save with other values of parameters, too.
    pub with_spread: bool,
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
    /// Rows that statements visit by indexes one by one, without the choice and with it, by the statement's number. Only of
    /// those that the planner answered for.
    pub visits: BTreeMap<usize, Visits>,
}

/// Searches for indexes without a server: by the plans and statistics of the snapshot.
#[must_use]
pub fn estimate(snapshot: &Snapshot, consultation: Consultation) -> Consulted {
    let mut workload = workload(snapshot);
    of_indexable_tables(&mut workload, snapshot);
    let mut oracle = Estimate::new(snapshot, &workload.queries);
    let (pool, found) = searched(&workload, snapshot, consultation, &mut oracle);
    // No planner was asked.
    Consulted { workload, pool, found: Found { calls: 0, ..found }, visits: BTreeMap::new() }
}

/// The search, whoever answers.
pub fn searched(
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
        with_spread: consultation.with_spread,
    };
    let mut pool = Pool::new(existing(snapshot)).replacing(replaceable(snapshot));
    let found = search(task, &mut pool, oracle);
    (pool, found)
}

/// Without tables that no index can be made on, as partitions of theirs are elsewhere.
pub fn of_indexable_tables(workload: &mut Workload, snapshot: &Snapshot) {
    let draftsman = Draftsman::of(snapshot);
    for query in &mut workload.queries {
        query.tables.retain(|table, _| draftsman.can_index(table));
    }
    workload.queries.retain(|query| !query.tables.is_empty());
}

#[allow(clippy::cast_precision_loss, reason = "weights")]
fn weight(query: &Query, weigh: Weigh) -> f64 {
    match weigh {
        Weigh::Time => query.total_ms,
        Weigh::Calls => query.calls as f64,
    }
}
