//! What each statement did between two snapshots of one server, per call, beside what it did before.

use super::tally::counted;
use crate::model::snapshot::{Snapshot, Statement, StatementCounters};
use serde::Serialize;
use std::collections::HashMap;

/// A full-page image is counted as one page, though it may be compressed: taken off, WAL per call does not
/// depend on when checkpoints came.
pub(super) const PAGE_BYTES: i64 = 8192;

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
    fn of(counters: &StatementCounters) -> Self {
        let calls = counters.calls.max(1) as f64;
        let wal = (counters.wal_bytes - PAGE_BYTES * counters.wal_full_page_images).max(0);
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
    let key = |statement: &Statement| (statement.database.clone(), statement.fingerprint.clone());
    let known: HashMap<_, &Statement> = before.statements.iter().map(|statement| (key(statement), statement)).collect();
    let mut all = Vec::new();
    for statement in &after.statements {
        let Some(earlier) = known.get(&key(statement)) else { continue };
        let since = counted(&statement.counters, &earlier.counters).counters;
        if since.calls > 0 {
            let (before, after) = (PerCall::of(&earlier.counters), PerCall::of(&since));
            all.push(Moved { statement, before, after });
        }
    }
    all
}
