//! Statements, with figures per call and per row, their share of the whole, and what the catalog
//! says of the relations they name.

use super::build;
use super::common::counters_since;
use super::lookup::{Key, Lookup};
use super::paging::paged_whole;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Index, Relation, Statement, StatementCounters, StatementKind, WrappedColumn};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

#[derive(Serialize, JsonSchema)]
struct StatementRow<'a> {
    #[serde(flatten)]
    statement: &'a Statement,
    /// Share of the execution time of all statements of the database. {pct | total_exec_time ÷ Σ total_exec_time}
    share_pct: f64,
    /// Execution time of all statements of the database. {ms | Σ total_exec_time}
    all_exec_time_ms: f64,
    /// Time that 95 of 100 calls stay below, an estimate: a log-normal distribution with the mean and deviation measured, held between the shortest and longest call. {ms | mean_exec_time, stddev_exec_time}
    estimated_p95_ms: f64,
    /// Calls for each minute of the window. {calls | calls ÷ window}
    calls_per_minute: f64,
    /// Share of the calls of all statements of the database. {pct | calls ÷ Σ calls}
    calls_pct: f64,
    /// Share that all statements which insert a row at a time (INSERT … VALUES, at most one row a call) have of the calls of all statements of the database. {pct | Σ calls ÷ Σ calls}
    single_inserts_pct: f64,
    /// WAL written by one call, full-page images taken off. {bytes | (wal_bytes − wal_fpi × block_size) ÷ calls}
    wal_bytes_per_call: f64,
    /// Rows returned or affected by one call. {tuples | rows ÷ calls}
    rows_per_call: f64,
    /// Shared blocks touched by one call, found or read. {blocks | (shared_blks_hit + shared_blks_read) ÷ calls}
    blocks_per_call: f64,
    /// Shared blocks touched for one row returned; for no row at all, in total. {blocks | (shared_blks_hit + shared_blks_read) ÷ rows}
    blocks_per_row: f64,
    /// Shared blocks read from the operating system by one call. {blocks | shared_blks_read ÷ calls}
    blocks_read_per_call: f64,
    /// Share of shared blocks found in shared buffers; none when none was touched. {pct | shared_blks_hit ÷ (shared_blks_hit + shared_blks_read)}
    cache_hit_pct: Option<f64>,
    /// Temporary blocks written by one call. {bytes | temp_blks_written × block_size ÷ calls}
    temp_bytes_per_call: f64,
    /// Relations it names that are known here. {objects | pg_class}
    tables: Vec<String>,
    /// Of the relations it names, the one with the widest rows. {object | pg_class}
    widest_table: Option<String>,
    /// Columns of that relation. {columns | pg_attribute}
    widest_column_count: i64,
    /// Columns of that relation whose values are kept in TOAST: its TOAST table is not empty. {columns | pg_attribute.attstorage, pg_class.reltoastrelid}
    widest_toasted_column_count: usize,
    /// Bytes that relation keeps in TOAST. {bytes | pg_class.reltoastrelid}
    widest_toast_bytes: i64,
    /// Rows of that relation, an estimate. {tuples | pg_class.reltuples}
    widest_row_count: i64,
    /// Functions and casts round an indexed column that is compared, with no index of such an expression: `lower(email)`. {texts | pg_query, pg_index}
    non_sargable: Vec<String>,
    /// Rows written in the relations it names, by anybody; none when none is known here. {tuples | n_tup_ins + n_tup_upd + n_tup_del}
    table_writes: Option<i64>,
    /// Its generic plan reads and sorts or groups all its rows before it returns the first of a page, and no index holds what it sorts by: each page costs the same. {bool | EXPLAIN Limit, Sort, Aggregate, pg_index}
    pages_cost_alike: bool,
    /// It looks rows up in one relation by one column compared with a value. {bool | pg_query}
    is_key_lookup: bool,
    /// A statement on a related table whose rows explain these look-ups: about one call for each row it returned. {text | pg_stat_statements, pg_constraint}
    parent_statement: Option<String>,
    /// Fingerprint of that statement. {text | pg_query fingerprint}
    parent_fingerprint: Option<String>,
    /// Calls of that statement. {calls | pg_stat_statements.calls}
    parent_calls: Option<i64>,
    /// Calls of this statement for one call of that one. {calls | calls}
    calls_per_parent_call: Option<f64>,
    /// Rows that statement returned in one call. {tuples | rows ÷ calls}
    parent_rows_per_call: Option<f64>,
}

