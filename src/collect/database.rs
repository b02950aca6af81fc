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
        snapshot.extensions.extend(self.extensions);
        snapshot.relations.extend(self.relations);
        snapshot.columns.extend(self.columns);
        snapshot.indexes.extend(self.indexes);
        snapshot.foreign_keys.extend(self.foreign_keys);
        snapshot.constraints.extend(self.constraints);
        snapshot.sequences.extend(self.sequences);
        snapshot.partitions.extend(self.partitions);
    }
}
