//! Which months are missing, in which zone, and what DEFAULT keeps from being made.

use super::super::key::{Key, Unit};
use super::super::layout::tests::rows;
use super::super::month::tests::months;
use super::super::survey::grouped;
use super::super::zone::tests::any_zone;
use super::*;
use crate::model::partition::Subpartition;
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn month(text: &str) -> Month {
    text.parse().expect("a month")
}

/// The tables' moment.
fn now() -> DateTime<Utc> {
    at("2026-06-15T12:00:00Z")
}

fn table() -> Name {
    Name::new("public", "t")
}

fn site<'a>(rows: &'a [Partition], wished: Option<&str>, session: Option<&str>) -> Result<Site<'a>, String> {
    let zone = |name: &str| Zone::named(name).expect("a zone");
    Site::of(&table(), &grouped(rows), wished.map(zone), session.map(zone), now())
}

fn missing(rows: &[Partition], first: &str, last: &str) -> Result<Vec<String>, String> {
    let missing = site(rows, None, None)?.missing(month(first), month(last))?;
    Ok(missing.into_iter().map(|one| format!("{} {}", one.month, one.name.name)).collect())
}

const KEY: &str = "timestamp with time zone";

#[test]
fn what_is_held_is_left_out() {
    let rows = rows(
        "date",
        &[
            ("t_2026_06", "'2026-06-01'", "'2026-07-01'"),
            ("t_2026_08", "'2026-08-01'", "'2026-09-01'"),
            ("t_old", "MINVALUE", "'2026-05-01'"),
        ],
    );
    assert_eq!(
        missing(&rows, "2026-03", "2026-09"),
        Ok(vec!["2026-05 t_2026_05".to_owned(), "2026-07 t_2026_07".to_owned(), "2026-09 t_2026_09".to_owned()])
    );
    assert_eq!(missing(&rows, "2026-06", "2026-06"), Ok(vec![]));
}

