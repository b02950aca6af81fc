//! What lies below a month is copied where its bounds are not of that month alone.

use super::super::layout::tests::rows as months;
use super::super::survey::grouped;
use super::*;

/// A level below a table: its key, types and partitions by name and bound.
fn level(parent: &str, key: (&str, &str, &[&str]), parts: &[(&str, &str)]) -> Vec<Partition> {
    let (strategy, definition, types) = key;
    let row = |(name, bound): &(&str, &str)| Partition {
        parent_schema: "public".to_owned(),
        parent_name: parent.to_owned(),
        strategy: strategy.to_owned(),
        key_definition: definition.to_owned(),
        key_types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        schema: Some("public".to_owned()),
        name: Some((*name).to_owned()),
        bound: Some((*bound).to_owned()),
        is_leaf: true,
        ..Partition::default()
    };
    parts.iter().map(row).collect()
}

const HASH: (&str, &str, &[&str]) = ("hash", "HASH (user_id)", &["bigint"]);
const LIST: (&str, &str, &[&str]) = ("list", "LIST (region)", &["text"]);

/// Two months of which both are partitioned again, by these.
fn table(older: &[Partition], newer: &[Partition]) -> Vec<Partition> {
    let mut all =
        months("date", &[("t_2026_06", "'2026-06-01'", "'2026-07-01'"), ("t_2026_07", "'2026-07-01'", "'2026-08-01'")]);
    all[0].is_leaf = older.is_empty();
    all[1].is_leaf = newer.is_empty();
    all.iter().cloned().chain(older.iter().cloned()).chain(newer.iter().cloned()).collect()
}

/// What August has below it: each with its bound, or why it has none.
fn august(all: &[Partition]) -> Result<Vec<String>, String> {
    let earlier = Some(&all[0]).filter(|row| !row.is_leaf);
    let Some(below) = Below::of(&grouped(all), &all[1], earlier, "at")? else { return Ok(Vec::new()) };
    let month = |text: &str| text.parse::<Month>().expect("a month");
    let made =
        below.again(Turn { sibling: ("t_2026_07", Some(month("2026-07"))), new: ("t_2026_08", month("2026-08")) })?;
    Ok(told(&made))
}

fn told(below: &Subpartitioning) -> Vec<String> {
    let mut all = vec![below.key.clone()];
    for part in &below.partitions {
        all.push(format!("{} {}", part.name.name, part.bound));
        all.extend(part.below.iter().flat_map(told));
    }
    all
}

#[test]
fn every_level_is_copied() {
    let mut newer =
        level("t_2026_07", LIST, &[("t_2026_07_eu", "FOR VALUES IN ('eu')"), ("t_2026_07_rest", "DEFAULT")]);
    newer[0].is_leaf = false;
    newer.extend(level("t_2026_07_eu", HASH, &[("t_eu_202607_0", "FOR VALUES WITH (modulus 1, remainder 0)")]));
    assert_eq!(
        august(&table(&[], &newer)),
        Ok([
            "LIST (region)",
            "t_2026_08_eu FOR VALUES IN ('eu')",
            "HASH (user_id)",
            "t_eu_202608_0 FOR VALUES WITH (modulus 1, remainder 0)",
            "t_2026_08_rest DEFAULT",
        ]
        .map(str::to_owned)
        .to_vec())
    );
    let all = table(&[], &newer);
    let below = Below::of(&grouped(&all), &all[1], None, "at").expect("it can be copied").expect("it is partitioned");
    let names: Vec<String> = below.names().into_iter().map(|name| name.name).collect();
    assert_eq!(names, ["t_2026_07_eu", "t_eu_202607_0", "t_2026_07_rest"], "in the same order");
    assert_eq!(august(&table(&[], &[])), Ok(vec![]));
}

