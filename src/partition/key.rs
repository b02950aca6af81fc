//! Keys that order rows by time: how a value of each is read as an instant, and written as the server
//! prints it.

use super::month::{Month, YEARS};
use super::zone::Zone;
use crate::model::partition::Edge;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Timelike, Utc};

/// Seconds since 1970 of the first and the last instant that a number may stand for: 1980 to 2100. A unit
/// is a thousand of the next, and these are a factor of 13 apart, so at most one unit fits a number.
const EPOCHS: (i128, i128) = (315_532_800, 4_102_444_800);

/// What a number counts since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    fn per_second(self) -> i128 {
        match self {
            Self::Seconds => 1,
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    /// As `--epoch` has it.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
            Self::Nanos => "ns",
        }
    }

    /// The unit in which this number is an instant of our time.
    #[must_use]
    pub fn of(number: i128) -> Option<Self> {
        let (first, last) = EPOCHS;
        Self::ALL.into_iter().find(|unit| (first..last).contains(&number.div_euclid(unit.per_second())))
    }
}

/// How the leading column of a key says when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `date`: a day, in nobody's zone.
    Date,
    /// `timestamp without time zone`: a time, in nobody's zone.
    Timestamp,
    /// `timestamp with time zone`: an instant.
    Timestamptz,
    /// `integer`, `bigint` or `numeric` that counts since 1970: an instant.
    Epoch(Unit),
    /// `uuid` of version 7, whose first 48 bits are milliseconds since 1970 (RFC 9562 §5.7): an instant.
    UuidV7,
}

impl Key {
    /// The key of a column of this type, with values that bound its partitions. A number is one only where
    /// all of them are instants in the same unit, a UUID only where all of them are bare times.
    #[must_use]
    pub fn of<'a>(column_type: &str, values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut values = values.into_iter().peekable();
        match column_type.split('(').next()?.trim_end() {
            "date" => Some(Self::Date),
            "timestamp with time zone" => Some(Self::Timestamptz),
            "timestamp" if column_type.ends_with("with time zone") => Some(Self::Timestamptz),
            "timestamp" | "timestamp without time zone" => Some(Self::Timestamp),
            "integer" | "bigint" | "numeric" => {
                let unit = Unit::of(values.peek()?.parse().ok()?)?;
                values.all(|value| value.parse().ok().and_then(Unit::of) == Some(unit)).then_some(Self::Epoch(unit))
            }
            "uuid" => {
                (values.peek().is_some() && values.all(|value| uuid_instant(value).is_some())).then_some(Self::UuidV7)
            }
            _ => None,
        }
    }

    /// The key of a column of this type where no values tell: what a number counts has to be said, a UUID is taken for
    /// version 7.
    pub(super) fn declared(column: &str, column_type: &str, unit: Option<Unit>) -> Result<Self, String> {
        let base = column_type.split('(').next().unwrap_or_default().trim_end();
        match (base, unit) {
            ("integer", Some(unit)) if unit != Unit::Seconds => {
                Err(format!("{column} is an integer: it holds seconds at most"))
            }
            ("integer" | "bigint" | "numeric", Some(unit)) => Ok(Self::Epoch(unit)),
            ("integer" | "bigint" | "numeric", None) => {
                Err(format!("{column} is a number: say what it counts since 1970 with --epoch s, ms, us or ns"))
            }
            (base, unit) => {
                let key = if base == "uuid" { Some(Self::UuidV7) } else { Self::of(column_type, []) };
                let key = key.ok_or_else(|| format!("{column} is of type {column_type}, which tells no time"))?;
                let no_number = || format!("{column} is of type {column_type}: --epoch is for numbers");
                if unit.is_some() { Err(no_number()) } else { Ok(key) }
            }
        }
    }

    /// The instant of a value that a row holds: of a UUID that of its first 48 bits, whatever the rest.
    pub(super) fn moment(self, value: &str) -> Option<DateTime<Utc>> {
        match self {
            Self::UuidV7 => uuid_millis(value),
            _ => self.instant(value),
        }
    }

    /// Its values are instants, so that the zone decides where a month begins.
    #[must_use]
    pub fn has_zone(self) -> bool {
        !matches!(self, Self::Date | Self::Timestamp)
    }

    /// The instant of a value as the server prints it in UTC and ISO. Of a key without zone it is the time
    /// of day as if in UTC.
    #[must_use]
    pub fn instant(self, value: &str) -> Option<DateTime<Utc>> {
        match self {
            Self::Date => Some(NaiveDate::parse_from_str(value, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN).and_utc()),
            Self::Timestamp => Some(NaiveDateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f").ok()?.and_utc()),
            Self::Timestamptz => {
                Some(DateTime::parse_from_str(value, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?.with_timezone(&Utc))
            }
            Self::Epoch(unit) => epoch_instant(value.parse().ok()?, unit),
            Self::UuidV7 => uuid_instant(value),
        }
    }

    /// Where a month begins, as a bound; or why it cannot be one.
    pub(super) fn edge(self, zone: Zone, month: Month) -> Result<Edge, String> {
        let value = self.value(zone.start_of(month));
        value.map(Edge::Value).ok_or_else(|| format!("{month} has no value of the key's type"))
    }

    /// The value of an instant of the years 1 to 9999, as the server prints it in UTC and ISO; none where the
    /// type has no such value.
    #[must_use]
    pub fn value(self, at: DateTime<Utc>) -> Option<String> {
        if !YEARS.contains(&at.year()) {
            return None;
        }
        let micros = at.trunc_subsecs(6);
        let fraction = match micros.nanosecond() {
            0 => String::new(),
            nanos => format!(".{:06}", nanos / 1000).trim_end_matches('0').to_owned(),
        };
        match self {
            Self::Date => (at.time() == NaiveTime::MIN).then(|| at.format("%Y-%m-%d").to_string()),
            Self::Timestamp => Some(format!("{}{fraction}", micros.format("%Y-%m-%d %H:%M:%S"))),
            Self::Timestamptz => Some(format!("{}{fraction}+00", micros.format("%Y-%m-%d %H:%M:%S"))),
            Self::Epoch(unit) => {
                let nanos = i128::from(at.timestamp()) * 1_000_000_000 + i128::from(at.timestamp_subsec_nanos());
                Some((nanos / (1_000_000_000 / unit.per_second())).to_string())
            }
            Self::UuidV7 => {
                let millis = u64::try_from(at.timestamp_millis()).ok().filter(|millis| *millis < 1 << 48)?;
                Some(format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xffff))
            }
        }
    }

    /// Where a month begins in this key.
    #[must_use]
    pub fn zone(self, zone: Zone) -> Zone {
        if self.has_zone() { zone } else { Zone::UTC }
    }
}

