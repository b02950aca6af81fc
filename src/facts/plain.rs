//! Facets that rules see as they were read.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Snapshot;
use crate::model::table::Table;

pub(super) fn settings(snapshot: &Snapshot) -> Table {
    build::table("settings", snapshot.settings.iter().map(|row| (Object::global(ObjectKind::Setting, &row.name), row)))
}

pub(super) fn extensions(snapshot: &Snapshot) -> Table {
    let object = |name: &str| Object {
        database: Some(snapshot.target.database.clone()),
        ..Object::global(ObjectKind::Extension, name)
    };
    build::table("extensions", snapshot.extensions.iter().map(|row| (object(&row.name), row)))
}

pub(super) fn columns(snapshot: &Snapshot) -> Table {
    build::table(
        "columns",
        snapshot.columns.iter().map(|row| {
            let object = Object::in_schema(ObjectKind::Column, &row.database, &row.schema, &row.name);
            (Object { column: Some(row.name.clone()), ..object.of_table(&row.relation) }, row)
        }),
    )
}

pub(super) fn constraints(snapshot: &Snapshot) -> Table {
    build::table(
        "constraints",
        snapshot.constraints.iter().map(|row| {
            (Object::in_schema(ObjectKind::Constraint, &row.database, &row.schema, &row.name).of_table(&row.table), row)
        }),
    )
}

pub(super) fn replication(snapshot: &Snapshot) -> Table {
    build::table(
        "replication",
        snapshot.replication.iter().map(|row| (Object::global(ObjectKind::Replication, &row.application), row)),
    )
}
