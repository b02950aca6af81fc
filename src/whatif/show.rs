//! A statement's plan without and with hypothetical indexes, as EXPLAIN prints it.

use super::hypopg::definition;
use super::{Question, message, planned};
use crate::advise::Candidate;
use crate::ddl::{literal, quoted};
use crate::postgres::{MARKER, Pinned, ReadError, Reader, TextRow};
use crate::statement::{ColumnType, Repaired};

/// Both plans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// As things are.
    pub before: String,
    /// With the indexes. Their names are HypoPG's own.
    pub after: String,
}

/// Shows the generic plans of a statement. `schema` is where HypoPG lives.
pub async fn show(
    reader: &Reader,
    major: i32,
    schema: &str,
    question: Question<'_>,
    candidates: &[Candidate],
    column_type: &ColumnType<'_>,
) -> Result<Shown, String> {
    let (repaired, _) = planned(reader, major, question, column_type).await.map_err(|(_, words)| words)?;
    let shown = ask(reader, major, &quoted(schema), question.search_path, &repaired, candidates).await;
    shown.map_err(|error| error.to_string())
}

async fn ask(
    reader: &Reader,
    major: i32,
    schema: &str,
    search_path: &str,
    repaired: &Repaired,
    candidates: &[Candidate],
) -> Result<Shown, ReadError> {
    let pinned = reader.pin().await?;
    let path = literal(search_path);
    pinned
        .ask(&format!(
            "select {MARKER} pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false), \
             pg_catalog.set_config('search_path', {path}, false)"
        ))
        .await?;
    let explain = message(repaired, major, "costs");
    let before = explained(&pinned, &explain).await?;
    for candidate in candidates {
        let sql = literal(&definition(candidate));
        pinned.ask(&format!("select {MARKER} indexrelid from {schema}.hypopg_create_index({sql})")).await?;
    }
    let after = explained(&pinned, &explain).await;
    // They would be gone with the session anyway.
    pinned.ask(&format!("select {MARKER} {schema}.hypopg_reset()")).await?;
    Ok(Shown { before, after: after? })
}

async fn explained(pinned: &Pinned, explain: &str) -> Result<String, ReadError> {
    let results = pinned.ask(explain).await?;
    let lines = |rows: &Vec<TextRow>| -> Vec<String> { rows.iter().filter_map(|row| row.first()?.clone()).collect() };
    Ok(results.iter().rev().find(|rows| !rows.is_empty()).map(lines).unwrap_or_default().join("\n"))
}