#[test]
fn bounds_that_are_of_one_month_are_not_copied() {
    let below = |month: &str, key, bounds: &[&str]| {
        let names: Vec<String> = (0..bounds.len()).map(|nr| format!("{month}_p{nr}")).collect();
        let parts: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(bounds.iter().copied()).collect();
        level(month, key, &parts)
    };
    let (early, late) = ("FOR VALUES FROM ('1') TO ('5')", "FOR VALUES FROM ('5') TO ('9')");
    let ids = ("range", "RANGE (id)", &["bigint"][..]);
    let seen = ("range", "RANGE (seen_at)", &["timestamp with time zone"][..]);
    let weeks = ("range", "RANGE (date_trunc('week'::text, seen_at))", &[""][..]);
    let days = ("range", "RANGE (at)", &["date"][..]);
    let dates = ("list", "LIST (seen_on)", &["date"][..]);
    for (key, older, newer, said) in [
        (days, None, early, Some("by its time")),
        (("list", "LIST (((at)::date))", &[""][..]), Some(early), early, Some("by its time")),
        (("hash", "HASH (at)", &["date"][..]), None, "FOR VALUES WITH (modulus 1, remainder 0)", None),
        (ids, None, early, Some("no older month tells")),
        (ids, None, "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)", None),
        (HASH, None, "FOR VALUES WITH (modulus 2, remainder 0)", Some("not every remainder")),
        (ids, Some(early), early, None),
        (ids, Some(early), late, Some("not by the bounds that public.t_2026_06 has")),
        (seen, None, early, Some("no older month tells")),
        (seen, Some(early), early, None),
        (weeks, None, early, Some("no older month tells")),
        (dates, Some("FOR VALUES IN ('2026-06-01')"), "FOR VALUES IN ('2026-07-01')", Some("they move on")),
        (LIST, Some("FOR VALUES IN ('eu')"), "FOR VALUES IN ('us')", Some("lacks bounds that public.t_2026_06 has")),
        (LIST, Some("FOR VALUES IN ('eu', NULL)"), "FOR VALUES IN ('us', NULL, 'eu')", None),
        (
            ("list", "LIST (day)", &["integer"]),
            Some("FOR VALUES IN (20260601)"),
            "FOR VALUES IN (20260701)",
            Some("FOR VALUES IN (20260601)"),
        ),
        (("range", "<locked: t_2026_07>", &["bigint"][..]), None, early, Some("cannot be read now")),
    ] {
        let older = older.map(|bound| below("t_2026_06", key, &[bound])).unwrap_or_default();
        let found = august(&table(&older, &below("t_2026_07", key, &[newer])));
        match said {
            Some(said) => assert!(found.clone().is_err_and(|why| why.contains(said)), "{key:?}: {found:?}"),
            None => assert_eq!(found.map(|all| all.len()), Ok(2), "{key:?}"),
        }
    }
}

#[test]
fn bounds_that_may_be_of_one_month_are_told() {
    let part = |month: &str, key, bounds: &[&str]| {
        let names: Vec<String> = (0..bounds.len()).map(|nr| format!("{month}_p{nr}")).collect();
        level(month, key, &names.iter().map(String::as_str).zip(bounds.iter().copied()).collect::<Vec<_>>())
    };
    let (eu, us, rest) = ("FOR VALUES IN ('eu')", "FOR VALUES IN ('us')", "DEFAULT");
    let (low, high) = ("FOR VALUES FROM (MINVALUE) TO (5)", "FOR VALUES FROM (5) TO (MAXVALUE)");
    let ids = ("range", "RANGE (id)", &["bigint"][..]);
    for (key, older, newer, said) in [
        (LIST, &[][..], &[eu][..], "no older month tells"),
        (LIST, &[eu, us], &[eu, us], ""),
        (LIST, &[eu, us, rest], &[eu, rest], "FOR VALUES IN ('us') must not go to DEFAULT: public.t_2026_06"),
        (LIST, &[eu], &[eu, rest], ""),
        (
            HASH,
            &[],
            &["WITH (modulus 2, remainder 1)", "WITH (modulus 4, remainder 0)", "WITH (modulus 4, remainder 2)"],
            "",
        ),
        (ids, &[], &[low, high], "no older month tells"),
        (ids, &[], &["FOR VALUES FROM (1) TO (5)", rest], "no older month tells"),
    ] {
        let all = table(&part("t_2026_06", key, older), &part("t_2026_07", key, newer));
        let earlier = Some(&all[0]).filter(|row| !row.is_leaf);
        let below =
            Below::of(&grouped(&all), &all[1], earlier, "at").expect("it is copied").expect("it is partitioned");
        let doubts = below.doubts().join("; ");
        assert!(doubts.contains(said) && doubts.is_empty() == said.is_empty(), "{newer:?}: {doubts}");
    }
}

#[test]
fn what_is_no_plain_partition_is_told() {
    let change = |change: fn(&mut Partition)| {
        let mut newer = level("t_2026_07", HASH, &[("t_2026_07_p0", "FOR VALUES WITH (modulus 1, remainder 0)")]);
        change(&mut newer[0]);
        august(&table(&[], &newer)).expect_err("it is refused")
    };
    assert!(change(|row| row.is_foreign = true).contains("t_2026_07_p0, below public.t_2026_07, is a foreign table"));
    assert!(change(|row| row.is_detach_pending = true).contains("is half detached"));
    assert!(change(|row| row.is_leaf = false).contains("has no partitions"));
    assert!(change(|row| row.name = Some("eu".to_owned())).contains("does not hold its month"));
    let long = change(|row| row.name = Some(format!("t_2026_07_{}", "p".repeat(54))));
    assert!(long.contains("64 bytes"), "{long}");
}
