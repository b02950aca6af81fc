//! What an index costs those who write: the entries they will have to make in it, and the HOT updates that
//! it ends.
//!
//! - An INSERT writes one entry into every index; so does an UPDATE that is not HOT, whatever it sets
//!   (PostgreSQL documentation, "Heap-Only Tuples"). A DELETE writes none.
//! - An UPDATE can be HOT only while no index has a column that it sets; summarizing ones (BRIN) do not count
//!   from 16 on. An index on such a column makes it write an entry into *every* index of the table.
//! - An entry is found a place for by a descent, a block of each level, and is copied into WAL
//!   (`xl_btree_insert`, src/include/access/nbtxlog.h).
//!
//! Time is calibrated by what the workload's own `INSERT … VALUES` take for a block: they do little but
//! touch blocks and write WAL. Commits are not in those times; an index hardly adds to them.

use super::candidate::{Candidate, Id, Pool};
use super::catalog::root;
use crate::model::plan::Name;
use crate::model::snapshot::{Column, Index, Relation, Snapshot, Statement, StatementKind};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Time of a block touched by a write, in ms, where no INSERT says: a B-tree insert in memory takes 5 to
/// 15 µs for three levels, WAL included.
const MS_PER_BLOCK: f64 = 0.004;

/// What is measured is trusted between these: beyond them it is triggers or waits that are measured.
const CREDIBLE_MS_PER_BLOCK: (f64, f64) = (0.001, 0.5);

/// Rows that INSERTs must have written for their time to be believed.
const ENOUGH_ROWS: i64 = 100;

/// Planner's cost of a millisecond, where no plan says: a page from memory, its rows with it, is 1 in cost
/// and about 10 µs in time.
const COST_PER_MS: f64 = 100.0;

/// Bytes of a B-tree insert in WAL besides the entry: header of the record 24, of the block 20, of the
/// data 2, the position 2.
const WAL_OVERHEAD: f64 = 48.0;

/// Entries of a B-tree's inner page, of which the levels follow: 8 kB by 32 bytes.
const FANOUT: f64 = 250.0;

/// Tables that were filled within less time, in seconds, are taken for loaded: at that pace they would double in
/// as long again.
const A_DAY: f64 = 86_400.0;

/// A table is filled when as many of its rows were inserted as counters run, and not more of them deleted.
const FILLED: (f64, f64) = (0.9, 0.1);

/// Width of a column without statistics.
const DEFAULT_WIDTH: f64 = 8.0;

/// For how long counters have counted, in seconds. Those of tables and those of statements are reset apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Windows {
    /// Counters of tables.
    pub tables: f64,
    /// Counters of statements.
    pub statements: f64,
}

impl Windows {
    /// Since the resets that the server recorded, else since its start: then the counters may be of longer, and writes
    /// are taken for more than they are.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let since = |reset: Option<DateTime<Utc>>| {
            let from = reset.unwrap_or(snapshot.server.started_at);
            #[allow(clippy::cast_precision_loss, reason = "seconds")]
            let seconds = (snapshot.captured_at - from).num_seconds() as f64;
            seconds
        };
        Self {
            tables: since(snapshot.current_database().and_then(|database| database.stats_reset)),
            statements: since(snapshot.statements_info().and_then(|info| info.stats_reset)),
        }
    }
}

/// What an index would cost writes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Price {
    /// Entries written into it, and into others for the HOT updates it ends, per second.
    pub entries_per_second: f64,
    /// WAL for them, in bytes per second: a record for an entry, and page images as often as the workload's
    /// inserts write them, uncompressed. 0 for unlogged tables.
    pub wal_bytes_per_second: f64,
    /// HOT updates that would be so no more, per second.
    pub hot_lost_per_second: f64,
    /// Time of writers, in milliseconds per hour.
    pub ms_per_hour: f64,
    /// The same in the planner's units, by what a millisecond of the planned statements costs.
    pub cost_per_hour: f64,
}

/// The price of each candidate, in the order of their numbers, beside the indexes that are there now: two
/// candidates that end the same HOT updates both pay for them.
#[must_use]
pub fn prices(snapshot: &Snapshot, pool: &Pool, windows: Windows) -> Vec<Price> {
    let ids: Vec<Id> = (0..pool.len()).filter_map(|id| Id::try_from(id).ok()).collect();
    let tables = tables(snapshot, &ids.iter().map(|id| &pool.get(*id).table).collect());
    let cost_per_ms = cost_per_ms(snapshot);
    ids.into_iter()
        .map(|id| {
            let candidate = pool.get(id);
            let price = tables.get(&candidate.table).map(|table| table.price(candidate, pool.bytes(id), windows));
            let price = price.unwrap_or_default();
            Price { cost_per_hour: price.ms_per_hour * cost_per_ms, ..price }
        })
        .collect()
}

