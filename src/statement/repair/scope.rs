//! Names of columns, resolved as far as the statement and what is known of its relations allow.

use super::types::{Kind, short};
use crate::model::snapshot::RelationName;

/// Knows the type of a relation's column, as `format_type()` prints it.
pub type ColumnType<'a> = dyn Fn(&RelationName, &str) -> Option<String> + Sync + 'a;

/// A column of a relation.
pub(super) type Origin = (RelationName, String);

/// What a query returns under one name.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) origin: Option<Origin>,
}

/// What a query returns: columns it names, and all columns of others.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) stars: Vec<Item>,
}

#[derive(Debug, Clone)]
pub(super) enum Source {
    Relation(RelationName),
    Rows(Rows),
}

/// One entry of FROM.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) alias: String,
    pub(super) source: Source,
}

impl Item {
    fn column(&self, name: &str, types: &ColumnType<'_>) -> Option<Column> {
        match &self.source {
            Source::Relation(relation) => types(relation, name).map(|found| Column {
                name: name.to_owned(),
                kind: Kind::Known(short(&found)),
                origin: Some((relation.clone(), name.to_owned())),
            }),
            Source::Rows(rows) => {
                let named = rows.columns.iter().find(|column| column.name == name).cloned();
                named.or_else(|| rows.stars.iter().find_map(|item| item.column(name, types)))
            }
        }
    }
}

/// FROM lists, the innermost last, and the WITH queries in sight.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    pub(super) froms: Vec<Vec<Item>>,
    pub(super) with: Vec<(String, Rows)>,
}

impl Scopes {
    /// The column that a name with its qualifier means.
    pub(super) fn column(&self, qualifier: Option<&str>, name: &str, types: &ColumnType<'_>) -> Option<Column> {
        let fits = |item: &&Item| qualifier.is_none_or(|qualifier| qualifier == item.alias);
        let mut items = self.froms.iter().rev().flatten().filter(fits);
        items.find_map(|item| item.column(name, types))
    }

    pub(super) fn add(&mut self, item: Item) {
        if let Some(from) = self.froms.last_mut() {
            from.push(item);
        }
    }

    /// The rows of a WITH query.
    pub(super) fn with(&self, name: &str) -> Option<&Rows> {
        self.with.iter().rev().find(|(known, _)| known == name).map(|(_, rows)| rows)
    }

    /// What `*` or `alias.*` stands for.
    pub(super) fn stars(&self, qualifier: Option<&str>) -> Vec<Item> {
        let own = self.froms.last().into_iter().flatten();
        own.filter(|item| qualifier.is_none_or(|qualifier| qualifier == item.alias)).cloned().collect()
    }
}
