//! How large an index would be, fresh from its build: from row counts and average widths.

use super::catalog::Table;
use super::costs::{Costs, Tree};
use crate::advise::candidate::Candidate;
use crate::model::advice::Method;

/// Pages that an entry of a BRIN index sums up, and bytes of such an entry, header and line pointer counted
/// (`BRIN_DEFAULT_PAGES_PER_RANGE`).
const RANGE_PAGES: f64 = 128.0;
const RANGE_BYTES: f64 = 40.0;

/// Bytes of a row's place in a GIN posting list, most of them compressed to their distance from the last.
const POSTING_BYTES: f64 = 3.0;

/// Bytes of a value for each element that a GIN index takes from it: of trigrams one a character.
const ELEMENT_BYTES: f64 = 8.0;

/// A GiST page is filled by splits: about so much of it.
const SPLIT_FILL: f64 = 0.7;

/// Bytes of a node's neighbours in an HNSW graph: `m` 16, two lists of them at the bottom, 6 bytes each.
const NEIGHBOUR_BYTES: f64 = 200.0;

/// Pages and entries of a candidate on this table; `share` of the rows have entries in it.
pub(super) fn tree(table: &Table, candidate: &Candidate, share: f64, costs: &Costs) -> Tree {
    let rows = (table.rows * share).max(1.0);
    let carried = candidate.include.iter().map(|column| table.column(column));
    let all = candidate.keys.iter().map(|key| table.key(key)).chain(carried);
    let width: f64 = all.map(|column| column.width * (1.0 - column.nulls)).sum();
    let filled = |bytes: f64| Tree { pages: (bytes / costs.page_bytes).ceil().max(1.0), entries: rows };
    match candidate.method {
        Method::Btree => Tree::built(rows, width, costs.page_bytes),
        Method::Gist => {
            let tree = Tree::built(rows, width, costs.page_bytes);
            Tree { pages: (tree.pages / SPLIT_FILL).ceil(), ..tree }
        }
        Method::Gin => {
            let is_trigram = candidate
                .keys
                .iter()
                .any(|key| key.class.as_deref().is_some_and(|class| class.ends_with("gin_trgm_ops")));
            let elements = if is_trigram { width } else { (width / ELEMENT_BYTES).max(1.0) };
            filled(rows * elements * POSTING_BYTES + rows.sqrt() * elements * 24.0)
        }
        Method::Brin => {
            let ranges = (table.pages / RANGE_PAGES).ceil();
            // A meta page and the map of ranges besides (`brinbuild`).
            let pages = 2.0 + (ranges * (RANGE_BYTES + 2.0 * width) / costs.page_bytes).ceil();
            Tree { pages, entries: ranges }
        }
        Method::Hnsw => filled(rows * (width + NEIGHBOUR_BYTES) / SPLIT_FILL),
    }
}
