//! A fresh partitioned table after a plain one, or after what was said of it.

use super::key::{Key, Unit};
use super::month::Month;
use super::naming::Naming;
use super::zone::Zone;
use crate::ddl::{MAX_NAME_BYTES, quoted};
use crate::model::blueprint::{Blueprint, BlueprintIndex, SeenColumn, SeenKey, SeenOriginal};
use crate::model::partition::{Likeness, Range};
use crate::model::plan::Name;
use crate::statement::{ColumnText, IndexText, column_text, index_parts, index_text, with_key};

/// What is wished of the table.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its name.
    pub name: Name,
    /// The column that it is cut by.
    pub by: String,
    /// What the key counts, where it is a number.
    pub unit: Option<Unit>,
    /// Its first month.
    pub first: Month,
    /// Months that follow.
    pub ahead: u16,
}

/// A table like this one.
pub fn after(table: &Name, seen: &SeenOriginal, likeness: Likeness, order: &Order) -> Result<Blueprint, String> {
    let key = seen.columns.iter().find(|column| column.name == order.by);
    let key = key.ok_or_else(|| format!("{table} has no column {}", order.by))?;
    if key.generated.is_some() {
        return Err(format!("{} is generated, and PostgreSQL cuts no table by such a column", order.by));
    }
    let mut remarks = Vec::new();
    if order.name == *table {
        remarks.push(format!("{table} is there: run this elsewhere, or name the new one with --as"));
    }
    let columns = seen.columns.iter().map(|column| definition(column, column.name == order.by, &mut remarks));
    let mut parts: Vec<String> = columns.collect();
    for key in &seen.keys {
        let name = renamed(&key.name, table, &order.name).filter(|_| !key.is_primary);
        parts.push(constraint(key, name.as_deref(), &order.by, &mut remarks));
    }
    parts.extend(seen.constraints.iter().map(|one| format!("CONSTRAINT {} {}", quoted(&one.name), one.definition)));
    if !seen.keys.iter().any(|key| key.is_primary) {
        remarks.push(format!("no primary key: {table} has none"));
    }
    let mut indexes = Vec::new();
    for index in &seen.indexes {
        let text = index_text(&index.definition)
            .ok_or_else(|| format!("{}: {} is not understood", index.name, index.definition))?;
        let name = renamed(&index.name, table, &order.name);
        indexes.push(self::index(&index.name, name, text, &order.by, &mut remarks));
    }
    remarks.extend(seen.lost.iter().map(|what| format!("not made anew: {what}")));
    if likeness.replica_identity == "index" {
        remarks.push("not made anew: the replica identity, which is an index".to_owned());
    }
    remarks.extend(likeness.publications.iter().map(|name| format!("not published: {table} is in publication {name}")));
    let stored = |column: &SeenColumn| {
        let storage = column.storage.clone().map(|how| (column.name.clone(), "STORAGE", how));
        storage.into_iter().chain(column.compression.clone().map(|how| (column.name.clone(), "COMPRESSION", how)))
    };
    let comments = seen.columns.iter().filter_map(|column| Some((column.name.clone(), column.comment.clone()?)));
    Ok(Blueprint {
        table: order.name.clone(),
        key: order.by.clone(),
        parts,
        indexes,
        stored: seen.columns.iter().flat_map(stored).collect(),
        comments: comments.collect(),
        comment: seen.comment.clone(),
        likeness,
        partitions: months(order, &key.type_name, &mut remarks)?,
        remarks: headed(order, remarks),
    })
}

/// A table of these columns, as they were written. Its primary key are those of `primary_key`, else the identity
/// column, and the key.
pub fn described(definitions: &[String], primary_key: &[String], order: &Order) -> Result<Blueprint, String> {
    let read = |text: &String| column_text(text).ok_or_else(|| format!("--column '{text}': no definition of a column"));
    let columns = definitions.iter().map(read).collect::<Result<Vec<ColumnText>, String>>()?;
    let named = |name: &str| columns.iter().find(|column| column.name == name);
    if let Some(column) = columns.iter().find(|column| column.is_key) {
        return Err(format!(
            "{}: a key of one column cannot hold over months: say --primary-key {}",
            column.name, column.name
        ));
    }
    let key = named(&order.by).ok_or_else(|| format!("no --column describes {}", order.by))?;
    if key.is_generated {
        return Err(format!("{} is generated, and PostgreSQL cuts no table by such a column", order.by));
    }
    if let Some(missing) = primary_key.iter().find(|name| named(name).is_none()) {
        return Err(format!("--primary-key: no --column describes {missing}"));
    }
    let mut remarks = Vec::new();
    let own: Vec<String> = if primary_key.is_empty() {
        columns.iter().filter(|column| column.is_identity).take(1).map(|column| column.name.clone()).collect()
    } else {
        primary_key.to_vec()
    };
    // A comment at the end of a definition must not take in what follows.
    let mut parts: Vec<String> = definitions
        .iter()
        .zip(&columns)
        .map(|(text, column)| {
            let comment = if text.contains("--") { "\n  " } else { "" };
            let not_null =
                if column.name == order.by && own.is_empty() && !column.is_not_null { " NOT NULL" } else { "" };
            format!("{}{comment}{not_null}", text.trim())
        })
        .collect();
    if own.is_empty() {
        remarks.push("no primary key: none was wished".to_owned());
    } else {
        let primary =
            SeenKey { is_primary: true, columns: own.iter().map(|name| quoted(name)).collect(), ..SeenKey::default() };
        parts.push(constraint(&primary, None, &order.by, &mut remarks));
    }
    Ok(Blueprint {
        table: order.name.clone(),
        key: order.by.clone(),
        parts,
        partitions: months(order, &key.type_name, &mut remarks)?,
        remarks: headed(order, remarks),
        ..Blueprint::default()
    })
}

