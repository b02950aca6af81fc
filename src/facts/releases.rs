//! PostgreSQL's majors: when their support ends, and the minors known when this program was written.

use chrono::NaiveDate;

/// One major.
pub(super) struct Release {
    pub(super) major: i32,
    /// Newest minor seen in packages by [`AS_OF`]; there may be newer ones.
    pub(super) latest_minor: i32,
    /// Last day of support (PostgreSQL versioning policy): year, month, day.
    end_of_life: (i32, u32, u32),
}

/// When the table was made.
pub const AS_OF: &str = "2026-11-20";

const RELEASES: &[Release] = &[
    Release { major: 13, latest_minor: 23, end_of_life: (2025, 11, 13) },
    Release { major: 14, latest_minor: 23, end_of_life: (2026, 11, 12) },
    Release { major: 15, latest_minor: 20, end_of_life: (2027, 11, 11) },
    Release { major: 16, latest_minor: 14, end_of_life: (2028, 11, 9) },
    Release { major: 17, latest_minor: 10, end_of_life: (2029, 11, 8) },
    Release { major: 18, latest_minor: 4, end_of_life: (2030, 11, 14) },
];

/// First and last major that the program is made for.
pub const MAJORS: (i32, i32) = match RELEASES {
    [first, .., last] => (first.major, last.major),
    [] | [_] => panic!("several majors are supported"),
};

/// What is known of a major.
pub(super) fn release(major: i32) -> Option<&'static Release> {
    RELEASES.iter().find(|release| release.major == major)
}

impl Release {
    pub(super) fn end_of_life(&self) -> Option<NaiveDate> {
        let (year, month, day) = self.end_of_life;
        NaiveDate::from_ymd_opt(year, month, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_table_is_one() {
        assert!(RELEASES.iter().all(|release| release.end_of_life().is_some()));
        assert!(AS_OF.parse::<NaiveDate>().is_ok());
    }
}
