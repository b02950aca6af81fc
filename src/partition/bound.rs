//! The stretch of time that a range partition holds, by its bound as PostgreSQL prints it in UTC and ISO.

use super::key::Key;
use crate::model::partition::{Edge, Range};
use crate::statement::range_bound;
use chrono::{DateTime, Utc};

/// The stretch of time one partition holds: from `from` on, `to` left out.
/// A bound of MINVALUE or MAXVALUE is the end of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// First moment held.
    pub from: DateTime<Utc>,
    /// First moment not held any more.
    pub to: DateTime<Utc>,
}

impl Slice {
    /// Both ends are in time.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.from > DateTime::<Utc>::MIN_UTC && self.to < DateTime::<Utc>::MAX_UTC
    }

    /// It holds all that is to come.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.to == DateTime::<Utc>::MAX_UTC
    }

    /// They share a moment.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// The slice of a bound, by its leading column; none where that is no instant.
#[must_use]
pub fn slice(bound: &Range, key: Key) -> Option<Slice> {
    Some(Slice { from: moment(bound.from.first()?, key)?, to: moment(bound.to.first()?, key)? })
}

fn moment(edge: &Edge, key: Key) -> Option<DateTime<Utc>> {
    match edge {
        Edge::Minvalue => Some(DateTime::<Utc>::MIN_UTC),
        Edge::Maxvalue => Some(DateTime::<Utc>::MAX_UTC),
        Edge::Value(value) if value == "-infinity" => Some(DateTime::<Utc>::MIN_UTC),
        Edge::Value(value) if value == "infinity" => Some(DateTime::<Utc>::MAX_UTC),
        Edge::Value(value) => key.instant(value),
    }
}

/// The bounds of a table's partitions, in their order, and the key that they cut; a bound that is no range has
/// none. No key where the leading column tells no time.
#[must_use]
pub fn bounds<'a>(key_type: &str, bounds: impl IntoIterator<Item = &'a str>) -> Option<(Key, Vec<Option<Range>>)> {
    let bounds: Vec<Option<Range>> = bounds.into_iter().map(range_bound).collect();
    let leading = bounds.iter().flatten().flat_map(|bound| bound.from.first().into_iter().chain(bound.to.first()));
    let values = leading.filter_map(|edge| match edge {
        Edge::Value(value) => Some(value.as_str()),
        _ => None,
    });
    Some((Key::of(key_type, values)?, bounds))
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
        let (key, bounds) = bounds(key_type, [bound])?;
        let slice = slice(bounds.first()?.as_ref()?, key)?;
        Some((slice.from.to_rfc3339(), slice.to.to_rfc3339()))
    }

    #[test]
    fn reads_what_the_server_prints() {
        let month = Some(("2026-01-01T00:00:00+00:00".to_owned(), "2026-02-01T00:00:00+00:00".to_owned()));
        for (bound, key_type) in [
            ("FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')", "timestamp with time zone"),
            ("FROM ('2026-01-01 00:00:00') TO ('2026-02-01 00:00:00')", "timestamp without time zone"),
            ("FROM ('2026-01-01') TO ('2026-02-01')", "date"),
            ("FROM ('2026-01-01', 5) TO ('2026-02-01', MINVALUE)", "date"),
            ("FROM (1767225600) TO (1769904000)", "integer"),
            ("FROM ('1767225600000') TO ('1769904000000')", "bigint"),
            ("FROM ('019b76da-a800-0000-0000-000000000000') TO ('019c167f-cc00-0000-0000-000000000000')", "uuid"),
        ] {
            assert_eq!(ends(&format!("FOR VALUES {bound}"), key_type), month, "{bound}");
        }
    }

    proptest! {
        #[test]
        fn no_bound_makes_it_panic(bound in ".{0,120}", from in "[-0-9:.+ TZa-z]{0,30}") {
            let _ = ends(&bound, "date");
            let _ = ends(&format!("FOR VALUES FROM ('{from}') TO (MAXVALUE)"), "date");
        }

        #[test]
        fn no_damage_to_a_bound_makes_it_panic(bound in mutants(BOUNDS.map(str::to_owned).to_vec())) {
            for key_type in ["timestamp with time zone", "bigint", "uuid"] {
                let _ = ends(&bound, key_type);
            }
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