fn headed(order: &Order, remarks: Vec<String>) -> Vec<String> {
    let head = format!("{}, cut by months of {} in UTC; for psql --single-transaction", order.name, order.by);
    std::iter::once(head).chain(remarks).collect()
}

fn definition(column: &SeenColumn, is_key: bool, remarks: &mut Vec<String>) -> String {
    let mut sql = format!("{} {}", quoted(&column.name), column.type_name);
    if let Some(collation) = &column.collation {
        sql += &format!(" COLLATE {collation}");
    }
    match (&column.identity, &column.generated, &column.expression) {
        (Some(kind), ..) => sql += &format!(" GENERATED {kind} AS IDENTITY"),
        (_, Some(kind), Some(expression)) => sql += &format!(" GENERATED ALWAYS AS ({expression}) {kind}"),
        _ if column.is_serial => {
            sql += " GENERATED BY DEFAULT AS IDENTITY";
            remarks.push(format!("{} takes from a sequence of its own: it was serial", column.name));
        }
        (_, _, Some(expression)) => sql += &format!(" DEFAULT {expression}"),
        _ => {}
    }
    if column.is_not_null || is_key {
        sql += " NOT NULL";
    }
    sql
}

/// A primary key or a unique constraint, with the column that the table is cut by in it.
fn constraint(key: &SeenKey, name: Option<&str>, by: &str, remarks: &mut Vec<String>) -> String {
    let list = |columns: &[&str]| columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let mut columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
    if !columns.contains(&by) {
        remarks.push(format!("({}) alone is unique by month only: the key must be in it", list(&columns)));
        columns.push(by);
    }
    let name = name.map(|name| format!("CONSTRAINT {} ", quoted(name))).unwrap_or_default();
    let kind = match (key.is_primary, key.nulls_not_distinct) {
        (true, _) => "PRIMARY KEY",
        (false, false) => "UNIQUE",
        (false, true) => "UNIQUE NULLS NOT DISTINCT",
    };
    let included: Vec<&str> = key.included.iter().map(String::as_str).filter(|column| *column != by).collect();
    let included = if included.is_empty() { String::new() } else { format!(" INCLUDE ({})", list(&included)) };
    let deferrable = match (key.is_deferrable, key.is_deferred) {
        (false, _) => "",
        (true, false) => " DEFERRABLE",
        (true, true) => " DEFERRABLE INITIALLY DEFERRED",
    };
    format!("{name}{kind} ({}){included}{deferrable}", list(&columns))
}

fn index(old: &str, name: Option<String>, text: IndexText, by: &str, remarks: &mut Vec<String>) -> BlueprintIndex {
    let added = quoted(by);
    let mut using = text.using;
    let has_key = index_parts(&format!("CREATE INDEX ON t USING {using}"))
        .is_some_and(|parts| parts.keys.iter().any(|key| !key.is_expression && key.text == by));
    if text.is_unique && !has_key {
        if let Some(more) = with_key(&using, &added) {
            using = more;
        }
        remarks.push(format!("{old} is unique by month only: the key must be in it"));
    }
    let predicate = text.predicate.map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    BlueprintIndex { name, is_unique: text.is_unique, using: format!("{using}{predicate}") }
}

/// The name of an index of the new table: that of the old one where both can be, else `calls_at_idx` of `events_at_idx`;
/// none, which the server then chooses, where it does not begin with the table's or would be cut.
fn renamed(index: &str, old: &Name, new: &Name) -> Option<String> {
    if old == new || old.schema != new.schema {
        return Some(index.to_owned());
    }
    let rest = index.strip_prefix(&old.name).filter(|rest| rest.starts_with('_'))?;
    Some(format!("{}{rest}", new.name)).filter(|name| name.len() <= MAX_NAME_BYTES)
}

/// The months, by name and range.
fn months(order: &Order, type_name: &str, remarks: &mut Vec<String>) -> Result<Vec<(Name, Range)>, String> {
    let key = Key::declared(&order.by, type_name, order.unit)?;
    if key == Key::UuidV7 {
        remarks.push(format!("values of {} must be of version 7: others tell no time", order.by));
    }
    let naming = Naming::standard(&order.name.name);
    let edge = |month: Month| key.edge(Zone::UTC, month).map(|edge| vec![edge]);
    let months = (0..=i32::from(order.ahead)).map(|nr| {
        let ends = || "the months end with the year 9999".to_owned();
        let month = order.first.plus(nr).ok_or_else(ends)?;
        let next = month.plus(1).ok_or_else(ends)?;
        Ok((Name::new(&order.name.schema, &naming.name(month)?), Range { from: edge(month)?, to: edge(next)? }))
    });
    months.collect()
}

#[cfg(test)]
mod tests;