/// Quantile 0.95 of the log-normal distribution with the measured mean and deviation
/// (Johnson, Kotz, Balakrishnan, *Continuous Univariate Distributions* I, ch. 14).
fn estimated_p95(counters: &StatementCounters) -> f64 {
    const NORMAL_95: f64 = 1.644_853_627;
    let mean = counters.mean_exec_time_ms;
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = (counters.stddev_exec_time_ms / mean).powi(2).ln_1p();
    let quantile = (mean.ln() - variance / 2.0 + NORMAL_95 * variance.sqrt()).exp();
    quantile.min(counters.max_exec_time_ms).max(counters.min_exec_time_ms)
}

/// A statement that a loop of look-ups may follow.
struct Parent<'a> {
    statement: &'a Statement,
    calls_per_call: f64,
}

#[allow(clippy::cast_precision_loss, reason = "counters; a statement that has an entry has been called")]
pub(super) fn per_call(value: i64, statement: &Statement) -> f64 {
    value as f64 / statement.counters.calls.max(1) as f64
}

/// The related statement whose rows best explain the look-ups: they come about once per row it
/// returned (within a factor of two), from a table that a foreign key joins with this one. That they are as many
/// says less where it was seldom called: twice the standard error of a mean is doubt as well.
#[allow(clippy::cast_precision_loss, reason = "counters")]
fn parent<'a>(child: &Statement, related: &[&'a Statement]) -> Option<Parent<'a>> {
    let calls = child.counters.calls as f64;
    related
        .iter()
        .filter(|other| other.fingerprint != child.fingerprint && other.kind == StatementKind::Select)
        .filter(|other| other.counters.rows > other.counters.calls && shares_role(child, other))
        .map(|other| (calls / other.counters.rows as f64, *other))
        .filter(|(ratio, _)| (0.5..=2.0).contains(ratio))
        .min_by(|(near, one), (far, other)| {
            let doubt = |ratio: &f64, of: &Statement| ratio.ln().abs() + 2.0 / (of.counters.calls.max(1) as f64).sqrt();
            doubt(near, one).total_cmp(&doubt(far, other)).then_with(|| one.fingerprint.cmp(&other.fingerprint))
        })
        .map(|(_, statement)| Parent { statement, calls_per_call: calls / statement.counters.calls.max(1) as f64 })
}

fn is_single_insert(statement: &Statement) -> bool {
    let counters = &statement.counters;
    statement.kind == StatementKind::Insert && statement.inserts_values && counters.rows <= counters.calls
}

/// A share of all calls.
#[allow(clippy::cast_precision_loss, reason = "counters")]
fn calls_pct(calls: i64, all: i64) -> f64 {
    if all > 0 { 100.0 * calls as f64 / all as f64 } else { 0.0 }
}

fn shares_role(one: &Statement, other: &Statement) -> bool {
    one.users.iter().any(|user| other.users.contains(user))
}

fn writes(relation: &Relation) -> i64 {
    relation.inserted + relation.updated + relation.deleted
}

fn key(relation: &Relation) -> Key<'_> {
    (&relation.schema, &relation.name)
}

/// By table, the tables that a foreign key of one column joins it with, in either direction, each with
/// that column on its own side.
type Neighbours<'a> = HashMap<Key<'a>, Vec<(&'a str, Key<'a>)>>;

fn neighbours<'a>(lookup: &Lookup<'a>) -> Neighbours<'a> {
    let mut neighbours = Neighbours::new();
    for foreign in &lookup.snapshot.foreign_keys {
        let ([column], [referenced]) = (foreign.columns.as_slice(), foreign.referenced_columns.as_slice()) else {
            continue;
        };
        let one = (foreign.schema.as_str(), foreign.table.as_str());
        let other = (foreign.referenced_schema.as_str(), foreign.referenced_table.as_str());
        neighbours.entry(one).or_default().push((column, other));
        neighbours.entry(other).or_default().push((referenced, one));
    }
    neighbours
}

fn path(relation: &Relation) -> String {
    Object::in_schema(ObjectKind::Table, &relation.database, &relation.schema, &relation.name).path()
}

struct Workload<'a> {
    lookup: &'a Lookup<'a>,
    /// Statements by the relations they name.
    by_relation: HashMap<Key<'a>, Vec<&'a Statement>>,
    neighbours: Neighbours<'a>,
    /// Statements whose pages cost alike, by fingerprint.
    paged_whole: HashSet<&'a str>,
    /// Calls of all statements that insert a row at a time.
    single_inserts: i64,
    /// Length of the window.
    minutes: f64,
}

