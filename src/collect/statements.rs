//! Statements: numbers of all entries first, without a single text; then the texts of the chosen;
//! then entries with the same fingerprint become one statement.

use super::Collector;
use crate::model::object::identifier;
use crate::model::snapshot::{Extension, Facet, Gap, Snapshot, Statement, StatementCounters, StatementsInfo};
use crate::postgres::{MARKER, ReadError, Reader, ToSql, Type, pick};
use crate::statement::analyse;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Oldest minor version of the extension that is read; it came with PostgreSQL 13.
const OLDEST: i32 = 8;

/// Longest text that is kept, in bytes; the tree of a longer one is read all the same.
const MAX_TEXT: usize = 20_000;

/// One row of `pg_stat_statements(false)`.
#[derive(Debug, Clone, Deserialize)]
struct Entry {
    database: String,
    user: String,
    queryid: Option<i64>,
    #[serde(flatten)]
    counters: StatementCounters,
}

/// One row of `statement_texts.sql`.
#[derive(Debug, Clone, Deserialize)]
struct Text {
    queryid: i64,
    text: String,
}

#[derive(Debug, Clone, Deserialize)]
struct InfoRow {
    extension_version: String,
    schema: String,
    max_entries: Option<i64>,
    track: Option<String>,
    tracks_planning: Option<bool>,
    tracks_io_timing: bool,
    evictions: Option<i64>,
    stats_reset: Option<DateTime<Utc>>,
}

/// All entries of the instance, and how to read their texts.
pub(super) struct Entries {
    info: InfoRow,
    all: Vec<Entry>,
    texts_sql: String,
}

/// Reads the numbers of all entries, or says why there are none.
pub(super) async fn entries(collector: &Collector<'_>, reader: &Reader) -> Result<Entries, Gap> {
    collector.progress.started("statements");
    let role = &collector.server.role;
    let extensions: Vec<Extension> = super::rows(reader, "extensions", collector.server.major())
        .await
        .map_err(|error| super::gap_of(Facet::Statements, None, &error, role))?;
    let extension = extensions.iter().find(|extension| extension.name == "pg_stat_statements");
    let extension = extension.ok_or_else(|| absent(collector))?;
    if minor_version(extension) < OLDEST {
        return Err(too_old(extension));
    }
    read(collector, reader, extension).await.map_err(|error| failed(&error, &extension.schema, role))
}

/// Chooses by their numbers the statements of each audited database, reads their texts, and merges them.
pub(super) async fn fill(
    collector: &Collector<'_>,
    reader: &Reader,
    entries: Result<Entries, Gap>,
    top: usize,
    snapshot: &mut Snapshot,
) {
    match entries {
        Err(gap) => collector.gap(gap).await,
        Ok(entries) => {
            for database in snapshot.audited.clone() {
                match texts(reader, &entries, &database, top).await {
                    Ok((info, statements)) => {
                        snapshot.statements_info.push(info);
                        snapshot.statements.extend(statements);
                    }
                    Err(error) => {
                        let gap = failed(&error, &entries.info.schema, &collector.server.role);
                        collector.gap(Gap { database: Some(database), ..gap }).await;
                    }
                }
            }
        }
    }
    collector.progress.finished("statements");
}

/// The minor of the extension's version, 9 for 1.9.
fn minor_version(extension: &Extension) -> i32 {
    extension.version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(OLDEST)
}

fn too_old(extension: &Extension) -> Gap {
    Gap {
        facet: Facet::Statements,
        database: None,
        partial: false,
        reason: format!("pg_stat_statements {} is installed, 1.{OLDEST} is the oldest that is read", extension.version),
        sqlstate: None,
        remedy: "alter extension pg_stat_statements update;".to_owned(),
        is_failure: false,
    }
}

fn absent(collector: &Collector<'_>) -> Gap {
    let is_loaded = collector.server.statements_preloaded == Some(true);
    let remedy = if is_loaded {
        "create extension pg_stat_statements;".to_owned()
    } else {
        "shared_preload_libraries = 'pg_stat_statements', restart, then create extension pg_stat_statements;".to_owned()
    };
    Gap {
        facet: Facet::Statements,
        database: None,
        partial: false,
        reason: "pg_stat_statements is not installed in this database".to_owned(),
        sqlstate: None,
        remedy,
        is_failure: false,
    }
}

