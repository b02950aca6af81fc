//! Whether the key holds what it is said to hold: a CHECK that rows do not keep is refused by all that are written from
//! then on, and one that they keep by the wrong unit lets none go to the months.

use super::{Conversion, Cut};
use crate::model::adoption::SeenKeys;
use crate::partition::key::{Key, Unit};

/// Why a table with these keys is not converted.
pub(super) fn refusal(wish: &Conversion, cut: &Cut, keys: Option<&SeenKeys>) -> Option<String> {
    let column = &wish.key;
    let Some(keys) = keys else { return unseen(wish, cut) };
    let (least, greatest) = (keys.least.first()?, keys.greatest.first()?);
    match cut.key {
        Key::Epoch(unit) => {
            if let Some(wrong) = [greatest, least].into_iter().find(|key| unit_of(key).is_some_and(|of| of != unit)) {
                let of = unit_of(wrong).map_or("", Unit::symbol);
                return Some(format!(
                    "wrong_unit: {column} holds {wrong}, which counts {of} since 1970, not {}; next: --epoch {of}, or mend the rows where both occur",
                    unit.symbol()
                ));
            }
            if unit_of(greatest).is_none() {
                return Some(format!(
                    "no_time: {column} goes up to {greatest}, which is no time of 1980 to 2100 in any unit; next: choose another column, or delete such rows"
                ));
            }
        }
        Key::UuidV7 => {
            let mut all = keys.greatest.iter().chain(&keys.least);
            if let Some(wrong) = all.find(|key| key.as_bytes().get(14) != Some(&b'7')) {
                return Some(format!(
                    "uuid_version: {column} holds {wrong}, which is not of version 7 and tells no time; next: choose another column"
                ));
            }
        }
        Key::Date | Key::Timestamp | Key::Timestamptz => {}
    }
    is_beyond(cut, greatest).then(|| {
        format!(
            "beyond_boundary: {column} goes up to {greatest}, and all rows must lie before {}; next: delete such rows, or a later month with --from",
            cut.boundary
        )
    })
}

/// A type of time says enough by itself: what lies ahead stops the preparation.
fn unseen(wish: &Conversion, cut: &Cut) -> Option<String> {
    matches!(cut.key, Key::Epoch(_) | Key::UuidV7).then(|| {
        format!(
            "unseen_key: the least and the greatest {0} were not found in time, or may not be read, so that nothing says what it holds; next: CREATE INDEX CONCURRENTLY ON {1} ({2}), or GRANT SELECT",
            wish.key,
            wish.table,
            crate::ddl::quoted(&wish.key)
        )
    })
}

/// Of a `numeric` the whole part.
fn unit_of(key: &str) -> Option<Unit> {
    whole(key).parse().ok().and_then(Unit::of)
}

fn whole(key: &str) -> &str {
    key.split('.').next().unwrap_or_default()
}

fn is_beyond(cut: &Cut, greatest: &str) -> bool {
    let text = if matches!(cut.key, Key::Epoch(_)) { whole(greatest) } else { greatest };
    let Some(boundary) = cut.key.moment(&cut.boundary) else { return true };
    // What cannot be read is infinite, before the year 1 or after 9999.
    let is_early = || greatest == "-infinity" || greatest.ends_with(" BC");
    cut.key.moment(text).map_or_else(|| !is_early(), |at| at >= boundary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Name;

    /// What is said of these keys, on 10 November 2026: the boundary is the next month's.
    fn said(key_type: &str, unit: Option<Unit>, keys: Option<&SeenKeys>) -> Option<String> {
        let wish = Conversion {
            table: Name::new("log", "steps"),
            key: "at".to_owned(),
            unit,
            from: None,
            months: 3,
            zone: None,
            allow: Vec::new(),
        };
        let now = "2026-11-10T00:00:00Z".parse().expect("a time");
        let cut = super::super::cut(&wish, key_type, None, now).expect("a boundary");
        refusal(&wish, &cut, keys)
    }

    fn refused(key_type: &str, unit: Option<Unit>, keys: &[&str]) -> Option<String> {
        let least: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let greatest = least.iter().rev().cloned().collect();
        let keys = SeenKeys { least, greatest };
        said(key_type, unit, Some(&keys)).map(|why| why.split(':').next().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_the_key_holds_must_be_what_it_is_said_to_hold() {
        let (s, ms) = (Some(Unit::Seconds), Some(Unit::Millis));
        for (key_type, unit, keys, why) in [
            ("bigint", s, &["1767225600", "1780000000"][..], None),
            ("bigint", s, &["0", "1780000000"], None),
            ("numeric", s, &["1767225600.25", "1780000000.5"], None),
            ("bigint", s, &[], None),
            ("bigint", s, &["1767225600000", "1780000000000"], Some("wrong_unit")),
            ("bigint", ms, &["1767225600", "1780000000"], Some("wrong_unit")),
            ("bigint", ms, &["1767225600", "1780000000000"], Some("wrong_unit")),
            ("bigint", s, &["1", "500"], Some("no_time")),
            ("numeric", s, &["1767225600", "NaN"], Some("no_time")),
            ("bigint", s, &["1767225600", "1796083200"], Some("beyond_boundary")),
            ("bigint", s, &["1767225600", "1796083199"], None),
            ("uuid", None, &["019ca6b1-dc00-7abc-9def-0123456789ab"], None),
            (
                "uuid",
                None,
                &["019ca6b1-dc00-7abc-9def-0123456789ab", "f19ca6b1-dc00-4abc-9def-0123456789ab"],
                Some("uuid_version"),
            ),
            ("uuid", None, &["f19ca6b1-dc00-7abc-9def-0123456789ab"], Some("beyond_boundary")),
            ("date", None, &["2026-01-01", "2026-11-30"], None),
            ("date", None, &["2026-01-01", "2026-12-01"], Some("beyond_boundary")),
            ("timestamp with time zone", None, &["-infinity", "2026-11-30 23:00:00+00"], None),
            ("timestamp with time zone", None, &["infinity"], Some("beyond_boundary")),
            ("timestamp with time zone", None, &["0044-03-15 00:00:00+00 BC"], None),
        ] {
            assert_eq!(refused(key_type, unit, keys).as_deref(), why, "{key_type} {keys:?}");
        }
    }

    #[test]
    fn a_key_that_was_not_seen_is_taken_at_its_word_where_its_type_tells_time() {
        assert_eq!(said("date", None, None), None);
        let why = said("bigint", Some(Unit::Seconds), None).expect("a refusal");
        assert!(why.contains("CREATE INDEX CONCURRENTLY ON log.steps (at)"), "{why}");
        assert!(said("uuid", None, None).is_some());
    }
}
