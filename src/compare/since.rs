//! The difference of two snapshots of one server: what was counted in between, as a snapshot whose counters
//! begin with the earlier one.

use super::course::{Course, course};
use super::tally::{Tally, counted};
use crate::model::snapshot::{Checkpoints, Database, Index, Io, Relation, Snapshot, Statement, StatementsInfo, Wal};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// What was counted in between, and what should be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// The later snapshot, with counters from the earlier one on.
    pub snapshot: Snapshot,
    /// What happened in between that a reader should know.
    pub notes: Vec<String>,
}

/// The window between two snapshots of one server. Refused, with the reason, where the counters of the later one
/// do not go on from the earlier one's.
pub fn since(earlier: &Snapshot, later: &Snapshot) -> Result<Delta, String> {
    match course(earlier, later)? {
        Course::Anew(reason) => Err(reason),
        Course::On(notes) => Ok(difference(earlier, later, notes)),
    }
}

/// Subtracts what had been counted before.
pub(super) fn difference(earlier: &Snapshot, later: &Snapshot, mut notes: Vec<String>) -> Delta {
    let mut snapshot = later.clone();
    let known = Tally::of(earlier);
    let mut unknown = 0;
    snapshot.statements.retain_mut(|statement| {
        match known.find(statement) {
            Some(before) => statement.counters = counted(&statement.counters, &before.counters).counters,
            None if is_new(statement, earlier) => {}
            None => {
                unknown += 1;
                return false;
            }
        }
        statement.counters.calls > 0
    });
    if unknown > 0 {
        notes.push(format!(
            "{unknown} statements are left out: they were not among those of which the earlier snapshot has texts, and may have counted before it"
        ));
    }
    for info in &mut snapshot.statements_info {
        if let Some(before) = earlier.statements_info.iter().find(|row| row.database == info.database) {
            totals(info, before);
        }
        info.stats_reset = Some(earlier.captured_at);
    }
    databases(&mut snapshot, earlier, &mut notes);
    each(
        &mut snapshot.relations,
        &earlier.relations,
        |row| [&row.database, &row.schema, &row.name].map(Clone::clone),
        relation,
    );
    each(
        &mut snapshot.indexes,
        &earlier.indexes,
        |row| [&row.database, &row.schema, &row.name].map(Clone::clone),
        index,
    );
    each(&mut snapshot.io, &earlier.io, |row| [&row.backend_type, &row.object, &row.context].map(Clone::clone), io);
    if let (Some(now), Some(before)) = (&mut snapshot.checkpoints, &earlier.checkpoints) {
        checkpoints(now, before);
        now.stats_reset = began(now.stats_reset, earlier);
    }
    if let (Some(now), Some(before)) = (&mut snapshot.wal, &earlier.wal) {
        wal(now, before);
        now.stats_reset = began(now.stats_reset, earlier);
    }
    if !snapshot.nodes.is_empty() {
        notes.push("counters of standbys are left out: they were not read as differences".to_owned());
        snapshot.nodes.clear();
    }
    snapshot.server.counters_reset = Some(earlier.captured_at);
    Delta { snapshot, notes }
}

/// A statement that the earlier snapshot lacks began after it: by its own word, or as the earlier one read all.
fn is_new(statement: &Statement, earlier: &Snapshot) -> bool {
    let is_partial = |info: &StatementsInfo| info.below_top > 0 || info.hidden > 0 || info.unparsed > 0;
    let own = earlier.statements_info.iter().filter(|info| info.database == statement.database);
    statement
        .counters
        .stats_since
        .map_or_else(|| !own.into_iter().any(is_partial), |since| since >= earlier.captured_at)
}

/// What a row goes by.
type Key = [String; 3];

/// Rows that both have, made differences in place.
fn each<R>(later: &mut [R], earlier: &[R], key: impl Fn(&R) -> Key, subtract: impl Fn(&mut R, &R)) {
    let known: HashMap<Key, &R> = earlier.iter().map(|row| (key(row), row)).collect();
    for row in later {
        if let Some(before) = known.get(&key(row)) {
            subtract(row, before);
        }
    }
}

