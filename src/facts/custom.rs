//! Facets of rule packs: their columns are the fields. Any of them may be none.

use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{CustomRows, Snapshot};
use crate::model::table::{Field, FieldType, Row, Table, Wanted};
use serde_json::Value;

/// The fields of a pack's facet.
#[must_use]
pub fn custom_fields(facet: &str, columns: &[String]) -> Vec<Field> {
    columns
        .iter()
        .map(|column| Field {
            name: column.clone(),
            kind: FieldType::Text,
            nullable: true,
            unit: "as selected".to_owned(),
            source: facet.to_owned(),
            doc: "Column of the pack's SELECT.".to_owned(),
        })
        .collect()
}

/// The column `object` names what a row is about; without one, rows are numbered.
fn table<'a>(facet: &'a CustomRows, database: &'a str) -> Table<'a> {
    let rows = facet.rows.iter().enumerate().map(move |(number, row)| {
        let name = match row.get("object") {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => format!("{} row {}", facet.facet, number + 1),
        };
        let object = Object { database: Some(database.to_owned()), ..Object::global(ObjectKind::Custom, &name) };
        let cell = move |(at, column): (usize, &String), wanted: Wanted<'_>| {
            row.get(column).filter(|_| wanted(at)).cloned().unwrap_or_default()
        };
        let cells = move |wanted: Wanted<'_>| facet.columns.iter().enumerate().map(|own| cell(own, wanted)).collect();
        Row { object, cells: Box::new(cells) }
    });
    Table { name: facet.facet.clone(), fields: custom_fields(&facet.facet, &facet.columns), rows: Box::new(rows) }
}

pub(super) fn tables(snapshot: &Snapshot) -> impl Iterator<Item = Table<'_>> {
    snapshot.custom.iter().map(|facet| table(facet, &snapshot.target.database))
}
