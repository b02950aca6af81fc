//! PostgreSQL's cost formulas as functions of numbers: `src/backend/optimizer/path/costsize.c` and
//! `src/backend/utils/adt/selfuncs.c`, versions 13 to 18. Costs are in the planner's units: 1 is a page read in
//! sequence.

use crate::model::snapshot::{Setting, Snapshot};

/// CPU cost of a page of an index on the way down, in operators (`DEFAULT_PAGE_CPU_MULTIPLIER`, selfuncs.c).
const PAGE_OPERATORS: f64 = 50.0;

/// Header of an index tuple, and its line pointer, in bytes (`IndexTupleData`, `ItemIdData`).
const TUPLE_OVERHEAD: f64 = 12.0;

/// Share of a B-tree page that a fresh build fills (`BTREE_DEFAULT_FILLFACTOR`).
const FILL: f64 = 0.9;

/// Page header and B-tree's special space, in bytes (`PageHeaderData`, `BTPageOpaqueData`).
const PAGE_OVERHEAD: f64 = 40.0;

/// Entries of an inner page, of which the levels follow: 8 kB by some 24 bytes.
const FANOUT: f64 = 300.0;

/// The settings that plans are costed by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Costs {
    pub(super) seq_page: f64,
    pub(super) random_page: f64,
    pub(super) tuple: f64,
    pub(super) index_tuple: f64,
    pub(super) operator: f64,
    /// `effective_cache_size`, in pages.
    cache_pages: f64,
    /// `work_mem`, and what a hash table may take, in bytes.
    work_bytes: f64,
    hash_bytes: f64,
    pub(super) page_bytes: f64,
    pub(super) major: i32,
}

/// What it costs until the first row, and until the last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) startup: f64,
    pub(super) total: f64,
}

impl Cost {
    pub(super) fn run(self) -> f64 {
        self.total - self.startup
    }

    /// Until this share of the rows.
    pub(super) fn until(self, share: f64) -> f64 {
        self.startup + share * self.run()
    }
}

/// Rows and pages of a table, and how many pages all tables of the statement have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Heap {
    pub(super) rows: f64,
    pub(super) pages: f64,
    /// Share of pages that are visible to all.
    pub(super) visible: f64,
    pub(super) all_pages: f64,
}

/// An index as the planner sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tree {
    pub(super) pages: f64,
    pub(super) entries: f64,
}

/// What a scan of an index searches for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Search {
    /// Share of the entries that are read.
    pub(super) read: f64,
    /// Share of the rows that come out.
    pub(super) found: f64,
    /// Descents: the values of `= ANY`.
    pub(super) descents: f64,
    /// Conditions that each entry is compared by.
    pub(super) conditions: f64,
    /// Times that it is repeated with other values.
    pub(super) loops: f64,
}

