//! Partitioned tables, one row each: how their time is cut, and how far into the future it reaches.

use super::build;
use super::lookup::{Key, Lookup};
use crate::model::object::{Object, ObjectKind};
use crate::model::plan::Name;
use crate::model::snapshot::{Partition, Relation};
use crate::model::survey::{Manager, PG_PARTMAN};
use crate::model::table::Table;
use crate::partition::{Keep, Layout, Overdue, Runway, Slice, Zone, by_table, overdue, runway, session_zone};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

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
    /// Time since the newest partition ended; none where one holds the present or what is to come. {days | pg_class.relpartbound}
    ended_days_ago: Option<f64>,
    /// Partitions that follow the current one without a gap; none unless monthly, current and with an end. {months | pg_class.relpartbound}
    months_ahead: Option<usize>,
    /// Where the unbroken row of partitions ends; none unless cut by time, current and with an end. {time | pg_class.relpartbound}
    covered_until: Option<DateTime<Utc>>,
    /// The time zone whose months the partitions are; none where they are no months, or of no one zone. {name | pg_class.relpartbound}
    zone: Option<String>,
    /// The first partition that is cut by another zone than those before it. {object | pg_class.relpartbound}
    stray_partition: Option<String>,
    /// The zone of those before it. {name | pg_class.relpartbound}
    stray_zone: Option<String>,
    /// Stretches of time between partitions that none holds. {stretches | pg_class.relpartbound}
    gap_count: usize,
    /// Begin of the first of them that is not over, else of the last; none without one. {time | pg_class.relpartbound}
    gap_from: Option<DateTime<Utc>>,
    /// End of that stretch. {time | pg_class.relpartbound}
    gap_to: Option<DateTime<Utc>>,
    /// That stretch is over. {bool | pg_class.relpartbound}
    gap_is_past: bool,
    /// Partitions whose name says another month than they hold, each with that month. {texts | pg_class.relname, relpartbound}
    misnamed: Vec<String>,
    /// Partition of which DETACH CONCURRENTLY was begun and not finished. {object | pg_inherits.inhdetachpending}
    detaching: Option<String>,
    /// The DEFAULT partition; none without one. {object | pg_partitioned_table.partdefid}
    default_partition: Option<String>,
    /// Rows in it, an estimate. {tuples | pg_stat_all_tables.n_live_tup, pg_class.reltuples}
    default_rows: i64,
    /// What of its rows is to be kept, where somebody says so; none else. {text | part_config.retention of pg_partman, `keep` of the config}
    keep: Option<String>,
    /// Who says so: `pg_partman` or `pgassay.yaml`. {name | part_config, the config}
    keeper: Option<String>,
    /// Partitions that are older, by their real ends; DEFAULT, the current and the last left out. {partitions | pg_class.relpartbound}
    overdue_count: usize,
    /// The oldest of them. {object | pg_class.relpartbound}
    overdue_partition: Option<String>,
    /// Time since that one should have left; 0 without one. {days | pg_class.relpartbound}
    overdue_days: f64,
    /// Bytes of all of them, with indexes and TOAST. {bytes | pg_relation_size()}
    overdue_bytes: i64,
    /// Rows inserted in all partitions. {tuples | pg_stat_all_tables.n_tup_ins}
    inserted: i64,
    /// Bytes of all partitions, indexes left out. {bytes | pg_relation_size()}
    bytes: i64,
}

fn path(row: &Partition) -> String {
    let (schema, name) = (row.schema.as_deref().unwrap_or_default(), row.name.as_deref().unwrap_or_default());
    Object::in_schema(ObjectKind::Table, &row.database, schema, name).path()
}

/// The gap that matters: the first that is not over, else the last.
fn gap(gaps: &[Slice], now: DateTime<Utc>) -> Option<Slice> {
    gaps.iter().find(|gap| gap.to > now).or(gaps.last()).copied()
}

/// Days since the last of these ended, where it has.
fn ended(slices: &[Slice], now: DateTime<Utc>) -> Option<f64> {
    let end = slices.iter().map(|slice| slice.to).max().filter(|end| *end <= now)?;
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let seconds = (now - end).num_seconds() as f64;
    Some(seconds / 86_400.0)
}

/// Live rows of a partition with all below it.
fn rows(lookup: &Lookup<'_>, row: &Partition) -> i64 {
    let place = (row.schema.as_deref().unwrap_or_default(), row.name.as_deref().unwrap_or_default());
    let own = lookup.exact(place.0, place.1).into_iter().filter(|_| row.is_leaf);
    own.chain(lookup.leaves(place).iter().copied()).map(Relation::row_count).sum()
}

/// What is older than is to be kept, in bytes; a partition with all below it.
fn bytes(lookup: &Lookup<'_>, row: &Partition) -> i64 {
    let place = (row.schema.as_deref().unwrap_or_default(), row.name.as_deref().unwrap_or_default());
    let own = lookup.exact(place.0, place.1).into_iter().filter(|_| row.is_leaf);
    let whole = |leaf: &Relation| {
        let indexes = lookup.indexes((&leaf.schema, &leaf.name)).iter().map(|index| index.bytes).sum::<i64>();
        leaf.bytes + leaf.toast_bytes + indexes
    };
    own.chain(lookup.leaves(place).iter().copied()).map(whole).sum()
}

