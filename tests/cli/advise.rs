//! `advise` where nobody can be asked: what is refused, and why.

use super::{Desk, fixture};

#[test]
fn what_cannot_be_done_is_told() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let from = ["advise", "--from", shop.to_str().expect("UTF-8")];
    for (args, told) in [
        (
            vec!["--explain", "1"],
            "no planner to show plans: a snapshot has no planner\n  next: create extension hypopg",
        ),
        (vec!["--what-if", "host=/nowhere dbname=copy"], "no socket there"),
        (vec!["--what-if", "copy"], "`copy` is no URL and no key=value pair"),
        (vec!["--budget", "2"], "budget: `2` has no unit: write it as in 2GB"),
        (vec!["--budget", "2 parsecs"], "budget: \"parsecs\" is not a unit of size"),
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
fn without_a_planner_the_estimate_answers() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    // A size that large is bytes, without a unit too.
    let from = ["advise", "--from", shop.to_str().expect("UTF-8"), "--format", "json", "--budget", "500000000"];
    let said = desk.run(&from);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.out);
    let advice: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(advice["account"]["budget_bytes"], 500_000_000);
    let proposals = advice["proposals"].as_array().expect("proposals");
    assert!(!proposals.is_empty(), "{advice:#}");
    for proposal in proposals {
        assert_eq!(
            (&proposal["planner_checked"], &proposal["hypopg_bytes"]),
            (&false.into(), &().into()),
            "{proposal:#}"
        );
        let codes = proposal["caveats"].as_array().expect("caveats").iter().map(|one| &one["code"]);
        assert!(codes.into_iter().any(|code| code == "not_planner_checked"), "{proposal:#}");
    }
    assert_eq!(advice["account"]["what_if_calls"], 0);
    assert_eq!(advice["account"]["estimate"], "a snapshot has no planner");
    let table = desk.run(&from[..3]);
    for words in [
        "no planner was asked",
        "not checked by the planner",
        "weighed by the built-in estimate",
        "(not_planner_checked)",
    ] {
        assert!(table.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words}: {}", table.out);
    }
}

#[test]
fn the_config_says_how_to_advise_and_is_checked() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let from = ["advise", "--from", shop.to_str().expect("UTF-8")];
    for (config, told) in [
        ("advise: {what_if: \"host=/nowhere dbname=copy\"}\n", "no socket there"),
        ("advise: {budget: 1 parsec}\n", "budget: \"parsec\" is not a unit of size"),
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
