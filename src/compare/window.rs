//! What each statement did between two snapshots of one server, per call, beside what it did before.

use super::tally::{Tally, counted};
use crate::model::snapshot::{Snapshot, Statement, StatementCounters};
use serde::Serialize;

/// What one call took, on average.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PerCall {
    /// Calls that the averages are of.
    pub calls: i64,
    /// Execution time, in milliseconds.
    pub ms: f64,
    /// Shared blocks touched, found or read.
    pub blocks: f64,
    /// WAL written, full-page images left out, in bytes.
    pub wal_bytes: f64,
}

impl PerCall {
    #[allow(clippy::cast_precision_loss, reason = "averages")]
    fn of(counters: &StatementCounters, block_bytes: i64) -> Self {
        let calls = counters.calls.max(1) as f64;
        let wal = counters.wal_without_images(block_bytes);
        Self {
            calls: counters.calls,
            ms: counters.total_exec_time_ms / calls,
            blocks: (counters.shared_blocks_hit + counters.shared_blocks_read) as f64 / calls,
            wal_bytes: wal as f64 / calls,
        }
    }
}

/// One statement before a moment and after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moved<'a> {
    /// The statement, as the later snapshot has it.
    pub statement: &'a Statement,
    /// All calls up to the earlier snapshot.
    pub before: PerCall,
    /// The calls between the two.
    pub after: PerCall,
}

/// The statements that both snapshots know and that were called in between. Where counters went back, they
/// were reset in between and count from there.
#[must_use]
pub fn moved<'a>(before: &Snapshot, after: &'a Snapshot) -> Vec<Moved<'a>> {
    let known = Tally::of(before);
    let mut all = Vec::new();
    for statement in &after.statements {
        let Some(earlier) = known.find(statement) else { continue };
        let since = counted(&statement.counters, &earlier.counters).counters;
        if since.calls > 0 {
            let block_bytes = after.server.block_bytes;
            let (before, after) = (PerCall::of(&earlier.counters, block_bytes), PerCall::of(&since, block_bytes));
            all.push(Moved { statement, before, after });
        }
    }
    all
}
