//! `init`: what it prints is taken by whom it is for.

use super::{Desk, fixture};

#[test]
fn the_config_is_one_that_an_audit_runs_with() {
    let desk = Desk::new();
    let config = desk.run(&["init", "config"]);
    assert_eq!((config.code, config.err.as_str()), (0, ""));
    desk.write("pgassay.yaml", &config.out);
    let shop = fixture("snapshots/shop.json.zst");
    let said = desk.run(&["audit", "--from", shop.to_str().expect("UTF-8"), "--fail-on", "never"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_role_without_a_server_or_a_name_is_refused() {
    let desk = Desk::new();
    for (args, told) in [
        (vec!["host=/nowhere"], "no socket there"),
        (vec!["host=/nowhere", "--role", ""], "--role: write a name without $"),
        (vec!["host=/nowhere", "--role", "a$pgassay$b"], "--role: write a name without $"),
    ] {
        let said = desk.run(&[&["init", "role"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.contains(told), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_nightly_audit_that_could_not_run_is_refused() {
    let desk = Desk::new();
    desk.write("pgassay.yaml", "targets: {shop: {url: host=/nowhere}}\n");
    for (args, told) in [
        (vec![], "required arguments were not provided"),
        (vec!["postgres://me:S3cret@db1/shop"], "the target holds a password"),
        (vec!["other"], "no target `other` in the config"),
        (vec!["host=/run\nrm -rf /"], "TARGET: it holds a line break"),
        (vec!["shop", "--keep", "1s"], "--keep: `1s` should be between 1min and 100 years"),
        (vec!["shop", "--keep", "soon"], "--keep: \"soon\" is not a number"),
        (vec!["shop", "--at", "24:00"], "--at: `24:00` should be an hour and a minute"),
        (vec!["shop", "--mail", "a@b", "--hook", "c"], "cannot be used with"),
    ] {
        let said = desk.run(&[&["init", "cron"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(told) && !said.err.contains("S3cret"), "{args:?}: {}", said.err);
    }
    // Printed, each file says where it is to be; the config is named with its path.
    let said = desk.run(&["init", "cron", "shop"]);
    assert_eq!((said.code, said.out.matches("# ===== /etc/pgassay/").count()), (0, 4), "{}", said.err);
    assert!(said.out.contains("/pgassay.yaml audit shop \"$@\""), "{}", said.out);
}