#[test]
fn months_follow_a_table_that_was_adopted() {
    let adopted = rows(KEY, &[("t_legacy", "MINVALUE", "'2026-08-01 04:00:00+00'")]);
    let site = site(&adopted, Some("America/New_York"), None).expect("its end tells");
    assert_eq!(site.sibling().map(|name| name.name), Some("t_legacy".to_owned()));
    let missing = site.missing(month("2026-06"), month("2026-08")).expect("months");
    assert_eq!(missing.len(), 1, "it holds June and July");
    assert_eq!((missing[0].name.name.as_str(), missing[0].month), ("t_2026_08", month("2026-08")));
    assert!(super::super::layout::tests::layout(&adopted).zone(Zone::named("Asia/Tokyo")) != Zone::named("Asia/Tokyo"));
    for (bounds, said) in [
        (("days", "'2026-06-15 00:00:00+00'", "'2026-06-16 00:00:00+00'"), "is no month of the calendar"),
        (("rest", "'2026-06-01 00:00:00+00'", "MAXVALUE"), "has no end"),
    ] {
        let told = self::site(&rows(KEY, &[bounds]), None, None).map(|site| site.table).expect_err(said);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn a_month_that_is_held_in_part_is_nobodys_guess() {
    let rows = rows(
        "date",
        &[
            ("t_2026_06", "'2026-06-01'", "'2026-07-01'"),
            ("odd", "'2026-07-10'", "'2026-09-01'"),
            ("t_2026_09", "'2026-09-01'", "'2026-10-01'"),
        ],
    );
    let told = missing(&rows, "2026-06", "2026-08").expect_err("in part");
    assert!(told.contains("2026-07 is held in part by public.odd"), "{told}");
    assert_eq!(missing(&rows, "2026-08", "2026-10"), Ok(vec!["2026-10 t_2026_10".to_owned()]));
}

#[test]
fn what_new_months_would_have_to_be_is_asked_only_where_some_are_missing() {
    let mut rows =
        rows("date", &[("t_2026_06", "'2026-06-01'", "'2026-07-01'"), ("t_2026_07", "'2026-07-01'", "'2026-08-01'")]);
    let august = || Ok(vec!["2026-08 t_2026_08".to_owned()]);
    rows[0].is_leaf = false;
    assert_eq!(missing(&rows, "2026-06", "2026-08"), august(), "the newest is a plain table");
    for (is_leaf, is_foreign, said) in
        [(false, false, "public.t_2026_07 is partitioned again, and has no partitions"), (true, true, "foreign table")]
    {
        (rows[1].is_leaf, rows[1].is_foreign) = (is_leaf, is_foreign);
        assert_eq!(missing(&rows, "2026-06", "2026-07"), Ok(vec![]), "all are there");
        assert!(missing(&rows, "2026-06", "2026-08").is_err_and(|why| why.contains(said)), "{said}");
    }
}

#[test]
fn the_zone_is_asked_for_where_the_bounds_leave_it_open() {
    let summer = rows(KEY, &[("t_2026_07", "'2026-06-30 22:00:00+00'", "'2026-07-31 22:00:00+00'")]);
    let told = site(&summer, None, None).expect_err("open");
    assert!(told.contains("say which with --zone"), "{told}");
    assert_eq!(site(&summer, Some("Europe/Berlin"), None).map(|site| site.zone.name()), Ok("Europe/Berlin"));
    assert_eq!(site(&summer, None, Some("Europe/Paris")).map(|site| site.zone.name()), Ok("Europe/Paris"));
    assert!(site(&summer, Some("Asia/Tokyo"), None).is_err());
    let winter = rows(KEY, &[("t_2026_01", "'2026-01-01 00:00:00+00'", "'2026-02-01 00:00:00+00'")]);
    assert_eq!(site(&winter, None, None).map(|site| site.zone.name()), Ok("UTC"));
    assert_eq!(site(&winter, None, Some("Asia/Tokyo")).map(|site| site.zone.name()), Ok("UTC"));
    assert!(site(&winter, None, Some("Europe/London")).is_err(), "London or UTC: the summer would tell");
    let york = rows(
        KEY,
        &[
            ("a", "'2026-03-01 05:00:00+00'", "'2026-04-01 04:00:00+00'"),
            ("b", "'2026-04-01 04:00:00+00'", "'2026-05-01 04:00:00+00'"),
        ],
    );
    assert_eq!(site(&york, None, None).map(|site| site.zone.name()), Ok("America/New_York"));
    assert_eq!(site(&rows(KEY, &[("d", "", "")]), None, Some("Asia/Tokyo")).map(|site| site.zone), Ok(Zone::UTC));
}

#[test]
fn rows_in_default_keep_a_month_from_being_made_or_are_moved() {
    let rows = rows("date", &[("t_2026_06", "'2026-06-01'", "'2026-07-01'"), ("rest", "", "")]);
    let site = site(&rows, None, None).expect("a site");
    let snapshot = Snapshot::empty(Tool::default(), now());
    let evidence = |seen: SeenPartitioned| Evidence {
        likenesses: vec![Likeness::default()],
        seen,
        strayed: vec![Strayed { nr: 0, rows: 7, first: "2026-07-03".to_owned(), last: "2026-07-09".to_owned() }],
    };
    let seen = SeenPartitioned { default_kind: Some("r".to_owned()), ..SeenPartitioned::default() };
    let plan = |seen: &SeenPartitioned, drains| {
        let missing = site.missing(month("2026-07"), month("2026-08")).expect("months");
        let terms = DefaultTerms { drains, window_ms: 1_000 };
        creation(vec![(&site, missing, evidence(seen.clone()))], terms, &snapshot, Tool::default())
    };
    let told = plan(&seen, false);
    assert_eq!((told.steps.len(), told.left.len()), (1, 1));
    assert!(told.left[0].reason.starts_with("7 rows of 2026-07 are in public.rest (2026-07-03 to 2026-07-09)"));
    let moved = plan(&seen, true);
    assert_eq!((moved.steps.len(), moved.left.len()), (2, 0));
    assert!(moved.steps[0].statements[0].commands().any(|sql| sql.starts_with("WITH moved AS")));
    assert!(!moved.steps[1].statements[0].commands().any(|sql| sql.starts_with("WITH moved AS")), "none of its rows");
    for seen in [
        SeenPartitioned { is_referenced: true, ..seen.clone() },
        SeenPartitioned { default_has_triggers: true, ..seen.clone() },
        SeenPartitioned { default_kind: Some("f".to_owned()), ..seen.clone() },
    ] {
        let plan = plan(&seen, true);
        assert_eq!((plan.steps.len(), plan.left.len()), (1, 1), "{seen:?}");
        assert!(plan.left[0].reason.contains("they are not moved"), "{seen:?}");
    }
    assert!(crate::ddl::sound(&moved).is_ok());
}

#[test]
fn rows_are_moved_only_where_each_finds_a_place() {
    let level = |key: &str, bounds: &[&str], below: Option<&Subpartitioning>| {
        let part = |bound: &&str| Subpartition {
            bound: (*bound).to_owned(),
            below: below.cloned(),
            ..Subpartition::default()
        };
        Subpartitioning { key: key.to_owned(), partitions: bounds.iter().map(part).collect() }
    };
    let hash = level("HASH (id)", &["FOR VALUES WITH (modulus 1, remainder 0)"], None);
    let (list, range) = (["FOR VALUES IN (1)"], ["FOR VALUES FROM (1) TO (9)"]);
    assert!(!leaves_out(&hash));
    assert!(!leaves_out(&level("LIST (id)", &["FOR VALUES IN (1)", "DEFAULT"], Some(&hash))));
    assert!(leaves_out(&level("LIST (id)", &list, None)) && leaves_out(&level("RANGE (id)", &range, None)));
    assert!(leaves_out(&level(
        "HASH (id)",
        &["FOR VALUES WITH (modulus 1, remainder 0)"],
        Some(&level("LIST (id)", &list, None))
    )));
}

proptest! {
    /// From any months that are there to any others: what is made meets its neighbours, and nothing is left to make.
    #[test]
    fn what_is_made_closes_every_gap(
        zone in any_zone(), first in months(), held in proptest::collection::btree_set(0..24i32, 1..8), key in 0..4usize,
    ) {
        let (key, key_type) = [
            (Key::Date, "date"), (Key::Timestamp, "timestamp without time zone"), (Key::Timestamptz, KEY),
            (Key::Epoch(Unit::Micros), "bigint"),
        ][key];
        let zone = key.zone(zone);
        let value = |nr: i32| key.value(zone.start_of(first.plus(nr)?));
        let bounds: Option<Vec<(String, String, String)>> = held
            .iter()
            .map(|nr| Some((format!("t_{}", first.plus(*nr)?), format!("'{}'", value(*nr)?), format!("'{}'", value(nr + 1)?))))
            .collect();
        let Some(bounds) = bounds else { return Ok(()) };
        let texts: Vec<(&str, &str, &str)> = bounds.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        let mut all = rows(key_type, &texts);
        // A number is a time only in our own.
        if Layout::of(&all.iter().collect::<Vec<_>>()).is_none() {
            prop_assert_eq!(key_type, "bigint");
            return Ok(());
        }
        let site = Site::of(&table(), &grouped(&all), key.has_zone().then_some(zone), None, now());
        let site = site.map_err(TestCaseError::fail)?;
        let Some(last) = first.plus(23) else { return Ok(()) };
        let Ok(made) = site.missing(first, last) else {
            prop_assert!(last.year() == 9999 || first.year() == 1, "only the ends of time are refused");
            return Ok(());
        };
        prop_assert_eq!(made.len() + held.len(), 24);
        let edge = |edges: &[Edge]| match &edges[0] {
            Edge::Value(value) => format!("'{value}'"),
            other => format!("{other:?}"),
        };
        let new: Vec<(String, String, String)> =
            made.iter().map(|one| (one.name.name.clone(), edge(&one.range.from), edge(&one.range.to))).collect();
        let texts: Vec<(&str, &str, &str)> = new.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        all.extend(self::rows(key_type, &texts));
        let rows = all.iter().collect::<Vec<_>>();
        let layout = Layout::of(&rows).expect("cut by time");
        prop_assert_eq!(layout.gaps(), []);
        let slices = layout.slices();
        prop_assert!(slices.windows(2).all(|pair| !pair[0].overlaps(&pair[1])));
        let again = Site::of(&table(), &grouped(&all), key.has_zone().then_some(zone), None, now()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(again.missing(first, last), Ok(vec![]));
    }
}
