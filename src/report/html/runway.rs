//! How far partitions reach: a column for each, as high as it is large, and the present among them.

use super::figures::{count, place, size};
use super::svg::{self, Caption, Column};
use crate::model::object::Object;
use crate::model::units;
use crate::model::verdict::Verdict;
use crate::model::vitals::{PartitionVitals, RunwayVitals};
use crate::report::escape;
use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct RunwayFigure {
    name: String,
    /// A rule found something in it.
    is_found: bool,
    said: String,
    chart: String,
    first: String,
    last: String,
    rows: Vec<PartitionRow>,
}

#[derive(Serialize)]
struct PartitionRow {
    name: String,
    from: String,
    to: String,
    size: String,
    rows: String,
}

/// Of the tables whose partitions are told.
pub(super) fn figures(verdict: &Verdict) -> Vec<RunwayFigure> {
    let tables = verdict.vitals.partitioned_tables.iter().flatten();
    let told = tables.filter(|table| !table.partitions.is_empty()).enumerate();
    told.map(|(at, table)| figure(verdict, at, table)).collect()
}

fn figure(verdict: &Verdict, at: usize, table: &RunwayVitals) -> RunwayFigure {
    let name = place(verdict.is_of_several_databases(), &table.database, &table.schema, &table.name);
    let said = said(table);
    let place_of = |object: &Object| (object.database.clone(), object.schema.clone(), object.name.clone());
    let own = (Some(table.database.clone()), Some(table.schema.clone()), table.name.clone());
    let is_found = verdict.open().any(|finding| finding.area == "partition" && place_of(&finding.object) == own);
    let now = verdict.captured_at;
    let largest = table.partitions.iter().map(|row| row.total_bytes).max().unwrap_or(0).max(1);
    let column = |row: &PartitionVitals| Column {
        class: match (row.from, row.to) {
            (Some(from), _) if from > now => "ahead",
            (_, Some(to)) if to <= now => "past",
            _ => "now",
        },
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        height: row.total_bytes as f64 / largest as f64,
        label: format!("{}: {}, about {} rows", row.name, size(row.total_bytes), count(row.estimated_rows)),
    };
    let columns: Vec<Column> = table.partitions.iter().map(column).collect();
    let caption = Caption {
        id: &format!("runway-{at}"),
        title: format!("Partitions of {name}"),
        description: format!("{said}; the largest of {} holds {}", columns.len(), size(largest)),
    };
    RunwayFigure {
        chart: svg::columns(&caption, &columns),
        is_found,
        said,
        first: table.partitions.first().map(|row| row.from.map_or("no begin".to_owned(), day)).unwrap_or_default(),
        last: table.partitions.last().map(|row| row.to.map_or("no end".to_owned(), day)).unwrap_or_default(),
        rows: table.partitions.iter().rev().map(row).collect(),
        name,
    }
}

fn said(table: &RunwayVitals) -> String {
    match (table.covers_now, table.covered_until, table.runway_days) {
        (false, _, _) => "no partition holds the present".to_owned(),
        (true, Some(until), Some(days)) => {
            format!("covered until {}, for {}", until.format("%Y-%m-%d %H:%M UTC"), units::millis(days * 86_400_000.0))
        }
        _ => "the partitions never end".to_owned(),
    }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn row(row: &PartitionVitals) -> PartitionRow {
    let moment = |at: Option<DateTime<Utc>>, none: &str| {
        at.map_or_else(|| none.to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    PartitionRow {
        name: escape(&row.name),
        from: moment(row.from, "no begin"),
        to: moment(row.to, "no end"),
        size: size(row.total_bytes),
        rows: count(row.estimated_rows),
    }
}
