//! Indexes, with what hangs on each and what its table does. An index on a partitioned table sums
//! the indexes attached to it.

use super::bloat;
use super::build;
use super::hot::{Blocked, Updates};
use super::index_kin::{Kin, kin};
use super::lookup::{Key, Lookup};
use super::nodes::Elsewhere;
use super::relations::RelationRow;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{ForeignKey, Index};
use crate::model::table::Table;
use crate::partition::Parts;
use crate::statement::{index_option, index_text};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

#[derive(Serialize, JsonSchema)]
struct IndexRow<'a> {
    #[serde(flatten)]
    index: Cow<'a, Index>,
    /// Indexes of partitions whose counters and sizes are summed in this row. {indexes | pg_inherits}
    leaf_count: usize,
    /// Partitions that have no part of this index of a partitioned table. {objects | pg_inherits}
    partitions_without: Vec<String>,
    /// Scans on each node that was read; empty when only this server was. {texts | pg_stat_all_indexes.idx_scan}
    scans_by_node: Vec<String>,
    /// Size of the duplicate or wider index that stays. {bytes | pg_relation_size()}
    kept_bytes: Option<i64>,
    /// A primary key, unique or exclusion constraint rests on it. {bool | pg_constraint.conindid}
    backs_constraint: bool,
    /// It is an index that finds the referencing rows of a foreign key: without it a DELETE of the referenced row scans this table. {bool | pg_constraint, pg_index}
    supports_foreign_key: bool,
    /// An identical index that should stay instead. {object | pg_index}
    duplicate_of: Option<String>,
    /// A wider index of the same leading columns that answers the same queries. {object | pg_index}
    covered_by: Option<String>,
    /// Definition of that duplicate or wider index. {text | pg_get_indexdef()}
    kept_definition: Option<String>,
    /// Another index is found needless because this one stays. {bool | duplicate_of, covered_by}
    is_kept_for_another: bool,
    /// Share of NULLs in its leading column; none for an expression or without statistics. {fraction | pg_stats.null_frac}
    leading_null_fraction: Option<f64>,
    /// Distinct values of its leading column, an estimate; none for an expression or without statistics. {values | pg_stats.n_distinct}
    leading_distinct: Option<f64>,
    /// Share of the most common value of its leading column. {fraction | pg_stats.most_common_freqs}
    leading_common_fraction: Option<f64>,
    /// Correlation of the order of its leading column's values with that of the rows, -1 to 1; none for an expression or without statistics. {ratio | pg_stats.correlation}
    leading_correlation: Option<f64>,
    /// Lists of an ivfflat index (pgvector); none for other methods. {lists | pg_class.reloptions}
    ivfflat_lists: Option<i64>,
    /// Lists that pgvector advises for the rows there are, those of an average partition: a thousandth of them, above a million their square root. {lists | n_live_tup, reltuples}
    ivfflat_advised_lists: Option<i64>,
    /// Bytes above what its entries would need if built anew, an estimate; none unless a B-tree of plain columns with statistics. {bytes | relpages, reltuples, pg_stats.avg_width}
    estimated_bloat_bytes: Option<f64>,
    /// The same as a share of its size. {pct | estimated_bloat_bytes ÷ bytes}
    estimated_bloat_pct: Option<f64>,
    /// Rows of its table. {tuples | n_live_tup, reltuples}
    table_rows: i64,
    /// Size of its table, without indexes and TOAST. {bytes | pg_relation_size()}
    table_bytes: i64,
    /// Rows inserted, updated and deleted in its table. {tuples | n_tup_ins + n_tup_upd + n_tup_del}
    table_writes: i64,
    /// Scans of its table, sequential and by index. {scans | seq_scan + idx_scan}
    table_scans: i64,
    /// Rows updated in its table. {tuples | n_tup_upd}
    table_updated: i64,
    /// Of these, rows updated HOT. {tuples | n_tup_hot_upd}
    table_hot_updated: i64,
    /// Of those updated, rows whose new version went to another page; none before 16. {tuples | n_tup_newpage_upd}
    table_new_page_updated: Option<i64>,
    /// Rows deleted in its table. {tuples | n_tup_del}
    table_deleted: i64,
    /// Of the rows that UPDATEs of the table alone change, those of statements that set a column of it and of no unique or constraint's index: it keeps them from being HOT where the value changes. {pct | pg_query, pg_stat_statements.rows}
    hot_blocked_pct: f64,
    /// The columns that those statements set and it depends on. {texts | pg_query, pg_index}
    hot_blocking_columns: Vec<String>,
    /// Other indexes that keep some of the same UPDATEs from being HOT. {objects | pg_query, pg_index}
    hot_blocked_also_by: Vec<String>,
}

