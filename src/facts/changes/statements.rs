//! What a call of each statement took in BASE and takes in HEAD, and how its plan has changed.

use crate::compare::{Comparison, Meeting, Pair, Shape, Shapes};
use crate::facts::build;
use crate::facts::sizes::Sizes;
use crate::facts::statements::{object, per_call};
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Plan, Snapshot, Statement, StatementKind};
use crate::model::table::Table;
use crate::model::units;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

#[derive(Serialize, JsonSchema)]
struct StatementChange {
    /// Fingerprint of the statement in HEAD. {text | pg_query fingerprint}
    fingerprint: String,
    /// It writes: INSERT, UPDATE, DELETE or MERGE. {bool | pg_query}
    is_write: bool,
    /// The text is new and took over from another: same relations, about as many calls. {bool | pg_query fingerprint}
    is_rewritten: bool,
    /// The text it took over from, literals replaced; of others their own. {text | pg_stat_statements.query}
    base_statement: String,
    /// It selects `*`, and did not in BASE. {bool | pg_query}
    gained_star: bool,
    /// Executions in BASE's window. {calls | pg_stat_statements.calls}
    base_calls: i64,
    /// Executions in HEAD's window. {calls | pg_stat_statements.calls}
    head_calls: i64,
    /// Executions in HEAD's window at the rate of BASE, by what `calls_compared_by` says; none when too little is on both sides to tell. {calls | calls}
    expected_calls: Option<f64>,
    /// What was counted to compare windows of different length; empty when nothing could be. {text | pg_stat_statements.calls}
    calls_compared_by: &'static str,
    /// Shared blocks touched by one call in BASE. {blocks | (shared_blks_hit + shared_blks_read) ÷ calls}
    base_blocks_per_call: f64,
    /// Shared blocks touched by one call in HEAD. {blocks | (shared_blks_hit + shared_blks_read) ÷ calls}
    head_blocks_per_call: f64,
    /// Rows returned or affected by one call in BASE. {tuples | rows ÷ calls}
    base_rows_per_call: f64,
    /// Rows returned or affected by one call in HEAD. {tuples | rows ÷ calls}
    head_rows_per_call: f64,
    /// Temporary blocks written by one call in BASE. {bytes | temp_blks_written × block_size ÷ calls}
    base_temp_bytes_per_call: f64,
    /// Temporary blocks written by one call in HEAD. {bytes | temp_blks_written × block_size ÷ calls}
    head_temp_bytes_per_call: f64,
    /// WAL written by one call in BASE, full-page images taken off as whole blocks. {bytes | (wal_bytes − wal_fpi × block_size) ÷ calls}
    base_wal_bytes_per_call: f64,
    /// WAL written by one call in HEAD, full-page images taken off as whole blocks. {bytes | (wal_bytes − wal_fpi × block_size) ÷ calls}
    head_wal_bytes_per_call: f64,
    /// What BASE's figure may be too low by: images leave out the hole of a page, and may be compressed. {bytes | wal_fpi × block_size ÷ calls, by half where wal_compression is off}
    wal_slack_bytes: f64,
    /// WAL records written by one call in BASE. {records | wal_records ÷ calls}
    base_wal_records_per_call: f64,
    /// WAL records written by one call in HEAD. {records | wal_records ÷ calls}
    head_wal_records_per_call: f64,
    /// Mean execution in BASE. {ms | total_exec_time ÷ calls}
    base_mean_ms: f64,
    /// Mean execution in HEAD. {ms | total_exec_time ÷ calls}
    head_mean_ms: f64,
    /// How much the relations it names have grown, by that which grew most, 1 at least: scans grow with them. {ratio | pg_relation_size()}
    data_growth: f64,
    /// Both plans are known, of one major. {bool | EXPLAIN}
    plans_known: bool,
    /// They differ in node types, relations or indexes. {bool | EXPLAIN}
    plan_changed: bool,
    /// Scans of BASE's plan that HEAD's lacks. {texts | EXPLAIN}
    base_scans: Vec<String>,
    /// Scans of HEAD's plan that BASE's lacks. {texts | EXPLAIN}
    head_scans: Vec<String>,
    /// The largest table that HEAD's plan reads whole and BASE's does not; none when there is none. {object | EXPLAIN Seq Scan}
    newly_scanned_table: Option<String>,
    /// Size of that table. {bytes | pg_relation_size()}
    newly_scanned_bytes: i64,
    /// Tables of HEAD's plan whose rows no index can find, and one could in BASE: the planner was asked to take sequential scans as the last resort. {objects | EXPLAIN with enable_seqscan off}
    newly_unserved_tables: Vec<String>,
    /// Bytes of a row returned, in BASE, by the planner's estimate; none without a plan. {bytes | EXPLAIN Plan Width}
    base_row_bytes: Option<f64>,
    /// Bytes of a row returned, in HEAD, by the planner's estimate; none without a plan. {bytes | EXPLAIN Plan Width}
    head_row_bytes: Option<f64>,
    /// Entries were evicted in one of the windows, so that calls may be missing. {bool | pg_stat_statements_info.dealloc}
    calls_may_be_missing: bool,
    /// Length of BASE's window, for people. {text | captured_at}
    base_window: String,
    /// Length of HEAD's window, for people. {text | captured_at}
    head_window: String,
}

