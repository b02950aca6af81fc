//! From Rust structs to tables: names, types, units and sources come from the structs' own schema
//! and doc comments, so they cannot drift.

use super::cells::Layout;
use crate::model::object::Object;
use crate::model::table::{Field, FieldType, Row, Table};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// A table of `rows`, with the fields of `R`.
pub(super) fn table<'a, R: Serialize + JsonSchema + Send + 'a>(
    name: &'static str,
    rows: impl IntoIterator<Item = (Object, R), IntoIter: Send + 'a>,
) -> Table<'a> {
    let fields = fields::<R>();
    let layout = Arc::new(Layout::of(&fields));
    let rows = rows.into_iter().map(move |(object, row)| {
        let layout = Arc::clone(&layout);
        Row { object, cells: Box::new(move |wanted| layout.cells(&row, wanted)) }
    });
    Table { name: name.to_owned(), fields, rows: Box::new(rows) }
}

fn fields<R: JsonSchema>() -> Vec<Field> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<R>();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, property)| field(name, property)).collect()
}

fn field(name: &str, property: &Value) -> Field {
    let types = type_names(property);
    let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
    let (doc, rest) = description.split_once('{').unwrap_or((description, ""));
    let (unit, source) = rest.trim_end_matches('}').split_once('|').unwrap_or((rest, ""));
    let is_time = property.get("format").and_then(Value::as_str) == Some("date-time");
    let kind = match types.iter().find(|kind| kind.as_str() != "null").map(String::as_str) {
        Some("boolean") => FieldType::Bool,
        Some("integer" | "number") => FieldType::Number,
        Some("array") => FieldType::List,
        _ if is_time => FieldType::Time,
        _ => FieldType::Text,
    };
    Field {
        name: name.to_owned(),
        kind,
        nullable: types.iter().any(|kind| kind == "null"),
        unit: unit.trim().to_owned(),
        source: source.split_whitespace().collect::<Vec<_>>().join(" "),
        doc: doc.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn type_names(property: &Value) -> Vec<String> {
    match property.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => property.get("anyOf").and_then(Value::as_array).into_iter().flatten().flat_map(type_names).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::with_facts;
    use crate::model::snapshot::{Snapshot, Tool};
    use chrono::DateTime;

    #[test]
    fn every_field_says_its_unit_and_source() {
        with_facts(&Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH), |facts| {
            let tables = facts.tables.iter().chain(std::iter::once(&facts.common));
            let silent: Vec<String> = tables
                .flat_map(|table| table.fields.iter().map(move |field| (&table.name, field)))
                .filter(|(_, field)| field.unit.is_empty() || field.source.is_empty() || field.doc.is_empty())
                .map(|(table, field)| format!("{table}.{}", field.name))
                .collect();
            assert_eq!(silent, Vec::<String>::new());
        });
    }

    #[test]
    fn a_facets_fields_and_the_common_ones_do_not_collide() {
        with_facts(&Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH), |facts| {
            let common: Vec<&str> = facts.common.fields.iter().map(|field| field.name.as_str()).collect();
            for table in &facts.tables {
                assert!(!table.fields.is_empty(), "{} has no fields", table.name);
                let twice: Vec<_> = table.fields.iter().filter(|field| common.contains(&field.name.as_str())).collect();
                assert!(twice.is_empty(), "{}: {twice:?}", table.name);
            }
        });
    }
}
