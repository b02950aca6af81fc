//! `diff` of stored snapshots: what is refused, and why.

use super::{Desk, fixture};

#[test]
fn what_says_nothing_is_refused() {
    let desk = Desk::new();
    let path = |name: &str| fixture(&format!("snapshots/{name}.json.zst")).to_str().expect("UTF-8").to_owned();
    let (shop, healthy) = (path("shop"), path("healthy_16"));
    for (args, told) in [
        (vec![shop.as_str(), &shop], "was not taken after the one of"),
        (vec![&shop, "head.json.zst"], "head.json.zst: there is no such file"),
        (vec!["base.json.zst", &shop], "base.json.zst: No such file"),
        (vec![&shop, "production"], "`production` is no URL and no key=value pair"),
        (vec![&shop, &shop, "--only", "unused_index"], "no rule of --gate work is left"),
        (vec![&shop, &shop, "--only", "slower_calls"], "no rule of --gate work is left"),
        (vec![&shop, &shop, "--gate", "speed"], "possible values: work, time, plan"),
        (vec![&shop, &shop, "--param", "more_calls.min_rows=1"], "has no parameter `min_rows`"),
        (vec![&shop, &shop, "--fail-on", "info", "--min-severity", "critical"], "--fail-on would gate on findings"),
        (vec![&shop, &healthy], "statements in common, of 47 and 29: are they of the same application?"),
        (
            vec![&shop, &shop, "--head-since", &healthy],
            "the window of HEAD cannot be taken: they are of different servers",
        ),
    ] {
        let said = desk.run(&[&["diff"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
    let said = desk.run(&["audit", "--from", &shop, "--only", "regression"]);
    assert!(
        said.code == 2 && said.err.contains("what changed between two is judged by `pgassay diff`"),
        "{}",
        said.err
    );
}

#[test]
fn the_config_sets_the_gate() {
    let desk = Desk::new();
    let paths = ["shop_17", "shop_18"].map(|name| fixture(&format!("snapshots/{name}.json.zst")));
    let [base, head] = paths.each_ref().map(|path| path.to_str().expect("UTF-8"));
    let diff = |config: &str, more: &[&str]| {
        desk.write("pgassay.yaml", config);
        desk.run(&[&["diff", base, head], more].concat())
    };
    let said = diff("diff: {gate: time, fail_on: never}\nrules: {only: [index]}\n", &[]);
    assert_eq!(said.code, 0, "{}", said.err);
    let flat = said.out.replace('\n', " ");
    assert!(flat.contains("gate: time"), "{flat}");
    assert!(flat.contains("statements are matched by their texts, plans are not compared"), "{flat}");
    assert!(diff("diff: {gate: time, fail_on: never}\n", &["--gate", "work"]).out.contains("gate: work"));
    let said = diff("diff: {gate: plan}\n", &[]);
    assert!(said.code == 2 && said.err.contains("no statement has a plan in BASE and in HEAD"), "{}", said.err);
    let said = diff("diff: {gate: speed}\n", &[]);
    assert!(said.code == 2 && said.err.contains("pgassay.yaml:1"), "{}", said.err);
}