fn epoch_instant(number: i128, unit: Unit) -> Option<DateTime<Utc>> {
    let nanos = number.checked_mul(1_000_000_000 / unit.per_second())?;
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
    DateTime::from_timestamp(seconds, u32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?)
}

/// Of a UUID that is a bare time: all bits behind the first 48 are zero, but for the version and variant
/// that some write.
fn uuid_instant(value: &str) -> Option<DateTime<Utc>> {
    let (_, rest) = value.split_at_checked(13)?;
    let is_bare = matches!(rest, "-0000-0000-000000000000" | "-7000-0000-000000000000" | "-7000-8000-000000000000");
    is_bare.then(|| uuid_millis(value)).flatten()
}

fn uuid_millis(value: &str) -> Option<DateTime<Utc>> {
    let (high, rest) = value.split_at_checked(8)?;
    let (low, _) = rest.strip_prefix('-')?.split_at_checked(4)?;
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(high) || !is_hex(low) {
        return None;
    }
    DateTime::from_timestamp_millis(i64::from_str_radix(&format!("{high}{low}"), 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::month::tests::months;
    use super::super::zone::tests::any_zone;
    use super::*;
    use proptest::prelude::*;

    const KEYS: [Key; 8] = [
        Key::Date,
        Key::Timestamp,
        Key::Timestamptz,
        Key::Epoch(Unit::Seconds),
        Key::Epoch(Unit::Millis),
        Key::Epoch(Unit::Micros),
        Key::Epoch(Unit::Nanos),
        Key::UuidV7,
    ];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn values_are_read_and_written_as_the_server_prints_them() {
        for (key, instant, value) in [
            (Key::Date, "2026-03-01T00:00:00Z", "2026-03-01"),
            (Key::Timestamp, "2026-03-01T00:00:00Z", "2026-03-01 00:00:00"),
            (Key::Timestamp, "2026-03-01T00:00:00.25Z", "2026-03-01 00:00:00.25"),
            (Key::Timestamptz, "2026-03-01T05:00:00Z", "2026-03-01 05:00:00+00"),
            (Key::Epoch(Unit::Seconds), "2026-01-01T00:00:00Z", "1767225600"),
            (Key::Epoch(Unit::Nanos), "2026-01-01T00:00:00Z", "1767225600000000000"),
            // As measured in the lab on PostgreSQL 15.
            (Key::UuidV7, "2026-03-01T00:00:00Z", "019ca6b1-dc00-0000-0000-000000000000"),
        ] {
            assert_eq!(key.value(at(instant)).as_deref(), Some(value), "{key:?}");
            assert_eq!(key.instant(value), Some(at(instant)), "{key:?}");
        }
        assert_eq!(Key::Date.value(at("2026-03-01T05:00:00Z")), None, "no day");
        assert_eq!(Key::UuidV7.value(at("1969-12-31T00:00:00Z")), None, "before 1970");
    }

    #[test]
    fn a_key_is_known_by_type_and_bounds() {
        let key = |column_type: &str, values: &[&str]| Key::of(column_type, values.iter().copied());
        assert_eq!(key("timestamp with time zone", &[]), Some(Key::Timestamptz));
        assert_eq!(key("timestamp(3) with time zone", &[]), Some(Key::Timestamptz));
        assert_eq!(key("timestamp(0) without time zone", &[]), Some(Key::Timestamp));
        assert_eq!(key("date", &[]), Some(Key::Date));
        assert_eq!(key("integer", &["1767225600", "1769904000"]), Some(Key::Epoch(Unit::Seconds)));
        assert_eq!(key("bigint", &["1767225600000"]), Some(Key::Epoch(Unit::Millis)));
        assert_eq!(key("numeric(20,0)", &["1767225600000000"]), Some(Key::Epoch(Unit::Micros)));
        assert_eq!(key("bigint", &["1767225600", "1769904000000"]), None, "two units");
        assert_eq!(key("bigint", &["0", "1000000"]), None, "ids");
        assert_eq!(key("bigint", &[]), None, "nothing tells");
        assert_eq!(key("uuid", &["019ca6b1-dc00-7000-8000-000000000000"]), Some(Key::UuidV7));
        assert_eq!(key("uuid", &["019ca6b1-dc00-4000-8000-00000000000f"]), None);
        assert_eq!(key("uuid", &[]), None);
        assert_eq!(key("text", &["2026-01-01"]), None);
    }

    #[test]
    fn a_key_without_values_is_what_its_type_and_the_wish_say() {
        let key = |column_type: &str, unit| Key::declared("at", column_type, unit).ok();
        assert_eq!(key("timestamp(3) with time zone", None), Some(Key::Timestamptz));
        assert_eq!(key("bigint", Some(Unit::Millis)), Some(Key::Epoch(Unit::Millis)));
        assert_eq!(key("numeric(20,0)", Some(Unit::Nanos)), Some(Key::Epoch(Unit::Nanos)));
        assert_eq!(key("uuid", None), Some(Key::UuidV7));
        for (column_type, unit) in
            [("bigint", None), ("integer", Some(Unit::Millis)), ("date", Some(Unit::Seconds)), ("text", None)]
        {
            assert_eq!(key(column_type, unit), None, "{column_type}");
        }
        let row = "019ca6b1-dc00-7abc-9def-0123456789ab";
        assert_eq!((Key::UuidV7.moment(row), Key::UuidV7.instant(row)), (Some(at("2026-03-01T00:00:00Z")), None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(zone in any_zone(), month in months()) {
            for key in KEYS {
                let start = key.zone(zone).start_of(month);
                let Some(value) = key.value(start) else {
                    prop_assert!(key == Key::UuidV7 || !YEARS.contains(&start.year()), "{:?} {}", key, start);
                    continue;
                };
                prop_assert_eq!(key.instant(&value), Some(start), "{:?} {}", key, value);
            }
        }

        #[test]
        fn the_unit_of_a_number_is_told_by_its_size(seconds in EPOCHS.0..EPOCHS.1) {
            for unit in Unit::ALL {
                prop_assert_eq!(Unit::of(seconds * unit.per_second()), Some(unit));
            }
        }

        #[test]
        fn no_value_makes_it_panic(value in "\\PC{0,40}", number in any::<i128>()) {
            for key in KEYS {
                let _ = (key.instant(&value), key.moment(&value));
                let _ = key.instant(&number.to_string());
            }
            let _ = Key::of(&value, [value.as_str()]);
            let _ = Unit::of(number);
        }
    }
}
