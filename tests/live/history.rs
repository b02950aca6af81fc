//! A history in a database: made once by its owner, written by many at a time who may do nothing else, read back as it
//! was written, and kept to its months.

use crate::support::{CORNER, Outcome, Pooler, Site, newest, oldest, root};
use chrono::{DateTime, TimeDelta, Utc};
use pgassay::demo::Binaries;
use pgassay::model::snapshot::Snapshot;
use pgassay::store::{read_snapshot, write_snapshot};
use serde_json::Value;

const ROLES: &str = "create role keeper login; create role teller login";

/// A corner shop with a history, and snapshots to put in it.
struct Past {
    site: Site,
    shop: Snapshot,
}

impl Past {
    async fn open(binaries: &Binaries) -> Self {
        let site = Site::with(binaries, ROLES).await;
        let path = root().join("fixtures/snapshots/shop.json.zst");
        let mut shop = read_snapshot(&path).expect("a snapshot");
        shop.captured_at = site
            .text("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            .await
            .parse()
            .expect("a time");
        Self { site, shop }
    }

    async fn made(binaries: &Binaries) -> Self {
        let past = Self::open(binaries).await;
        past.history(&past.site.dsn(), &["init", "--yes", "--writer", "keeper", "--reader", "teller"]).expect(0);
        past
    }

    fn dsn(&self, role: &str) -> String {
        self.site.cluster.dsn(role, CORNER)
    }

    fn history(&self, dsn: &str, args: &[&str]) -> Outcome {
        let state = self.site.state().display().to_string();
        let state = if matches!(args[0], "init" | "prune") { vec!["--state", &state] } else { Vec::new() };
        self.site.yard.pgassay(&[&["history"], args, &["--history", dsn], &state].concat()).run()
    }

    /// Writes the shop as it was at that time to a file.
    fn file(&self, at: DateTime<Utc>) -> String {
        let name = format!("{}.json.zst", at.timestamp_micros());
        let then = Snapshot { captured_at: at, ..self.shop.clone() };
        write_snapshot(&self.site.yard.path().join(&name), &then).expect("written");
        name
    }

    fn keep(&self, file: &str) -> Outcome {
        let dsn = self.dsn("keeper");
        self.site.yard.pgassay(&["audit", "--from", file, "--fail-on", "never", "--history", &dsn]).run()
    }

    fn runs(&self) -> Vec<Value> {
        let outcome = self.history(&self.dsn("teller"), &["list", "--format", "json"]).expect(0);
        let list: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        list["runs"].as_array().expect("runs").clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_by_its_owner_written_by_many_and_read_as_it_was() {
    for binaries in [oldest(), newest()] {
        let past = Past::open(&binaries).await;
        let file = past.file(past.shop.captured_at);
        let early = past.keep(&file);
        assert_eq!(early.code, Some(2), "{early:?}");
        assert!(early.stderr.contains("there is no history in") && early.stderr.contains("history init"), "{early:?}");
        assert!(early.stdout.contains("sequence_exhaustion"), "the report is not lost");

        let owner = past.site.dsn();
        let first = past.history(&owner, &["init", "--yes", "--writer", "keeper", "--reader", "teller"]).expect(0);
        assert!(first.stdout.starts_with("version 1 made\n"), "{first:?}");
        let again = past.history(&owner, &["init", "--yes"]).expect(0);
        assert!(again.stdout.starts_with("schema up to date\nnothing to do"), "{again:?}");

        // Eight at a time, one of them twice.
        let files: Vec<String> =
            (0..8).map(|second| past.file(past.shop.captured_at + TimeDelta::seconds(second))).collect();
        std::thread::scope(|scope| {
            for file in files.iter().chain(&files[..1]) {
                scope.spawn(|| past.keep(file).expect(0));
            }
        });
        let runs = past.runs();
        assert_eq!(runs.len(), 8, "{runs:#?}");
        let times: Vec<_> = runs.iter().map(|run| run["captured_at"].as_str()).collect();
        assert!(times.is_sorted());

        // What was written is what is read.
        let name = runs[0]["name"].as_str().expect("a name");
        past.history(&past.dsn("teller"), &["show", name, "-o", "back.json"]).expect(0);
        assert_eq!(read_snapshot(&past.site.yard.path().join("back.json")), Ok(past.shop.clone()));
        let trend = past.history(&past.dsn("teller"), &["trend", "--format", "json"]).expect(0);
        let trend: Value = serde_json::from_str(&trend.stdout).expect("JSON");
        assert_eq!((&trend["runs"], &trend["windows"]), (&8.into(), &7.into()));

        // Who writes may not read, who reads may not write.
        past.history(&past.dsn("keeper"), &["list"]).expect_unable(&["permission denied for table run", "--reader"]);
        let file = past.file(past.shop.captured_at + TimeDelta::seconds(60));
        let teller = past.dsn("teller");
        let refused = past.site.yard.pgassay(&["audit", "--from", &file, "--history", &teller]).run();
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains("permission denied for table run"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_are_partitions_like_any_others() {
    let past = Past::made(&newest()).await;
    let months = "select count(*) from pg_inherits where inhparent = 'pgassay.run'::regclass";
    assert_eq!(past.site.text(months).await, "4", "the current one, and three");

    let old = past.shop.captured_at - TimeDelta::days(200);
    let month = old.format("%Y-%m").to_string();
    let file = past.file(old);
    let refused = past.keep(&file);
    assert!(refused.stderr.contains(&format!("has no partition for {month}")), "{refused:?}");
    let (owner, state) = (past.site.dsn(), past.site.state().display().to_string());
    let create =
        ["partition", "create", "pgassay.run", &owner, "--from", &month, "--to", &month, "--state", &state, "--yes"];
    past.site.yard.pgassay(&create).run().expect(0);
    past.keep(&file).expect(0);
    past.keep(&past.file(past.shop.captured_at)).expect(0);
    let maintain = ["partition", "maintain", &owner, "--table", "pgassay.run", "--state", &state, "--yes"];
    assert!(past.site.yard.pgassay(&maintain).run().expect(0).stdout.starts_with("nothing to do"));

    let dry = past.history(&owner, &["prune", "--keep", "90d"]);
    assert_eq!((dry.code, past.runs().len()), (Some(0), 2), "{dry:?}");
    assert!(dry.stdout.contains("DETACH PARTITION pgassay.run_"), "{dry:?}");
    past.history(&owner, &["prune", "--keep", "90d", "--yes"]).expect(0);
    assert_eq!(past.runs().len(), 1);
    let alone = "select count(*) from pg_class where relname like 'run\\_2%' and relkind = 'r' and not relispartition";
    assert_eq!(past.site.text(alone).await, "1", "it is detached first, and dropped a week later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_looked_at_and_the_script_does_the_same() {
    let past = Past::open(&newest()).await;
    let printed =
        past.site.yard.pgassay(&["history", "init", "--writer", "keeper", "--reader", "teller"]).run().expect(0);
    past.site.admin.execute(&printed.stdout).await.expect("a script that runs");
    past.history(&past.site.dsn(), &["init", "--yes"]).expect(0);
    past.keep(&past.file(past.shop.captured_at)).expect(0);
    assert_eq!(past.runs().len(), 1);

    past.site.admin.execute("insert into pgassay.migration (version, tool) values (99, 'later')").await.expect("added");
    for (role, args) in [("teller", &["list"][..]), ("teller", &["trend"])] {
        past.history(&past.dsn(role), args).expect_unable(&["has version 99, this program knows 1", "newer one"]);
    }
    let owner = past.site.dsn();
    past.history(&owner, &["init", "--yes"]).expect_unable(&["has version 99"]);
    assert!(past.keep(&past.file(past.shop.captured_at + TimeDelta::seconds(1))).stderr.contains("has version 99"));
    past.history(&past.dsn("teller"), &["init", "--yes"]).expect_unable(&[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_make_it_at_once_make_it_once_and_a_pooler_may_stand_between() {
    let past = Past::open(&newest()).await;
    let owner = past.site.dsn();
    let outcomes = std::thread::scope(|scope| {
        let both = [(), ()].map(|()| scope.spawn(|| past.history(&owner, &["init", "--yes", "--writer", "clerk"])));
        both.map(|one| one.join().expect("it ran"))
    });
    // Months are made by one at a time: the other is told so, or finds them.
    for outcome in &outcomes {
        let is_told = outcome.code == Some(0) || outcome.stderr.contains("another run");
        assert!(is_told, "{outcomes:#?}");
    }
    past.history(&owner, &["init", "--yes", "--reader", "teller"]).expect(0);
    assert_eq!(past.site.text("select count(*) from pgassay.migration").await, "1");
    assert_eq!(past.site.text("select count(*) from pg_inherits where inhparent = 'pgassay.run'::regclass").await, "4");

    let pooler = Pooler::start(&past.site.yard, &past.site.cluster);
    let pooled = format!("host={} port={} dbname={CORNER} user=clerk", pooler.folder.display(), pooler.port);
    for second in 0..3 {
        let file = past.file(past.shop.captured_at + TimeDelta::seconds(second));
        let keep = ["audit", "--from", &file, "--fail-on", "never", "--history", &pooled];
        past.site.yard.pgassay(&keep).run().expect(0);
    }
    assert_eq!(past.runs().len(), 3);
    let session = pooler.session("clerk").await;
    for (name, value) in [("search_path", "\"$user\", public"), ("statement_timeout", "0"), ("lock_timeout", "0")] {
        let shown = session.value(&format!("show {name}")).await.expect("a setting");
        assert_eq!(shown.as_deref(), Some(value), "{name}: nothing of ours stays in the session");
    }
    session.close().await;
}
