//! How large a table or B-tree index would be if it were written anew: an estimate from row counts and
//! average widths, never a measurement. `pgstattuple_approx` measures.
//!
//! Tuple layout: PostgreSQL documentation, "Database Page Layout". Off by alignment inside rows, by
//! TOAST pointers and by what ANALYZE has not seen; deduplicated indexes (13 and up) may be smaller than
//! estimated, which is no bloat.

use crate::model::snapshot::{Column, Index, Relation};

/// Page header, and special space of a B-tree page.
const PAGE_HEADER: f64 = 24.0;
const BTREE_SPECIAL: f64 = 16.0;
/// Line pointer of a tuple.
const LINE_POINTER: f64 = 4.0;
/// Header of a heap tuple and of an index tuple.
const HEAP_HEADER: f64 = 23.0;
const INDEX_HEADER: f64 = 8.0;
/// Alignment of tuples on 64-bit machines.
const ALIGN: f64 = 8.0;

fn aligned(width: f64) -> f64 {
    (width / ALIGN).ceil() * ALIGN
}

/// Fill factor from storage options, in percent.
fn fillfactor(options: &[String], default: f64) -> f64 {
    options.iter().find_map(|option| option.strip_prefix("fillfactor=")?.parse().ok()).unwrap_or(default)
}

fn pages(rows: f64, tuple: f64, usable: f64) -> f64 {
    let per_page = (usable / (tuple + LINE_POINTER)).floor().max(1.0);
    (rows / per_page).ceil()
}

/// Bytes the table would need; none when a column has no statistics or the table was never counted.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn table_bytes(relation: &Relation, columns: &[&Column], block: i64) -> Option<f64> {
    let rows = relation.estimated_rows.filter(|rows| *rows > 0 && !columns.is_empty())? as f64;
    let mut data = 0.0;
    let mut has_nulls = false;
    for column in columns {
        let nulls = column.null_fraction?;
        has_nulls |= nulls > 0.0;
        data += column.average_width_bytes? as f64 * (1.0 - nulls);
    }
    let bitmap = if has_nulls { (columns.len() as f64 / 8.0).ceil() } else { 0.0 };
    let tuple = aligned(HEAP_HEADER + bitmap) + aligned(data);
    let usable = (block as f64 - PAGE_HEADER) * fillfactor(&relation.options, 100.0) / 100.0;
    Some(pages(rows, tuple, usable) * block as f64)
}

/// Bytes a B-tree of plain columns would need; none for others, and without statistics.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn index_bytes(index: &Index, columns: &[&Column], block: i64) -> Option<f64> {
    if index.method != "btree" || index.expressions.is_some() || index.is_partitioned {
        return None;
    }
    let rows = index.estimated_rows.filter(|rows| *rows > 0)? as f64;
    let mut data = 0.0;
    let mut has_nulls = false;
    // A partial index holds another share of NULLs than its table: taken to hold none, it is never called
    // bloated for what it must hold.
    let is_partial = index.predicate.is_some();
    for name in index.key_columns.iter().chain(&index.included_columns) {
        let column = columns.iter().find(|column| column.name == *name)?;
        let nulls = if is_partial { 0.0 } else { column.null_fraction? };
        has_nulls |= nulls > 0.0;
        data += column.average_width_bytes? as f64 * (1.0 - nulls);
    }
    let bitmap = if has_nulls { ALIGN } else { 0.0 };
    let usable = (block as f64 - PAGE_HEADER - BTREE_SPECIAL) * 0.9;
    // One meta page, and inner pages of about one in a hundred leaves.
    Some((pages(rows, INDEX_HEADER + bitmap + aligned(data), usable) * 1.01 + 1.0) * block as f64)
}

/// What is too much, in bytes and percent of the present size; never negative.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn excess(bytes: i64, needed: Option<f64>) -> (Option<f64>, Option<f64>) {
    let excess = needed.filter(|_| bytes > 0).map(|needed| (bytes as f64 - needed).max(0.0));
    (excess, excess.map(|excess| 100.0 * excess / bytes as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, width: i64) -> Column {
        Column { name: name.into(), null_fraction: Some(0.0), average_width_bytes: Some(width), ..Column::default() }
    }

    #[test]
    fn a_freshly_written_table_has_none() {
        // create table t (a bigint, b bigint); 1,000,000 rows: 5,406 pages on PostgreSQL 13 to 18.
        let relation = Relation { estimated_rows: Some(1_000_000), ..Relation::default() };
        let (a, b) = (column("a", 8), column("b", 8));
        let needed = table_bytes(&relation, &[&a, &b], 8192).expect("an estimate");
        assert!((needed / 8192.0 - 5406.0).abs() < 10.0, "{}", needed / 8192.0);
        let (excess, pct) = excess(2 * 5406 * 8192, Some(needed));
        assert!(excess.is_some_and(|bytes| bytes > 4e7) && pct.is_some_and(|pct| (49.0..51.0).contains(&pct)));
    }

    #[test]
    fn a_freshly_built_index_has_none() {
        // create index on t (a): 2,745 pages.
        let index = Index {
            method: "btree".into(),
            key_columns: vec!["a".into()],
            estimated_rows: Some(1_000_000),
            ..Index::default()
        };
        let a = column("a", 8);
        let needed = index_bytes(&index, &[&a], 8192).expect("an estimate") / 8192.0;
        assert!((needed - 2745.0).abs() < 60.0, "{needed}");
    }

    #[test]
    fn without_statistics_there_is_no_estimate() {
        let relation = Relation { estimated_rows: Some(1000), ..Relation::default() };
        assert_eq!(table_bytes(&relation, &[&Column::default()], 8192), None);
        assert_eq!(excess(100, Some(200.0)), (Some(0.0), Some(0.0)));
    }
}