#[derive(Serialize, JsonSchema)]
struct NewStatement {
    /// Fingerprint of the statement. {text | pg_query fingerprint}
    fingerprint: String,
    /// Executions in HEAD's window. {calls | pg_stat_statements.calls}
    calls: i64,
    /// Share of the calls of all statements in HEAD. {pct | calls ÷ Σ calls}
    calls_share_pct: f64,
    /// Shared blocks touched by one call. {blocks | (shared_blks_hit + shared_blks_read) ÷ calls}
    blocks_per_call: f64,
    /// Share of the shared blocks that all statements touched in HEAD. {pct | blocks ÷ Σ blocks}
    blocks_share_pct: f64,
    /// Rows returned or affected by one call. {tuples | rows ÷ calls}
    rows_per_call: f64,
    /// Temporary blocks written by one call. {bytes | temp_blks_written × block_size ÷ calls}
    temp_bytes_per_call: f64,
    /// Mean execution. {ms | total_exec_time ÷ calls}
    mean_ms: f64,
    /// BASE may have had it: entries were not read there, or evicted. {bool | pg_stat_statements, pg_stat_statements_info.dealloc}
    may_be_old: bool,
    /// Length of HEAD's window, for people. {text | captured_at}
    head_window: String,
}

/// Everything the rows are made from.
pub(super) struct Workload<'a> {
    comparison: &'a Comparison,
    meeting: &'a Meeting<'a>,
    base_plans: HashMap<(&'a str, &'a str), &'a Plan>,
    head_plans: HashMap<(&'a str, &'a str), &'a Plan>,
    base_shapes: Shapes<'a>,
    head_shapes: Shapes<'a>,
    base_sizes: Sizes<'a>,
    head_sizes: Sizes<'a>,
    /// All of HEAD: calls and blocks.
    head_total: (f64, f64),
}

fn plans(snapshot: &Snapshot) -> HashMap<(&str, &str), &Plan> {
    let planned = snapshot.plans.iter().filter(|plan| plan.plan.is_some());
    planned.map(|plan| ((plan.database.as_str(), plan.fingerprint.as_str()), plan)).collect()
}

fn evicted(snapshot: &Snapshot) -> bool {
    snapshot.statements_info.iter().any(|info| info.evictions.unwrap_or(0) > 0)
}

fn blocks(statement: &Statement) -> i64 {
    statement.counters.shared_blocks_hit + statement.counters.shared_blocks_read
}

fn width(plan: Option<&Plan>) -> Option<f64> {
    plan?.plan.as_ref()?.get("Plan Width").and_then(Value::as_f64)
}

/// What of a list another list lacks.
fn lacking(own: &[String], other: &[String]) -> Vec<String> {
    own.iter().filter(|scan| !other.contains(scan)).cloned().collect()
}

/// The largest table that the second plan reads whole and the first does not.
fn newly_scanned(before: &Shape, now: &Shape) -> Option<(String, i64)> {
    let new = now.whole.iter().filter(|(table, _)| !before.whole.contains_key(*table));
    let ((schema, name), bytes) = new.max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)))?;
    Some((Object::in_schema(ObjectKind::Table, "", schema, name).path(), *bytes))
}

