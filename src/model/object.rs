//! What a finding is about: a database object by its name, never by its OID.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sort of object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ObjectKind {
    #[default]
    Server,
    Database,
    Table,
    Column,
    Index,
    ForeignKey,
    Constraint,
    Sequence,
    Statement,
    Session,
    Extension,
    Setting,
    Replication,
    Slot,
    Role,
    PreparedTransaction,
    Pool,
    Custom,
    Waiver,
}

impl ObjectKind {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Database => "database",
            Self::Table => "table",
            Self::Column => "column",
            Self::Index => "index",
            Self::ForeignKey => "foreign_key",
            Self::Constraint => "constraint",
            Self::Sequence => "sequence",
            Self::Statement => "statement",
            Self::Session => "session",
            Self::Extension => "extension",
            Self::Setting => "setting",
            Self::Replication => "replication",
            Self::Slot => "slot",
            Self::Role => "role",
            Self::PreparedTransaction => "prepared_transaction",
            Self::Pool => "pool",
            Self::Custom => "custom",
            Self::Waiver => "waiver",
        }
    }
}

/// A database object. Its [`Object::path`] is stable across runs, machines and server majors.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// Which sort.
    pub kind: ObjectKind,
    /// Database it lives in, when it lives in one.
    pub database: Option<String>,
    /// Schema, when it lives in one.
    pub schema: Option<String>,
    /// Name; of a statement its fingerprint, of a session its role and application.
    pub name: String,
    /// Table of an index, column, key or constraint.
    pub table: Option<String>,
    /// Column, where the finding is about one.
    pub column: Option<String>,
    /// Query id on this server, evidence only.
    pub queryid: Option<String>,
    /// Text of a statement, literals replaced.
    pub statement: Option<String>,
}

impl Object {
    /// An object that lives in a schema.
    #[must_use]
    pub fn in_schema(kind: ObjectKind, database: &str, schema: &str, name: &str) -> Self {
        Self {
            kind,
            database: Some(database.to_owned()),
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// An object of the whole instance.
    #[must_use]
    pub fn global(kind: ObjectKind, name: &str) -> Self {
        Self { kind, name: name.to_owned(), ..Self::default() }
    }

    /// The same, with the table it belongs to.
    #[must_use]
    pub fn of_table(mut self, table: &str) -> Self {
        self.table = Some(table.to_owned());
        self
    }

    /// The name people and waivers use: `schema.name`, `schema.table.column`, `q:fingerprint` for a
    /// statement. Parts are quoted as SQL would need them.
    #[must_use]
    pub fn path(&self) -> String {
        if self.kind == ObjectKind::Statement {
            return format!("q:{}", self.name);
        }
        let Some(schema) = &self.schema else {
            return self.name.clone();
        };
        let names_table = matches!(self.kind, ObjectKind::Column | ObjectKind::ForeignKey | ObjectKind::Constraint);
        let mut parts = vec![identifier(schema)];
        parts.extend(self.table.as_deref().filter(|_| names_table).map(identifier));
        parts.push(identifier(&self.name));
        parts.join(".")
    }

    /// Identity across runs: kind, database and path.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.kind.name(), self.database.as_deref().unwrap_or(""), self.path())
    }
}

/// An identifier as SQL must write it: bare when it may be, quoted otherwise.
/// Reserved words are quoted by `ddl`, which writes SQL; this is for reading.
#[must_use]
pub fn identifier(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_sql_would_need_it() {
        let of = |schema, name| Object::in_schema(ObjectKind::Table, "shop", schema, name).path();
        assert_eq!(of("public", "orders"), "public.orders");
        assert_eq!(of("Sales", "a.b"), "\"Sales\".\"a.b\"");
        assert_eq!(of("public", "say \"hi\""), "public.\"say \"\"hi\"\"\"");
        assert_eq!(of("public", "1st"), "public.\"1st\"");
    }

    #[test]
    fn keys_and_columns_name_their_table() {
        let key = Object::in_schema(ObjectKind::ForeignKey, "shop", "public", "orders_user_fk").of_table("orders");
        assert_eq!(key.path(), "public.orders.orders_user_fk");
        let index = Object::in_schema(ObjectKind::Index, "shop", "public", "orders_idx").of_table("orders");
        assert_eq!(index.path(), "public.orders_idx");
    }
}