/// The index's leading columns are just the foreign key's, in any order: a referenced key is
/// compared column by column, all by `=`.
pub(super) fn serves(index: &Index, key: &ForeignKey) -> bool {
    let width = key.columns.len();
    let is_searchable =
        index.method == "btree" || (index.method == "hash" && width == 1) || is_btree_gist(index, width);
    let leading = index.key_columns.get(..width);
    is_searchable
        && index.is_valid
        && index.is_live
        && leading.is_some_and(|leading| key.columns.iter().all(|column| leading.contains(column)))
        && index.predicate.as_deref().is_none_or(|predicate| only_asks_not_null(predicate, &key.columns))
}

/// A GiST index whose leading classes are btree_gist's, which compare scalars by `=`.
fn is_btree_gist(index: &Index, width: usize) -> bool {
    let is_scalar = |class: &String| {
        let name = class.rsplit('.').next().unwrap_or_default();
        name.starts_with("gist_") && name.ends_with("_ops") && name != "gist_trgm_ops"
    };
    index.method == "gist" && index.operator_classes.get(..width).is_some_and(|classes| classes.iter().all(is_scalar))
}

/// `(a IS NOT NULL)` and conjunctions of such over the key's columns: rows that refer to nothing are
/// no loss to a foreign key.
fn only_asks_not_null(predicate: &str, columns: &[String]) -> bool {
    predicate.split(" AND ").all(|part| {
        let bare = part.trim_matches(|c| c == '(' || c == ')');
        bare.strip_suffix(" IS NOT NULL").is_some_and(|column| {
            columns.iter().any(|known| crate::model::object::identifier(known) == column || known == column)
        })
    })
}

/// Indexes attached to each index of a partitioned table.
type Children<'a> = HashMap<Key<'a>, Vec<&'a Index>>;

fn children(indexes: &[Index]) -> Children<'_> {
    let mut children: Children<'_> = HashMap::new();
    for index in indexes {
        if let (Some(schema), Some(name)) = (&index.parent_schema, &index.parent_name) {
            children.entry((schema, name)).or_default().push(index);
        }
    }
    children
}

fn with_leaves<'a>(index: &'a Index, children: &Children<'a>) -> (Cow<'a, Index>, usize) {
    if !index.is_partitioned {
        return (Cow::Borrowed(index), 0);
    }
    let mut sum = index.clone();
    let mut count = 0;
    // A damaged snapshot may go in circles.
    let mut seen = HashSet::from([(index.schema.as_str(), index.name.as_str())]);
    let mut open = vec![index];
    while let Some(parent) = open.pop() {
        for child in children.get(&(parent.schema.as_str(), parent.name.as_str())).into_iter().flatten() {
            if !seen.insert((child.schema.as_str(), child.name.as_str())) {
                continue;
            }
            open.push(child);
            count += usize::from(!child.is_partitioned);
            sum.bytes += child.bytes;
            sum.bytes_are_estimated |= child.bytes_are_estimated;
            sum.scans += child.scans;
            sum.tuples_read += child.tuples_read;
            sum.tuples_fetched += child.tuples_fetched;
            sum.blocks_read += child.blocks_read;
            sum.blocks_hit += child.blocks_hit;
            sum.last_scan = sum.last_scan.max(child.last_scan);
        }
    }
    (Cow::Owned(sum), count)
}

/// An index with what is attached to it, and how much that is.
struct Whole<'a> {
    index: Cow<'a, Index>,
    leaf_count: usize,
    kin: Kin,
}

