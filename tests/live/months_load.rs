//! Months made, retired and attached again under a constant load: every acknowledged row is there exactly once, no
//! statement fails, and the longest is told.

use crate::support::{CORNER, Load, Site, load_table, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_under_load() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(&binaries, &load_table(4, 2_000)).await;
        let load = Load::start(&site.cluster, CORNER, 2).await;
        let mut told = Vec::new();
        let steps: [(&str, &[&str]); 5] = [
            ("create", &["partition", "create", "load.calls", "--months", "6"]),
            ("retire", &["partition", "retire", "load.calls", "--keep", "2 months"]),
            ("attach again", &["apply", "undo"]),
            ("drop what was made", &["apply", "undo"]),
            ("create again", &["partition", "create", "load.calls", "--months", "2"]),
        ];
        for (what, words) in steps {
            let before = load.statements();
            load.worst_ms();
            let (first, rest) = words.split_at(if words[0] == "partition" { 3 } else { 2 });
            // The target comes behind the table.
            let state = site.state().display().to_string();
            let dsn = site.dsn();
            let all = [first, &[dsn.as_str()], rest, &["--state", &state, "--yes"]].concat();
            site.yard.pgassay(&all).run().expect(0);
            told.push(format!("{what}: {:.1} ms", load.worst_ms()));
            assert!(load.statements() > before, "the load went on");
        }
        let account = load.end().await;
        println!("{major}: worst statement of {}: {}", account.statements, told.join(", "));
        site.has_all_of(&account).await;
        assert_eq!(site.text("select count(*) from load.calls where id < 0").await, "10000", "{major}");
        assert_eq!(site.text("select count(*) from pg_inherits where inhparent = 'load.calls'::regclass").await, "7");
    }
}
