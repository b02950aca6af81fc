//! The partitioned tables of a snapshot, month by month.

use super::bound::Slice;
use super::key::{Key, Unit};
use super::layout::{Layout, Part};
use super::parts::Parts;
use super::runway::{Runway, runway};
use super::zone::Zone;
use crate::model::plan::{Name, PlanTarget};
use crate::model::snapshot::{Index, Partition, Relation, Snapshot, Tool};
use crate::model::survey::{
    IncompleteIndex, Misnamed, SURVEY_VERSION, Span, Stray, Survey, SurveyedPartition, SurveyedTable,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Schema and name.
pub(super) type Place<'a> = (&'a str, &'a str);

/// Rows of partitions by their table.
pub type Tables<'a> = BTreeMap<Place<'a>, Vec<&'a Partition>>;

/// All partitioned tables of the database that the snapshot is of.
#[must_use]
pub fn survey(snapshot: &Snapshot, tool: Tool) -> Survey {
    let own = snapshot.of_database(&snapshot.target.database);
    Survey {
        survey_version: SURVEY_VERSION,
        tool,
        captured_at: own.captured_at,
        target: PlanTarget {
            name: own.target.name.clone(),
            database: own.target.database.clone(),
            system_identifier: own.server.system_identifier.clone(),
            server_version_num: own.server.version_num,
        },
        tables: surveyed(&own),
    }
}

/// The partitioned tables of a snapshot that is of one database.
#[must_use]
pub fn surveyed(snapshot: &Snapshot) -> Vec<SurveyedTable> {
    let house = House::of(snapshot);
    house.tables.iter().map(|(place, rows)| house.table(*place, rows)).collect()
}

/// The zone that the reading role's sessions are in.
#[must_use]
pub fn session_zone(snapshot: &Snapshot) -> Option<Zone> {
    let setting = snapshot.setting("TimeZone")?;
    Zone::named(setting.reset_value.as_deref().unwrap_or(&setting.value))
}

/// The rows of partitions by their table, in the order of names.
#[must_use]
pub fn by_table(snapshot: &Snapshot) -> Tables<'_> {
    grouped(&snapshot.partitions)
}

pub(super) fn grouped(partitions: &[Partition]) -> Tables<'_> {
    let mut tables = Tables::new();
    for row in partitions {
        tables.entry((&row.parent_schema, &row.parent_name)).or_default().push(row);
    }
    tables
}

struct House<'a> {
    snapshot: &'a Snapshot,
    tables: Tables<'a>,
    relations: HashMap<Place<'a>, &'a Relation>,
    index_bytes: HashMap<Place<'a>, i64>,
    parts: Parts<'a>,
    zone: Option<Zone>,
}

/// What tells rows of a table, an estimate, and its bytes with indexes, all partitions below it among them.
pub fn weights(snapshot: &Snapshot) -> impl Fn(&Name) -> (i64, i64) {
    let house = House::of(snapshot);
    move |table| {
        let Weight { rows, table_bytes, index_bytes } = house.weight((&table.schema, &table.name));
        (rows, table_bytes + index_bytes)
    }
}

/// What a partition takes, with all below it.
#[derive(Clone, Copy, Default)]
struct Weight {
    rows: i64,
    table_bytes: i64,
    index_bytes: i64,
}

