//! Names of monthly partitions: labels, inferred from the siblings' and never trusted for bounds.

use super::month::Month;
use std::collections::BTreeMap;

/// Longest name PostgreSQL keeps whole, in bytes (NAMEDATALEN - 1).
const MAX_NAME_BYTES: usize = 63;

/// What `_2026_01` leaves of that to the table.
const ROOM: usize = MAX_NAME_BYTES - "_2026_01".len();

/// How a name says the month, with words of whoever uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Style {
    /// `2026_01_01`, of pg_partman 4.
    Day,
    /// `20260101`, of pg_partman 5.
    PlainDay,
    /// `2026_01`
    Month,
    /// `2026-01`
    DashedMonth,
    /// `2026m01`, of PostgreSQL's manual.
    LetteredMonth,
    /// `202601`, of pgslice and GitLab.
    PlainMonth,
}

impl Style {
    /// Those that hold others come first.
    const ALL: [Self; 6] =
        [Self::Day, Self::PlainDay, Self::Month, Self::DashedMonth, Self::LetteredMonth, Self::PlainMonth];

    fn write(self, month: Month) -> String {
        let (year, number) = (month.year(), month.number());
        match self {
            Self::Day => format!("{year:04}_{number:02}_01"),
            Self::PlainDay => format!("{year:04}{number:02}01"),
            Self::Month => format!("{year:04}_{number:02}"),
            Self::DashedMonth => format!("{year:04}-{number:02}"),
            Self::LetteredMonth => format!("{year:04}m{number:02}"),
            Self::PlainMonth => format!("{year:04}{number:02}"),
        }
    }

    fn read(self, text: &str) -> Option<Month> {
        let number = |range: std::ops::Range<usize>| {
            text.get(range).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u32>().ok()
        };
        let start = if matches!(self, Self::PlainDay | Self::PlainMonth) { 4 } else { 5 };
        let month = Month::new(i32::try_from(number(0..4)?).ok()?, number(start..start + 2)?)?;
        (self.write(month) == text).then_some(month)
    }
}

/// What the names of a table's months have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    before: String,
    style: Style,
    after: String,
}

impl Naming {
    /// `events_2026_01`, for a table whose partitions show no pattern. A long name gives way.
    #[must_use]
    pub fn standard(table: &str) -> Self {
        Self::after(table, "")
    }

    /// The same with a number, for a table whose own name has to be cut; none of another.
    pub(super) fn numbered(table: &str, number: u32) -> Option<Self> {
        (table.len() > ROOM).then(|| Self::after(table, &number.to_string()))
    }

    fn after(table: &str, number: &str) -> Self {
        let mut base = table.to_owned();
        while base.len() + number.len() > ROOM && base.pop().is_some() {}
        Self { before: format!("{base}{number}_"), style: Style::Month, after: String::new() }
    }

    /// What most of these names of months follow, the newest where several are as frequent; none where no name
    /// says its month.
    #[must_use]
    pub fn inferred<'a>(names: impl IntoIterator<Item = (&'a str, Month)>) -> Option<Self> {
        let mut counts: BTreeMap<Self, (usize, Month)> = BTreeMap::new();
        for (name, month) in names {
            let Some(naming) = Self::of(name, month) else { continue };
            let (count, newest) = counts.entry(naming).or_insert((0, month));
            (*count, *newest) = (*count + 1, month.max(*newest));
        }
        counts.into_iter().max_by_key(|(_, rank)| *rank).map(|(naming, _)| naming)
    }

    /// How this name says its month: in the last place where it does.
    fn of(name: &str, month: Month) -> Option<Self> {
        Style::ALL.into_iter().find_map(|style| {
            let label = style.write(month);
            let at = name.rfind(&label)?;
            let (before, after) = (&name[..at], &name[at + label.len()..]);
            let is_digit = |c: char| c.is_ascii_digit();
            // Digits on either side would make another number of it.
            let is_whole = !before.ends_with(is_digit) && !after.starts_with(is_digit);
            is_whole.then(|| Self { before: before.to_owned(), style, after: after.to_owned() })
        })
    }

    /// The name of a month; an error where PostgreSQL would cut it.
    pub fn name(&self, month: Month) -> Result<String, String> {
        whole(format!("{}{}{}", self.before, self.style.write(month), self.after))
    }

    /// The month that a name of this pattern says; none of another one.
    #[must_use]
    pub fn month(&self, name: &str) -> Option<Month> {
        self.style.read(name.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?)
    }
}

/// What lies below a month is named after it: with the month's own name in its name, else with the month said in another way.
/// None where neither is there.
pub(super) fn below(name: &str, sibling: (&str, Option<Month>), new: (&str, Month)) -> Option<Result<String, String>> {
    let is_word = |(before, after): &(&str, &str)| {
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    };
    let places = name.match_indices(sibling.0).map(|(at, own)| (&name[..at], &name[at + own.len()..])).filter(is_word);
    let mut places: Vec<(&str, &str)> = places.collect();
    // In front it is the month for sure, else in the last place.
    let place = places.iter().position(|(before, _)| before.is_empty()).map(|nr| places.remove(nr));
    if let Some((before, after)) = place.or_else(|| places.pop()) {
        return Some(whole(format!("{before}{}{after}", new.0)));
    }
    Some(Naming::of(name, sibling.1?)?.name(new.1))
}

