//! Months of the calendar, counted on year and month: an interval of a month added to an instant would
//! depend on the session's time zone, and cut the 31st to the 28th.

use chrono::{Datelike, NaiveDate};
use std::fmt;
use std::str::FromStr;

/// First and last year: those PostgreSQL prints with four digits and no era.
pub(super) const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// A month of the proleptic Gregorian calendar, of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Months since January of the year 0.
    index: i32,
}

impl Month {
    /// A month by its year and number, from 1.
    #[must_use]
    pub fn new(year: i32, number: u32) -> Option<Self> {
        let number = i32::try_from(number).ok().filter(|number| (1..=12).contains(number))?;
        YEARS.contains(&year).then_some(Self { index: year * 12 + number - 1 })
    }

    /// The month that holds a day.
    #[must_use]
    pub fn of(day: NaiveDate) -> Option<Self> {
        Self::new(day.year(), day.month())
    }

    /// So many months later, or earlier.
    #[must_use]
    pub fn plus(self, months: i32) -> Option<Self> {
        let index = self.index.checked_add(months)?;
        YEARS.contains(&index.div_euclid(12)).then_some(Self { index })
    }

    /// Its year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.index.div_euclid(12)
    }

    /// Its number in the year, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.index.rem_euclid(12).unsigned_abs() + 1
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year(), self.number(), 1).unwrap_or_default()
    }

    /// Months from another one to this.
    #[must_use]
    pub fn since(self, other: Self) -> i32 {
        self.index - other.index
    }
}

/// `2026-01`
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.number())
    }
}

/// Reads `2026-01`.
impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (year, number) = text.split_once('-').ok_or_else(|| format!("`{text}`: write a month as 2026-01"))?;
        let month = (year.len() == 4 && number.len() == 2 && is_digits(year) && is_digits(number))
            .then(|| Self::new(year.parse().ok()?, number.parse().ok()?));
        month.flatten().ok_or_else(|| format!("`{text}`: write a month as 2026-01"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Months of all years that a bound can name.
    pub(in crate::partition) fn months() -> impl Strategy<Value = Month> {
        (1..=9999i32, 1..=12u32).prop_filter_map("a month", |(year, number)| Month::new(year, number))
    }

    proptest! {
        #[test]
        fn a_month_is_read_as_it_is_printed(month in months()) {
            prop_assert_eq!(month.to_string().parse(), Ok(month));
            prop_assert_eq!(Month::of(month.first_day()), Some(month));
        }

        #[test]
        fn months_follow_each_other(month in months(), count in -200_000i32..200_000) {
            if let Some(later) = month.plus(count) {
                prop_assert_eq!(later.since(month), count);
                prop_assert_eq!(later.plus(-count), Some(month));
                prop_assert_eq!(later.cmp(&month), count.cmp(&0));
                prop_assert_eq!(later.first_day().day(), 1);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,12}") {
            let _ = text.parse::<Month>();
        }
    }

    #[test]
    fn years_turn_and_end() {
        let month = |text: &str| text.parse::<Month>();
        assert_eq!(month("2026-12").map(|month| month.plus(1)), Ok(Month::new(2027, 1)));
        assert_eq!(month("0001-01").map(|month| month.plus(-1)), Ok(None));
        assert_eq!(month("9999-12").map(|month| month.plus(1)), Ok(None));
        for text in ["2026-13", "2026-00", "0000-01", "2026-1", "26-01", "+026-01", "2026-+1", "2026", ""] {
            assert!(month(text).is_err(), "{text}");
        }
    }
}
