//! Facets that rules see as they were read.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Snapshot;
use crate::model::table::Table;

pub(super) fn extensions(snapshot: &Snapshot) -> Table<'_> {
    let object = move |name: &str| Object {
        database: Some(snapshot.target.database.clone()),
        ..Object::global(ObjectKind::Extension, name)
    };
    build::table("extensions", snapshot.extensions.iter().map(move |row| (object(&row.name), row)))
}

pub(super) fn constraints(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "constraints",
        snapshot.constraints.iter().map(|row| {
            (Object::in_schema(ObjectKind::Constraint, &row.database, &row.schema, &row.name).of_table(&row.table), row)
        }),
    )
}

pub(super) fn replication(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "replication",
        snapshot.replication.iter().map(|row| (Object::global(ObjectKind::Replication, &row.application), row)),
    )
}

pub(super) fn slots(snapshot: &Snapshot) -> Table<'_> {
    build::table("slots", snapshot.slots.iter().map(|row| (Object::global(ObjectKind::Slot, &row.name), row)))
}

pub(super) fn io(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "io",
        snapshot.io.iter().map(|row| {
            let name = format!("{}, {}, {}", row.backend_type, row.object, row.context);
            (Object::global(ObjectKind::Server, &name), row)
        }),
    )
}

pub(super) fn progress(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "progress",
        snapshot.progress.iter().map(|row| {
            let object = match (&row.schema, &row.relation) {
                (Some(schema), Some(name)) => {
                    Object::in_schema(ObjectKind::Table, row.database.as_deref().unwrap_or_default(), schema, name)
                }
                _ => Object::global(ObjectKind::Session, &row.command),
            };
            (object, row)
        }),
    )
}

pub(super) fn prepared_transactions(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "prepared_transactions",
        snapshot.prepared_transactions.iter().map(|row| {
            let object = Object::global(ObjectKind::PreparedTransaction, &row.name);
            (Object { database: Some(row.database.clone()), ..object }, row)
        }),
    )
}