impl Costs {
    /// The settings of the server that the snapshot is of.
    #[allow(clippy::cast_precision_loss, reason = "bytes of a page")]
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let number = |name: &str, default: f64| {
            let setting = snapshot.settings.iter().find(|setting| setting.name == name);
            setting.and_then(Setting::number).unwrap_or(default)
        };
        let major = snapshot.server.major();
        let work_bytes = 1024.0 * number("work_mem", 4096.0);
        Self {
            seq_page: number("seq_page_cost", 1.0),
            random_page: number("random_page_cost", 4.0),
            tuple: number("cpu_tuple_cost", 0.01),
            index_tuple: number("cpu_index_tuple_cost", 0.005),
            operator: number("cpu_operator_cost", 0.0025),
            cache_pages: number("effective_cache_size", 524_288.0),
            work_bytes,
            hash_bytes: work_bytes * number("hash_mem_multiplier", if major >= 15 { 2.0 } else { 1.0 }),
            page_bytes: if snapshot.server.block_bytes > 0 { snapshot.server.block_bytes as f64 } else { 8192.0 },
            major,
        }
    }

    /// Pages that fetching so many rows at random reads, the cache counted (`index_pages_fetched`, costsize.c,
    /// after Mackert and Lohman, "Index Scans Using a Finite LRU Buffer", TODS 1989).
    pub(super) fn pages_fetched(&self, rows: f64, heap: Heap, tree: Tree) -> f64 {
        let pages = heap.pages.max(1.0);
        let cached = (self.cache_pages * pages / (heap.all_pages + tree.pages).max(1.0)).max(1.0).ceil();
        if pages <= cached {
            return (2.0 * pages * rows / (2.0 * pages + rows)).min(pages).ceil();
        }
        let limit = 2.0 * pages * cached / (2.0 * pages - cached);
        if rows <= limit {
            (2.0 * pages * rows / (2.0 * pages + rows)).ceil()
        } else {
            (cached + (rows - limit) * (pages - cached) / pages).ceil()
        }
    }

    /// Reading all of a table (`cost_seqscan`); its processor's part is shared by so many workers.
    pub(super) fn seq_scan(&self, heap: Heap, per_row: f64, workers: f64) -> Cost {
        Cost { startup: 0.0, total: heap.pages * self.seq_page + heap.rows * (self.tuple + per_row) / workers }
    }

    /// Reading the entries of a B-tree (`btcostestimate`, `genericcostestimate`). The cost of one repetition.
    pub(super) fn tree_scan(&self, tree: Tree, search: Search) -> Cost {
        let entries = (search.read * tree.entries / search.descents).round_ties_even().max(1.0);
        let leaves =
            if tree.pages > 1.0 && tree.entries > 1.0 { (entries * tree.pages / tree.entries).ceil() } else { 1.0 };
        let scans = search.descents * search.loops;
        let io = if scans > 1.0 {
            // The index is cached as a table would be: it is the whole that competes for the cache.
            let as_heap = Heap { rows: tree.entries, pages: tree.pages, visible: 0.0, all_pages: tree.pages };
            self.pages_fetched(leaves * scans, as_heap, Tree::default()) * self.random_page / search.loops
        } else {
            leaves * self.random_page
        };
        let cpu = entries * search.descents * (self.index_tuple + self.operator * search.conditions);
        let down = tree.entries.max(1.0).log2().ceil() * self.operator
            + (tree.levels() + 1.0) * PAGE_OPERATORS * self.operator;
        Cost { startup: down, total: io + cpu + down * search.descents }
    }

    /// Fetching the rows that an index finds, in its order (`cost_index`): between a page for each row, and all
    /// rows side by side, by the square of the correlation.
    pub(super) fn fetch(&self, heap: Heap, tree: Tree, search: Search, correlation: f64, is_only: bool) -> f64 {
        let hidden = if is_only { 1.0 - heap.visible } else { 1.0 };
        let rows = (search.found * heap.rows).round_ties_even().max(1.0);
        let together = (search.found * heap.pages).ceil();
        let (most, least) = if search.loops > 1.0 {
            let repeated = |rows: f64| {
                (self.pages_fetched(rows * search.loops, heap, tree) * hidden).ceil() * self.random_page / search.loops
            };
            (repeated(rows), repeated(together))
        } else {
            let most = (self.pages_fetched(rows, heap, tree) * hidden).ceil() * self.random_page;
            let together = (together * hidden).ceil();
            let least = if together > 0.0 { self.random_page + (together - 1.0) * self.seq_page } else { 0.0 };
            (most, least)
        };
        most + correlation * correlation * (least - most)
    }

    /// Fetching them in the order of the table (`cost_bitmap_heap_scan`, `compute_bitmap_pages`).
    pub(super) fn fetch_sorted(&self, heap: Heap, tree: Tree, rows: f64, loops: f64) -> f64 {
        let all = heap.pages.max(1.0);
        let pages = if loops > 1.0 {
            self.pages_fetched(rows * loops, heap, tree) / loops
        } else {
            2.0 * all * rows / (2.0 * all + rows)
        };
        let pages = pages.min(all).ceil().max(1.0);
        let page = if pages >= 2.0 {
            self.random_page - (self.random_page - self.seq_page) * (pages / all).sqrt()
        } else {
            self.random_page
        };
        pages * page
    }

    /// Sorting so many rows of this width (`cost_tuplesort`); what comes before is not in it.
    pub(super) fn sort(&self, rows: f64, width: f64) -> Cost {
        let rows = rows.max(2.0);
        let bytes = stored(rows, width);
        let compare = 2.0 * self.operator * rows * rows.log2();
        let disk = if bytes > self.work_bytes {
            let pages = (bytes / self.page_bytes).ceil();
            let runs = bytes / self.work_bytes;
            // A merge reads as many tapes at a time as buffers of 256 kB fit (`tuplesort_merge_order`).
            let order = (self.work_bytes / (33.0 * self.page_bytes)).clamp(6.0, 500.0);
            let passes = if runs > order { (runs.ln() / order.ln()).ceil() } else { 1.0 };
            2.0 * pages * passes * (0.75 * self.seq_page + 0.25 * self.random_page)
        } else {
            0.0
        };
        Cost { startup: compare + disk, total: compare + disk + self.operator * rows }
    }

    /// Share of the cost of sorting all rows that it takes to keep the first ones in a heap, where only these are wanted
    /// (`cost_tuplesort`, "bounded heap-sort").
    pub(super) fn first_sorted(&self, rows: f64, width: f64, limit: f64) -> f64 {
        if 2.0 * limit >= rows || stored(limit, width) > self.work_bytes {
            return 1.0;
        }
        let compare = 2.0 * self.operator * rows * (2.0 * limit).log2();
        (compare / self.sort(rows, width).startup).min(1.0)
    }

    /// Joining by a hash table of the inner side (`initial_cost_hashjoin`, `final_cost_hashjoin`); the inputs'
    /// own costs are not in it. Rows and widths of the outer and of the inner side; `bucket` is the share of the
    /// inner rows that each outer row is compared with.
    pub(super) fn hash(&self, outer: (f64, f64), inner: (f64, f64), conditions: f64, bucket: f64, rows: f64) -> Cost {
        let build = (self.operator * conditions + self.tuple) * inner.0;
        let probe = self.operator * conditions * outer.0
            + self.operator * conditions * outer.0 * (inner.0 * bucket).max(1.0) * 0.5
            + self.tuple * rows;
        let bytes = |(rows, width): (f64, f64)| stored(rows, width);
        let pages = |side: (f64, f64)| (bytes(side) / self.page_bytes).ceil();
        let is_split = bytes(inner) > self.hash_bytes;
        let (spill, reread) = if is_split {
            (pages(inner) * self.seq_page, (pages(inner) + 2.0 * pages(outer)) * self.seq_page)
        } else {
            (0.0, 0.0)
        };
        Cost { startup: build + spill, total: build + spill + probe + reread }
    }
}