/// From when counters count: the earlier snapshot, or a reset since.
fn began(reset: Option<DateTime<Utc>>, earlier: &Snapshot) -> Option<DateTime<Utc>> {
    reset.filter(|reset| *reset > earlier.captured_at).or(Some(earlier.captured_at))
}

/// Counters that are whole numbers: how to reach each.
type Counts<R> = [fn(&mut R) -> Option<&mut i64>];

/// Counters that are times.
type Times<R> = [fn(&mut R) -> Option<&mut f64>];

/// Takes off what the earlier row had counted, unless that would leave less than nothing: then the counters were
/// reset in between and count from there.
#[allow(clippy::cast_precision_loss, reason = "only compared")]
fn subtract<R: Clone>(later: &mut R, earlier: &R, counts: &Counts<R>, times: &Times<R>) {
    let (mut result, mut before) = (later.clone(), earlier.clone());
    for count in counts {
        if let (Some(now), Some(before)) = (count(&mut result), count(&mut before)) {
            *now = now.saturating_sub(*before);
        }
    }
    for time in times {
        if let (Some(now), Some(before)) = (time(&mut result), time(&mut before)) {
            // Sums of times lose their last digits.
            *now = if (*now - *before).abs() < 1e-6 { 0.0 } else { *now - *before };
        }
    }
    let is_less = counts.iter().any(|count| count(&mut result).is_some_and(|value| *value < 0))
        || times.iter().any(|time| time(&mut result).is_some_and(|value| *value < 0.0));
    if !is_less {
        *later = result;
    }
}

fn totals(now: &mut StatementsInfo, before: &StatementsInfo) {
    subtract(
        now,
        before,
        &[|row| Some(&mut row.total_calls), |row| row.evictions.as_mut()],
        &[|row| Some(&mut row.total_exec_time_ms)],
    );
}

fn databases(snapshot: &mut Snapshot, earlier: &Snapshot, notes: &mut Vec<String>) {
    for row in &mut snapshot.databases {
        let Some(before) = earlier.databases.iter().find(|other| other.name == row.name) else { continue };
        if row.stats_reset == before.stats_reset {
            database(row, before);
        } else if snapshot.audited.contains(&row.name) {
            notes.push(format!(
                "statistics of tables and indexes in {} were reset in between and count from there",
                row.name
            ));
        }
        row.stats_reset = began(row.stats_reset, earlier);
    }
}

fn database(now: &mut Database, before: &Database) {
    subtract(
        now,
        before,
        &[
            |row| Some(&mut row.commits),
            |row| Some(&mut row.rollbacks),
            |row| Some(&mut row.blocks_read),
            |row| Some(&mut row.blocks_hit),
            |row| Some(&mut row.temp_files),
            |row| Some(&mut row.temp_bytes),
            |row| Some(&mut row.deadlocks),
            |row| Some(&mut row.conflicts),
            |row| row.sessions.as_mut(),
            |row| row.sessions_abandoned.as_mut(),
            |row| row.sessions_fatal.as_mut(),
            |row| row.sessions_killed.as_mut(),
        ],
        &[
            |row| Some(&mut row.block_read_time_ms),
            |row| Some(&mut row.block_write_time_ms),
            |row| row.session_time_ms.as_mut(),
            |row| row.active_time_ms.as_mut(),
            |row| row.idle_in_transaction_time_ms.as_mut(),
        ],
    );
}

fn relation(now: &mut Relation, before: &Relation) {
    subtract(
        now,
        before,
        &[
            |row| Some(&mut row.seq_scans),
            |row| Some(&mut row.seq_tuples_read),
            |row| Some(&mut row.index_scans),
            |row| Some(&mut row.index_tuples_fetched),
            |row| Some(&mut row.inserted),
            |row| Some(&mut row.updated),
            |row| Some(&mut row.deleted),
            |row| Some(&mut row.hot_updated),
            |row| row.new_page_updated.as_mut(),
            |row| Some(&mut row.vacuums),
            |row| Some(&mut row.autovacuums),
            |row| Some(&mut row.analyzes),
            |row| Some(&mut row.autoanalyzes),
            |row| Some(&mut row.heap_blocks_read),
            |row| Some(&mut row.heap_blocks_hit),
        ],
        &[],
    );
}

