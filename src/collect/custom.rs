//! Facets that rule packs bring along, in the database connected to.

use super::Collector;
use super::gap::CONFLICT;
use crate::model::snapshot::{CustomFacet, CustomRows, Facet, Gap, Snapshot};
use crate::postgres::{ReadError, Reader};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Rows of a pack's facet that are read.
const MAX_ROWS: usize = 10_000;

/// Bytes of a pack's facet that are read.
const MAX_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
struct Row {
    row: Map<String, Value>,
}

pub(super) async fn fill(collector: &Collector<'_>, reader: &Reader, facets: &[CustomFacet], snapshot: &mut Snapshot) {
    for facet in facets {
        collector.progress.started(&facet.name);
        match read(reader, &facet.sql).await {
            Ok(rows) if rows.len() > MAX_ROWS => {
                let reason = format!("{} returns more than {MAX_ROWS} rows", facet.name);
                collector.gap(refused(reason, None, "let its SELECT return less".to_owned())).await;
            }
            Ok(rows) => snapshot.custom.push(CustomRows {
                facet: facet.name.clone(),
                columns: facet.columns.clone(),
                rows: rows.into_iter().map(|row| row.row).collect(),
            }),
            Err(error) => {
                let reason = format!("{}: {}", facet.name, error.message);
                let remedy = match error.sqlstate.as_deref() {
                    Some("54000") => "let its SELECT return less",
                    Some("57014") => "make its SELECT cheaper, or raise --statement-timeout",
                    Some("40001" | "40P01") => CONFLICT,
                    Some("42501") => "grant the role what the pack's SELECT reads",
                    _ => "correct the pack's SQL",
                };
                collector.gap(refused(reason, error.sqlstate, remedy.to_owned())).await;
            }
        }
        collector.progress.finished(&facet.name);
    }
}

async fn read(reader: &Reader, sql: &str) -> Result<Vec<Row>, ReadError> {
    let bare = sql.trim().trim_end_matches(';');
    let wrapped = format!("select pg_catalog.to_jsonb(q) as row from (\n{bare}\n) q limit {}", MAX_ROWS + 1);
    reader.read_capped(&wrapped, MAX_BYTES).await
}

fn refused(reason: String, sqlstate: Option<String>, remedy: String) -> Gap {
    Gap { facet: Facet::Custom, database: None, partial: true, reason, sqlstate, remedy, is_failure: true }
}