/// What is known of a table's writes, its leaves summed up.
struct Table<'a> {
    root: &'a Relation,
    /// By the counters or, as these may have been reset, by the last ANALYZE.
    rows: i64,
    inserted: i64,
    deleted: i64,
    updated: i64,
    hot_updated: i64,
    /// Rows that the workload's INSERTs wrote.
    inserted_by_statements: i64,
    indexes: Vec<&'a Index>,
    columns: Vec<&'a Column>,
    /// UPDATEs of the workload that could have been HOT.
    updates: Vec<&'a Statement>,
    ms_per_block: f64,
    images_per_record: f64,
    block_bytes: f64,
    major: i32,
}

/// Tables of which there are candidates.
fn tables<'a>(snapshot: &'a Snapshot, wanted: &BTreeSet<&Name>) -> BTreeMap<Name, Table<'a>> {
    let by_name: HashMap<(&str, &str), &Relation> =
        snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect();
    let mut tables: BTreeMap<Name, Table<'_>> = BTreeMap::new();
    for row in &snapshot.relations {
        let root = root(row, &by_name);
        let name = Name::new(&root.schema, &root.name);
        if wanted.contains(&name) {
            let table = tables.entry(name).or_insert_with(|| Table::new(root, snapshot));
            table.rows += row.live_tuples.max(row.estimated_rows.unwrap_or(0));
            table.inserted += row.inserted;
            table.deleted += row.deleted;
            table.updated += row.updated;
            table.hot_updated += row.hot_updated;
        }
    }
    tables
}

fn names(statement: &Statement, relation: &Relation) -> bool {
    let is_it = |schema: Option<&String>| schema.is_none_or(|schema| *schema == relation.schema);
    statement.relations.iter().any(|named| named.name == relation.name && is_it(named.schema.as_ref()))
}

impl<'a> Table<'a> {
    fn new(root: &'a Relation, snapshot: &'a Snapshot) -> Self {
        let own = |schema: &str, name: &str| schema == root.schema && name == root.name;
        let major = snapshot.server.major();
        let indexes: Vec<&Index> =
            snapshot.indexes.iter().filter(|index| own(&index.schema, &index.table) && index.is_ready).collect();
        let is_blocked = |statement: &Statement| {
            statement.set_columns.iter().any(|column| indexes.iter().any(|index| index.ends_hot(column, major)))
        };
        let updates = snapshot.statements.iter().filter(|statement| {
            statement.kind == StatementKind::Update && names(statement, root) && !is_blocked(statement)
        });
        let inserts = snapshot.statements.iter().filter(|row| row.kind == StatementKind::Insert && names(row, root));
        let (ms_per_block, images_per_record) =
            calibrated(snapshot, Some(root)).or_else(|| calibrated(snapshot, None)).unwrap_or((MS_PER_BLOCK, 0.0));
        Self {
            root,
            rows: 0,
            inserted: 0,
            deleted: 0,
            updated: 0,
            hot_updated: 0,
            inserted_by_statements: inserts.map(|row| row.counters.rows).sum(),
            updates: updates.collect(),
            columns: snapshot.columns.iter().filter(|column| own(&column.schema, &column.relation)).collect(),
            indexes,
            ms_per_block,
            images_per_record,
            #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
            block_bytes: if snapshot.server.block_bytes > 0 { snapshot.server.block_bytes as f64 } else { 8192.0 },
            major,
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "counters and sizes")]
    fn price(&self, candidate: &Candidate, bytes: i64, windows: Windows) -> Price {
        let not_hot = (self.updated - self.hot_updated).max(0);
        let own = self.inserted_per_second(windows) + not_hot as f64 / windows.tables.max(1.0);
        let lost = self.hot_lost(candidate) / windows.statements.max(1.0);
        let others = self.indexes.iter().filter(|index| self.major < 16 || index.method != "brin").count();
        let entries = own + lost * (1 + others) as f64;
        let pages = (bytes as f64 / self.block_bytes).max(1.0);
        let levels = 1.0 + pages.log(FANOUT).ceil().max(0.0);
        let record = WAL_OVERHEAD + self.entry_bytes(candidate) + self.images_per_record * self.block_bytes;
        Price {
            entries_per_second: entries,
            wal_bytes_per_second: if self.root.is_unlogged { 0.0 } else { entries * record },
            hot_lost_per_second: lost,
            ms_per_hour: entries * 3600.0 * levels * self.ms_per_block,
            cost_per_hour: 0.0,
        }
    }

