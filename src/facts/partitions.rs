//! Partitioned tables, one row each: how their time is cut, and how far into the future it reaches.

use super::build;
use super::lookup::{Key, Lookup};
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Partition;
use crate::model::table::Table;
use crate::partition::{Layout, Runway, Slice, runway};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
struct PartitionedTableRow {
    /// Schema. {text | pg_namespace.nspname}
    schema: String,
    /// Partitioned table. {text | pg_class.relname}
    name: String,
    /// range, list or hash. {text | pg_partitioned_table.partstrat}
    strategy: String,
    /// The key as written. {text | pg_get_partkeydef()}
    key_definition: String,
    /// Partitions directly below. {partitions | pg_inherits}
    partition_count: usize,
    /// It has a DEFAULT partition. {bool | pg_partitioned_table.partdefid}
    has_default: bool,
    /// Its newest partitions are a month long, by a date or timestamp. {bool | pg_class.relpartbound}
    is_monthly: bool,
    /// A partition holds the moment of reading. {bool | pg_class.relpartbound}
    covers_now: bool,
    /// Partitions that follow the current one without a gap; none unless monthly, current and with an end. {months | pg_class.relpartbound}
    months_ahead: Option<usize>,
    /// Where the unbroken row of partitions ends; none unless cut by time, current and with an end. {time | pg_class.relpartbound}
    covered_until: Option<DateTime<Utc>>,
    /// Rows inserted in all partitions. {tuples | pg_stat_all_tables.n_tup_ins}
    inserted: i64,
    /// Bytes of all partitions, indexes left out. {bytes | pg_relation_size()}
    bytes: i64,
}

fn row<'a>(lookup: &Lookup<'a>, place: Key<'a>, partitions: &[&Partition]) -> (Object, PartitionedTableRow) {
    let first = partitions[0];
    let present: Vec<&&Partition> = partitions.iter().filter(|partition| partition.name.is_some()).collect();
    let slices: Vec<Slice> = Layout::of(partitions).map(|layout| layout.slices()).unwrap_or_default();
    let Runway { is_monthly, covers_now, covered_until, months_ahead } = runway(&slices, lookup.snapshot.captured_at);
    let leaves = lookup.leaves(place);
    let fact = PartitionedTableRow {
        schema: first.parent_schema.clone(),
        name: first.parent_name.clone(),
        strategy: first.strategy.clone(),
        key_definition: first.key_definition.clone(),
        partition_count: present.len(),
        has_default: present.iter().any(|partition| partition.is_default),
        is_monthly,
        covers_now,
        months_ahead,
        covered_until,
        inserted: leaves.iter().map(|leaf| leaf.inserted).sum(),
        bytes: leaves.iter().map(|leaf| leaf.bytes).sum(),
    };
    (Object::in_schema(ObjectKind::Table, &first.database, place.0, place.1), fact)
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>) -> Table<'a> {
    let mut parents: BTreeMap<Key<'_>, Vec<&Partition>> = BTreeMap::new();
    for partition in &lookup.snapshot.partitions {
        parents.entry((&partition.parent_schema, &partition.parent_name)).or_default().push(partition);
    }
    build::table("partitions", parents.into_iter().map(|(place, partitions)| row(lookup, place, &partitions)))
}
