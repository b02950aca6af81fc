//! Reads the bound of a range partition by time, as PostgreSQL prints it in UTC and ISO.

use crate::statement::range_bound;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// The stretch of time one partition holds: from `from` on, `to` left out.
/// A bound of MINVALUE or MAXVALUE is the end of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// First moment held.
    pub from: DateTime<Utc>,
    /// First moment not held any more.
    pub to: DateTime<Utc>,
}

/// The slice a partition holds, where its leading key column is a date or timestamp and its bound
/// is a range; none for lists, hashes, DEFAULT and other types.
#[must_use]
pub fn slice(bound: &str, key_types: &[String]) -> Option<Slice> {
    if !key_types.first()?.starts_with("timestamp") && key_types.first()? != "date" {
        return None;
    }
    let (from, to) = range_bound(bound)?;
    Some(Slice { from: moment(&from)?, to: moment(&to)? })
}

/// A date, timestamp or timestamptz in ISO; without an offset it is taken as UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    match text {
        "MINVALUE" | "-infinity" => return Some(DateTime::<Utc>::MIN_UTC),
        "MAXVALUE" | "infinity" => return Some(DateTime::<Utc>::MAX_UTC),
        _ => {}
    }
    let zoned = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").map(|time| time.with_timezone(&Utc));
    let naive = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    zoned.or_else(|_| naive()).ok().or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutants;
    use proptest::prelude::*;

    const BOUNDS: [&str; 3] = [
        "FOR VALUES FROM ('2026-01-01 00:00:00+00', 5) TO ('2026-02-01 00:00:00+05:30', MINVALUE)",
        "FOR VALUES FROM (MINVALUE) TO ('infinity'::timestamp with time zone)",
        "FOR VALUES WITH (modulus 4, remainder 1)",
    ];

    fn ends(bound: &str, key_type: &str) -> Option<(String, String)> {
        slice(bound, &[key_type.to_owned()]).map(|slice| (slice.from.to_rfc3339(), slice.to.to_rfc3339()))
    }

    #[test]
    fn reads_what_the_server_prints() {
        let month = Some(("2026-01-01T00:00:00+00:00".to_owned(), "2026-02-01T00:00:00+00:00".to_owned()));
        let zoned = "FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')";
        assert_eq!(ends(zoned, "timestamp with time zone"), month);
        assert_eq!(
            ends("FOR VALUES FROM ('2026-01-01 00:00:00') TO ('2026-02-01 00:00:00')", "timestamp without time zone"),
            month
        );
        assert_eq!(ends("FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", "date"), month);
    }

    #[test]
    fn reads_the_leading_column_of_several() {
        let bound = "FOR VALUES FROM ('2026-01-01', 5) TO ('2026-02-01', MINVALUE)";
        assert!(ends(bound, "date").is_some());
    }

    proptest! {
        #[test]
        fn no_bound_makes_it_panic(bound in ".{0,120}", from in "[-0-9:.+ TZa-z]{0,30}") {
            let types = ["date".to_owned()];
            let _ = slice(&bound, &types);
            let _ = slice(&format!("FOR VALUES FROM ('{from}') TO (MAXVALUE)"), &types);
        }

        #[test]
        fn no_damage_to_a_bound_makes_it_panic(bound in mutants(BOUNDS.map(str::to_owned).to_vec())) {
            let _ = slice(&bound, &["timestamp with time zone".to_owned()]);
        }
    }

    #[test]
    fn other_bounds_are_no_slices() {
        for (bound, key_type) in [
            ("DEFAULT", "date"),
            ("FOR VALUES IN ('2026-01-01')", "date"),
            ("FOR VALUES WITH (modulus 4, remainder 1)", "date"),
            ("FOR VALUES FROM (1) TO (100)", "bigint"),
            ("FOR VALUES FROM ('x') TO ('y')", "date"),
        ] {
            assert_eq!(ends(bound, key_type), None, "{bound}");
        }
    }
}