    /// Of a table that was loaded a short while ago what statements insert, as far as they are known: the load
    /// does not go on.
    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn inserted_per_second(&self, windows: Windows) -> f64 {
        let (inserted, deleted) = (self.inserted as f64, self.deleted as f64);
        let (filled, churned) = FILLED;
        let is_filled = inserted >= filled * self.rows as f64 && deleted <= churned * inserted;
        if is_filled && windows.tables < A_DAY {
            self.inserted_by_statements as f64 / windows.statements.max(1.0)
        } else {
            inserted / windows.tables.max(1.0)
        }
    }

    /// Updates by the workload's statements that set a column of the candidate, as many of them as are HOT now.
    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn hot_lost(&self, candidate: &Candidate) -> f64 {
        let rows = |statement: &&&Statement| statement.counters.rows.max(0) as f64;
        let sets = |statement: &&&Statement| statement.set_columns.iter().any(|column| candidate.depends_on(column));
        let share = if self.updated > 0 { self.hot_updated as f64 / self.updated as f64 } else { 0.0 };
        let able: f64 = self.updates.iter().map(|statement| rows(&statement)).sum();
        // Those that cannot be HOT lower the share of all, not that of these.
        let all: f64 = able.max(1.0) / (self.updated as f64).max(able).max(1.0);
        // Of none it is 0, where `Iterator::sum` says -0.
        let lost = self.updates.iter().filter(sets).fold(0.0, |sum, statement| sum + rows(&statement));
        lost * (share / all).min(1.0)
    }

    /// An entry: its header, and its columns filled up to 8 bytes.
    #[allow(clippy::cast_precision_loss, reason = "widths")]
    fn entry_bytes(&self, candidate: &Candidate) -> f64 {
        let width = |name: &str| {
            let column = self.columns.iter().find(|column| column.name == name);
            let filled = 1.0 - column.and_then(|column| column.null_fraction).unwrap_or(0.0);
            column.and_then(|column| column.average_width_bytes).map_or(DEFAULT_WIDTH, |bytes| bytes as f64) * filled
        };
        let columns = candidate.keys.iter().map(|key| &key.column).chain(&candidate.include);
        let data: f64 = columns.map(|column| width(column)).sum();
        8.0 + (data / 8.0).ceil() * 8.0
    }
}

/// Time for a block, and page images for a WAL record, of the `INSERT … VALUES` into a table, or of all.
#[allow(clippy::cast_precision_loss, reason = "counters")]
fn calibrated(snapshot: &Snapshot, table: Option<&Relation>) -> Option<(f64, f64)> {
    let inserts = snapshot.statements.iter().filter(|statement| {
        statement.kind == StatementKind::Insert
            && statement.inserts_values
            && table.is_none_or(|table| names(statement, table))
    });
    let (mut rows, mut blocks, mut ms, mut records, mut images) = (0, 0, 0.0, 0, 0);
    for counters in inserts.map(|statement| &statement.counters) {
        rows += counters.rows;
        blocks += counters.shared_blocks_hit + counters.shared_blocks_read;
        ms += counters.total_exec_time_ms;
        records += counters.wal_records;
        images += counters.wal_full_page_images;
    }
    let (least, most) = CREDIBLE_MS_PER_BLOCK;
    (rows >= ENOUGH_ROWS && blocks > 0)
        .then(|| ((ms / blocks as f64).clamp(least, most), images as f64 / records.max(1) as f64))
}

/// Planner's cost of a millisecond, by the statements whose plans are known.
#[allow(clippy::cast_precision_loss, reason = "counters")]
fn cost_per_ms(snapshot: &Snapshot) -> f64 {
    let (mut cost, mut ms) = (0.0, 0.0);
    for plan in &snapshot.plans {
        let total = plan.plan.as_ref().and_then(|root| root.get("Total Cost")?.as_f64());
        let statement = snapshot.statements.iter().find(|row| row.fingerprint == plan.fingerprint);
        if let (Some(total), Some(statement)) = (total, statement) {
            cost += total * statement.counters.calls as f64;
            ms += statement.counters.total_exec_time_ms;
        }
    }
    if ms > 0.0 && cost > 0.0 { cost / ms } else { COST_PER_MS }
}

#[cfg(test)]
mod tests;
