//! Where a month begins: midnight of its first day in a time zone of the IANA database.

use super::month::{Month, YEARS};
use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::fmt;

/// Zones that many servers are in: of several that cut the same months, one of these is named.
const PREFERRED: [Tz; 24] = [
    Tz::UTC,
    Tz::Europe__London,
    Tz::Europe__Berlin,
    Tz::Europe__Paris,
    Tz::Europe__Athens,
    Tz::Europe__Istanbul,
    Tz::Europe__Moscow,
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Denver,
    Tz::America__Los_Angeles,
    Tz::America__Sao_Paulo,
    Tz::America__Bogota,
    Tz::America__Argentina__Buenos_Aires,
    Tz::Africa__Lagos,
    Tz::Africa__Johannesburg,
    Tz::Asia__Dubai,
    Tz::Asia__Karachi,
    Tz::Asia__Kolkata,
    Tz::Asia__Jakarta,
    Tz::Asia__Shanghai,
    Tz::Asia__Tokyo,
    Tz::Australia__Sydney,
    Tz::Pacific__Auckland,
];

/// Other names of UTC.
const ALIASES: [Tz; 7] =
    [Tz::UCT, Tz::Universal, Tz::Zulu, Tz::Etc__UTC, Tz::Etc__UCT, Tz::Etc__Universal, Tz::Etc__Zulu];

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// The zone of new tables, and of keys that have none.
    pub const UTC: Self = Self(Tz::UTC);

    /// A zone by name, in whatever case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let zone = TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name))?;
        Some(Self(if ALIASES.contains(zone) { Tz::UTC } else { *zone }))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Many servers are in it.
    #[must_use]
    pub fn is_common(self) -> bool {
        PREFERRED.contains(&self.0)
    }

    /// The month that an instant falls in.
    #[must_use]
    pub fn month_of(self, at: DateTime<Utc>) -> Option<Month> {
        Month::of(self.day_of(at)?)
    }

    /// The local day; none far outside of the years that have months, as where time ends.
    fn day_of(self, at: DateTime<Utc>) -> Option<NaiveDate> {
        (YEARS.start() - 1..=YEARS.end() + 1).contains(&at.year()).then(|| at.with_timezone(&self.0).date_naive())
    }

    /// Where a month begins, as PostgreSQL reads midnight of its first day.
    #[must_use]
    pub fn start_of(self, month: Month) -> DateTime<Utc> {
        self.starts_of(month).0
    }

    /// Midnight of a month's first day, and the earlier one where clocks are set back over it. As in
    /// PostgreSQL the later, standard time, is meant; a midnight that is skipped is counted from before.
    fn starts_of(self, month: Month) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
        let midnight = month.first_day().and_time(NaiveTime::MIN);
        match self.0.from_local_datetime(&midnight) {
            LocalResult::Single(at) => (at.with_timezone(&Utc), None),
            LocalResult::Ambiguous(earlier, later) => (later.with_timezone(&Utc), Some(earlier.with_timezone(&Utc))),
            LocalResult::None => (self.counted_from_before(midnight), None),
        }
    }

    fn counted_from_before(self, midnight: NaiveDateTime) -> DateTime<Utc> {
        // Whole days have been skipped, never two.
        let before = (1..=4).find_map(|halves| {
            let local = midnight - TimeDelta::hours(12 * halves);
            self.0.from_local_datetime(&local).latest()
        });
        let offset = before.map_or(0, |at| at.offset().fix().local_minus_utc());
        (midnight - TimeDelta::seconds(offset.into())).and_utc()
    }

    /// The month that begins at this instant; none where none does.
    #[must_use]
    pub fn begins(self, at: DateTime<Utc>) -> Option<Month> {
        let day = self.day_of(at)?;
        // A midnight counted from before may still bear the date of the day before.
        let months = [Month::of(day), Month::of(day.succ_opt()?)];
        months.into_iter().flatten().find(|month| {
            let (start, earlier) = self.starts_of(*month);
            start == at || earlier == Some(at)
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All zones in which each of these instants begins a month, the likely ones first.
#[must_use]
pub fn zones(starts: &[DateTime<Utc>]) -> Vec<Zone> {
    let fits = |zone: &Tz| starts.iter().all(|at| Zone(*zone).begins(*at).is_some());
    let others = TZ_VARIANTS.iter().filter(|zone| !PREFERRED.contains(zone));
    PREFERRED.iter().chain(others).filter(|zone| fits(zone)).map(|zone| Zone(*zone)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::month::tests::months;
    use super::*;
    use proptest::prelude::*;

    /// Any zone.
    pub(in crate::partition) fn any_zone() -> impl Strategy<Value = Zone> {
        (0..TZ_VARIANTS.len()).prop_map(|at| Zone(TZ_VARIANTS[at]))
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn start(zone: &str, month: &str) -> DateTime<Utc> {
        Zone::named(zone).expect("a zone").start_of(month.parse().expect("a month"))
    }

    #[test]
    fn months_begin_at_local_midnight() {
        assert_eq!(start("UTC", "2028-03"), at("2028-03-01T00:00:00Z"));
        assert_eq!(start("America/New_York", "2026-03"), at("2026-03-01T05:00:00Z"));
        assert_eq!(start("America/New_York", "2026-04"), at("2026-04-01T04:00:00Z"));
        assert_eq!(start("asia/seoul", "2027-01"), at("2026-12-31T15:00:00Z"));
        assert_eq!(Zone::named("Etc/UTC"), Some(Zone::UTC));
        assert_eq!(start("Asia/Kolkata", "2026-11"), at("2026-10-31T18:30:00Z"));
    }

    #[test]
    fn clocks_may_be_set_at_midnight_itself() {
        // 1 a.m. becomes midnight again: the second is standard time, as PostgreSQL 18 has it.
        assert_eq!(start("America/Havana", "2026-11"), at("2026-11-01T05:00:00Z"));
        let havana = Zone::named("America/Havana").expect("a zone");
        for instant in ["2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z"] {
            assert_eq!(havana.begins(at(instant)), Month::new(2026, 11), "{instant}");
        }
        // Midnight becomes 1 a.m.: there is no midnight.
        assert_eq!(start("Asia/Amman", "2016-04"), at("2016-03-31T22:00:00Z"));
        assert_eq!(start("America/Asuncion", "2017-10"), at("2017-10-01T04:00:00Z"));
    }

    #[test]
    fn the_zone_is_found_by_its_months() {
        let names = |instants: &[&str]| -> Vec<&str> {
            zones(&instants.iter().map(|text| at(text)).collect::<Vec<_>>()).into_iter().map(Zone::name).collect()
        };
        let york = names(&["2026-03-01T05:00:00Z", "2026-07-01T04:00:00Z"]);
        assert_eq!(york[0], "America/New_York");
        assert!(!york.contains(&"America/Bogota") && york.contains(&"America/Toronto"));
        assert_eq!(names(&["2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"])[0], "UTC");
        assert_eq!(names(&["2026-07-31T15:00:00Z"])[0], "Asia/Tokyo");
        assert!(names(&["2026-03-01T05:00:00Z", "2026-04-01T00:00:00Z"]).is_empty(), "mixed");
        assert!(names(&["2026-01-02T00:00:00Z"]).is_empty(), "no month");
    }

    proptest! {
        #[test]
        fn what_begins_a_month_is_known_to(zone in any_zone(), month in months()) {
            let start = zone.start_of(month);
            prop_assert_eq!(zone.begins(start), Some(month));
            if let Some(next) = month.plus(1) {
                let length = zone.start_of(next) - start;
                prop_assert!((TimeDelta::days(26)..=TimeDelta::days(33)).contains(&length), "{}", length);
            }
        }

        #[test]
        fn no_instant_makes_it_panic(zone in any_zone(), seconds in -8_334_601_228_800i64..8_210_266_876_800) {
            for at in [DateTime::from_timestamp(seconds, 0), Some(DateTime::<Utc>::MIN_UTC), Some(DateTime::<Utc>::MAX_UTC)] {
                let at = at.unwrap_or_default();
                let _ = (zone.begins(at), zone.month_of(at));
            }
        }

        #[test]
        fn a_zone_is_among_those_that_fit(zone in any_zone(), month in months(), count in 1..14i32) {
            let all = (0..count).filter_map(|nr| Some(zone.start_of(month.plus(nr)?))).collect::<Vec<_>>();
            prop_assert!(zones(&all).contains(&zone));
        }
    }
}
