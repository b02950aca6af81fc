//! The facets of one database.

use super::Collector;
use crate::model::snapshot::{
    Column, Constraint, Extension, Facet, ForeignKey, Index, Partition, Relation, Sequence, Snapshot,
};
use crate::postgres::Reader;

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
    DatabaseFacets { extensions, relations, columns, indexes, foreign_keys, constraints, sequences, partitions }
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
