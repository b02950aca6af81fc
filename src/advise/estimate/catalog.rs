//! What the snapshot knows of tables, their columns and their indexes, as the formulas take it.

use super::costs::{Costs, Tree};
use super::restriction::{SETS, Shares};
use super::size::tree;
use crate::advise::candidate::{Candidate, Id};
use crate::advise::catalog::root;
use crate::advise::existing::candidate;
use crate::advise::key::Key;
use crate::model::advice::Method;
use crate::model::plan::Name;
use crate::model::snapshot::{Column, Index, Relation, RelationKind, Snapshot};
use crate::statement::Operand;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Distinct values of a column that nobody has analyzed (`DEFAULT_NUM_DISTINCT`, selfuncs.h).
const DEFAULT_DISTINCT: f64 = 200.0;

/// Share of NULLs in such a column (`DEFAULT_UNK_SEL`).
const DEFAULT_NULLS: f64 = 0.005;

/// Width of a value in such a column, in bytes.
const DEFAULT_WIDTH: f64 = 16.0;

/// All tables, by schema and name.
#[derive(Debug, Default)]
pub(super) struct Catalog(HashMap<Name, Arc<Table>>);

/// A table, or a partition.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order of the snapshot.
    pub(super) number: usize,
    /// The table at the top: an index is made there.
    pub(super) root: Name,
    pub(super) rows: f64,
    pub(super) pages: f64,
    /// Share of pages visible to all.
    pub(super) visible: f64,
    columns: HashMap<String, Statistics>,
    pub(super) indexes: Vec<Known>,
}

/// What ANALYZE knows of a column, values left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) width: f64,
    pub(super) nulls: f64,
    pub(super) distinct: f64,
    /// That number is the planner's default.
    pub(super) is_guess: bool,
    /// Share of a value.
    pub(super) shares: Shares,
    correlation: f64,
}

/// An index, there or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// None: it is there.
    pub(super) id: Option<Id>,
    /// Its name, where it is there.
    name: String,
    pub(super) method: Method,
    pub(super) keys: Vec<Key>,
    pub(super) include: Vec<String>,
    pub(super) predicate: Option<String>,
    pub(super) is_unique: bool,
    pub(super) tree: Tree,
    /// Of the order of its entries with that of the table.
    pub(super) correlation: f64,
    /// Keys that nothing is compared with are skipped value by value (B-trees from PostgreSQL 18 on).
    pub(super) skips: bool,
}

impl Catalog {
    pub(super) fn of(snapshot: &Snapshot, costs: &Costs) -> Self {
        let by_name: HashMap<(&str, &str), &Relation> =
            snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect();
        let mut tables: HashMap<Name, Table> = HashMap::new();
        for (number, row) in snapshot.relations.iter().enumerate() {
            let top = root(row, &by_name);
            let table = Table { number, root: Name::new(&top.schema, &top.name), ..Table::of(row, costs) };
            tables.insert(Name::new(&row.schema, &row.name), table);
        }
        let unique = unique_columns(snapshot);
        for column in &snapshot.columns {
            let is_unique = unique.contains(&(column.schema.as_str(), column.relation.as_str(), column.name.as_str()));
            if let Some(table) = tables.get_mut(&Name::new(&column.schema, &column.relation)) {
                let statistics = Statistics::of(column, table.rows, is_unique);
                table.columns.insert(column.name.clone(), statistics);
            }
        }
        for index in snapshot.indexes.iter().filter(|index| index.is_valid) {
            if let Some(table) = tables.get_mut(&Name::new(&index.schema, &index.table)) {
                let known = table.existing(index, costs);
                table.indexes.extend(known);
            }
        }
        Self(tables.into_iter().map(|(name, table)| (name, Arc::new(table))).collect())
    }

    pub(super) fn table(&self, name: &Name) -> Option<&Arc<Table>> {
        self.0.get(name)
    }

    /// Keys of a table's B-tree.
    pub(super) fn order(&self, table: &Name, index: &str) -> Vec<Key> {
        let indexes = self.0.get(table).map_or(&[][..], |table| &table.indexes);
        let is_it = |known: &&Known| known.name == index && known.method == Method::Btree;
        indexes.iter().find(is_it).map(|known| known.keys.clone()).unwrap_or_default()
    }

    /// Tables whose rows an index on this one would have entries for.
    pub(super) fn below<'c>(&'c self, root: &'c Name) -> impl Iterator<Item = &'c Arc<Table>> {
        self.0.values().filter(move |table| table.root == *root && table.pages > 0.0)
    }
}

/// Columns that are unique by themselves, with schema and table.
fn unique_columns(snapshot: &Snapshot) -> BTreeSet<(&str, &str, &str)> {
    let unique = snapshot.indexes.iter().filter(|index| index.is_unique && index.is_valid && index.predicate.is_none());
    let found = unique.filter_map(|index| match index.key_columns.as_slice() {
        [column] => Some((index.schema.as_str(), index.table.as_str(), column.as_str())),
        _ => None,
    });
    found.collect()
}

