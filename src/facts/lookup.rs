//! Finds the rows of one facet from another, by name, without searching.

use crate::model::snapshot::{Column, Constraint, ForeignKey, Index, Relation, RelationName, Snapshot};
use std::collections::{HashMap, HashSet};

/// Schema and name.
pub(super) type Key<'a> = (&'a str, &'a str);

/// The audited database's relations, and what hangs on each.
pub(super) struct Lookup<'a> {
    pub(super) snapshot: &'a Snapshot,
    relations: HashMap<Key<'a>, &'a Relation>,
    by_name: HashMap<&'a str, Vec<&'a Relation>>,
    indexes: HashMap<Key<'a>, Vec<&'a Index>>,
    columns: HashMap<Key<'a>, Vec<&'a Column>>,
    foreign_keys: HashMap<Key<'a>, Vec<&'a ForeignKey>>,
    constraints: HashMap<Key<'a>, Vec<&'a Constraint>>,
    leaves: HashMap<Key<'a>, Vec<&'a Relation>>,
}

fn grouped<'a, T>(rows: &'a [T], key: impl Fn(&'a T) -> Key<'a>) -> HashMap<Key<'a>, Vec<&'a T>> {
    let mut groups: HashMap<Key<'a>, Vec<&'a T>> = HashMap::new();
    for row in rows {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
}

impl<'a> Lookup<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let mut by_name: HashMap<&str, Vec<&Relation>> = HashMap::new();
        let mut children: HashMap<Key<'_>, Vec<&Relation>> = HashMap::new();
        for relation in &snapshot.relations {
            by_name.entry(&relation.name).or_default().push(relation);
            if let (Some(schema), Some(name)) = (&relation.parent_schema, &relation.parent_name) {
                children.entry((schema, name)).or_default().push(relation);
            }
        }
        Self {
            snapshot,
            relations: snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect(),
            by_name,
            indexes: grouped(&snapshot.indexes, |row| (&row.schema, &row.table)),
            columns: grouped(&snapshot.columns, |row| (&row.schema, &row.relation)),
            foreign_keys: grouped(&snapshot.foreign_keys, |row| (&row.schema, &row.table)),
            constraints: grouped(&snapshot.constraints, |row| (&row.schema, &row.table)),
            leaves: children.keys().map(|table| (*table, leaves(&children, *table))).collect(),
        }
    }

    /// The relation a statement means: by schema where it says one, else by name when only one has it.
    pub(super) fn named(&self, name: &RelationName) -> Option<&'a Relation> {
        if let Some(schema) = &name.schema {
            return self.relations.get(&(schema.as_str(), name.name.as_str())).copied();
        }
        match self.by_name.get(name.name.as_str()).map(Vec::as_slice) {
            Some([only]) => Some(only),
            _ => None,
        }
    }

    /// The relation of exactly this name.
    pub(super) fn exact(&self, schema: &str, name: &str) -> Option<&'a Relation> {
        self.relations.get(&(schema, name)).copied()
    }

    pub(super) fn indexes(&self, table: Key<'a>) -> &[&'a Index] {
        self.indexes.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(super) fn columns(&self, table: Key<'a>) -> &[&'a Column] {
        self.columns.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(super) fn foreign_keys(&self, table: Key<'a>) -> &[&'a ForeignKey] {
        self.foreign_keys.get(&table).map_or(&[], Vec::as_slice)
    }

    pub(super) fn constraints(&self, table: Key<'a>) -> &[&'a Constraint] {
        self.constraints.get(&table).map_or(&[], Vec::as_slice)
    }

    /// All partitions below a table that hold rows themselves.
    pub(super) fn leaves(&self, table: Key<'a>) -> &[&'a Relation] {
        self.leaves.get(&table).map_or(&[], Vec::as_slice)
    }
}

/// Collects once what is below each table: statements ask for it again and again. A damaged snapshot's
/// circles are gone round once.
fn leaves<'a>(children: &HashMap<Key<'a>, Vec<&'a Relation>>, table: Key<'a>) -> Vec<&'a Relation> {
    let mut leaves = Vec::new();
    let mut seen = HashSet::from([table]);
    let mut open: Vec<&Relation> = children.get(&table).cloned().unwrap_or_default();
    while let Some(child) = open.pop() {
        let key = (child.schema.as_str(), child.name.as_str());
        match children.get(&key) {
            Some(below) if seen.insert(key) => open.extend(below),
            Some(_) => {}
            None => leaves.push(child),
        }
    }
    leaves
}