/// Who may not read the extension lacks its schema: all may read its view. The message is in the server's language.
fn failed(error: &ReadError, schema: &str, role: &str) -> Gap {
    let is_unloaded = error.sqlstate.as_deref() == Some("55000");
    let mut gap = super::gap_of(Facet::Statements, None, error, role);
    if error.sqlstate.as_deref() == Some("42501") {
        gap.remedy = format!("grant usage on schema {} to {};", identifier(schema), identifier(role));
    }
    if matches!(error.sqlstate.as_deref(), Some("22021" | "22P05")) {
        gap.reason =
            "pg_stat_statements holds texts of a database in another encoding, which the server cannot show here"
                .to_owned();
        gap.remedy = "audit from that database, or select pg_stat_statements_reset(0, its oid, 0) in it".to_owned();
        gap.is_failure = false;
    }
    if is_unloaded {
        gap.remedy = "shared_preload_libraries = 'pg_stat_statements', then restart the server".to_owned();
        gap.is_failure = false;
    }
    gap
}

async fn read(collector: &Collector<'_>, reader: &Reader, extension: &Extension) -> Result<Entries, ReadError> {
    let minor = minor_version(extension);
    let schema = format!("\"{}\"", extension.schema.replace('"', "\"\""));
    let sql = |name: &str| {
        pick(name, collector.server.major(), minor)
            .map(|query| query.sql.replace("{schema}", &schema))
            .unwrap_or_default()
    };
    let mut infos: Vec<InfoRow> = reader.read(&sql("statements_info"), &[]).await?;
    let all: Vec<Entry> = reader.read(&sql("statements"), &[]).await?;
    let info = infos.pop().ok_or_else(|| ReadError {
        message: "pg_stat_statements said nothing of itself".to_owned(),
        sqlstate: None,
        position: None,
    })?;
    Ok(Entries { info, all, texts_sql: sql("statement_texts") })
}

async fn texts(
    reader: &Reader,
    entries: &Entries,
    database: &str,
    top: usize,
) -> Result<(StatementsInfo, Vec<Statement>), ReadError> {
    let own: Vec<Entry> = entries.all.iter().filter(|entry| entry.database == database).cloned().collect();
    let ids: Vec<i64> = choose(&own, top).into_iter().collect();
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&ids, Type::INT8_ARRAY), (&database, Type::TEXT)];
    let texts: Vec<Text> = reader.read(&entries.texts_sql, &params).await?;
    let total = i64::try_from(entries.all.len()).unwrap_or(i64::MAX);
    let (mut info, statements) = assemble(entries.info.clone(), total, own, texts);
    info.database = database.to_owned();
    Ok((info, statements))
}

/// Query ids that are among the `top` by any total that a rule may ask for.
fn choose(entries: &[Entry], top: usize) -> BTreeSet<i64> {
    let by: [fn(&StatementCounters) -> f64; 7] = [
        |counters| counters.total_exec_time_ms + counters.total_plan_time_ms,
        |counters| counters.mean_exec_time_ms,
        #[allow(clippy::cast_precision_loss, reason = "only compared")]
        |counters| counters.calls as f64,
        #[allow(clippy::cast_precision_loss, reason = "only compared")]
        |counters| counters.rows as f64,
        #[allow(clippy::cast_precision_loss, reason = "only compared")]
        |counters| (counters.shared_blocks_hit + counters.shared_blocks_read) as f64,
        #[allow(clippy::cast_precision_loss, reason = "only compared")]
        |counters| counters.temp_blocks_written as f64,
        #[allow(clippy::cast_precision_loss, reason = "only compared")]
        |counters| counters.wal_bytes as f64,
    ];
    let mut chosen = BTreeSet::new();
    for total in by {
        let mut ranked: Vec<(f64, i64)> =
            entries.iter().filter_map(|entry| Some((total(&entry.counters), entry.queryid?))).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        chosen.extend(ranked.into_iter().take(top).map(|(_, id)| id));
    }
    chosen
}

