//! What advice knows of tables: by name, and a partition by the table it belongs to.

use super::functions::Functions;
use super::operators::Operators;
use crate::model::plan::Name;
use crate::model::snapshot::{Column, Index, Relation, RelationName, Snapshot};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The table at the top that a partition belongs to, as far as it is known.
pub(super) fn root<'a>(row: &'a Relation, by_name: &HashMap<(&'a str, &'a str), &'a Relation>) -> &'a Relation {
    row.root(|schema, name| by_name.get(&(schema, name)).copied())
}

/// Relations, indexes and columns by their names.
pub(super) struct Catalog<'a> {
    relations: HashMap<(&'a str, &'a str), &'a Relation>,
    /// Names of relations without their schemas.
    names: HashSet<&'a str>,
    pub(super) indexes: HashMap<(&'a str, &'a str), &'a Index>,
    columns: HashMap<(&'a str, &'a str, &'a str), &'a Column>,
    /// Average widths of rows, in bytes.
    rows: HashMap<(&'a str, &'a str), i64>,
    pub(super) operators: Operators<'a>,
    pub(super) functions: Functions<'a>,
    /// INCLUDE may be asked about.
    carries: bool,
}

/// Releases of HypoPG of which one has brought a server down when it was asked about INCLUDE (HypoPG #114).
const NO_INCLUDE: [&str; 2] = ["1.4.0", "1.4.1"];

/// A relation of this size is worth an index of block ranges, in bytes: a thousand ranges of 128 blocks.
const HUGE: i64 = 1 << 30;

/// Correlation of physical and logical order from which block ranges are told apart.
const IN_ORDER: f64 = 0.99;

impl<'a> Catalog<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let relations = snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row));
        let indexes = snapshot.indexes.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row));
        let mut rows: HashMap<(&str, &str), i64> = HashMap::new();
        for column in &snapshot.columns {
            let width = column.average_width_bytes.unwrap_or(0);
            *rows.entry((column.schema.as_str(), column.relation.as_str())).or_default() += width;
        }
        let columns = snapshot.columns.iter();
        let columns = columns.map(|row| ((row.schema.as_str(), row.relation.as_str(), row.name.as_str()), row));
        Self {
            relations: relations.collect(),
            names: snapshot.relations.iter().map(|row| row.name.as_str()).collect(),
            indexes: indexes.collect(),
            columns: columns.collect(),
            rows,
            operators: Operators::of(snapshot),
            functions: Functions::of(&snapshot.functions),
            carries: !snapshot
                .extensions
                .iter()
                .any(|row| row.name == "hypopg" && NO_INCLUDE.contains(&row.version.as_str())),
        }
    }

    /// The name is that of a table, in whatever schema where it says none.
    pub(super) fn is_table(&self, name: &RelationName) -> bool {
        match &name.schema {
            Some(schema) => self.relations.contains_key(&(schema.as_str(), name.name.as_str())),
            None => self.names.contains(name.name.as_str()),
        }
    }

    pub(super) fn column(&self, table: &Name, column: &str) -> Option<&'a Column> {
        self.columns.get(&(table.schema.as_str(), table.name.as_str(), column)).copied()
    }

    /// A B-tree of the table leads with the column in the order of bytes: somebody knows that patterns begin with text.
    pub(super) fn is_by_bytes(&self, table: &Name, column: &str) -> bool {
        let is_it = |index: &Index| {
            (&index.schema, &index.table) == (&table.schema, &table.name)
                && index.is_valid
                && index.key_columns.first().is_some_and(|first| first == column)
                && index.operator_classes.first().is_some_and(|class| class.ends_with("_pattern_ops"))
        };
        self.indexes.values().any(|index| is_it(index))
    }

    /// An index may carry these columns along: they are at most half of the row, by average widths.
    pub(super) fn is_carried(&self, table: &Name, columns: &BTreeSet<String>) -> bool {
        let width = |column: &Column| column.average_width_bytes.unwrap_or(0);
        let row: i64 = self.rows.get(&(table.schema.as_str(), table.name.as_str())).copied().unwrap_or(0);
        let own: i64 = columns.iter().filter_map(|column| self.column(table, column)).map(width).sum();
        self.carries && (2 * own <= row || row <= 0)
    }

    /// Rows of a huge table lie in the order of this column.
    pub(super) fn is_in_order(&self, table: &Name, column: &str) -> bool {
        let relation = self.relations.get(&(table.schema.as_str(), table.name.as_str()));
        let correlation = self.column(table, column).and_then(|column| column.correlation).unwrap_or(0.0);
        relation.is_some_and(|relation| relation.bytes >= HUGE) && correlation.abs() >= IN_ORDER
    }

    /// The table, or the one at the top that it is a partition of: an index is made there.
    pub(super) fn table(&self, schema: &str, name: &str) -> Option<Name> {
        let row = root(self.relations.get(&(schema, name))?, &self.relations);
        Some(Name::new(&row.schema, &row.name))
    }
}