/// Every index of one table, sums made and judged together.
fn wholes<'a>(indexes: &[&'a Index], children: &Children<'a>) -> Vec<Whole<'a>> {
    let (sums, counts): (Vec<Cow<'a, Index>>, Vec<usize>) =
        indexes.iter().map(|index| with_leaves(index, children)).unzip();
    let kin = kin(&sums.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let parts = sums.into_iter().zip(counts).zip(kin);
    parts.map(|((index, leaf_count), kin)| Whole { index, leaf_count, kin }).collect()
}

/// `n_distinct` as a count: negative ones are shares of the rows.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn distinct(n_distinct: f64, rows: i64) -> Option<f64> {
    (n_distinct != 0.0).then(|| if n_distinct > 0.0 { n_distinct } else { -n_distinct * rows as f64 })
}

/// Lists of an ivfflat index; pgvector's default where the definition says none.
fn ivfflat_lists(index: &Index) -> Option<i64> {
    const DEFAULT: i64 = 100;
    if index.method != "ivfflat" {
        return None;
    }
    // Of an index that was locked the definition is not known.
    index_text(&index.definition)?;
    index_option(&index.definition, "lists").map_or(Some(DEFAULT), |lists| lists.parse().ok())
}

/// What pgvector's manual advises to begin with: "rows / 1000 for up to 1M rows and sqrt(rows) for over 1M rows".
fn advised_lists(rows: i64, leaf_count: usize) -> i64 {
    let rows = rows / i64::try_from(leaf_count).unwrap_or(1).max(1);
    if rows <= 1_000_000 { (rows / 1000).max(1) } else { rows.isqrt() }
}

/// What the indexes of all tables are judged by.
struct Judge<'a> {
    lookup: &'a Lookup<'a>,
    tables: HashMap<Key<'a>, &'a RelationRow<'a>>,
    children: Children<'a>,
    parts: Parts<'a>,
    elsewhere: Elsewhere<'a>,
    updates: Updates<'a>,
}

