//! `measure` where nothing can be measured: what is refused, and why.

use super::Desk;

#[test]
fn mistakes_are_told_before_anything_is_run() {
    let desk = Desk::new();
    desk.write("q.sql", "select 1\nfrom t\nfor update\n").write("two.sql", "select 1; select 2");
    desk.write("old.json", r#"{"measurement_version": 7}"#);
    let one = ["--sql", "select 1"];
    for (args, told) in [
        (vec![], "required arguments were not provided"),
        (vec!["--sql", "select 1", "--file", "q.sql"], "cannot be used with"),
        (vec!["--file", "q.sql"], "q.sql:3:1: it may not lock rows"),
        (vec!["--file", "two.sql"], "two.sql:1:11: it should be one SELECT, not 2 statements"),
        (vec!["--file", "none.sql"], "none.sql: No such file"),
        (vec!["--sql", "drop table t"], "--sql:1:1: it should be a SELECT or WITH"),
        (vec!["--sql", "select $1"], "--sql:1:8: $1 has no value"),
        ([&one[..], &["host=/nowhere"]].concat(), "no socket there"),
        ([&one[..], &["--iterations", "0"]].concat(), "0 is not in 1..=1000000"),
        ([&one[..], &["--clients", "65"]].concat(), "65 is not in 1..=64"),
        ([&one[..], &["--against", "a", "--baseline", "b"]].concat(), "cannot be used with"),
        ([&one[..], &["--baseline", "none.json"]].concat(), "none.json: No such file"),
        ([&one[..], &["--baseline", "old.json"]].concat(), "old.json: a measurement of version 7"),
        ([&one[..], &["host=/nowhere", "--against", "elsewhere"]].concat(), "--against: `elsewhere` is no URL"),
        ([&one[..], &["--format", "sarif"]].concat(), "possible values: table, json, markdown, csv"),
    ] {
        let said = desk.run(&[&["measure"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
}
