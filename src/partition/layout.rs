//! The partitions of one table in the order of their time: what each holds, where nothing holds, and the
//! zone whose months they are.

use super::bound::{Slice, bounds, slice};
use super::key::Key;
use super::month::Month;
use super::naming::Naming;
use super::runway::is_month;
use super::zone::{Zone, zones};
use crate::model::partition::Range;
use crate::model::snapshot::Partition;
use chrono::{DateTime, TimeDelta, Utc};

/// No zone is further from UTC.
const FARTHEST: TimeDelta = TimeDelta::hours(15);

/// One partition.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// As it was read.
    pub partition: &'a Partition,
    /// Its range; none of DEFAULT.
    pub range: Option<Range>,
    /// What it holds, by its leading column; none where it has no range.
    pub slice: Option<Slice>,
}

/// A table that is cut by time.
#[derive(Debug, Clone)]
pub struct Layout<'a> {
    /// How its leading key column says when.
    pub key: Key,
    /// Its partitions, the oldest first; those without a range come last.
    pub parts: Vec<Part<'a>>,
}

impl<'a> Layout<'a> {
    /// The layout of a table, of the rows of its partitions; none where its leading key column tells no time.
    #[must_use]
    pub fn of(rows: &[&'a Partition]) -> Option<Self> {
        let first = rows.first().filter(|row| row.strategy == "range")?;
        let present: Vec<&Partition> = rows.iter().copied().filter(|row| row.name.is_some()).collect();
        let texts = present.iter().map(|row| row.bound.as_deref().unwrap_or_default());
        let (key, bounds) = bounds(first.key_types.first()?, texts)?;
        let mut parts: Vec<Part<'a>> = present
            .into_iter()
            .zip(bounds)
            .map(|(partition, bound)| Part {
                slice: bound.as_ref().and_then(|bound| slice(bound, key)),
                partition,
                range: bound,
            })
            .collect();
        parts.sort_by_key(|part| part.slice.map_or((true, DateTime::<Utc>::MAX_UTC), |slice| (false, slice.from)));
        Some(Self { key, parts })
    }

    /// What the partitions hold, in order.
    #[must_use]
    pub fn slices(&self) -> Vec<Slice> {
        self.parts.iter().filter_map(|part| part.slice).collect()
    }

    /// The newest partition, DEFAULT left out.
    #[must_use]
    pub fn newest(&self) -> Option<&Part<'a>> {
        self.parts.iter().rfind(|part| part.slice.is_some())
    }