impl<'a> Judge<'a> {
    fn rows(&self, place: Key<'a>) -> Vec<(Object, IndexRow<'a>)> {
        let row = |whole: Whole<'a>| {
            let object = Object::in_schema(ObjectKind::Index, &whole.index.database, place.0, &whole.index.name);
            (object.of_table(place.1), self.row(place, whole))
        };
        wholes(self.lookup.indexes(place), &self.children).into_iter().map(row).collect()
    }

    fn partitions_without(&self, index: &Index) -> Vec<String> {
        let own = self.parts.missing(index).into_iter();
        own.map(|name| Object::in_schema(ObjectKind::Table, &index.database, &name.schema, &name.name).path()).collect()
    }

    fn row(&self, place: Key<'a>, whole: Whole<'a>) -> IndexRow<'a> {
        let Whole { index, leaf_count, kin } = whole;
        let (siblings, keys) = (self.lookup.indexes(place), self.lookup.foreign_keys(place));
        let path = |name: &String| Object::in_schema(ObjectKind::Index, &index.database, &index.schema, name).path();
        let kept = kin.duplicate_of.as_ref().or(kin.covered_by.as_ref());
        let kept = kept.and_then(|name| siblings.iter().find(|sibling| sibling.name == *name));
        let columns = self.lookup.columns(place);
        let leading = index.key_columns.first().and_then(|name| columns.iter().find(|column| column.name == *name));
        let table = self.tables.get(&place);
        let rows = table.map_or(0, |table| table.row_count);
        let needed = bloat::index_bytes(&index, columns, self.lookup.snapshot.server.block_bytes);
        let (estimated_bloat_bytes, estimated_bloat_pct) = bloat::excess(index.bytes, needed);
        let Blocked { pct: hot_blocked_pct, columns: hot_blocking_columns, also_by } =
            self.updates.blocked(place, &index, siblings);
        IndexRow {
            leading_null_fraction: leading.and_then(|column| column.null_fraction),
            leading_distinct: leading.and_then(|column| distinct(column.distinct?, rows)),
            leading_common_fraction: leading.and_then(|column| column.most_common_fraction),
            leading_correlation: leading.and_then(|column| column.correlation),
            ivfflat_lists: ivfflat_lists(&index),
            ivfflat_advised_lists: ivfflat_lists(&index).map(|_| advised_lists(rows, leaf_count)),
            estimated_bloat_bytes,
            estimated_bloat_pct,
            leaf_count,
            partitions_without: self.partitions_without(&index),
            scans_by_node: self.elsewhere.scans_by_node((&index.schema, &index.name), index.scans),
            kept_bytes: kept.map(|kept| kept.bytes),
            backs_constraint: index.is_primary || index.is_exclusion || index.constraint_name.is_some(),
            supports_foreign_key: keys.iter().any(|key| serves(&index, key)),
            kept_definition: kept.map(|kept| kept.definition.clone()),
            duplicate_of: kin.duplicate_of.as_ref().map(path),
            covered_by: kin.covered_by.as_ref().map(path),
            is_kept_for_another: kin.is_kept_for_another,
            table_rows: rows,
            table_bytes: table.map_or(0, |table| table.relation.bytes),
            table_writes: table.map_or(0, |table| table.writes),
            table_scans: table.map_or(0, |table| table.relation.seq_scans + table.relation.index_scans),
            table_updated: table.map_or(0, |table| table.relation.updated),
            table_hot_updated: table.map_or(0, |table| table.relation.hot_updated),
            table_new_page_updated: table.and_then(|table| table.relation.new_page_updated),
            table_deleted: table.map_or(0, |table| table.relation.deleted),
            hot_blocked_pct,
            hot_blocking_columns,
            hot_blocked_also_by: also_by.iter().map(path).collect(),
            index,
        }
    }
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>, relations: &'a [RelationRow<'a>]) -> Table<'a> {
    let indexes = &lookup.snapshot.indexes;
    let judge = Judge {
        lookup,
        tables: relations.iter().map(|row| (row.key(), row)).collect(),
        children: children(indexes),
        parts: Parts::of(lookup.snapshot),
        elsewhere: Elsewhere::of(lookup.snapshot),
        updates: Updates::of(lookup),
    };
    let places: BTreeSet<Key<'_>> = indexes.iter().map(|index| (index.schema.as_str(), index.table.as_str())).collect();
    build::table("indexes", places.into_iter().flat_map(move |place| judge.rows(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serving(columns: &[&str], predicate: Option<&str>, key: &[&str]) -> bool {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let index = Index {
            method: "btree".into(),
            key_columns: own(columns),
            predicate: predicate.map(str::to_owned),
            is_valid: true,
            is_live: true,
            ..Index::default()
        };
        serves(&index, &ForeignKey { columns: own(key), ..ForeignKey::default() })
    }

    #[test]
    fn a_foreign_key_is_served_by_its_leading_columns_in_any_order() {
        assert!(serving(&["user_id"], None, &["user_id"]));
        assert!(serving(&["user_id", "created_at"], None, &["user_id"]));
        assert!(serving(&["b", "a", "c"], None, &["a", "b"]));
        assert!(!serving(&["created_at", "user_id"], None, &["user_id"]));
        assert!(!serving(&["a", "c", "b"], None, &["a", "b"]));
        assert!(!serving(&["a"], None, &["a", "b"]));
    }

    #[test]
    fn lists_of_ivfflat_are_read_and_advised() {
        let index = |method: &str, with: &str| Index {
            method: method.into(),
            definition: format!("CREATE INDEX i ON public.t USING {method} (v public.vector_l2_ops){with}"),
            ..Index::default()
        };
        assert_eq!(ivfflat_lists(&index("ivfflat", " WITH (lists='1000')")), Some(1000));
        assert_eq!(ivfflat_lists(&index("ivfflat", "")), Some(100));
        assert_eq!(ivfflat_lists(&Index { method: "ivfflat".into(), ..Index::default() }), None);
        assert_eq!(ivfflat_lists(&index("hnsw", " WITH (m='16')")), None);
        let advised = [(0, 0), (400_000, 0), (1_000_000, 0), (4_000_000, 0), (4_000_000, 4)];
        let advised = advised.map(|(rows, leaves)| advised_lists(rows, leaves));
        assert_eq!(advised, [1, 400, 1000, 2000, 1000]);
    }

    #[test]
    fn only_not_null_predicates_serve_a_foreign_key() {
        assert!(serving(&["user_id"], Some("(user_id IS NOT NULL)"), &["user_id"]));
        assert!(serving(&["a", "b"], Some("((a IS NOT NULL) AND (b IS NOT NULL))"), &["a", "b"]));
        assert!(!serving(&["user_id"], Some("(deleted_at IS NULL)"), &["user_id"]));
        assert!(!serving(&["user_id"], Some("((user_id IS NOT NULL) AND (x > 3))"), &["user_id"]));
    }
}
