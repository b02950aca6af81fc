//! Which partitions are older than what is kept, and the plan that takes them out.

use super::layout::Layout;
use super::zone::Zone;
use crate::ddl::{Wanted, creations};
use crate::model::catalog::SeenPartitioned;
use crate::model::finding::fingerprint;
use crate::model::partition::{DetachForm, DetachedForm, Range};
use crate::model::plan::{Change, Estimate, FindingRef, Name, Plan};
use crate::model::snapshot::{Partition, Snapshot, Tool};
use crate::model::units;
use chrono::{DateTime, Utc};
use std::fmt;
use std::str::FromStr;

/// What a partition is retired for, by name.
const RULE: &str = "retention";

/// How many months are kept beside the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    months: u16,
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} month{}", self.months, if self.months == 1 { "" } else { "s" })
    }
}

/// Reads `24 months` and `2 years`.
impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}`: write how long rows are kept as 24 months or 2 years");
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u16 = text[..at].parse().map_err(|_| wrong())?;
        let months = match text[at..].trim() {
            "month" | "months" => Some(count),
            "year" | "years" => count.checked_mul(12),
            _ => None,
        };
        months.filter(|months| *months > 0).map(|months| Self { months }).ok_or_else(wrong)
    }
}

impl Keep {
    /// What an interval of pg_partman keeps, as in `3 months` or `90 days`, days and weeks as the months that hold them
    /// whatever their length: no partition is taken for overdue too early. None of an interval that says more.
    #[must_use]
    pub fn of_interval(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (mut months, mut days) = (0_u16, 0_u16);
        for pair in words.chunks(2) {
            let [count, unit] = pair else { return None };
            let count: u16 = count.parse().ok()?;
            match unit.trim_end_matches('s') {
                "year" => months = months.checked_add(count.checked_mul(12)?)?,
                "mon" | "month" => months = months.checked_add(count)?,
                "week" => days = days.checked_add(count.checked_mul(7)?)?,
                "day" => days = days.checked_add(count)?,
                _ => return None,
            }
        }
        let months = months.checked_add(days.div_ceil(SHORTEST_MONTH))?;
        (months > 0).then_some(Self { months })
    }

    /// When a partition that ends then is older than what is kept.
    #[must_use]
    pub fn leaves(self, to: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        // One that ends within a month leaves with that month.
        let month = zone.begins(to).or_else(|| zone.month_of(to)?.plus(1))?;
        Some(zone.start_of(month.plus(i32::from(self.months))?))
    }
}

/// Days of February.
const SHORTEST_MONTH: u16 = 28;

/// A partition that is older than what is kept.
#[derive(Debug, Clone)]
pub struct Overdue<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// What it holds.
    pub range: Range,
    /// First moment that it does not hold.
    pub to: DateTime<Utc>,
}

/// The partitions of a table that end before the kept months begin, the oldest first: by their real ends, whatever
/// their names say. Never DEFAULT, never the one that holds the present, never the last.
pub fn overdue<'a>(
    table: &Name,
    rows: &[&'a Partition],
    session: Option<Zone>,
    now: DateTime<Utc>,
    keep: Keep,
) -> Result<Vec<Overdue<'a>>, String> {
    let layout = Layout::of(rows).ok_or_else(|| format!("{table} is not cut by a time"))?;
    let zone = layout
        .zone(session)
        .ok_or_else(|| format!("{table} is cut by months of several time zones: mend that first"))?;
    let first = zone.month_of(now).and_then(|month| month.plus(-i32::from(keep.months)));
    let kept_from = zone.start_of(first.ok_or_else(|| format!("{keep} before now is no date"))?);
    let last = layout.slices().iter().map(|slice| slice.to).max();
    let parts = layout.parts.iter().filter_map(|part| Some((part.partition, part.range.clone()?, part.slice?.to)));
    Ok(parts
        .filter(|(_, _, to)| *to <= kept_from && *to <= now && Some(*to) < last)
        .map(|(partition, range, to)| Overdue { partition, range, to })
        .collect())
}

/// A partition to detach, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaving {
    /// The partition.
    pub name: Name,
    /// What it holds.
    pub range: Range,
    /// First moment that it does not hold.
    pub to: DateTime<Utc>,
    /// `pg_class.oid`
    pub oid: i64,
    /// Rows, an estimate.
    pub rows: i64,
    /// Bytes with its indexes.
    pub bytes: i64,
}

/// A table that was detached long enough ago, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantined {
    /// The change that drops it.
    pub form: DetachedForm,
    /// When it was detached.
    pub since: DateTime<Utc>,
    /// Rows, an estimate.
    pub rows: i64,
    /// Bytes with its indexes.
    pub bytes: i64,
}

/// The plan that detaches what leaves, and drops what has been out for long enough.
#[must_use]
pub fn retirement(
    table: &Name,
    seen: &SeenPartitioned,
    leaving: &[Leaving],
    dropped: &[Quarantined],
    keep: Keep,
    snapshot: &Snapshot,
    tool: Tool,
) -> Plan {
    // DETACH CONCURRENTLY came with 14, and is refused beside a DEFAULT partition.
    let is_concurrent = seen.default_kind.is_none() && snapshot.server.version_num >= 140_000;
    let detached = leaving.iter().map(|one| detach(table, seen, one, is_concurrent, keep));
    let gone = dropped.iter().map(|one| drop(table, one));
    creations(detached.chain(gone).collect(), Vec::new(), snapshot, tool)
}

fn reference(table: &Name) -> FindingRef {
    let object = table.to_string();
    FindingRef { rule: RULE.to_owned(), fingerprint: fingerprint(&format!("{RULE}:{object}")), object }
}

/// `about 12,000 rows, 3 MiB`
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn weight(rows: i64, bytes: i64) -> String {
    format!("about {} rows, {}", units::count(rows as f64), units::bytes(bytes as f64))
}

fn detach(table: &Name, seen: &SeenPartitioned, one: &Leaving, is_concurrent: bool, keep: Keep) -> Wanted {
    let mut caveats = Vec::new();
    if is_concurrent {
        caveats.push("somebody still reads it: from the begin its rows are hidden from the table, and there is no way back but through the end".to_owned());
    } else {
        caveats.push("readers and writers cannot wait: the table is locked against everything for a moment, as it has a DEFAULT partition or the server is 13".to_owned());
    }
    Wanted {
        change: Change::DetachPartition(DetachForm {
            name: one.name.clone(),
            table: table.clone(),
            range: one.range.clone(),
            oid: one.oid,
            is_concurrent,
            references: seen.references.clone(),
        }),
        estimate: Estimate {
            basis: "a change of the catalog alone; its rows stay in a table of its own".to_owned(),
            ..Estimate::default()
        },
        why: format!(
            "{RULE}: it ends {}, kept: {keep}; {}",
            one.to.format("%F %H:%M UTC"),
            weight(one.rows, one.bytes)
        ),
        caveats,
        finding: reference(table),
    }
}

fn drop(table: &Name, one: &Quarantined) -> Wanted {
    Wanted {
        change: Change::DropDetached(one.form.clone()),
        estimate: Estimate { bytes: -one.bytes, basis: "its size".to_owned(), ..Estimate::default() },
        why: format!(
            "{RULE}: detached from {table} since {}; {}",
            one.since.format("%F %H:%M UTC"),
            weight(one.rows, one.bytes)
        ),
        caveats: vec!["no backup has its rows: a dropped table cannot be taken back".to_owned()],
        finding: reference(table),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::rows;
    use super::*;
    use proptest::prelude::*;

    fn named(bounds: &[(&str, &str, &str)], now: &str, keep: &str) -> Vec<String> {
        let rows = rows("date", bounds);
        let keep = keep.parse().expect("a time");
        let found = overdue(
            &Name::new("public", "t"),
            &rows.iter().collect::<Vec<_>>(),
            None,
            now.parse().expect("a time"),
            keep,
        );
        found.expect("cut by time").into_iter().filter_map(|one| one.partition.name.clone()).collect()
    }

    const ROW: [(&str, &str, &str); 5] = [
        ("old", "MINVALUE", "'2026-01-01'"),
        ("jan", "'2026-01-01'", "'2026-02-01'"),
        ("feb", "'2026-02-01'", "'2026-03-01'"),
        ("mar", "'2026-03-01'", "'2026-04-01'"),
        ("rest", "", ""),
    ];

    #[test]
    fn intervals_of_pg_partman_are_kept_as_months() {
        for (text, months) in [
            ("24 months", Some(24)),
            ("1 year 6 mons", Some(18)),
            ("2 years", Some(24)),
            ("30 days", Some(2)),
            ("28 days", Some(1)),
            ("8 weeks", Some(2)),
            ("1 mon", Some(1)),
            ("0 days", None),
            ("100000", None),
            ("12:00:00", None),
            ("1 month 12:00:00", None),
            ("-3 months", None),
            ("70000 months", None),
            ("6000 years", None),
        ] {
            assert_eq!(Keep::of_interval(text).map(|keep| keep.months), months, "{text}");
        }
    }

    #[test]
    fn a_partition_is_overdue_from_the_moment_it_should_leave() {
        let keep: Keep = "1 month".parse().expect("a time");
        for to in ["2026-03-01", "2026-02-11"] {
            let at = keep.leaves(format!("{to}T00:00:00Z").parse().expect("a time"), Zone::UTC).expect("a moment");
            assert_eq!(at.to_rfc3339(), "2026-04-01T00:00:00+00:00");
            let row = [("feb", "'2026-02-01'", &*format!("'{to}'")), ("mar", "'2026-03-01'", "'2026-09-01'")];
            assert_eq!(named(&row, &at.to_rfc3339(), "1 month"), ["feb"]);
            assert_eq!(named(&row, &(at - chrono::TimeDelta::seconds(1)).to_rfc3339(), "1 month"), [""; 0]);
        }
    }

    #[test]
    fn whole_months_are_kept_beside_the_current() {
        assert_eq!(named(&ROW, "2026-03-31T23:59:59Z", "1 month"), ["old", "jan"]);
        assert_eq!(named(&ROW, "2026-04-01T00:00:00Z", "1 month"), ["old", "jan", "feb"]);
        assert_eq!(named(&ROW, "2026-03-01T00:00:00Z", "2 months"), ["old"]);
        assert_eq!(named(&ROW, "2026-03-01T00:00:00Z", "1 year"), [""; 0]);
    }

    #[test]
    fn a_wide_one_goes_by_its_end_and_the_last_stays() {
        let wide = [("legacy", "MINVALUE", "'2026-03-01'"), ("mar", "'2026-03-01'", "'2026-04-01'")];
        assert_eq!(named(&wide, "2026-03-15T00:00:00Z", "1 month"), [""; 0], "it holds last month");
        assert_eq!(named(&wide, "2036-03-15T00:00:00Z", "1 month"), ["legacy"], "the last is kept for ever");
    }

    #[test]
    fn what_is_kept_is_said_in_months_or_years() {
        let keep = |text: &str| text.parse::<Keep>().map(|keep| keep.to_string());
        assert_eq!(keep("24 months"), Ok("24 months".to_owned()));
        assert_eq!(keep("2years"), Ok("24 months".to_owned()));
        assert_eq!(keep("1 month"), Ok("1 month".to_owned()));
        for text in ["", "24", "months", "0 months", "2 weeks", "-1 month", "99999 months", "9999 years"] {
            assert!(keep(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_the_kept_months_leaves(day in 0..3_000i64, months in 1..60u16) {
            let now: DateTime<Utc> = "2026-01-01T05:00:00Z".parse().expect("a time");
            let now = now + chrono::TimeDelta::days(day);
            let all = rows("date", &ROW);
            let keep: Keep = format!("{months} months").parse().expect("a time");
            let gone = overdue(&Name::new("public", "t"), &all.iter().collect::<Vec<_>>(), None, now, keep);
            for one in gone.expect("cut by time") {
                prop_assert!(one.to <= now - chrono::TimeDelta::days(28 * i64::from(months)));
            }
        }
    }
}