/// Tables that an index served in the first plan and none can in the second; nothing where nobody asked.
fn newly_unserved(before: &Shape, now: &Shape) -> Vec<String> {
    let (Some(before), Some(now)) = (&before.unserved, &now.unserved) else { return Vec::new() };
    now.difference(before).map(|(schema, name)| Object::in_schema(ObjectKind::Table, "", schema, name).path()).collect()
}

impl<'a> Workload<'a> {
    #[allow(clippy::cast_precision_loss, reason = "counters")]
    pub(super) fn of(comparison: &'a Comparison, meeting: &'a Meeting<'a>) -> Self {
        let all = comparison.head.statements.iter().filter(|row| row.kind != StatementKind::Utility);
        let head_total = all.fold((0.0, 0.0), |(calls, touched), row| {
            (calls + row.counters.calls as f64, touched + blocks(row) as f64)
        });
        Self {
            comparison,
            meeting,
            base_plans: plans(&comparison.base),
            head_plans: plans(&comparison.head),
            base_shapes: Shapes::of(&comparison.base),
            head_shapes: Shapes::of(&comparison.head),
            base_sizes: Sizes::of(&comparison.base),
            head_sizes: Sizes::of(&comparison.head),
            head_total,
        }
    }

    fn plans_of(&self, pair: &Pair<'a>) -> (Option<&'a Plan>, Option<&'a Plan>) {
        let database = pair.head.database.as_str();
        let before = self.base_plans.get(&(database, pair.base.fingerprint.as_str()));
        (before.copied(), self.head_plans.get(&(database, pair.head.fingerprint.as_str())).copied())
    }

    /// Statements on both sides whose plans are on both sides.
    pub(super) fn planned(&self) -> usize {
        let is_known = |pair: &&Pair<'a>| matches!(self.plans_of(pair), (Some(_), Some(_)));
        if self.comparison.is_of_one_major() { self.meeting.pairs.iter().filter(is_known).count() } else { 0 }
    }

    /// A page more or less is no growth.
    #[allow(clippy::cast_precision_loss, reason = "a ratio")]
    fn growth(&self, statement: &Statement) -> f64 {
        let page = self.comparison.head.server.block_bytes.max(1);
        let grown = statement.relations.iter().filter_map(|name| {
            let before = self.base_sizes.meant(&statement.database, name)?;
            let now = self.head_sizes.meant(&statement.database, name)?;
            Some(now.max(page) as f64 / before.max(page) as f64)
        });
        grown.fold(1.0, f64::max)
    }

    /// The most that the images of BASE may have been taken off too much by.
    #[allow(clippy::cast_precision_loss, reason = "the size of a block")]
    fn wal_slack(&self, base: &Statement) -> f64 {
        let images = per_call(base.counters.wal_full_page_images, base);
        let compresses = self
            .comparison
            .base
            .setting("wal_compression")
            .is_some_and(|setting| setting.reset_value.as_deref().unwrap_or(&setting.value) != "off");
        let block = self.comparison.base.server.block_bytes as f64;
        images * if compresses { block } else { block / 2.0 }
    }

