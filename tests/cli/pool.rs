//! `pool` where nobody can be watched: what is refused, and why; and what a snapshot holds.

use super::{Desk, fixture};

#[test]
fn mistakes_are_told_before_anything_is_watched() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let shop = shop.to_str().expect("UTF-8");
    for (args, told) in [
        (vec!["--pgbouncer", "host=/nowhere user=stats"], "cannot connect to /nowhere:6432/pgbouncer"),
        (vec!["--pgbouncer", "postgres://db1/shop"], "--pgbouncer: the console is the database `pgbouncer`"),
        (vec!["--pgbouncer", "host=a,b"], "--pgbouncer: several hosts are several consoles"),
        (vec!["host=/nowhere", "--sample", "1 fortnight"], "sample: \"fortnight\" is not a unit of time"),
        (vec!["host=/nowhere", "--target-wait", "0"], "target-wait: `0` should be between 10us and 1min"),
        (vec!["host=/nowhere", "--cores", "0"], "0 is not in 1.."),
        (vec!["host=/nowhere"], "no socket there"),
        (vec!["--watch", "--until-saturated"], "cannot be used with"),
        (vec!["--from", shop, "--watch"], "cannot be used with"),
        (vec!["--from", shop], "no sessions and no PgBouncer were watched for this snapshot\n  next: "),
        (vec!["--format", "sarif"], "possible values: table, json, prometheus"),
    ] {
        let said = desk.run(&[&["pool"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
}

#[test]
fn the_config_names_consoles_and_is_checked() {
    let desk = Desk::new();
    for (config, told) in [
        ("targets: {shop: {url: host=/nowhere, pgbouncers: ['host=/elsewhere user=stats']}}\n", "/nowhere"),
        ("targets: {shop: {url: host=/nowhere, pgbouncers: ['postgres://stats:S3cret@db1']}}\n", "holds a password"),
        ("targets: {shop: {url: host=/nowhere, pgbouncers: ['host=a dbname=b']}}\n", "--pgbouncer: the console is"),
        ("targets: {shop: {url: host=/nowhere}}\npool: {cores: 0}\n", "pgassay.yaml:2:8: cores should be at least 1"),
        ("targets: {shop: {url: host=/nowhere}}\npool: {target_wait: soon}\n", "target-wait: \"soon\" is not a number"),
    ] {
        desk.write("pgassay.yaml", config);
        let said = desk.run(&["pool", "shop"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{config}");
        assert!(said.err.contains(told), "{config}\n  wanted: {told}\n  said: {}", said.err);
        assert!(!said.err.contains("S3cret"));
    }
}
