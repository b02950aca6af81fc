//! `history` over a folder: what is kept, listed, shown and removed, and what is refused.

use super::{Desk, fixture};
use pgassay::model::history::Run;
use pgassay::store::{Folder, read_snapshot, write_snapshot};
use serde_json::Value;
use std::fs;

/// A desk with runs of the shop in `past`: one for each number of days ago.
fn with_runs(days: &[i64]) -> Desk {
    let desk = Desk::new();
    let shop = read_snapshot(&fixture("snapshots/shop.json.zst")).expect("a snapshot");
    for day in days {
        let mut then = shop.clone();
        then.captured_at -= chrono::TimeDelta::days(*day);
        write_snapshot(&desk.folder.path().join("then.json.zst"), &then).expect("written");
        let said = desk.run(&["audit", "--from", "then.json.zst", "--history", "past", "--fail-on", "never"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
    }
    desk
}

fn listed(desk: &Desk) -> Value {
    let said = desk.run(&["history", "list", "--history", "past", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    serde_json::from_str(&said.out).expect("JSON")
}

#[test]
fn an_audit_keeps_what_it_read_and_found() {
    let desk = with_runs(&[0, 1]);
    let list = listed(&desk);
    let runs = list["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    assert!(runs[0]["captured_at"].as_str() < runs[1]["captured_at"].as_str(), "the oldest first");
    assert_eq!(runs[0]["findings"]["exit_code"], 0);
    assert!(runs[0]["findings"]["critical"].as_u64() > Some(0), "{list:#}");
    let name = runs[1]["name"].as_str().expect("a name");

    // The file is a snapshot like any other, and judged by it the run is what it was.
    let file = format!("past/{name}.json.zst");
    let (then, now) = (desk.run(&["audit", "--from", &file]), desk.audit(&[]));
    assert_eq!((then.code, then.out), (now.code, now.out));

    let said = desk.run(&["history", "show", name, "--history", "past", "-o", "again.json"]);
    assert!(said.out.contains("found then: ") && said.out.contains("pgassay audit --from again.json"), "{}", said.out);
    let again = read_snapshot(&desk.folder.path().join("again.json")).expect("a snapshot");
    assert_eq!(again, read_snapshot(&fixture("snapshots/shop.json.zst")).expect("a snapshot"));
}

#[test]
fn prune_says_what_would_go_removes_what_is_old_and_touches_nothing_else() {
    let desk = with_runs(&[0, 10, 80, 100]);
    desk.write("past/notes.txt", "mine");
    desk.write("past/20200101T000000Z_shop_0a1b2c3d.json.zst", "damaged");
    let prune = |more: &[&str]| desk.run(&[&["history", "prune", "--history", "past", "--keep", "30d"], more].concat());
    let said = prune(&[]);
    assert!(said.out.contains("2 of 4 runs would go; nothing was removed"), "{}", said.out);
    assert_eq!(listed(&desk)["runs"].as_array().map(Vec::len), Some(4));
    let said = prune(&["--yes"]);
    assert!(said.code == 0 && said.out.contains("2 of 4 runs removed"), "{}", said.out);
    assert_eq!(listed(&desk)["runs"].as_array().map(Vec::len), Some(2));
    assert!(prune(&["--yes"]).out.starts_with("nothing to do"));
    assert_eq!(prune(&["--yes", "--quiet"]).out, "");
    assert_eq!(listed(&desk)["strangers"].as_array().map(Vec::len), Some(2), "what is not ours is left alone");
    assert_eq!(fs::read_dir(desk.folder.path().join("past")).expect("listed").count(), 4);
}

#[test]
fn a_list_for_people_names_targets_and_what_is_left_alone() {
    let desk = with_runs(&[0]);
    desk.write("past/notes.txt", "mine");
    let said = desk.run(&["history", "list", "shop", "--history", "past"]);
    for part in [
        "1 run in past",
        "shop@",
        " critical, ",
        "LEFT ALONE, as no runs that this program reads: 1",
        "notes.txt: no run by its name",
    ] {
        assert!(said.out.contains(part), "`{part}` should be in: {}", said.out);
    }
}

#[test]
fn the_config_says_where_and_how_long() {
    let desk = with_runs(&[0, 5]);
    desk.write("ops/pgassay.yaml", "history: {store: ../past, keep: 1d}\n");
    let said = desk.run(&["--config", "ops/pgassay.yaml", "history", "prune", "--yes"]);
    assert!(said.out.contains("1 of 2 runs removed"), "{} {}", said.out, said.err);
    // A replay of a run is no new one.
    let shop = fixture("snapshots/healthy_16.json.zst");
    let replay = ["--config", "ops/pgassay.yaml", "audit", "--fail-on", "never", "--from", shop.to_str().unwrap()];
    assert_eq!(desk.run(&replay).code, 0);
    assert_eq!(listed(&desk)["runs"].as_array().map(Vec::len), Some(1));
}

/// A desk with a run an hour; blocks per call of every statement grow at the end.
fn with_work(hours: i64) -> Desk {
    let desk = Desk::new();
    let shop = read_snapshot(&fixture("snapshots/shop.json.zst")).expect("a snapshot");
    for hour in 0..hours {
        let mut then = shop.clone();
        then.captured_at += chrono::TimeDelta::hours(hour);
        for row in &mut then.statements {
            row.counters.calls += 100 * hour;
            row.counters.shared_blocks_hit += 10_000 * hour + 20_000 * (hour - 12).max(0);
        }
        Folder::at(&desk.folder.path().join("past"))
            .keep(&Run::of(&then, then.captured_at, None), &then)
            .expect("kept");
    }
    desk
}

#[test]
fn trends_are_told_and_gate_when_asked() {
    let desk = with_work(25);
    desk.write("past/20990101T000000Z_shop_0a1b2c3d.json.zst", "damaged");
    let trend = |more: &[&str]| desk.run(&[&["history", "trend", "--history", "past"], more].concat());
    let said = trend(&[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("degrading  blocks_per_call  q:"), "{}", said.out);
    assert!(said.out.contains("--every 1d"), "hours are set beside other hours: {}", said.out);
    assert_eq!(trend(&["--fail-on", "degrading"]).code, 1);
    for more in [["--metric", "rows_per_call"], ["--of", "database"], ["--object", "q:none*"], ["--last", "12"]] {
        let all = [&more[..], &["--fail-on", "degrading"]].concat();
        assert_eq!(trend(&all).code, 0, "{more:?}");
    }
    let json = |more: &[&str]| -> Value {
        serde_json::from_str(&trend(&[more, &["--format", "json"]].concat()).out).expect("JSON")
    };
    assert_eq!(json(&["--every", "6h"])["runs"], 5);
    assert_eq!(json(&["--every", "6h"])["windows"], 4);
}

#[test]
fn mistakes_are_told() {
    let desk = with_runs(&[0, 1]);
    for (args, told) in [
        (&["list"][..], "which history? Name the folder"),
        (&["list", "--history", "nowhere"], "nowhere: No such file or directory"),
        (&["list", "crm", "--history", "past"], "no run of `crm` in past; there is shop@"),
        (&["show", "1999", "--history", "past"], "no run 1999 in past; `pgassay history list` shows all"),
        (&["show", "20", "--history", "past"], "2 runs begin with 20"),
        (
            &["trend", "--history", "past", "--metric", "ms_per_cal"],
            "no metric `ms_per_cal` — did you mean `ms_per_call`?; there are blocks_per_call, ",
        ),
        (&["trend", "--history", "past", "--change", "100"], "a number from 0 to less than 100"),
        (&["trend", "--history", "past", "--every", "soon"], "every: \"soon\" is not a number"),
        (&["prune", "--history", "past"], "how long are runs kept? Say so with --keep 90d"),
        (&["prune", "--history", "past", "--keep", "long"], "keep: \"long\" is not a number"),
    ] {
        let said = desk.run(&[&["history"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
}

#[test]
fn a_database_is_told_from_a_folder_and_prepared_only_when_asked() {
    let desk = Desk::new();
    let said = desk.run(&["history", "init", "--writer", "Au ditor"]);
    assert_eq!(said.code, 0);
    assert!(said.out.starts_with("begin;\n") && said.out.ends_with("commit;\n"), "{}", said.out);
    assert!(said.out.contains("grant insert on pgassay.run to \"Au ditor\";"), "{}", said.out);
    assert!(said.err.contains("nothing was done: --yes does it"), "{}", said.err);
    for (args, told) in [
        (&["init", "--yes"][..], "which history?"),
        (&["init", "--yes", "--history", "past"], "past is a folder, which needs no preparation"),
        (&["list", "--history", "host=/nowhere dbname=ops"], "cannot connect to /nowhere:5432/ops"),
        (&["list", "--history", "postgres://h:port/ops"], "--history: "),
        (&["prune", "--history", "host=/nowhere", "--keep", "soon"], "keep: \"soon\" is not a number"),
    ] {
        let said = desk.run(&[&["history"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.contains(told), "{args:?}\n  wanted: {told}\n  said: {}", said.err);
    }
    desk.write("pgassay.yaml", "history: {store: 'postgres://u:S3cret@h/d'}\n");
    let said = desk.run(&["history", "list"]);
    assert!(
        said.err.contains("pgassay.yaml:1:11: store holds a password") && !said.err.contains("S3cret"),
        "{}",
        said.err
    );
}

#[test]
fn a_page_holds_sql_and_with_a_history_the_trends_of_earlier_runs() {
    let desk = with_runs(&[2, 1]);
    let page = |more: &[&str]| {
        let said = desk.audit(&[&["--fail-on", "never", "--format", "html"], more].concat());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{more:?}");
        said.out
    };
    let alone = page(&[]);
    assert!(alone.starts_with("<!doctype html>") && alone.contains("CONCURRENTLY") && alone.contains("<h4>Undo</h4>"));
    assert!(!alone.contains("Trends</h3>"));
    assert!(page(&["--history", "past"]).contains(": 3 runs from "), "this run is among them");
    assert!(!page(&["--history", "begun"]).contains("Trends</h3>"), "the first run has no earlier ones");
    desk.write("broken", "no folder");
    let said = desk.audit(&["--history", "broken", "--format", "html"]);
    assert!(said.err.contains("warning: no trends in the page: ") && said.out.contains("</html>"), "{}", said.err);
}