    fn wal(statement: &Statement, snapshot: &Snapshot) -> f64 {
        per_call(statement.counters.wal_without_images(snapshot.server.block_bytes), statement)
    }

    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn change(&self, pair: &Pair<'a>) -> StatementChange {
        let (base, head) = (pair.base, pair.head);
        let (before, now) = self.plans_of(pair);
        let shapes = before
            .zip(now)
            .filter(|_| self.comparison.is_of_one_major())
            .and_then(|(before, now)| Some((self.base_shapes.shape(before)?, self.head_shapes.shape(now)?)));
        let new_scan = shapes.as_ref().and_then(|(before, now)| newly_scanned(before, now));
        let temp = |row: &Statement, snapshot: &Snapshot| {
            per_call(row.counters.temp_blocks_written.saturating_mul(snapshot.server.block_bytes), row)
        };
        let (own, other) = (&self.comparison.head, &self.comparison.base);
        StatementChange {
            fingerprint: head.fingerprint.clone(),
            is_write: !matches!(head.kind, StatementKind::Select | StatementKind::Utility),
            is_rewritten: pair.is_rewritten(),
            base_statement: base.text.clone(),
            gained_star: head.selects_star && !base.selects_star,
            base_calls: base.counters.calls,
            head_calls: head.counters.calls,
            expected_calls: self.meeting.pace.map(|pace| base.counters.calls as f64 * pace.factor),
            calls_compared_by: self.meeting.pace.map_or("", |pace| pace.by),
            base_blocks_per_call: per_call(blocks(base), base),
            head_blocks_per_call: per_call(blocks(head), head),
            base_rows_per_call: per_call(base.counters.rows, base),
            head_rows_per_call: per_call(head.counters.rows, head),
            base_temp_bytes_per_call: temp(base, other),
            head_temp_bytes_per_call: temp(head, own),
            base_wal_bytes_per_call: Self::wal(base, other),
            head_wal_bytes_per_call: Self::wal(head, own),
            wal_slack_bytes: self.wal_slack(base),
            base_wal_records_per_call: per_call(base.counters.wal_records, base),
            head_wal_records_per_call: per_call(head.counters.wal_records, head),
            base_mean_ms: base.counters.total_exec_time_ms / base.counters.calls.max(1) as f64,
            head_mean_ms: head.counters.total_exec_time_ms / head.counters.calls.max(1) as f64,
            data_growth: self.growth(head),
            plans_known: shapes.is_some(),
            plan_changed: shapes.as_ref().is_some_and(|(before, now)| before.hash != now.hash),
            base_scans: shapes.as_ref().map(|(before, now)| lacking(&before.scans, &now.scans)).unwrap_or_default(),
            head_scans: shapes.as_ref().map(|(before, now)| lacking(&now.scans, &before.scans)).unwrap_or_default(),
            newly_scanned_bytes: new_scan.as_ref().map_or(0, |(_, bytes)| *bytes),
            newly_scanned_table: new_scan.map(|(table, _)| table),
            newly_unserved_tables: shapes.as_ref().map(|(before, now)| newly_unserved(before, now)).unwrap_or_default(),
            base_row_bytes: width(before),
            head_row_bytes: width(now),
            calls_may_be_missing: evicted(own) || evicted(other),
            base_window: units::millis(self.comparison.base_window.seconds() as f64 * 1000.0),
            head_window: units::millis(self.comparison.head_window.seconds() as f64 * 1000.0),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn arrival(&self, statement: &Statement) -> NewStatement {
        let counters = &statement.counters;
        let share = |value: f64, total: f64| if total > 0.0 { 100.0 * value / total } else { 0.0 };
        let base = &self.comparison.base;
        let temp = counters.temp_blocks_written.saturating_mul(self.comparison.head.server.block_bytes);
        NewStatement {
            fingerprint: statement.fingerprint.clone(),
            calls: counters.calls,
            calls_share_pct: share(counters.calls as f64, self.head_total.0),
            blocks_per_call: per_call(blocks(statement), statement),
            blocks_share_pct: share(blocks(statement) as f64, self.head_total.1),
            rows_per_call: per_call(counters.rows, statement),
            temp_bytes_per_call: per_call(temp, statement),
            mean_ms: counters.total_exec_time_ms / counters.calls.max(1) as f64,
            may_be_old: evicted(base)
                || base.statements_info.iter().any(|info| info.below_top + info.hidden + info.unparsed > 0),
            head_window: units::millis(self.comparison.head_window.seconds() as f64 * 1000.0),
        }
    }
}

/// Statements of both sides.
pub(super) fn changes<'a>(workload: &'a Workload<'a>) -> Table<'a> {
    let rows = workload.meeting.pairs.iter().map(|pair| (object(pair.head), workload.change(pair)));
    build::table("statement_changes", rows)
}

/// Statements of HEAD alone.
pub(super) fn news<'a>(workload: &'a Workload<'a>) -> Table<'a> {
    build::table("new_statements", workload.meeting.new.iter().map(|row| (object(row), workload.arrival(row))))
}
