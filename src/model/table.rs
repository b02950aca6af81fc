//! Facts as rules see them: a facet is a table, its fields have types, units and sources.

use crate::model::object::Object;
use serde_json::Value;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// True or false.
    Bool,
    /// Integer or floating point.
    Number,
    /// Text.
    Text,
    /// Moment in UTC, RFC 3339.
    Time,
    /// List.
    List,
}

impl FieldType {
    /// The name `rules fields` prints.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Number => "number",
            Self::Text => "text",
            Self::Time => "time",
            Self::List => "list",
        }
    }
}

/// One field of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name in conditions and messages.
    pub name: String,
    /// What it holds.
    pub kind: FieldType,
    /// It may be none.
    pub nullable: bool,
    /// Unit of a number, or what sort of text.
    pub unit: String,
    /// Catalog view and column, or the rule of its making.
    pub source: String,
    /// One sentence.
    pub doc: String,
}

/// One object and its facts, in the order of the table's fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is about.
    pub object: Object,
    /// One value per field.
    pub cells: Vec<Value>,
}

/// A facet, ready to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The facet's name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// All facets, and the facts that hold for every row of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Fields that every rule may use, whatever its facet.
    pub common: Table,
    /// The facets.
    pub tables: Vec<Table>,
}

impl Facts {
    /// A facet by name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}
