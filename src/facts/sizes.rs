//! Sizes of tables, partitions added up, so that those of two snapshots can be compared.

use crate::model::snapshot::{Relation, RelationName, Snapshot};
use std::collections::{BTreeMap, HashMap};

/// A table with all its partitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    pub(super) relation: &'a Relation,
    /// Bytes of the tables and their TOAST.
    pub(super) bytes: i64,
    /// Bytes of their indexes.
    pub(super) index_bytes: i64,
    /// Estimated rows; none where no part was ever vacuumed or analyzed.
    pub(super) rows: Option<i64>,
}

/// All tables of a snapshot by database, schema and name; partitions by themselves too.
pub(super) struct Sizes<'a> {
    all: BTreeMap<Key<'a>, Whole<'a>>,
    /// By database and name alone.
    by_name: HashMap<(&'a str, &'a str), Vec<Whole<'a>>>,
}

type Key<'a> = (&'a str, &'a str, &'a str);

fn key(row: &Relation) -> Key<'_> {
    (&row.database, &row.schema, &row.name)
}

impl<'a> Sizes<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let known: HashMap<_, &Relation> = snapshot.relations.iter().map(|row| (key(row), row)).collect();
        let mut indexes: HashMap<Key<'_>, i64> = HashMap::new();
        for index in &snapshot.indexes {
            let sum = indexes.entry((&index.database, &index.schema, &index.table)).or_default();
            *sum = sum.saturating_add(index.bytes);
        }
        let mut sums: BTreeMap<_, Whole<'_>> = BTreeMap::new();
        for row in &snapshot.relations {
            let root = row.root(|schema, name| known.get(&(row.database.as_str(), schema, name)).copied());
            let own = (key(root) != key(row)).then_some(row);
            for relation in std::iter::once(root).chain(own) {
                let none = Whole { relation, bytes: 0, index_bytes: 0, rows: None };
                let whole = sums.entry(key(relation)).or_insert(none);
                whole.bytes = whole.bytes.saturating_add(row.bytes.saturating_add(row.toast_bytes));
                whole.index_bytes = whole.index_bytes.saturating_add(indexes.get(&key(row)).copied().unwrap_or(0));
                whole.rows = row.estimated_rows.map(|rows| rows.saturating_add(whole.rows.unwrap_or(0))).or(whole.rows);
            }
        }
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for whole in sums.values() {
            let row = whole.relation;
            by_name.entry((row.database.as_str(), row.name.as_str())).or_default().push(*whole);
        }
        Self { all: sums, by_name }
    }

    /// The tables that are no partitions.
    pub(super) fn roots(&self) -> impl Iterator<Item = Whole<'a>> {
        self.all.values().filter(|whole| !whole.relation.is_partition).copied()
    }

    /// The table of another snapshot here.
    pub(super) fn same(&self, relation: &Relation) -> Option<Whole<'a>> {
        self.find(key(relation))
    }

    /// The table of a database, schema and name.
    pub(super) fn find(&self, (database, schema, name): (&str, &str, &str)) -> Option<Whole<'a>> {
        self.all.get(&(database, schema, name)).copied()
    }

    /// Bytes of what a statement may mean by a name: without a schema it may be any.
    pub(super) fn meant(&self, database: &str, name: &RelationName) -> Option<i64> {
        let is_meant = |row: &Relation| name.schema.as_ref().is_none_or(|own| *own == row.schema);
        let named = self.by_name.get(&(database, name.name.as_str()))?;
        let mut found = named.iter().filter(|whole| is_meant(whole.relation)).peekable();
        found.peek()?;
        Some(found.map(|whole| whole.bytes).sum())
    }
}
