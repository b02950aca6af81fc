//! What a change will take: room and time, from row counts and widths. Estimates, and said to be.

use crate::model::plan::{Estimate, Name};
use crate::model::snapshot::{Index, Relation, Snapshot};
use crate::model::units;
use std::collections::HashMap;

/// Bytes a second that a server is assumed to read or write while it builds. A guess: disks and
/// settings differ by a factor of ten both ways.
const BYTES_PER_SECOND: f64 = 100.0 * 1024.0 * 1024.0;

/// Share of a B-tree page that a fresh build fills (BTREE_DEFAULT_FILLFACTOR).
const FILL: f64 = 0.9;

/// Header and line pointer of an index tuple, in bytes (`IndexTupleData`, `ItemIdData`).
const TUPLE_OVERHEAD: f64 = 12.0;

/// Width of a value that ANALYZE has not seen, in bytes.
const UNKNOWN_WIDTH: f64 = 16.0;

/// Sizes of tables and widths of columns, looked up by name.
#[derive(Debug)]
pub(super) struct Sizes<'a> {
    relations: HashMap<(&'a str, &'a str), &'a Relation>,
    widths: HashMap<(&'a str, &'a str, &'a str), i64>,
}

impl<'a> Sizes<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let relations = snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row));
        let widths = snapshot.columns.iter().filter_map(|column| {
            let place = (column.schema.as_str(), column.relation.as_str(), column.name.as_str());
            Some((place, column.average_width_bytes?))
        });
        Self { relations: relations.collect(), widths: widths.collect() }
    }

    pub(super) fn relation(&self, name: &Name) -> Option<&'a Relation> {
        self.relations.get(&(name.schema.as_str(), name.name.as_str())).copied()
    }

    /// A B-tree on these columns of these tables: one, or the leaves of a partitioned one.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate")]
    pub(super) fn btree(&self, tables: &[&Name], columns: &[String]) -> Estimate {
        let (mut heap, mut entries) = (0.0, 0.0);
        for table in tables {
            let Some(relation) = self.relation(table) else { continue };
            let rows = relation.estimated_rows.unwrap_or(relation.live_tuples).max(relation.live_tuples).max(0);
            let width: f64 = columns.iter().map(|column| self.width(table, column)).sum();
            heap += relation.bytes as f64;
            entries += rows as f64 * (TUPLE_OVERHEAD + aligned(width)) / FILL;
        }
        Estimate {
            bytes: entries as i64,
            peak_bytes: entries as i64,
            seconds: Some((2.0 * heap + entries) / BYTES_PER_SECOND),
            basis: format!(
                "rows × average widths without deduplication; two scans of {} and the index itself at an assumed 100 MiB/s, waits for older transactions not counted",
                units::bytes(heap)
            ),
        }
    }

    fn width(&self, table: &Name, column: &str) -> f64 {
        let place = (table.schema.as_str(), table.name.as_str(), column);
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        self.widths.get(&place).map_or(UNKNOWN_WIDTH, |width| *width as f64)
    }

    /// Building an index anew beside the old one.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn rebuild(&self, index: &Index) -> Estimate {
        let heap = self.relation(&Name::new(&index.schema, &index.table)).map_or(0, |relation| relation.bytes);
        Estimate {
            bytes: 0,
            peak_bytes: index.bytes,
            seconds: Some((2 * heap + index.bytes) as f64 / BYTES_PER_SECOND),
            basis: format!(
                "at most its size of now; two scans of {} and the index itself at an assumed 100 MiB/s, waits for older transactions not counted",
                units::bytes(heap as f64)
            ),
        }
    }
}

/// Index tuples start at multiples of 8 bytes (MAXALIGN).
fn aligned(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}

/// Dropping an index.
pub(super) fn freed(index: &Index) -> Estimate {
    let basis = if index.bytes_are_estimated { "its size by relpages" } else { "its size" };
    Estimate { bytes: -index.bytes, peak_bytes: 0, seconds: None, basis: basis.to_owned() }
}

/// A change of the catalog alone.
pub(super) fn nothing() -> Estimate {
    Estimate { basis: "a change of the catalog alone".to_owned(), ..Estimate::default() }
}

/// Sampling a table: 300 × the statistics target blocks at most, each a read of its own.
pub(super) fn sampled() -> Estimate {
    let basis = "reads at most 30,000 blocks of each table at the default statistics target";
    Estimate { basis: basis.to_owned(), ..Estimate::default() }
}
