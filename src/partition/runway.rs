//! How far into the future a row of partitions reaches without a gap.

use super::bound::Slice;
use chrono::{DateTime, TimeDelta, Utc};

/// How far the partitions reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runway {
    /// The newest bounded partition is a month long.
    pub is_monthly: bool,
    /// A partition holds the present.
    pub covers_now: bool,
    /// Where the unbroken row that starts with the current partition ends; none when nothing holds
    /// the present, or when it never ends.
    pub covered_until: Option<DateTime<Utc>>,
    /// Partitions after the current one in that row; none unless monthly, current and with an end.
    pub months_ahead: Option<usize>,
}

/// A month in any zone: 28 to 31 days, give or take an hour of daylight saving.
pub(super) fn is_month(slice: &Slice) -> bool {
    let length = slice.to - slice.from;
    (TimeDelta::hours(28 * 24 - 1)..=TimeDelta::hours(31 * 24 + 1)).contains(&length)
}

/// The runway of `slices` at `now`.
#[must_use]
pub fn runway(slices: &[Slice], now: DateTime<Utc>) -> Runway {
    let mut slices = slices.to_vec();
    slices.sort_by_key(|slice| slice.from);
    let is_monthly = slices.iter().rfind(|slice| slice.is_bounded()).is_some_and(is_month);
    let Some(current) = slices.iter().position(|slice| slice.from <= now && now < slice.to) else {
        return Runway { is_monthly, ..Runway::default() };
    };
    let mut covered_until = slices[current].to;
    let mut ahead = 0;
    for slice in &slices[current + 1..] {
        if slice.from != covered_until {
            break;
        }
        covered_until = slice.to;
        ahead += 1;
    }
    let ends = covered_until < DateTime::<Utc>::MAX_UTC;
    Runway {
        is_monthly,
        covers_now: true,
        covered_until: ends.then_some(covered_until),
        months_ahead: (is_monthly && ends).then_some(ahead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).expect("a time").with_timezone(&Utc)
    }

    fn months(firsts: &[&str]) -> Vec<Slice> {
        firsts.windows(2).map(|pair| Slice { from: at(pair[0]), to: at(pair[1]) }).collect()
    }

    const ROW: [&str; 4] =
        ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"];

    #[test]
    fn counts_the_months_after_the_current() {
        let runway = runway(&months(&ROW), at("2026-02-11T12:00:00Z"));
        assert_eq!((runway.is_monthly, runway.months_ahead), (true, Some(1)));
        assert_eq!(runway.covered_until, Some(at("2026-04-01T00:00:00Z")));
    }

    #[test]
    fn a_gap_ends_the_row() {
        let mut slices = months(&ROW);
        slices.remove(1);
        assert_eq!(runway(&slices, at("2026-01-11T12:00:00Z")).months_ahead, Some(0));
    }

    #[test]
    fn the_first_instant_of_a_month_belongs_to_it() {
        assert_eq!(runway(&months(&ROW), at("2026-03-01T00:00:00Z")).months_ahead, Some(0));
    }

    #[test]
    fn an_archive_covers_nothing_now() {
        let runway = runway(&months(&ROW), at("2027-01-01T00:00:00Z"));
        assert_eq!((runway.covered_until, runway.months_ahead), (None, None));
    }

    #[test]
    fn an_open_end_reaches_for_ever() {
        let mut slices = months(&ROW);
        slices.push(Slice { from: at("2026-04-01T00:00:00Z"), to: DateTime::<Utc>::MAX_UTC });
        let runway = runway(&slices, at("2026-03-11T12:00:00Z"));
        assert_eq!((runway.covers_now, runway.months_ahead, runway.covered_until), (true, None, None));
    }

    #[test]
    fn days_are_not_months() {
        let days = months(&["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"]);
        let runway = runway(&days, at("2026-01-01T12:00:00Z"));
        assert_eq!((runway.is_monthly, runway.months_ahead), (false, None));
    }
}
