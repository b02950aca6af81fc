//! Facts as rules see them: a facet is a table, its fields have types, units and sources. Rows are made
//! one at a time, and cells when they are asked for: large servers have millions of them.

use crate::model::object::Object;
use serde_json::Value;
use std::fmt;

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

/// Says of each field whether its value is wanted.
pub type Wanted<'a> = &'a dyn Fn(usize) -> bool;

/// One object and its facts.
pub struct Row<'a> {
    /// What it is about.
    pub object: Object,
    /// Makes one value per field of the table, null where none is wanted.
    pub cells: Box<dyn Fn(Wanted<'_>) -> Vec<Value> + Send + 'a>,
}

/// A facet, ready to be judged.
pub struct Table<'a> {
    /// The facet's name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Its rows, made as they are taken.
    pub rows: Box<dyn Iterator<Item = Row<'a>> + Send + 'a>,
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// All facets, and the facts that hold for every row of them.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Fields that every rule may use, whatever its facet; one row.
    pub common: Table<'a>,
    /// The facets.
    pub tables: Vec<Table<'a>>,
}

impl<'a> Facts<'a> {
    /// A facet by name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table<'a>> {
        self.tables.iter().find(|table| table.name == name)
    }
}