impl<'a> House<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut index_bytes: HashMap<Place<'_>, i64> = HashMap::new();
        for index in &snapshot.indexes {
            *index_bytes.entry((&index.schema, &index.table)).or_default() += index.bytes;
        }
        Self {
            snapshot,
            tables: by_table(snapshot),
            relations: snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect(),
            index_bytes,
            parts: Parts::of(snapshot),
            zone: session_zone(snapshot),
        }
    }

    fn table(&self, place: Place<'a>, rows: &[&'a Partition]) -> SurveyedTable {
        let layout = Layout::of(rows);
        let zone = layout.as_ref().filter(|layout| has_months(layout)).and_then(|layout| layout.zone(self.zone));
        let slices = layout.as_ref().map(Layout::slices).unwrap_or_default();
        let Runway { is_monthly, covers_now, covered_until, months_ahead } = runway(&slices, self.snapshot.captured_at);
        let span = |slice: Slice| Span { from: slice.from, to: slice.to };
        SurveyedTable {
            table: Name::new(place.0, place.1),
            key: rows.first().map(|row| row.key_definition.clone()).unwrap_or_default(),
            key_kind: layout.as_ref().map(|layout| kind(layout.key).to_owned()),
            zone: zone
                .filter(|_| layout.as_ref().is_some_and(|layout| layout.key.has_zone()))
                .map(|zone| zone.name().to_owned()),
            manager: None,
            is_monthly,
            covers_now: layout.as_ref().map(|_| covers_now),
            months_ahead,
            covered_until,
            gaps: layout.iter().flat_map(Layout::gaps).map(span).collect(),
            stray: layout
                .as_ref()
                .and_then(Layout::stray)
                .map(|(zone, row)| Stray { partition: name(row), zone: zone.name().to_owned() }),
            misnamed: layout.iter().zip(zone).flat_map(|(layout, zone)| misnamed(layout, zone)).collect(),
            incomplete_indexes: self.incomplete(place),
            partitions: match &layout {
                Some(layout) => layout.parts.iter().map(|part| self.partition(part, zone)).collect(),
                None => present(rows).map(|row| self.unordered(row)).collect(),
            },
        }
    }

    /// A partition of a table that is not cut by time.
    fn unordered(&self, row: &'a Partition) -> SurveyedPartition {
        self.partition(&Part { partition: row, range: None, slice: None }, None)
    }

    fn partition(&self, part: &Part<'a>, zone: Option<Zone>) -> SurveyedPartition {
        let row = part.partition;
        let now = self.snapshot.captured_at;
        let weight = self.weight(place(row));
        let ends = part.slice;
        let inside = |at: DateTime<Utc>| (at > DateTime::<Utc>::MIN_UTC && at < DateTime::<Utc>::MAX_UTC).then_some(at);
        let month = zone.zip(ends).and_then(|(zone, slice)| {
            let month = zone.begins(slice.from)?;
            (zone.begins(slice.to) == month.plus(1)).then(|| month.to_string())
        });
        SurveyedPartition {
            name: name(row),
            bound: row.bound.clone().unwrap_or_default(),
            month,
            from: ends.and_then(|slice| inside(slice.from)),
            to: ends.and_then(|slice| inside(slice.to)),
            rows: weight.rows,
            table_bytes: weight.table_bytes,
            index_bytes: weight.index_bytes,
            is_default: row.is_default,
            is_current: ends.is_some_and(|slice| slice.from <= now && now < slice.to),
            is_detach_pending: row.is_detach_pending,
            is_partitioned: !row.is_leaf,
        }
    }

    fn weight(&self, table: Place<'a>) -> Weight {
        let mut sum = Weight::default();
        // A damaged snapshot may go in circles.
        let mut seen = BTreeSet::new();
        let mut open = vec![table];
        while let Some(one) = open.pop() {
            if !seen.insert(one) {
                continue;
            }
            let below = self.tables.get(&one);
            open.extend(below.into_iter().flatten().filter(|row| row.name.is_some()).map(|row| place(row)));
            sum.index_bytes += self.index_bytes.get(&one).copied().unwrap_or(0);
            if let Some(relation) = self.relations.get(&one) {
                // What ANALYZE knows of one that is partitioned again are the rows of its own partitions.
                if below.is_none() {
                    sum.rows += relation.row_count();
                }
                sum.table_bytes += relation.bytes + relation.toast_bytes;
            }
        }
        sum
    }

    fn incomplete(&self, place: Place<'a>) -> Vec<IncompleteIndex> {
        let invalid = |index: &&Index| {
            (index.schema.as_str(), index.table.as_str()) == place && index.is_partitioned && !index.is_valid
        };
        let of = |index: &'a Index| IncompleteIndex {
            index: Name::new(&index.schema, &index.name),
            missing: self.parts.missing(index),
        };
        self.snapshot.indexes.iter().filter(invalid).map(of).collect()
    }
}

/// Some partition is about a month long: only then a zone can be told.
fn has_months(layout: &Layout<'_>) -> bool {
    layout.slices().iter().any(super::runway::is_month)
}

fn present<'a>(rows: &[&'a Partition]) -> impl Iterator<Item = &'a Partition> {
    rows.iter().copied().filter(|row| row.name.is_some())
}

pub(super) fn name(row: &Partition) -> Name {
    let (schema, name) = place(row);
    Name::new(schema, name)
}

pub(super) fn place(row: &Partition) -> Place<'_> {
    (row.schema.as_deref().unwrap_or_default(), row.name.as_deref().unwrap_or_default())
}

fn misnamed(layout: &Layout<'_>, zone: Zone) -> Vec<Misnamed> {
    let told = layout.misnamed(zone).into_iter();
    told.map(|(row, says, holds)| Misnamed { partition: name(row), says: says.to_string(), holds: holds.to_string() })
        .collect()
}

/// The name in reports.
fn kind(key: Key) -> &'static str {
    match key {
        Key::Date => "date",
        Key::Timestamp => "timestamp",
        Key::Timestamptz => "timestamptz",
        Key::Epoch(Unit::Seconds) => "epoch_s",
        Key::Epoch(Unit::Millis) => "epoch_ms",
        Key::Epoch(Unit::Micros) => "epoch_us",
        Key::Epoch(Unit::Nanos) => "epoch_ns",
        Key::UuidV7 => "uuid_v7",
    }
}