#[allow(clippy::cast_precision_loss, reason = "rows and bytes")]
impl Table {
    fn of(row: &Relation, costs: &Costs) -> Self {
        if row.kind == RelationKind::PartitionedTable {
            return Self::default();
        }
        Self {
            rows: row.estimated_rows.unwrap_or(row.live_tuples).max(0) as f64,
            pages: (row.bytes as f64 / costs.page_bytes).ceil().max(1.0),
            visible: row.all_visible_fraction.unwrap_or(0.0),
            ..Self::default()
        }
    }

    /// What is known of a column; of an expression, and of what nobody has analyzed, what the planner assumes.
    pub(super) fn statistics(&self, operand: &Operand) -> Statistics {
        if operand.is_expression { Statistics::unknown(self.rows) } else { self.column(&operand.text) }
    }

    pub(super) fn column(&self, name: &str) -> Statistics {
        self.columns.get(name).copied().unwrap_or_else(|| Statistics::unknown(self.rows))
    }

    pub(super) fn key(&self, key: &Key) -> Statistics {
        if key.is_expression { Statistics::unknown(self.rows) } else { self.column(&key.column) }
    }

    fn existing(&self, index: &Index, costs: &Costs) -> Option<Known> {
        let told = candidate(index)?;
        let entries = index.estimated_rows.map_or(self.rows, |rows| rows as f64);
        let tree = Tree { pages: (index.bytes as f64 / costs.page_bytes).ceil().max(1.0), entries };
        let known = self.known(None, &told, tree, costs);
        Some(Known { name: index.name.clone(), is_unique: index.is_unique, ..known })
    }

    /// A candidate as an index of this table; `share` of the rows have entries in it.
    pub(super) fn hypothetical(&self, id: Id, candidate: &Candidate, share: f64, costs: &Costs) -> Known {
        self.known(Some(id), candidate, tree(self, candidate, share, costs), costs)
    }

    /// Correlation is that of the leading column; with more columns three quarters of it (`btcostestimate`).
    fn known(&self, id: Option<Id>, told: &Candidate, tree: Tree, costs: &Costs) -> Known {
        let leading = told.keys.first().map_or(0.0, |key| self.key(key).correlation);
        Known {
            id,
            name: String::new(),
            method: told.method,
            correlation: if told.keys.len() > 1 { leading * 0.75 } else { leading },
            keys: told.keys.clone(),
            include: told.include.clone(),
            predicate: told.predicate.clone(),
            is_unique: false,
            tree,
            skips: told.method == Method::Btree && costs.major >= 18,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts and widths")]
impl Statistics {
    fn unknown(rows: f64) -> Self {
        let distinct = DEFAULT_DISTINCT.min(rows.max(1.0));
        Self {
            width: DEFAULT_WIDTH,
            nulls: DEFAULT_NULLS,
            distinct,
            is_guess: true,
            shares: SETS.map(|_| (1.0 - DEFAULT_NULLS) / distinct),
            correlation: 0.0,
        }
    }

    fn of(column: &Column, rows: f64, is_unique: bool) -> Self {
        let assumed = Self::unknown(rows);
        let is_guess =
            column.distinct.is_none_or(|number| number == 0.0) && !is_unique && column.type_name != "boolean";
        let distinct = match column.distinct {
            _ if is_unique => rows,
            Some(share) if share < 0.0 => -share * rows,
            Some(count) if count > 0.0 => count,
            _ if column.type_name == "boolean" => 2.0,
            _ => assumed.distinct,
        };
        let distinct = distinct.clamp(1.0, rows.max(1.0));
        let nulls = column.null_fraction.unwrap_or(if column.is_not_null { 0.0 } else { assumed.nulls });
        Self {
            width: column.average_width_bytes.map_or(assumed.width, |bytes| bytes as f64),
            nulls,
            distinct,
            is_guess,
            shares: shares(column, nulls, distinct),
            correlation: column.correlation.unwrap_or(0.0),
        }
    }
}

/// Share of a value that nobody knows: all are as frequent (`var_eq_non_const`). Of a usual one: where the common
/// values are most of the rows, of that which is nearest to their geometric mean; else of one of the others. Sum and
/// mean of the common ones are not known, but the first, the middle and the last: Simpson's rule.
#[allow(clippy::cast_precision_loss, reason = "a hundred or so")]
fn shares(column: &Column, nulls: f64, distinct: f64) -> Shares {
    let even = ((1.0 - nulls) / distinct).min(column.most_common_fraction.unwrap_or(1.0));
    let shares = (column.most_common_fraction, column.middle_common_fraction, column.least_common_fraction);
    let (Some(count), (Some(first), Some(middle), Some(last))) = (column.common_values, shares) else {
        return SETS.map(|_| even);
    };
    let count = count as f64;
    let simpson = |of: fn(f64) -> f64| (of(first) + 4.0 * of(middle) + of(last)) / 6.0;
    let mass = (count * simpson(|share| share)).min(1.0 - nulls);
    let other = (1.0 - nulls - mass) / (distinct - count).max(1.0);
    let is_common = mass >= 0.5 || distinct <= count;
    let off = |share: f64| (share.ln() - simpson(f64::ln)).abs();
    let usual = match is_common {
        // Of two none is in the middle.
        true if count <= 2.0 => first,
        true => [first, middle, last]
            .into_iter()
            .fold(first, |best, share| if off(share) < off(best) { share } else { best }),
        false => other,
    };
    let rare = if distinct > count { other.min(last) } else { last };
    [even, usual, rare, first]
}