fn index(now: &mut Index, before: &Index) {
    subtract(
        now,
        before,
        &[
            |row| Some(&mut row.scans),
            |row| Some(&mut row.tuples_read),
            |row| Some(&mut row.tuples_fetched),
            |row| Some(&mut row.blocks_read),
            |row| Some(&mut row.blocks_hit),
        ],
        &[],
    );
}

fn io(now: &mut Io, before: &Io) {
    subtract(
        now,
        before,
        &[
            |row| Some(&mut row.reads),
            |row| Some(&mut row.read_bytes),
            |row| Some(&mut row.writes),
            |row| Some(&mut row.write_bytes),
            |row| Some(&mut row.extends),
            |row| Some(&mut row.hits),
            |row| Some(&mut row.evictions),
            |row| Some(&mut row.fsyncs),
        ],
        &[|row| Some(&mut row.read_time_ms), |row| Some(&mut row.write_time_ms), |row| Some(&mut row.fsync_time_ms)],
    );
}

fn checkpoints(now: &mut Checkpoints, before: &Checkpoints) {
    subtract(
        now,
        before,
        &[
            |row| Some(&mut row.timed),
            |row| Some(&mut row.requested),
            |row| row.done.as_mut(),
            |row| Some(&mut row.buffers_written),
            |row| Some(&mut row.buffers_cleaned),
            |row| Some(&mut row.cleaning_stops),
            |row| row.buffers_by_backends.as_mut(),
            |row| Some(&mut row.buffers_allocated),
        ],
        &[|row| Some(&mut row.write_time_ms), |row| Some(&mut row.sync_time_ms)],
    );
}

fn wal(now: &mut Wal, before: &Wal) {
    subtract(
        now,
        before,
        &[
            |row| row.records.as_mut(),
            |row| row.full_page_images.as_mut(),
            |row| row.bytes.as_mut(),
            |row| row.buffers_full.as_mut(),
            |row| Some(&mut row.archived),
            |row| Some(&mut row.archive_failures),
        ],
        &[],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Node, Tool};
    use chrono::TimeDelta;

    fn snapshot(minute: i64, scans: i64, commits: i64) -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH + TimeDelta::minutes(minute));
        snapshot.server.system_identifier = Some("7".to_owned());
        snapshot.audited = vec!["shop".to_owned()];
        snapshot.statements_info =
            vec![StatementsInfo { stats_reset: Some(DateTime::UNIX_EPOCH), ..StatementsInfo::default() }];
        snapshot.indexes = vec![Index { name: "i".to_owned(), scans, ..Index::default() }];
        snapshot.databases = vec![Database { name: "shop".to_owned(), commits, ..Database::default() }];
        snapshot.wal = Some(Wal { bytes: Some(commits * 100), ..Wal::default() });
        snapshot
    }

    #[test]
    fn counters_are_those_of_the_window() {
        let delta = since(&snapshot(1, 100, 50), &snapshot(2, 130, 80)).expect("a window");
        let window = &delta.snapshot;
        assert_eq!((window.indexes[0].scans, window.databases[0].commits), (30, 30));
        assert_eq!(window.wal.as_ref().and_then(|wal| wal.bytes), Some(3000));
        let begins = Some(DateTime::UNIX_EPOCH + TimeDelta::minutes(1));
        assert_eq!((window.databases[0].stats_reset, window.statements_info[0].stats_reset), (begins, begins));
        assert!(delta.notes.is_empty(), "{:?}", delta.notes);
    }

    #[test]
    fn what_was_reset_counts_from_there_and_is_said() {
        let mut later = snapshot(9, 7, 80);
        let reset = Some(DateTime::UNIX_EPOCH + TimeDelta::minutes(5));
        later.databases[0].stats_reset = reset;
        later.nodes = vec![Node::default()];
        let delta = since(&snapshot(1, 100, 50), &later).expect("a window");
        assert_eq!((delta.snapshot.indexes[0].scans, delta.snapshot.databases[0].commits), (7, 80));
        assert_eq!(delta.snapshot.databases[0].stats_reset, reset);
        assert!(delta.notes[0].contains("in shop were reset in between"), "{:?}", delta.notes);
        assert!(delta.snapshot.nodes.is_empty() && delta.notes[1].contains("standbys"), "{:?}", delta.notes);
    }
}
