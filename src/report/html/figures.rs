//! The server in figures: each a table, with a bar, columns or a line in it where that is seen sooner than read.

use super::card::statement_block;
use super::pools::{self, PoolFigure};
use super::runway::{self, RunwayFigure};
use super::svg;
use super::trends::{self, TrendFigure};
use crate::model::plan::Name;
use crate::model::units;
use crate::model::verdict::Verdict;
use crate::model::vitals::{DatabaseVitals, SessionVitals, StatementLoad, StatementVitals, TableVitals};
use crate::report::escape;
use crate::report::words::{cut_flat, noun};
use serde::Serialize;

/// Databases shown, the largest; JSON has all.
const DATABASES: usize = 20;

/// Longest statement shown on its line, in characters.
const STATEMENT: usize = 160;

/// All of them; what was not looked at is none.
#[derive(Serialize)]
pub(super) struct Figures {
    is_empty: bool,
    statements: Option<StatementFigure>,
    tables: Option<TableFigure>,
    runways: Vec<RunwayFigure>,
    sessions: Option<SessionFigure>,
    databases: Option<DatabaseFigure>,
    pools: Vec<PoolFigure>,
    trends: Option<TrendFigure>,
}

#[derive(Serialize)]
struct StatementFigure {
    caption: String,
    is_of_several_databases: bool,
    rows: Vec<StatementRow>,
}

#[derive(Serialize)]
struct StatementRow {
    name: String,
    /// On one line, its end left out where it is long.
    text: String,
    /// All of it, where it is longer.
    whole: String,
    database: String,
    bar: String,
    share: String,
    total: String,
    calls: String,
    mean: String,
    blocks: String,
}

#[derive(Serialize)]
struct TableFigure {
    /// Since when they grew; none without an earlier snapshot.
    growth: Option<String>,
    rows: Vec<TableRow>,
}

#[derive(Serialize)]
struct TableRow {
    name: String,
    bar: String,
    total: String,
    indexes: String,
    rows: String,
    growth: String,
}

#[derive(Serialize)]
struct SessionFigure {
    caption: String,
    bar: String,
    rows: Vec<SessionRow>,
    waiting: String,
}

#[derive(Serialize)]
struct SessionRow {
    class: &'static str,
    state: String,
    count: usize,
}

#[derive(Serialize)]
struct DatabaseFigure {
    left_out: usize,
    rows: Vec<DatabaseRow>,
}

#[derive(Serialize)]
struct DatabaseRow {
    name: String,
    size: String,
    bar: String,
    cache_hits: String,
    commits: String,
    rollbacks: String,
    temporary: String,
    deadlocks: String,
    counted_from: String,
}