impl<'a> Workload<'a> {
    fn of(lookup: &'a Lookup<'a>) -> Self {
        let mut by_relation: HashMap<Key<'_>, Vec<&Statement>> = HashMap::new();
        for statement in &lookup.snapshot.statements {
            for relation in statement.relations.iter().filter_map(|name| lookup.named(name)) {
                by_relation.entry(key(relation)).or_default().push(statement);
            }
        }
        let inserts = lookup.snapshot.statements.iter().filter(|statement| is_single_insert(statement));
        let days = counters_since(lookup.snapshot).days(lookup.snapshot.captured_at);
        Self {
            lookup,
            by_relation,
            neighbours: neighbours(lookup),
            paged_whole: paged_whole(lookup),
            single_inserts: inserts.fold(0, |sum, statement| sum.saturating_add(statement.counters.calls)),
            minutes: (days * 1440.0).max(1.0 / 60.0),
        }
    }

    fn parent_of(&self, statement: &Statement, relations: &[&Relation]) -> Option<Parent<'a>> {
        let [relation] = relations else { return None };
        let near = self.neighbours.get(&key(relation))?.iter();
        // What is looked up by another column than the one that joins follows no list of that table.
        let joined = near.filter(|(column, _)| statement.lookup_columns.iter().any(|own| own == column));
        let related: Vec<&Statement> =
            joined.filter_map(|(_, place)| self.by_relation.get(place)).flatten().copied().collect();
        parent(statement, &related)
    }

    #[allow(clippy::cast_precision_loss, reason = "counters")]
    fn row(&self, statement: &'a Statement) -> StatementRow<'a> {
        let snapshot = self.lookup.snapshot;
        let counters = &statement.counters;
        let relations: Vec<&'a Relation> =
            statement.relations.iter().filter_map(|name| self.lookup.named(name)).collect();
        let is_key_lookup = statement.kind == StatementKind::Select && statement.lookup_columns.len() == 1;
        let parent = if is_key_lookup { self.parent_of(statement, &relations) } else { None };
        let touched = counters.shared_blocks_hit + counters.shared_blocks_read;
        let all = snapshot.statements_info().map_or(0.0, |info| info.total_exec_time_ms);
        let all_calls = snapshot.statements_info().map_or(0, |info| info.total_calls);
        let widest = relations.iter().copied().max_by_key(|relation| (relation.column_count, key(relation)));
        StatementRow {
            share_pct: if all > 0.0 { 100.0 * counters.total_exec_time_ms / all } else { 0.0 },
            all_exec_time_ms: all,
            estimated_p95_ms: estimated_p95(counters),
            calls_per_minute: counters.calls as f64 / self.minutes,
            calls_pct: calls_pct(counters.calls, all_calls),
            single_inserts_pct: calls_pct(self.single_inserts, all_calls),
            wal_bytes_per_call: per_call(counters.wal_without_images(snapshot.server.block_bytes), statement),
            rows_per_call: per_call(counters.rows, statement),
            blocks_per_call: per_call(touched, statement),
            blocks_per_row: touched as f64 / counters.rows.max(1) as f64,
            blocks_read_per_call: per_call(counters.shared_blocks_read, statement),
            cache_hit_pct: (touched > 0).then(|| 100.0 * counters.shared_blocks_hit as f64 / touched as f64),
            temp_bytes_per_call: per_call(
                counters.temp_blocks_written.saturating_mul(snapshot.server.block_bytes),
                statement,
            ),
            tables: relations.iter().map(|relation| path(relation)).collect(),
            widest_table: widest.map(path),
            widest_column_count: widest.map_or(0, |relation| relation.column_count),
            widest_toasted_column_count: widest.map_or(0, |relation| self.toasted_columns(relation)),
            widest_toast_bytes: widest.map_or(0, |relation| self.sum(relation, |leaf| leaf.toast_bytes)),
            widest_row_count: widest.map_or(0, |relation| self.sum(relation, |leaf| leaf.estimated_rows.unwrap_or(0))),
            non_sargable: self.non_sargable(statement, &relations),
            table_writes: relations.iter().map(|row| self.sum(row, writes)).reduce(|sum, own| sum + own),
            pages_cost_alike: self.paged_whole.contains(statement.fingerprint.as_str()),
            is_key_lookup,
            parent_statement: parent.as_ref().map(|parent| parent.statement.text.clone()),
            parent_fingerprint: parent.as_ref().map(|parent| parent.statement.fingerprint.clone()),
            parent_calls: parent.as_ref().map(|parent| parent.statement.counters.calls),
            calls_per_parent_call: parent.as_ref().map(|parent| parent.calls_per_call),
            parent_rows_per_call: parent.map(|parent| per_call(parent.statement.counters.rows, parent.statement)),
            statement,
        }
    }

    /// A figure of a table, over its leaves where it is partitioned.
    fn sum(&self, relation: &'a Relation, figure: impl Fn(&Relation) -> i64) -> i64 {
        let leaves = self.lookup.leaves(key(relation));
        if leaves.is_empty() { figure(relation) } else { leaves.iter().map(|leaf| figure(leaf)).sum() }
    }

    /// Columns that lead an index of a relation named, while no index of it has an expression with that
    /// column and function.
    fn non_sargable(&self, statement: &Statement, relations: &[&'a Relation]) -> Vec<String> {
        let mut found = Vec::new();
        for WrappedColumn { by, column } in &statement.wrapped_columns {
            let indexes: Vec<&Index> =
                relations.iter().flat_map(|row| self.lookup.indexes(key(row))).copied().collect();
            let leads = indexes.iter().any(|index| index.is_valid && index.key_columns.first() == Some(column));
            let says = |text: &String| text.contains(by.as_str()) && text.contains(column.as_str());
            let is_expression =
                indexes.iter().any(|index| index.is_valid && index.expressions.as_ref().is_some_and(says));
            if leads && !is_expression && !self.is_free_cast(by, column, relations) {
                found.push(format!("{by}({column})"));
            }
        }
        found
    }

    /// A cast between types that are stored alike, as varchar to text: the index serves it.
    fn is_free_cast(&self, by: &str, column: &str, relations: &[&'a Relation]) -> bool {
        let is_text =
            |name: &str| name.starts_with("character varying") || name == "text" || name.starts_with("varchar");
        let columns = relations.iter().flat_map(|row| self.lookup.columns(key(row)));
        is_text(by) && columns.filter(|own| own.name == column).all(|own| is_text(&own.type_name))
    }

    fn toasted_columns(&self, relation: &'a Relation) -> usize {
        if self.sum(relation, |leaf| leaf.toast_bytes) == 0 {
            return 0;
        }
        self.lookup.columns(key(relation)).iter().filter(|column| column.is_toastable).count()
    }
}

/// The statement as findings name it.
pub(super) fn object(statement: &Statement) -> Object {
    Object {
        kind: ObjectKind::Statement,
        database: Some(statement.database.clone()),
        name: statement.fingerprint.clone(),
        queryid: statement.queryids.first().cloned(),
        statement: Some(statement.text.clone()),
        ..Object::default()
    }
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>) -> Table<'a> {
    let workload = Workload::of(lookup);
    let rows = lookup.snapshot.statements.iter().map(move |statement| (object(statement), workload.row(statement)));
    build::table("statements", rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(fingerprint: &str, user: &str, calls: i64, rows: i64) -> Statement {
        Statement {
            fingerprint: fingerprint.to_owned(),
            users: vec![user.to_owned()],
            counters: StatementCounters { calls, rows, ..StatementCounters::default() },
            ..Statement::default()
        }
    }

    #[test]
    fn the_p95_of_a_log_normal() {
        let of = |mean, deviation| StatementCounters {
            mean_exec_time_ms: mean,
            stddev_exec_time_ms: deviation,
            max_exec_time_ms: 1e9,
            ..StatementCounters::default()
        };
        // σ² = ln 2, μ = −σ²/2: exp(−0.34657 + 1.64485 × 0.83255) = 2.7811
        assert!((estimated_p95(&of(1.0, 1.0)) - 2.7811).abs() < 1e-3);
        assert!((estimated_p95(&of(7.0, 0.0)) - 7.0).abs() < 1e-9);
        let capped = StatementCounters { max_exec_time_ms: 2.0, ..of(1.0, 1.0) };
        assert!((estimated_p95(&capped) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn look_ups_are_explained_by_the_rows_of_a_related_statement() {
        let child = statement("child", "web", 1250, 1250);
        let list = statement("list", "web", 50, 1250);
        let rare = statement("rare", "web", 1, 3);
        let foreign = statement("foreign", "report", 50, 1250);
        let found = parent(&child, &[&rare, &foreign, &list]).expect("a parent");
        assert_eq!((found.statement.fingerprint.as_str(), found.calls_per_call), ("list", 25.0));
        assert!(parent(&child, &[&rare, &foreign]).is_none());
        // Rows, for each call and in all, of a list that was called so often: no number of calls alone decides.
        for (calls, rows, other_calls, other_rows, is_first) in [
            (1, 1250, 50, 1300, false),
            (8, 1250, 12, 2400, true),
            (9, 1250, 10, 1250, false),
            (9, 1250, 1000, 1900, false),
        ] {
            let (one, other) = (statement("a", "web", calls, rows), statement("b", "web", other_calls, other_rows));
            let found = parent(&child, &[&other, &one]).expect("a parent").statement.fingerprint.clone();
            assert_eq!(found == "a", is_first, "{calls} {other_calls}");
        }
    }
}
