//! `diff`: each way in which a version of an application can be worse is found, the same version twice is not,
//! and what cannot be compared is refused.

use crate::support::app::{Fault, deploy, seed, visits};
use crate::support::{Outcome, Yard, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};

/// Visits of a run: reports come with each tenth.
const VISITS: u64 = 60;

struct Stage {
    yard: Yard,
    cluster: Cluster,
}

impl Stage {
    async fn set(binaries: &Binaries) -> Self {
        let yard = Yard::open();
        let setup = with_statements().with("autovacuum_naptime", "5s");
        let cluster = yard.start(binaries, &setup);
        seed(&cluster).await;
        Self { yard, cluster }
    }

    /// A version of the application on a copy of the data, and what was counted of it.
    async fn run(&self, name: &str, fault: Option<Fault>, dice: u64) {
        deploy(&self.cluster, name, fault).await;
        visits(&self.cluster, name, fault, dice, VISITS).await;
        // Up to 14 scans of indexes arrive by way of the collector.
        let admin = self.cluster.session(name, SUPERUSER, "watch").await.expect("a session");
        until(&admin, "select idx_scan >= 60 from pg_stat_user_indexes where indexrelname = 'orders_placed_at_idx'")
            .await;
        admin.close().await;
        self.snapshot(name, name);
    }

    fn snapshot(&self, database: &str, file: &str) {
        let dsn = self.cluster.dsn(SUPERUSER, database);
        self.yard.pgassay(&["snapshot", &dsn, "-o", &format!("{file}.json.zst"), "--quiet"]).run().expect(0);
    }

    fn diff(&self, args: &[&str]) -> Outcome {
        self.yard.pgassay(&[&["diff"], args].concat()).run()
    }
}

/// `rule statement-or-object` of each finding that fails the gate.
fn regressions(outcome: &Outcome) -> Vec<String> {
    let report = outcome.report();
    let findings = report.0["findings"].as_array().expect("findings");
    let told = |finding: &serde_json::Value| {
        let object = &finding["object"];
        let about = object["statement"].as_str().or(object["name"].as_str()).expect("an object");
        format!(
            "{} {}",
            finding["rule"].as_str().expect("a rule"),
            about.split_whitespace().collect::<Vec<_>>().join(" ")
        )
    };
    findings.iter().filter(|finding| finding["severity"] != "info").map(told).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_regression_is_found_and_the_same_version_is_not() {
    for binaries in [oldest(), newest()] {
        let stage = Stage::set(&binaries).await;
        stage.run("base", None, 1).await;
        for dice in 2..=4 {
            let name = format!("same_{dice}");
            stage.run(&name, None, dice).await;
            let same = stage.diff(&["base.json.zst", &format!("{name}.json.zst"), "--format", "json"]).expect(0);
            assert_eq!(regressions(&same), Vec::<String>::new());
            assert_eq!(same.report().0["diff"]["new"], 0, "{}", same.stdout);
        }
        let mut missed = Vec::new();
        for fault in Fault::ALL {
            let name = format!("{fault:?}").to_lowercase();
            stage.run(&name, Some(fault), 3).await;
            let outcome = stage.diff(&["base.json.zst", &format!("{name}.json.zst"), "--format", "json"]);
            let (rule, part) = fault.finding();
            let found = regressions(&outcome);
            if outcome.code != Some(1) || !found.iter().any(|one| one.starts_with(rule) && one.contains(part)) {
                missed.push(format!("{fault:?} on {}: {found:#?}", stage.cluster.major));
            }
        }
        assert!(missed.is_empty(), "{}", missed.join("\n"));
    }
}

/// Twenty orders: whoever looks for one reads them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_an_index_can_serve_is_seen_on_little_data() {
    for binaries in [oldest(), newest()] {
        let stage = Stage::set(&binaries).await;
        for (name, fault) in [
            ("base", None),
            ("same", None),
            ("dropped", Some(Fault::DroppedIndex)),
            ("casting", Some(Fault::SequentialScan)),
        ] {
            deploy(&stage.cluster, name, fault).await;
            let owner = stage.cluster.session(name, SUPERUSER, "setup").await.expect("a session");
            owner.execute("delete from orders where id > 20").await.expect("deleted");
            owner.execute("vacuum full analyze orders").await.expect("small");
            owner.close().await;
            visits(&stage.cluster, name, fault, 1, 10).await;
            stage.snapshot(name, name);
        }
        let plan = |head: &str| stage.diff(&["base.json.zst", head, "--gate", "plan", "--format", "json"]);
        assert_eq!(regressions(&plan("same.json.zst").expect(0)), Vec::<String>::new());
        for head in ["dropped.json.zst", "casting.json.zst"] {
            let found = regressions(&plan(head).expect(1));
            let is_it =
                |one: &String| one.starts_with("index_no_longer_serves select id, total from orders where user_id");
            assert!(found.iter().any(is_it), "{head} on {}: {found:#?}", stage.cluster.major);
        }
        let dsn = stage.cluster.dsn(SUPERUSER, "same");
        let without = stage.yard.pgassay(&["diff", "base.json.zst", &dsn, "--gate", "plan", "--plans", "0"]).run();
        without.expect_unable(&["no statement has a plan in BASE and in HEAD"]);
    }
}
