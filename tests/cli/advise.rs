//! `advise` where nobody can be asked: what is refused, and why.

use super::{Desk, fixture};

#[test]
fn advice_needs_a_planner_and_a_workload() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let from = ["advise", "--from", shop.to_str().expect("UTF-8")];
    for (args, told) in [
        (vec![], "a snapshot has no planner to be asked\n  next: name a copy of the database"),
        (vec!["--what-if", "host=/nowhere dbname=copy"], "no socket there"),
        (vec!["--what-if", "copy"], "`copy` is no URL and no key=value pair"),
        (vec!["--budget", "2 parsecs"], "budget: \"parsecs\" is not a unit of bytes"),
        (vec!["--max-indexes", "0"], "0 is not in 1.."),
        (vec!["--weigh-by", "rows"], "possible values: time, calls"),
        (vec!["--explain", "1", "--format", "json"], "cannot be used with"),
        (vec!["host=db1"], "cannot be used with"),
    ] {
        let said = desk.run(&[&from[..], &args].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
}

#[test]
fn the_config_says_how_to_advise_and_is_checked() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let from = ["advise", "--from", shop.to_str().expect("UTF-8")];
    for (config, told) in [
        ("advise: {what_if: \"host=/nowhere dbname=copy\"}\n", "no socket there"),
        ("advise: {budget: 1 parsec}\n", "budget: \"parsec\" is not a unit of bytes"),
        ("advise: {max_indexes: 0}\n", "pgassay.yaml:1:10: max_indexes should be at least 1"),
        ("advise: {weigh_by: rows}\n", "unknown variant `rows`"),
        ("advise: {what_if: \"postgres://u:S3cret@copy/d\"}\n", "what_if holds a password"),
    ] {
        desk.write("pgassay.yaml", config);
        let said = desk.run(&from);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{config}");
        assert!(said.err.contains(told), "{config}\n  wanted: {told}\n  said: {}", said.err);
        assert!(!said.err.contains("S3cret"));
    }
}