    /// The DEFAULT partition.
    #[must_use]
    pub fn default_part(&self) -> Option<&'a Partition> {
        self.parts.iter().map(|part| part.partition).find(|partition| partition.is_default)
    }

    /// Stretches between partitions that none holds.
    #[must_use]
    pub fn gaps(&self) -> Vec<Slice> {
        let mut gaps = Vec::new();
        let mut reached: Option<DateTime<Utc>> = None;
        for slice in self.slices() {
            if let Some(from) = reached.filter(|end| *end < slice.from) {
                gaps.push(Slice { from, to: slice.from });
            }
            reached = reached.max(Some(slice.to));
        }
        gaps
    }

    /// Where the partitions of a month begin and end, and where one that is open at its other end does.
    #[must_use]
    pub fn ends(&self) -> Vec<DateTime<Utc>> {
        let slices = self.slices().into_iter().filter(|slice| is_month(slice) || !slice.is_bounded());
        let is_inside = |at: &DateTime<Utc>| *at > DateTime::<Utc>::MIN_UTC && *at < DateTime::<Utc>::MAX_UTC;
        let mut ends: Vec<DateTime<Utc>> = slices.flat_map(|slice| [slice.from, slice.to]).filter(is_inside).collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// The zones whose months these are, the wished or likeliest first: UTC alone where the key has no zone.
    /// All zones where no partition tells; none where no zone fits.
    #[must_use]
    pub fn zones(&self, wished: Option<Zone>) -> Vec<Zone> {
        let ends = self.ends();
        if !self.key.has_zone() {
            return if ends.iter().all(|at| Zone::UTC.begins(*at).is_some()) { vec![Zone::UTC] } else { Vec::new() };
        }
        let mut found = zones(&ends);
        // Stable: the order of likelihood stays.
        found.sort_by_key(|zone| Some(*zone) != wished);
        found
    }

    /// The likeliest zone whose months these are.
    #[must_use]
    pub fn zone(&self, wished: Option<Zone>) -> Option<Zone> {
        let ends = self.ends();
        let fits = |zone: &Zone| ends.iter().all(|at| zone.begins(*at).is_some());
        let quick = wished.filter(|_| self.key.has_zone()).into_iter().chain([Zone::UTC]).find(fits);
        quick.or_else(|| self.zones(None).first().copied())
    }

    /// Partitions of about a month whose ends are midnights, but of no one zone: the zone that the first of
    /// them are cut by, and the first one that is not.
    #[must_use]
    pub fn stray(&self) -> Option<(Zone, &'a Partition)> {
        let months: Vec<(&Part<'a>, Slice)> =
            self.parts.iter().filter_map(|part| Some((part, part.slice.filter(is_month)?))).collect();
        let are_months = months.iter().all(|(_, slice)| is_near_month(slice.from) && is_near_month(slice.to));
        if !self.key.has_zone() || !are_months {
            return None;
        }
        let mut fitting = zones(&[]);
        for (part, slice) in months {
            let likely = fitting.first().copied();
            fitting.retain(|zone| zone.begins(slice.from).is_some() && zone.begins(slice.to).is_some());
            if fitting.is_empty() {
                return likely.map(|zone| (zone, part.partition));
            }
        }
        None
    }

    /// The months that single partitions hold, in a zone.
    pub fn months(&self, zone: Zone) -> impl Iterator<Item = (Month, &'a Partition)> {
        self.parts.iter().filter_map(move |part| {
            let slice = part.slice?;
            let month = zone.begins(slice.from)?;
            (zone.begins(slice.to) == month.plus(1)).then_some((month, part.partition))
        })
    }

    /// How the partitions of single months are named; none where no name says its month.
    #[must_use]
    pub fn naming(&self, zone: Zone) -> Option<Naming> {
        Naming::inferred(self.months(zone).filter_map(|(month, row)| Some((row.name.as_deref()?, month))))
    }

    /// Partitions whose name says another month than they hold, with that month and the one they hold.
    #[must_use]
    pub fn misnamed(&self, zone: Zone) -> Vec<(&'a Partition, Month, Month)> {
        let Some(naming) = self.naming(zone) else { return Vec::new() };
        let said = |row: &Partition| naming.month(row.name.as_deref()?);
        self.months(zone)
            .filter_map(|(held, row)| said(row).filter(|said| *said != held).map(|said| (row, said, held)))
            .collect()
    }
}

/// An instant is the begin of a month somewhere on Earth, by its distance from that in UTC.
fn is_near_month(at: DateTime<Utc>) -> bool {
    [TimeDelta::zero(), FARTHEST].into_iter().any(|ahead| {
        let month = at.checked_add_signed(ahead).and_then(|at| Zone::UTC.month_of(at));
        month.is_some_and(|month| (at - Zone::UTC.start_of(month)).abs() <= FARTHEST)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::key::Unit;
    use super::super::month::tests::months;
    use super::super::zone::tests::any_zone;
    use super::*;
    use proptest::prelude::*;

    /// Partitions of a table by a key of this type.
    pub(in crate::partition) fn rows(key_type: &str, bounds: &[(&str, &str, &str)]) -> Vec<Partition> {
        let row = |(name, from, to): &(&str, &str, &str)| Partition {
            parent_schema: "public".to_owned(),
            parent_name: "t".to_owned(),
            strategy: "range".to_owned(),
            key_types: vec![key_type.to_owned()],
            schema: Some("public".to_owned()),
            name: Some((*name).to_owned()),
            is_default: from.is_empty(),
            bound: Some(if from.is_empty() {
                "DEFAULT".to_owned()
            } else {
                format!("FOR VALUES FROM ({from}) TO ({to})")
            }),
            is_leaf: true,
            ..Partition::default()
        };
        bounds.iter().map(row).collect()
    }

    pub(in crate::partition) fn layout(rows: &[Partition]) -> Layout<'_> {
        Layout::of(&rows.iter().collect::<Vec<_>>()).expect("cut by time")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn partitions_come_in_the_order_of_their_time() {
        let rows = rows(
            "date",
            &[
                ("d", "", ""),
                ("c", "'2026-03-01'", "MAXVALUE"),
                ("a", "MINVALUE", "'2026-01-01'"),
                ("b", "'2026-01-01'", "'2026-02-01'"),
            ],
        );
        let layout = layout(&rows);
        let names: Vec<&str> = layout.parts.iter().filter_map(|part| part.partition.name.as_deref()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(layout.gaps(), [Slice { from: at("2026-02-01T00:00:00Z"), to: at("2026-03-01T00:00:00Z") }]);
        assert_eq!(layout.default_part().and_then(|row| row.name.as_deref()), Some("d"));
        assert_eq!(layout.zones(Zone::named("Asia/Tokyo")), [Zone::UTC], "a date has no zone");
    }

    #[test]
    fn several_tables_of_the_same_month_leave_no_gap() {
        let rows = rows(
            "date",
            &[
                ("a", "'2026-01-01', MINVALUE", "'2026-01-01', 10"),
                ("b", "'2026-01-01', 10", "'2026-02-01', MINVALUE"),
                ("c", "'2026-02-01', MINVALUE", "'2026-03-01', MINVALUE"),
            ],
        );
        assert_eq!(layout(&rows).gaps(), []);
    }

    #[test]
    fn mixed_zones_are_found_where_they_begin() {
        let key = "timestamp with time zone";
        let york = [
            ("t_2026_02", "'2026-02-01 05:00:00+00'", "'2026-03-01 05:00:00+00'"),
            ("t_2026_03", "'2026-03-01 05:00:00+00'", "'2026-04-01 04:00:00+00'"),
        ];
        let pure = rows(key, &york);
        assert_eq!(layout(&pure).zone(None).map(Zone::name), Some("America/New_York"));
        assert!(layout(&pure).stray().is_none());
        let mixed =
            rows(key, &[york[0], york[1], ("t_2026_05", "'2026-05-01 00:00:00+00'", "'2026-06-01 00:00:00+00'")]);
        let stray = layout(&mixed).stray().map(|(zone, row)| (zone.name(), row.name.clone()));
        assert_eq!(stray, Some(("America/New_York", Some("t_2026_05".to_owned()))));
        assert_eq!(layout(&mixed).zone(None), None);
        let billing = rows(key, &[("a", "'2026-02-15 00:00:00+00'", "'2026-03-15 00:00:00+00'")]);
        assert!(layout(&billing).stray().is_none() && layout(&billing).zone(None).is_none(), "no calendar months");
    }

    #[test]
    fn names_that_say_another_month_are_found() {
        let rows = rows(
            "date",
            &[
                ("t_2026_01", "'2026-01-01'", "'2026-02-01'"),
                ("t_2026_02", "'2026-02-01'", "'2026-03-01'"),
                ("t_2026_04", "'2026-03-01'", "'2026-04-01'"),
                ("t_legacy", "'2025-12-01'", "'2026-01-01'"),
            ],
        );
        let found = layout(&rows).misnamed(Zone::UTC);
        let told: Vec<String> = found.iter().map(|(row, said, held)| format!("{:?} {said} {held}", row.name)).collect();
        assert_eq!(told, ["Some(\"t_2026_04\") 2026-04 2026-03"]);
    }

    #[test]
    fn ids_are_no_time() {
        let ids = rows("bigint", &[("a", "'1'", "'1000000'")]);
        assert!(Layout::of(&ids.iter().collect::<Vec<_>>()).is_none());
        assert!(Layout::of(&[]).is_none());
    }

    proptest! {
        /// For any start, zone and count the union of months has no gap and no overlap, whatever the key.
        #[test]
        fn months_leave_no_gap_and_no_overlap(zone in any_zone(), first in months(), count in 1..40i32) {
            for key in [Key::Date, Key::Timestamp, Key::Timestamptz, Key::Epoch(Unit::Millis)] {
                let zone = key.zone(zone);
                let ends: Vec<Option<String>> =
                    (0..=count).map_while(|nr| first.plus(nr)).map(|month| key.value(zone.start_of(month))).collect();
                let Some(ends) = ends.into_iter().collect::<Option<Vec<String>>>() else { continue };
                let slices: Vec<Slice> = ends
                    .windows(2)
                    .filter_map(|pair| Some(Slice { from: key.instant(&pair[0])?, to: key.instant(&pair[1])? }))
                    .collect();
                prop_assert_eq!(slices.len() + 1, ends.len());
                for pair in slices.windows(2) {
                    prop_assert_eq!(pair[0].to, pair[1].from);
                    prop_assert!(!pair[0].overlaps(&pair[1]));
                }
                for (nr, slice) in (0..).zip(&slices) {
                    prop_assert!(slice.from < slice.to);
                    prop_assert_eq!(zone.begins(slice.from), first.plus(nr));
                }
            }
        }
    }
}
