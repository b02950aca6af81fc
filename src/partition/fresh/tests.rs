//! Tables as they are described, and what is refused.

use super::*;
use crate::ddl::fresh;

fn order(by: &str, unit: Option<Unit>) -> Order {
    let first = "2027-12".parse().expect("a month");
    Order { name: Name::new("log", "calls"), by: by.to_owned(), unit, first, ahead: 2 }
}

/// The DDL of a table of these columns, and why there is none.
fn of(columns: &[&str], primary_key: &[&str], by: &str, unit: Option<Unit>) -> Result<String, String> {
    let columns: Vec<String> = columns.iter().map(|text| (*text).to_owned()).collect();
    let primary_key: Vec<String> = primary_key.iter().map(|text| (*text).to_owned()).collect();
    described(&columns, &primary_key, &order(by, unit)).map(|blueprint| fresh(&blueprint))
}

#[test]
fn the_key_is_in_the_primary_key_and_months_meet() {
    let sql = of(&["id bigint generated always as identity -- ours", "at timestamptz not null"], &[], "at", None)
        .expect("DDL");
    assert_eq!(
        sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n"),
        "CREATE TABLE log.calls (\n  id bigint generated always as identity -- ours\n  ,\n  at timestamptz not null,\n  PRIMARY KEY (id, at)\n\
         ) PARTITION BY RANGE (at);\n\
         CREATE TABLE log.calls_2027_12 PARTITION OF log.calls FOR VALUES FROM ('2027-12-01 00:00:00+00') TO ('2028-01-01 00:00:00+00');\n\
         CREATE TABLE log.calls_2028_01 PARTITION OF log.calls FOR VALUES FROM ('2028-01-01 00:00:00+00') TO ('2028-02-01 00:00:00+00');\n\
         CREATE TABLE log.calls_2028_02 PARTITION OF log.calls FOR VALUES FROM ('2028-02-01 00:00:00+00') TO ('2028-03-01 00:00:00+00');"
    );
    assert!(sql.contains("-- (id) alone is unique by month only: the key must be in it"), "{sql}");
}

#[test]
fn each_key_has_bounds_of_its_own() {
    for (column, unit, bound) in [
        ("k date", None, "FROM ('2027-12-01') TO ('2028-01-01')"),
        ("k timestamp", None, "FROM ('2027-12-01 00:00:00') TO ('2028-01-01 00:00:00')"),
        ("k bigint", Some(Unit::Millis), "FROM ('1827619200000') TO ('1830297600000')"),
        ("k int", Some(Unit::Seconds), "FROM ('1827619200') TO ('1830297600')"),
        ("k uuid", None, "FROM ('01a98697-dc00-0000-0000-000000000000')"),
    ] {
        let sql = of(&[column], &[], "k", unit).expect("DDL");
        assert!(sql.contains(bound), "{column}: {sql}");
        assert!(sql.contains("k ") && sql.contains("NOT NULL"), "{sql}");
    }
    let sql = of(&["k uuid"], &["k"], "k", None).expect("DDL");
    assert!(sql.contains("PRIMARY KEY (k)\n") && !sql.contains("unique by month"), "{sql}");
}

#[test]
fn what_cannot_be_is_refused() {
    for (columns, primary_key, by, unit, why) in [
        (vec!["id int primary key", "at date"], vec![], "at", None, "say --primary-key id"),
        (vec!["at date, id int"], vec![], "at", None, "no definition of a column"),
        (vec!["at date"], vec![], "id", None, "no --column describes id"),
        (vec!["at date"], vec!["id"], "at", None, "no --column describes id"),
        (vec!["at bigint"], vec![], "at", None, "--epoch s, ms, us or ns"),
        (vec!["at int"], vec![], "at", Some(Unit::Millis), "holds seconds at most"),
        (vec!["at text"], vec![], "at", None, "is of type text, which tells no time"),
        (vec!["at text"], vec![], "at", Some(Unit::Seconds), "tells no time"),
        (vec!["d date", "at date generated always as (d) stored"], vec![], "at", None, "is generated"),
    ] {
        let error = of(&columns, &primary_key, by, unit).expect_err("refused");
        assert!(error.contains(why), "{columns:?}: {error}");
    }
}

#[test]
fn indexes_are_named_after_the_new_table() {
    let renamed = |index: &str, old: &str| renamed(index, &Name::new("log", old), &Name::new("log", "calls"));
    assert_eq!(renamed("events_at_idx", "events").as_deref(), Some("calls_at_idx"));
    assert_eq!(renamed("idx_events_at", "events"), None);
    assert_eq!(renamed("eventsat", "events"), None);
    assert_eq!(renamed(&format!("e_{}", "x".repeat(61)), "e"), None);
    assert_eq!(renamed("idx_calls", "calls").as_deref(), Some("idx_calls"));
    let elsewhere = super::renamed("idx_events", &Name::new("old", "events"), &Name::new("log", "calls"));
    assert_eq!(elsewhere.as_deref(), Some("idx_events"));
}