/// Bytes of rows that are kept by a sort or a hash table, headers counted (`relation_byte_size`).
fn stored(rows: f64, width: f64) -> f64 {
    rows * ((width / 8.0).ceil() * 8.0 + 24.0)
}

impl Tree {
    /// A B-tree of so many entries of this width in bytes, fresh from its build, without deduplication.
    pub(super) fn built(entries: f64, width: f64, page_bytes: f64) -> Self {
        let entry = TUPLE_OVERHEAD + (width / 8.0).ceil() * 8.0;
        let per_page = ((page_bytes - PAGE_OVERHEAD) * FILL / entry).floor().max(1.0);
        Self { pages: (entries / per_page).ceil().max(1.0), entries }
    }

    /// Levels above the leaves.
    pub(super) fn levels(self) -> f64 {
        self.pages.max(1.0).log(FANOUT).ceil()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of PostgreSQL 15: 100,000 rows on 1,819 pages, all visible; no parallel workers, `work_mem` 4 MB.
    const COSTS: Costs = Costs {
        seq_page: 1.0,
        random_page: 4.0,
        tuple: 0.01,
        index_tuple: 0.005,
        operator: 0.0025,
        cache_pages: 524_288.0,
        work_bytes: 4_194_304.0,
        hash_bytes: 8_388_608.0,
        page_bytes: 8192.0,
        major: 15,
    };
    const HEAP: Heap = Heap { rows: 100_000.0, pages: 1_819.0, visible: 1.0, all_pages: 1_819.0 };

    fn tree(pages: f64) -> Tree {
        Tree { pages, entries: 100_000.0 }
    }

    fn search(share: f64, descents: f64, conditions: f64) -> Search {
        Search { read: share, found: share, descents, conditions, loops: 1.0 }
    }

    /// Within a percent of what EXPLAIN said.
    fn is_near(own: f64, explained: f64) -> bool {
        (own / explained - 1.0).abs() < 0.01
    }

    #[test]
    fn scans_of_an_index_cost_what_the_planner_says() {
        for (what, pages, correlation, search, is_only, explained) in [
            ("k = $1", 86.0, 0.007_287, search(0.001, 1.0, 1.0), false, 398.02),
            ("c between $1 and $2", 97.0, 1.0, search(0.005, 1.0, 2.0), false, 27.29),
            ("id = $1", 276.0, 1.0, search(0.000_01, 1.0, 1.0), false, 8.31),
            ("n is null", 89.0, 0.026_529, search(0.250_93, 1.0, 1.0), false, 7_802.62),
            ("c = $1", 97.0, 1.0, search(0.000_2, 1.0, 1.0), false, 8.64),
            ("k = any ($1)", 86.0, 0.007_287, search(0.009_96, 10.0, 1.0), false, 3_188.22),
            ("k = $1 and c = $2", 276.0, 0.005_465, search(0.000_01, 1.0, 2.0), false, 8.31),
            ("k > $1, k alone read", 86.0, 0.007_287, search(0.333_33, 1.0, 1.0), true, 699.62),
        ] {
            let scan = COSTS.tree_scan(tree(pages), search);
            let rows = search.found * HEAP.rows;
            let own = scan.total + COSTS.fetch(HEAP, tree(pages), search, correlation, is_only) + rows * COSTS.tuple;
            assert!(is_near(own, explained), "{what}: {own}, by EXPLAIN {explained}");
        }
        assert!(is_near(COSTS.seq_scan(HEAP, COSTS.operator, 1.0).total, 3_069.0));
    }

    #[test]
    fn bitmaps_cost_what_the_planner_says() {
        for (what, pages, search, operators, explained) in [
            ("k = $1", 86.0, search(0.001, 1.0, 1.0), 1.0, 330.08),
            ("c between $1 and $2", 97.0, search(0.005, 1.0, 2.0), 2.0, 1_127.71),
            ("n is null", 89.0, search(0.250_93, 1.0, 1.0), 0.0, 2_356.69),
            ("k = any ($1)", 86.0, search(0.009_96, 10.0, 1.0), 5.0, 1_662.88),
        ] {
            let rows = search.found * HEAP.rows;
            // Each condition is looked at again, and entering a row into the bitmap costs a tenth of an operator.
            let again = COSTS.tuple + (operators + 0.1) * COSTS.operator;
            let made = COSTS.tree_scan(tree(pages), search).total;
            let own = made + COSTS.fetch_sorted(HEAP, tree(pages), rows, 1.0) + rows * again;
            assert!(is_near(own, explained), "{what}: {own}, by EXPLAIN {explained}");
        }
    }

    #[test]
    fn sorts_and_hashes_cost_what_the_planner_says() {
        let (wide, narrow) = (COSTS.sort(100_000.0, 117.0), COSTS.sort(100_000.0, 4.0));
        assert!(is_near(wide.startup, 17_276.82 - 2_819.0), "{wide:?}");
        assert!(is_near(wide.total, 17_526.82 - 2_819.0), "{wide:?}");
        assert!(is_near(narrow.total, 11_373.82 - 2_819.0), "{narrow:?}");
        let hash = COSTS.hash((100_000.0, 4.0), (100_000.0, 8.0), 1.0, 0.000_01, 100_000.0);
        assert!(is_near(hash.startup, 4_069.0 - 2_819.0), "{hash:?}");
    }

    #[test]
    fn what_is_fetched_again_is_cached() {
        // A thousand lookups of one row each touch fewer pages than there are lookups, and never more than all.
        let heap = Heap { all_pages: 3_638.0, ..HEAP };
        assert!((COSTS.pages_fetched(1_000.0, heap, tree(276.0)) - 785.0).abs() < 1.0);
        assert!((COSTS.pages_fetched(1e9, heap, tree(276.0)) - 1_819.0).abs() < 1e-9);
        let small = Costs { cache_pages: 100.0, ..COSTS };
        assert!(small.pages_fetched(1e5, heap, tree(276.0)) > 50_000.0, "a small cache is read past again and again");
    }

    #[test]
    fn a_built_tree_has_the_pages_of_a_real_one() {
        // Two integers, 100,000 rows: 276 pages, its inner ones and the first one counted.
        assert!((Tree::built(100_000.0, 8.0, 8192.0).pages - 276.0).abs() < 4.0);
        assert!((Tree { pages: 276.0, entries: 1e5 }.levels() - 1.0).abs() < 1e-9);
    }
}
