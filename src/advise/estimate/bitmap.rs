//! Rows found by bitmaps: of one index, of several for conditions that OR joins, of two for those that AND joins.

use super::catalog::{Known, Table};
use super::costs::{Cost, Search, Tree};
use super::path::{Path, Question, united};
use super::scan::Scan;
use crate::advise::candidate::Id;
use crate::advise::key::Key;
use crate::model::advice::Method;

/// Cost of a row in a bitmap, in operators (`cost_bitmap_tree_node`).
const ROW: f64 = 0.1;

/// Cost of joining two bitmaps, in operators (`cost_bitmap_and_node`).
const JOINED: f64 = 100.0;

/// Bitmaps of one table that are tried together.
const TOGETHER: usize = 3;

/// Pages that an entry of a BRIN index sums up.
const RANGE_PAGES: f64 = 128.0;

/// Elements that a GIN index is searched by: a pattern has several trigrams, most values one or a few.
const ELEMENTS: f64 = 3.0;

/// Rows of a bitmap.
#[derive(Debug, Clone)]
pub(super) struct Bitmap<'i> {
    /// Cost of making it.
    pub(super) cost: f64,
    /// Share of the table's rows.
    found: f64,
    /// Its indexes, for the cache.
    tree: Tree,
    used: Vec<Id>,
    /// What one index searches by.
    keys: &'i [Key],
}

impl<'i> Bitmap<'i> {
    /// Of one index.
    pub(super) fn of(ask: &Question<'_>, scan: &Scan, index: &'i Known, search: Search) -> Self {
        let table = &scan.table;
        let (cost, found) = match index.method {
            Method::Gin => (gin(ask, index.tree, search), search.found),
            Method::Brin => brin(ask, table, index, search),
            Method::Btree | Method::Gist | Method::Hnsw => {
                (ask.costs.tree_scan(index.tree, search).total, search.found)
            }
        };
        Self {
            cost: cost + ROW * ask.costs.operator * found * table.rows,
            found,
            tree: index.tree,
            used: index.id.into_iter().collect(),
            keys: &index.keys,
        }
    }

    /// Of several, one for each part of a condition.
    pub(super) fn any(parts: Vec<Self>, operator: f64) -> Self {
        let found = 1.0 - parts.iter().map(|part| 1.0 - part.found).product::<f64>();
        let mut all = Self { cost: 0.0, found, tree: Tree::default(), used: Vec::new(), keys: &[] };
        for part in parts {
            all.cost += part.cost + JOINED * operator;
            all.tree.pages += part.tree.pages;
            all.used = united(&all.used, &part.used);
        }
        all
    }

    /// Both.
    fn both(one: &Self, other: &Self, operator: f64) -> Self {
        Self {
            cost: one.cost + other.cost + JOINED * operator,
            found: one.found * other.found,
            tree: one.tree,
            used: united(&one.used, &other.used),
            keys: &[],
        }
    }

    /// Its rows fetched, all conditions looked at again.
    pub(super) fn path(&self, ask: &Question<'_>, table: &Table, per_row: f64, loops: f64, workers: f64) -> Path {
        let heap = ask.heap(table);
        let rows = (self.found * heap.rows).round_ties_even().max(1.0);
        let fetch = ask.costs.fetch_sorted(heap, self.tree, rows, loops);
        let total = self.cost + fetch + rows * (ask.costs.tuple / workers + per_row);
        Path { cost: Cost { startup: self.cost, total }, order: 0, used: self.used.clone() }
    }
}

/// Searching a GIN index: down to each element's list, and along it (`gincostestimate`, with a guess at the number
/// of elements).
fn gin(ask: &Question<'_>, tree: Tree, search: Search) -> f64 {
    let down = tree.pages.powf(0.15).round_ties_even() * ELEMENTS;
    let along = (search.found * tree.pages).ceil();
    let entries = search.found * tree.entries * ELEMENTS;
    (down + along) * ask.costs.random_page + entries * (ask.costs.index_tuple + ask.costs.operator)
}

/// Reading a BRIN index as a whole, and the share of rows in the ranges that may hold some
/// (`brincostestimate`).
fn brin(ask: &Question<'_>, table: &Table, index: &Known, search: Search) -> (f64, f64) {
    let ranges = (table.pages / RANGE_PAGES).ceil().max(1.0);
    let least = (ranges * search.found).ceil();
    let touched = (least / index.correlation.abs().max(1e-10)).min(ranges);
    let cost = index.tree.pages * ask.costs.random_page + ROW * ask.costs.operator * touched * RANGE_PAGES;
    (cost, touched / ranges)
}

/// Each bitmap, and the best of them two by two where they search by other keys (`choose_bitmap_and`).
pub(super) fn combined(mut bitmaps: Vec<Bitmap<'_>>, operator: f64) -> Vec<Bitmap<'_>> {
    bitmaps.sort_by(|a, b| a.found.total_cmp(&b.found).then(a.cost.total_cmp(&b.cost)));
    let best: Vec<Bitmap<'_>> = bitmaps.iter().take(TOGETHER).cloned().collect();
    let is_apart = |one: &[Key], other: &[Key]| !one.iter().any(|key| other.contains(key));
    for (at, one) in best.iter().enumerate() {
        for other in best.iter().skip(at + 1).filter(|other| is_apart(one.keys, other.keys)) {
            bitmaps.push(Bitmap::both(one, other, operator));
        }
    }
    bitmaps
}