/// What is said to be kept of a table; what the config says counts before what another program does.
fn manager<'a>(lookup: &Lookup<'a>, place: Key<'_>) -> Option<&'a Manager> {
    let path = format!("{}.{}", place.0, place.1);
    let own = lookup.snapshot.managers.iter().filter(|manager| manager.table == path && manager.retention.is_some());
    own.max_by_key(|manager| manager.name != PG_PARTMAN)
}

/// The partitions that are older, and since when the oldest of them is.
fn late<'a>(
    lookup: &Lookup<'a>,
    place: Key<'_>,
    partitions: &[&'a Partition],
    session: Option<Zone>,
) -> (Vec<Overdue<'a>>, f64) {
    let now = lookup.snapshot.captured_at;
    let text = manager(lookup, place).and_then(|manager| manager.retention.as_deref());
    let Some(keep) = text.and_then(Keep::of_interval) else { return (Vec::new(), 0.0) };
    let found = overdue(&Name::new(place.0, place.1), partitions, session, now, keep).unwrap_or_default();
    let zone = Layout::of(partitions).and_then(|layout| layout.zone(session));
    let since = found.first().zip(zone).and_then(|(oldest, zone)| keep.leaves(oldest.to, zone));
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let days = since.map_or(0.0, |since| (now - since).num_seconds() as f64 / 86_400.0);
    (found, days)
}

fn row<'a>(
    lookup: &Lookup<'a>,
    place: Key<'a>,
    partitions: &[&'a Partition],
    session: Option<Zone>,
) -> (Object, PartitionedTableRow) {
    let first = partitions[0];
    let now = lookup.snapshot.captured_at;
    let present = || partitions.iter().filter(|partition| partition.name.is_some());
    let layout = Layout::of(partitions);
    let slices: Vec<Slice> = layout.as_ref().map(Layout::slices).unwrap_or_default();
    let gaps = layout.as_ref().map(Layout::gaps).unwrap_or_default();
    let Runway { is_monthly, covers_now, covered_until, months_ahead } = runway(&slices, now);
    let monthly = layout.as_ref().filter(|_| is_monthly);
    let zone = monthly.and_then(|layout| layout.zone(session));
    let stray = monthly.filter(|_| zone.is_none()).and_then(Layout::stray);
    let misnamed = monthly.zip(zone).map(|(layout, zone)| layout.misnamed(zone)).unwrap_or_default();
    let default = present().find(|partition| partition.is_default);
    let gap = gap(&gaps, now);
    let leaves = lookup.leaves(place);
    let manager = manager(lookup, place);
    let (late, overdue_days) = late(lookup, place, partitions, session);
    let fact = PartitionedTableRow {
        schema: first.parent_schema.clone(),
        name: first.parent_name.clone(),
        strategy: first.strategy.clone(),
        key_definition: first.key_definition.clone(),
        partition_count: present().count(),
        has_default: default.is_some(),
        is_monthly,
        covers_now,
        ended_days_ago: ended(&slices, now),
        months_ahead,
        covered_until,
        zone: zone.map(|zone| zone.name().to_owned()),
        stray_partition: stray.map(|(_, partition)| path(partition)),
        stray_zone: stray.map(|(zone, _)| zone.name().to_owned()),
        gap_count: gaps.len(),
        gap_from: gap.map(|gap| gap.from),
        gap_to: gap.map(|gap| gap.to),
        gap_is_past: gap.is_some_and(|gap| gap.to <= now),
        misnamed: misnamed.into_iter().map(|(row, _, held)| format!("{} holds {held}", path(row))).collect(),
        detaching: present().find(|partition| partition.is_detach_pending).map(|partition| path(partition)),
        default_partition: default.map(|partition| path(partition)),
        default_rows: default.map_or(0, |partition| rows(lookup, partition)),
        keep: manager.and_then(|manager| manager.retention.clone()),
        keeper: manager.map(|manager| manager.name.clone()),
        overdue_count: late.len(),
        overdue_partition: late.first().map(|one| path(one.partition)),
        overdue_days,
        overdue_bytes: late.iter().map(|one| bytes(lookup, one.partition)).sum(),
        inserted: leaves.iter().map(|leaf| leaf.inserted).sum(),
        bytes: leaves.iter().map(|leaf| leaf.bytes).sum(),
    };
    (Object::in_schema(ObjectKind::Table, &first.database, place.0, place.1), fact)
}

pub(super) fn table<'a>(lookup: &'a Lookup<'a>) -> Table<'a> {
    let session = session_zone(lookup.snapshot);
    let tables = by_table(lookup.snapshot).into_iter();
    build::table("partitions", tables.map(move |(place, partitions)| row(lookup, place, &partitions, session)))
}