fn assemble(info: InfoRow, entries: i64, own: Vec<Entry>, texts: Vec<Text>) -> (StatementsInfo, Vec<Statement>) {
    let ours: HashSet<i64> = texts.iter().filter(|text| text.text.contains(MARKER)).map(|text| text.queryid).collect();
    let analysed: HashMap<i64, _> = texts
        .iter()
        .filter(|text| !ours.contains(&text.queryid) && !is_hidden(&text.text))
        .map(|text| (text.queryid, analyse(&text.text)))
        .collect();
    let hidden_ids: HashSet<i64> = texts.iter().filter(|text| is_hidden(&text.text)).map(|text| text.queryid).collect();
    let mut info = StatementsInfo {
        extension_version: info.extension_version,
        schema: info.schema,
        max_entries: info.max_entries,
        track: info.track,
        tracks_planning: info.tracks_planning,
        tracks_io_timing: info.tracks_io_timing,
        evictions: info.evictions,
        stats_reset: info.stats_reset,
        entries,
        ..StatementsInfo::default()
    };
    let mut merged: BTreeMap<String, Statement> = BTreeMap::new();
    for entry in own {
        if entry.queryid.is_some_and(|id| ours.contains(&id)) {
            continue;
        }
        info.seen += 1;
        info.total_exec_time_ms += entry.counters.total_exec_time_ms;
        info.total_calls += entry.counters.calls;
        match entry.queryid.map(|id| (id, analysed.get(&id))) {
            None => info.hidden += 1,
            Some((id, None)) if hidden_ids.contains(&id) => info.hidden += 1,
            Some((_, None)) => info.below_top += 1,
            Some((_, Some(Err(_)))) => info.unparsed += 1,
            Some((id, Some(Ok(analysis)))) => {
                let statement = merged.entry(analysis.fingerprint.clone()).or_insert_with(|| Statement {
                    database: entry.database.clone(),
                    fingerprint: analysis.fingerprint.clone(),
                    text: shortened(&analysis.text),
                    kind: analysis.kind,
                    relations: analysis.relations.clone(),
                    selects_star: analysis.selects_star,
                    has_offset: analysis.has_offset,
                    has_limit: analysis.has_limit,
                    lookup_columns: analysis.lookup_columns.clone(),
                    wrapped_columns: analysis.wrapped_columns.clone(),
                    inserts_values: analysis.inserts_values,
                    set_columns: analysis.set_columns.clone(),
                    ..Statement::default()
                });
                statement.counters = sum(&statement.counters, &entry.counters);
                insert_sorted(&mut statement.queryids, id.to_string());
                insert_sorted(&mut statement.users, entry.user);
            }
        }
    }
    (info, merged.into_values().collect())
}

fn is_hidden(text: &str) -> bool {
    text == "<insufficient privilege>"
}

fn shortened(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{} …", &text[..end])
}

fn insert_sorted(list: &mut Vec<String>, value: String) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}