pub(super) fn figures(verdict: &Verdict) -> Figures {
    let vitals = &verdict.vitals;
    let mut figures = Figures {
        is_empty: false,
        statements: vitals.statements.as_ref().filter(|all| !all.top.is_empty()).map(|all| statements(verdict, all)),
        tables: vitals.tables.as_ref().filter(|all| !all.is_empty()).map(|all| tables(verdict, all)),
        runways: runway::figures(verdict),
        sessions: vitals.sessions.as_ref().map(sessions),
        databases: vitals.databases.as_ref().filter(|all| !all.is_empty()).map(|all| databases(all)),
        pools: pools::figures(vitals.poolers.as_deref().unwrap_or_default()),
        trends: verdict.trends.as_ref().map(trends::figure),
    };
    figures.is_empty = figures.statements.is_none()
        && figures.tables.is_none()
        && figures.runways.is_empty()
        && figures.sessions.is_none()
        && figures.databases.is_none()
        && figures.pools.is_empty()
        && figures.trends.is_none();
    figures
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn count(number: i64) -> String {
    units::count(number as f64)
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn size(bytes: i64) -> String {
    units::bytes(bytes as f64)
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{} %", units::short(100.0 * ratio))
}

/// `shop.orders`, and where there are several databases ` in shop`.
pub(super) fn place(several: bool, database: &str, schema: &str, name: &str) -> String {
    let database = if several { format!(" in {database}") } else { String::new() };
    escape(&format!("{}{database}", Name::new(schema, name)))
}

fn statements(verdict: &Verdict, all: &StatementVitals) -> StatementFigure {
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let window = units::millis(verdict.window.seconds() as f64 * 1000.0);
    let least = if verdict.window.from_is_reset || verdict.window.is_delta { "" } else { "at least " };
    let shown = all.top.len();
    StatementFigure {
        caption: format!(
            "{} of execution time in {least}{window}, {} calls; the {shown} {} that took most",
            units::millis(all.total_ms),
            count(all.calls),
            noun(shown, "statement")
        ),
        is_of_several_databases: verdict.is_of_several_databases(),
        rows: all.top.iter().map(statement).collect(),
    }
}

/// A statement on its line, and whether its end is left out.
pub(super) fn on_line(text: &str) -> (String, bool) {
    let (text, is_cut) = cut_flat(text, STATEMENT);
    (escape(&text), is_cut)
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn statement(load: &StatementLoad) -> StatementRow {
    let (text, is_cut) = on_line(&load.text);
    StatementRow {
        name: format!("q:{}", escape(&load.fingerprint)),
        whole: if is_cut { statement_block(&load.text) } else { String::new() },
        text,
        database: escape(&load.database),
        bar: svg::bar(&[("first", load.time_ratio.unwrap_or(0.0))]),
        share: load.time_ratio.map(percent).unwrap_or_default(),
        total: units::millis(load.total_ms),
        calls: count(load.calls),
        mean: units::millis(load.mean_ms),
        blocks: units::short(load.shared_blocks as f64 / load.calls.max(1) as f64),
    }
}

#[allow(clippy::cast_precision_loss, reason = "shares")]
fn tables(verdict: &Verdict, all: &[TableVitals]) -> TableFigure {
    let several = verdict.is_of_several_databases();
    let largest = all.iter().map(|table| table.total_bytes).max().unwrap_or(0).max(1) as f64;
    let since = match &verdict.diff {
        Some(_) => "from BASE to HEAD".to_owned(),
        None => format!("since {}", verdict.window.from.format("%Y-%m-%d %H:%M UTC")),
    };
    let row = |table: &TableVitals| {
        let heap = table.total_bytes.saturating_sub(table.index_bytes);
        TableRow {
            name: place(several, &table.database, &table.schema, &table.name),
            bar: svg::bar(&[("first", heap as f64 / largest), ("second", table.index_bytes as f64 / largest)]),
            total: size(table.total_bytes),
            indexes: size(table.index_bytes),
            rows: table.estimated_rows.map_or("unknown".to_owned(), count),
            growth: table.growth_bytes.map(grown).unwrap_or_default(),
        }
    };
    TableFigure {
        growth: all.iter().any(|table| table.growth_bytes.is_some()).then_some(since),
        rows: all.iter().map(row).collect(),
    }
}

fn grown(bytes: i64) -> String {
    if bytes > 0 { format!("+{}", size(bytes)) } else { size(bytes) }
}

#[allow(clippy::cast_precision_loss, reason = "shares")]
fn sessions(seen: &SessionVitals) -> SessionFigure {
    let class = |state: &str| match state {
        "active" | "fastpath function call" => "first",
        "idle" => "quiet",
        "hidden" => "unknown",
        _ => "alert",
    };
    let all = seen.max_connections.unwrap_or(0).max(i64::try_from(seen.total).unwrap_or(i64::MAX)).max(1) as f64;
    let shares: Vec<(&str, f64)> =
        seen.by_state.iter().map(|(state, count)| (class(state), *count as f64 / all)).collect();
    let room = seen.max_connections.map(|most| format!(" of {} (max_connections)", count(most))).unwrap_or_default();
    let waiting: Vec<String> = seen.waiting.iter().map(|(class, count)| format!("{} {class}", count)).collect();
    SessionFigure {
        caption: format!("{} client {}{room} when it was read", seen.total, noun(seen.total, "session")),
        bar: svg::bar(&shares),
        rows: seen
            .by_state
            .iter()
            .map(|(state, count)| SessionRow { class: class(state), state: escape(state), count: *count })
            .collect(),
        waiting: escape(&waiting.join(", ")),
    }
}

fn databases(all: &[DatabaseVitals]) -> DatabaseFigure {
    let mut largest: Vec<&DatabaseVitals> = all.iter().collect();
    largest.sort_by_key(|row| (!row.is_audited, std::cmp::Reverse(row.size_bytes)));
    let row = |row: &&DatabaseVitals| DatabaseRow {
        name: escape(&row.database),
        size: row.size_bytes.map_or("unknown".to_owned(), size),
        bar: svg::bar(&[("first", row.cache_hit_ratio.unwrap_or(0.0))]),
        cache_hits: row.cache_hit_ratio.map(percent).unwrap_or_else(|| "no reads".to_owned()),
        commits: count(row.commits),
        rollbacks: count(row.rollbacks),
        temporary: size(row.temp_bytes),
        deadlocks: count(row.deadlocks),
        counted_from: row.counted_from.format("%Y-%m-%d %H:%M UTC").to_string(),
    };
    DatabaseFigure {
        left_out: all.len().saturating_sub(DATABASES),
        rows: largest.iter().take(DATABASES).map(row).collect(),
    }
}
