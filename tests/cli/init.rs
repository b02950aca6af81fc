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