/// Two entries of one statement as one: totals add up, the deviation by the pooled second moment.
#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
fn sum(one: &StatementCounters, other: &StatementCounters) -> StatementCounters {
    if one.calls == 0 {
        return other.clone();
    }
    let (n, m) = (one.calls as f64, other.calls as f64);
    let mean = (one.total_exec_time_ms + other.total_exec_time_ms) / (n + m).max(1.0);
    let moment = |counters: &StatementCounters, n: f64| {
        n * (counters.stddev_exec_time_ms.powi(2) + counters.mean_exec_time_ms.powi(2))
    };
    let variance = (moment(one, n) + moment(other, m)) / (n + m).max(1.0) - mean.powi(2);
    StatementCounters {
        calls: one.calls + other.calls,
        rows: one.rows + other.rows,
        plans: one.plans + other.plans,
        total_plan_time_ms: one.total_plan_time_ms + other.total_plan_time_ms,
        total_exec_time_ms: one.total_exec_time_ms + other.total_exec_time_ms,
        min_exec_time_ms: one.min_exec_time_ms.min(other.min_exec_time_ms),
        max_exec_time_ms: one.max_exec_time_ms.max(other.max_exec_time_ms),
        mean_exec_time_ms: mean,
        stddev_exec_time_ms: variance.max(0.0).sqrt(),
        shared_blocks_hit: one.shared_blocks_hit + other.shared_blocks_hit,
        shared_blocks_read: one.shared_blocks_read + other.shared_blocks_read,
        shared_blocks_dirtied: one.shared_blocks_dirtied + other.shared_blocks_dirtied,
        shared_blocks_written: one.shared_blocks_written + other.shared_blocks_written,
        temp_blocks_read: one.temp_blocks_read + other.temp_blocks_read,
        temp_blocks_written: one.temp_blocks_written + other.temp_blocks_written,
        block_read_time_ms: one.block_read_time_ms + other.block_read_time_ms,
        block_write_time_ms: one.block_write_time_ms + other.block_write_time_ms,
        wal_records: one.wal_records + other.wal_records,
        wal_full_page_images: one.wal_full_page_images + other.wal_full_page_images,
        wal_bytes: one.wal_bytes + other.wal_bytes,
        stats_since: one.stats_since.min(other.stats_since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, user: &str, calls: i64, mean: f64) -> Entry {
        #[allow(clippy::cast_precision_loss, reason = "small")]
        let total = calls as f64 * mean;
        Entry {
            database: "shop".into(),
            user: user.into(),
            queryid: Some(id),
            counters: StatementCounters {
                calls,
                total_exec_time_ms: total,
                mean_exec_time_ms: mean,
                stddev_exec_time_ms: 1.0,
                ..StatementCounters::default()
            },
        }
    }

    fn text(queryid: i64, text: &str) -> Text {
        Text { queryid, text: text.into() }
    }

    fn info() -> InfoRow {
        InfoRow {
            extension_version: "1.10".into(),
            schema: "public".into(),
            max_entries: None,
            track: None,
            tracks_planning: None,
            tracks_io_timing: false,
            evictions: None,
            stats_reset: None,
        }
    }

    #[test]
    fn the_remedy_of_a_closed_schema_does_not_depend_on_the_server_s_language() {
        let message = "keine Berechtigung für Schema Ext".to_owned();
        let error = ReadError { message, sqlstate: Some("42501".to_owned()), position: None };
        let gap = failed(&error, "Ext", "auditor");
        assert_eq!((gap.remedy.as_str(), gap.is_failure), ("grant usage on schema \"Ext\" to auditor;", false));
    }

    #[test]
    fn entries_with_one_fingerprint_become_one_statement() {
        let own = vec![entry(1, "web", 10, 2.0), entry(2, "web", 30, 6.0), entry(2, "job", 10, 2.0)];
        let texts = vec![text(1, "select a from t where b = $1"), text(2, "SELECT a FROM t WHERE b=$1")];
        let (info, statements) = assemble(info(), 3, own, texts);
        assert_eq!((info.seen, statements.len()), (3, 1));
        let statement = &statements[0];
        assert_eq!((statement.counters.calls, &statement.users[..]), (50, &["job".to_owned(), "web".to_owned()][..]));
        assert!((statement.counters.mean_exec_time_ms - 4.4).abs() < 1e-9);
        // Pooled: E[x²] − E[x]² = (10·5 + 30·37 + 10·5)/50 − 4.4² = 24.2 − 19.36
        assert!((statement.counters.stddev_exec_time_ms - 4.84_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn every_entry_is_accounted_for_and_ours_are_not_the_workload() {
        let mut nameless = entry(0, "web", 1, 1.0);
        nameless.queryid = None;
        let own = vec![
            entry(1, "web", 1, 1.0),
            entry(2, "web", 1, 1.0),
            entry(3, "web", 1, 1.0),
            entry(4, "web", 1, 1.0),
            entry(5, "me", 1, 1.0),
            nameless,
        ];
        let texts = vec![
            text(1, "select 1"),
            text(2, "selec 1"),
            text(3, "<insufficient privilege>"),
            text(5, "/* pgassay */ select 1"),
        ];
        let (info, statements) = assemble(info(), 6, own, texts);
        assert_eq!((info.seen, statements.len()), (5, 1));
        assert_eq!((info.unparsed, info.hidden, info.below_top), (1, 2, 1));
        assert!((info.total_exec_time_ms - 5.0).abs() < 1e-9);
    }

    #[test]
    fn the_choice_is_by_any_total() {
        let mut spilling = entry(3, "web", 1, 0.1);
        spilling.counters.temp_blocks_written = 1000;
        let entries = vec![entry(1, "web", 100, 1.0), entry(2, "web", 1, 90.0), spilling, entry(4, "web", 2, 0.2)];
        let chosen = choose(&entries, 1);
        assert!(chosen.contains(&1) && chosen.contains(&2) && chosen.contains(&3) && !chosen.contains(&4));
    }
}
