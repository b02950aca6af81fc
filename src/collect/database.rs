//! The facets of one database.

use super::Collector;
use super::gap::{elsewhere, gap_of};
use crate::model::object::identifier;
use crate::model::snapshot::{
    Column, Constraint, Extension, Facet, ForeignKey, Gap, Index, Partition, Relation, Sequence, Snapshot,
};
use crate::model::survey::{Manager, PG_PARTMAN};
use crate::postgres::{self, Reader};
use serde::Deserialize;

/// What was read from one database.
pub(super) struct DatabaseFacets {
    extensions: Vec<Extension>,
    relations: Vec<Relation>,
    columns: Vec<Column>,
    indexes: Vec<Index>,
    foreign_keys: Vec<ForeignKey>,
    constraints: Vec<Constraint>,
    sequences: Vec<Sequence>,
    partitions: Vec<Partition>,
    managers: Vec<Manager>,
}

pub(super) async fn read(collector: &Collector<'_>, reader: &Reader, name: &str) -> DatabaseFacets {
    let own = Some(name);
    let (indexes, columns, relations, sequences, constraints, foreign_keys, partitions, extensions) = tokio::join!(
        collector.facet(reader, Facet::Indexes, own),
        collector.facet(reader, Facet::Columns, own),
        collector.facet(reader, Facet::Relations, own),
        collector.facet(reader, Facet::Sequences, own),
        collector.facet(reader, Facet::Constraints, own),
        collector.facet(reader, Facet::ForeignKeys, own),
        collector.facet(reader, Facet::Partitions, own),
        collector.facet(reader, Facet::Extensions, own),
    );
    let managers = managers(collector, reader, name, &extensions).await;
    if extensions.iter().any(|row: &Extension| row.name == "citus") && collector.wants(Facet::Relations) {
        let reach: Result<Vec<Reach>, _> = reader.read(postgres::CITUS, &[]).await;
        let reach = reach.ok().and_then(|mut rows| rows.pop()).map(|reach| (reach.workers, reach.tables));
        collector.gap(elsewhere(name, reach)).await;
    }
    DatabaseFacets {
        extensions,
        relations,
        columns,
        indexes,
        foreign_keys,
        constraints,
        sequences,
        partitions,
        managers,
    }
}

/// How far a Citus database reaches.
#[derive(Deserialize)]
struct Reach {
    workers: i64,
    tables: i64,
}

/// What pg_partman keeps, where the database has it.
async fn managers(collector: &Collector<'_>, reader: &Reader, name: &str, extensions: &[Extension]) -> Vec<Manager> {
    let partman = extensions.iter().find(|row| row.name == PG_PARTMAN).filter(|_| collector.wants(Facet::Partitions));
    let Some(extension) = partman else { return Vec::new() };
    let schema = format!("\"{}\"", extension.schema.replace('"', "\"\""));
    match reader.read(&postgres::managers(&schema), &[]).await {
        Ok(managers) => managers,
        Err(error) => {
            let gap = gap_of(Facet::Partitions, Some(name), &error, &collector.server.role);
            let reason = format!("what pg_partman keeps could not be read: {}", gap.reason);
            let role = identifier(&collector.server.role);
            let remedy = match error.sqlstate.as_deref() {
                Some("42501") => {
                    format!("grant usage on schema {schema} to {role}; grant select on {schema}.part_config to {role};")
                }
                _ => gap.remedy.clone(),
            };
            collector.gap(Gap { partial: true, reason, remedy, ..gap }).await;
            Vec::new()
        }
    }
}

impl DatabaseFacets {
    /// Adds what was read to a snapshot.
    pub(super) fn fill(self, snapshot: &mut Snapshot) {
        add(&mut snapshot.extensions, self.extensions);
        add(&mut snapshot.relations, self.relations);
        add(&mut snapshot.columns, self.columns);
        add(&mut snapshot.indexes, self.indexes);
        add(&mut snapshot.foreign_keys, self.foreign_keys);
        add(&mut snapshot.constraints, self.constraints);
        add(&mut snapshot.sequences, self.sequences);
        add(&mut snapshot.partitions, self.partitions);
        add(&mut snapshot.managers, self.managers);
    }
}

/// The rows of the first database, which often is the only one, are not copied.
fn add<T>(all: &mut Vec<T>, own: Vec<T>) {
    if all.is_empty() {
        *all = own;
    } else {
        all.extend(own);
    }
}