/// A name that PostgreSQL does not cut.
fn whole(name: String) -> Result<String, String> {
    match name.len() {
        ..=MAX_NAME_BYTES => Ok(name),
        bytes => Err(format!("the name {name} has {bytes} bytes, and PostgreSQL cuts names at {MAX_NAME_BYTES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::month::tests::months;
    use super::*;
    use proptest::prelude::*;

    fn month(text: &str) -> Month {
        text.parse().expect("a month")
    }

    fn next(names: &[(&str, &str)]) -> Option<String> {
        let naming = Naming::inferred(names.iter().map(|(name, held)| (*name, month(held))))?;
        naming.name(month("2027-01")).ok()
    }

    #[test]
    fn names_in_the_wild_are_followed() {
        for (name, expected) in [
            ("events_2026_12", "events_2027_01"),
            ("events_202612", "events_202701"),
            ("events_p20261201", "events_p20270101"),
            ("events_p2026_12", "events_p2027_01"),
            ("events_p2026_12_01", "events_p2027_01_01"),
            ("events_y2026m12", "events_y2027m01"),
            ("Events 2026-12 (kept)", "Events 2027-01 (kept)"),
            ("größe_2026_12", "größe_2027_01"),
            ("2026_12", "2027_01"),
            ("log_2026_12_2026_12", "log_2026_12_2027_01"),
        ] {
            assert_eq!(next(&[(name, "2026-12")]).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(next(&[("events_legacy", "2026-12"), ("events_1202612", "2026-12")]), None);
    }

    #[test]
    fn most_siblings_decide_then_the_newest() {
        let names =
            [("e_legacy", "2026-01"), ("e_202602", "2026-02"), ("e_2026_03", "2026-03"), ("e_2026_04", "2026-04")];
        assert_eq!(next(&names).as_deref(), Some("e_2027_01"));
        assert_eq!(next(&names[..3]).as_deref(), Some("e_2027_01"), "the newest of two");
    }

    #[test]
    fn what_is_below_a_month_is_named_after_it() {
        let long = format!("e_2026_12_{}", "p".repeat(53));
        for (name, sibling, expected) in [
            ("e_2026_12_p0", "e_2026_12", Some(Ok("e_2027_01_p0"))),
            ("p0 of e_2026_12", "e_2026_12", Some(Ok("p0 of e_2027_01"))),
            ("e_legacy_p0", "e_legacy", Some(Ok("e_2027_01_p0"))),
            ("e_eu_202612", "e_2026_12", Some(Ok("e_eu_202701"))),
            ("e_2026_11_p0", "e_2026_12", None),
            ("p_eu_part", "p", Some(Ok("e_2027_01_eu_part"))),
            ("p_eu_p", "p", Some(Ok("e_2027_01_eu_p"))),
            ("part_eu", "p", None),
            ("eu p part", "p", Some(Ok("eu e_2027_01 part"))),
            ("eu", "e_2026_12", None),
            (&long, "e_2026_12", Some(Ok(&*long.replace("2026_12", "2027_01")))),
            (&format!("{long}é"), "e_2026_12", Some(Err("65 bytes"))),
        ] {
            let found = below(name, (sibling, Some(month("2026-12"))), ("e_2027_01", month("2027-01")));
            match (found, expected) {
                (Some(Err(told)), Some(Err(part))) => assert!(told.contains(part), "{told}"),
                (found, expected) => {
                    assert_eq!(found, expected.map(|one| one.map(str::to_owned).map_err(str::to_owned)), "{name}")
                }
            }
        }
    }

    #[test]
    fn a_name_that_would_be_cut_is_refused_and_a_long_table_gives_way() {
        let sibling = format!("{}_2026_01", "t".repeat(55));
        let naming = Naming::inferred([(sibling.as_str(), month("2026-01"))]).expect("a pattern");
        assert_eq!(naming.name(month("2026-02")).map(|name| name.len()), Ok(63));
        let longer = Naming { before: format!("t{}", naming.before), ..naming };
        assert!(longer.name(month("2026-02")).is_err_and(|words| words.contains("64 bytes")));
        let name = |table: &str| Naming::standard(table).name(month("2026-01"));
        assert_eq!(name(&"t".repeat(63)).as_deref(), Ok(sibling.as_str()));
        assert_eq!(name(&"ü".repeat(28)), Ok(format!("{}_2026_01", "ü".repeat(27))), "whole characters");
        let other = Naming::numbered(&"t".repeat(63), 1).expect("it is cut");
        assert_eq!(other.name(month("2026-01")), Ok(format!("{}1_2026_01", "t".repeat(54))));
        assert_eq!(Naming::numbered("t", 1), None);
    }

    proptest! {
        #[test]
        fn what_is_named_is_read(month in months(), before in "[^0-9]{0,20}", after in "[^0-9]{0,8}", nr in 0..6usize) {
            let naming = Naming { before, style: Style::ALL[nr], after };
            if let Ok(name) = naming.name(month) {
                prop_assert_eq!(naming.month(&name), Some(month));
                prop_assert!(Naming::inferred([(name.as_str(), month)]).is_some());
            }
        }

        #[test]
        fn no_name_makes_it_panic(name in "\\PC{0,80}", month in months()) {
            let naming = Naming::inferred([(name.as_str(), month)]).unwrap_or_else(|| Naming::standard(&name));
            let _ = (naming.name(month), naming.month(&name));
        }
    }
}
