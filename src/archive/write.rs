//! Writing: the schema, and runs. Each in a transaction of its own with time-outs of its own, so that it works through a
//! transaction pooler and waits for nobody long.

use super::ArchiveError;
use super::schema::{MIGRATIONS, fits, grants, step};
use crate::model::history::Run;
use crate::model::snapshot::Snapshot;
use crate::postgres::{ReadError, Target, Type, Writer, marked};
use crate::store::packed;

/// Key of the advisory lock that brings a history up one at a time: `pgassayh` in ASCII.
const LOCK_KEY: i64 = 0x7067_6173_7361_7968;

const BEGIN: &str = "begin; set local search_path = pg_catalog; set local statement_timeout = '60s'; \
                     set local lock_timeout = '10s'; set local idle_in_transaction_session_timeout = '60s'";

const VERSION: &str = "select pg_catalog.max(m.version) from pgassay.migration m";

/// Who keeps the same snapshot twice keeps one run.
const KEEP: &str = "insert into pgassay.run (captured_at, name, head, snapshot) values ($1, $2, $3, $4) \
                    on conflict do nothing";

/// Keeps a run.
pub async fn keep(target: &Target, application: &str, run: &Run, snapshot: &Snapshot) -> Result<(), ArchiveError> {
    let place = target.place();
    let writer = Writer::connect(target, application).await?;
    let kept = insert(&writer, &place, run, snapshot).await;
    writer.close().await;
    kept
}

async fn insert(writer: &Writer, place: &str, run: &Run, snapshot: &Snapshot) -> Result<(), ArchiveError> {
    let of = |error: ReadError| match error.sqlstate.as_deref() {
        // check_violation: no partition holds it.
        Some("23514") => no_month(place, run),
        _ => ArchiveError::of(place, &error),
    };
    writer.execute(BEGIN).await.map_err(of)?;
    fits(place, version(writer).await.map_err(of)?)?;
    let unwritable = |error: std::io::Error| ArchiveError::new(error.to_string(), "keep it in a folder instead");
    let bytes = packed(run, snapshot).map_err(unwritable)?;
    let head = serde_json::to_value(run).map_err(|error| unwritable(error.into()))?;
    let row: [(&(dyn crate::postgres::ToSql + Sync), Type); 4] =
        [(&run.captured_at, Type::TIMESTAMPTZ), (&run.name(), Type::TEXT), (&head, Type::JSONB), (&bytes, Type::BYTEA)];
    writer.execute_with(&marked(KEEP), &row).await.map_err(of)?;
    writer.execute("commit").await.map_err(of)
}

fn no_month(place: &str, run: &Run) -> ArchiveError {
    let month = run.captured_at.format("%Y-%m");
    ArchiveError::new(
        format!("the history in {place} has no partition for {month}"),
        format!(
            "`pgassay partition maintain --table pgassay.run --yes` makes coming months, from cron; \
             `pgassay partition create pgassay.run --from {month} --to {month} --yes` a past one"
        ),
    )
}

/// Makes the history, or brings it up to this program's version, and grants roles what they need. Returns the versions
/// that it went through; none where it was up to date.
pub async fn migrate(
    target: &Target,
    application: &str,
    writers: &[String],
    readers: &[String],
    tool: &str,
) -> Result<Vec<i32>, ArchiveError> {
    let place = target.place();
    let writer = Writer::connect(target, application).await?;
    let done = bring_up(&writer, &place, &grants(writers, readers), tool).await;
    writer.close().await;
    done
}

async fn bring_up(writer: &Writer, place: &str, grants: &str, tool: &str) -> Result<Vec<i32>, ArchiveError> {
    let of = |error: ReadError| {
        ArchiveError::new(
            format!("history in {place}: {}", error.message),
            "it takes a role that owns the schema pgassay, or may create schemas in this database",
        )
    };
    writer.execute(BEGIN).await.map_err(of)?;
    writer.execute(&format!("select pg_advisory_xact_lock({LOCK_KEY})")).await.map_err(of)?;
    let is_there = writer.value("select to_regclass('pgassay.migration') is not null").await.map_err(of)?;
    let found = if is_there.as_deref() == Some("t") { version(writer).await.map_err(of)?.unwrap_or(0) } else { 0 };
    let mut done = Vec::new();
    for (version, sql) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        writer.execute(&step(version, sql, tool)).await.map_err(of)?;
        done.push(version);
    }
    fits(place, Some(found.max(done.last().copied().unwrap_or(0))))?;
    if !grants.is_empty() {
        writer.execute(grants).await.map_err(of)?;
    }
    writer.execute("commit").await.map_err(of)?;
    Ok(done)
}

async fn version(writer: &Writer) -> Result<Option<i32>, ReadError> {
    Ok(writer.value(&marked(VERSION)).await?.and_then(|text| text.parse().ok()))
}
