//! Windows of `diff` and of `audit --since`: what each side counts, on one server and on several, and what is
//! refused rather than compared.

use crate::support::app::{Fault, deploy, seed, visits};
use crate::support::{Outcome, Yard, newest, oldest, signal, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use rustix::process::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The application's database.
const APP: &str = "app";

struct Stage {
    yard: Yard,
    cluster: Cluster,
}

impl Stage {
    async fn set(binaries: &Binaries) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(binaries, &with_statements());
        seed(&cluster).await;
        deploy(&cluster, APP, None).await;
        Self { yard, cluster }
    }

    fn dsn(&self) -> String {
        self.cluster.dsn(SUPERUSER, APP)
    }

    async fn work(&self, fault: Option<Fault>, dice: u64) {
        visits(&self.cluster, APP, fault, dice, 30).await;
    }

    fn snapshot(&self, file: &str) {
        self.yard.pgassay(&["snapshot", &self.dsn(), "-o", file, "--quiet"]).run().expect(0);
    }

    async fn reset(&self) {
        let admin = self.cluster.session(APP, SUPERUSER, "reset").await.expect("a session");
        admin.value("select pg_stat_statements_reset()").await.expect("reset");
        admin.close().await;
    }

    /// Kills a backend, so that the server starts over without having ended.
    async fn crash(&self) {
        let [victim, witness] = [self.cluster.session(APP, SUPERUSER, "a"), self.cluster.session(APP, SUPERUSER, "b")];
        let (victim, witness) = (victim.await.expect("a session"), witness.await.expect("a session"));
        let pid = victim.value("select pg_backend_pid()").await.expect("asked").and_then(|pid| pid.parse().ok());
        signal(pid.expect("a process"), Signal::KILL);
        let deadline = Instant::now() + Duration::from_secs(20);
        // All others are ended first; then somebody may come in again.
        while witness.execute("select 1").await.is_ok() || self.cluster.session(APP, SUPERUSER, "again").await.is_err()
        {
            assert!(Instant::now() < deadline, "it does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn diff(&self, args: &[&str]) -> Outcome {
        self.yard.pgassay(&[&["diff"], args, &["--format", "json"]].concat()).run()
    }
}

/// What BASE counts from, and HEAD.
fn sources(report: &Value) -> [&str; 2] {
    [&report["diff"]["base_window"], &report["window"]].map(|window| window["source"].as_str().expect("a source"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_of_one_server_counts_from_base_or_from_a_reset() {
    for binaries in [oldest(), newest()] {
        let stage = Stage::set(&binaries).await;
        stage.work(None, 1).await;
        stage.snapshot("base.json.zst");
        stage
            .diff(&["base.json.zst", "base.json.zst"])
            .expect_unable(&["was not taken after", "name the earlier first"]);
        stage.snapshot("idle.json.zst");
        stage
            .diff(&["base.json.zst", "idle.json.zst"])
            .expect_unable(&["the window of HEAD is empty", "run the workload"]);

        // A server as HEAD: what it has done since BASE.
        stage.work(None, 2).await;
        let report = stage.diff(&["base.json.zst", &stage.dsn()]).expect(0).report().0;
        assert_eq!(sources(&report), ["lifetime", "delta"], "{report:#}");
        stage.snapshot("later.json.zst");
        stage.work(Some(Fault::DeepOffset), 3).await;
        let report =
            stage.diff(&["base.json.zst", &stage.dsn(), "--head-since", "later.json.zst"]).expect(1).report().0;
        let deep =
            report["findings"].as_array().expect("findings").iter().find(|one| one["rule"] == "more_blocks_per_call");
        assert_eq!(deep.expect("found")["evidence"]["head_calls"]["value"], 30, "{report:#}");

        // After a reset HEAD counts for itself, and a window across it is refused.
        stage.reset().await;
        stage.work(None, 4).await;
        stage.snapshot("head.json.zst");
        let report = stage.diff(&["base.json.zst", "head.json.zst"]).expect(0).report().0;
        assert_eq!(sources(&report), ["lifetime", "lifetime"], "{report:#}");
        assert!(report["window"]["notes"][0].as_str().expect("a note").contains("reset"), "{report:#}");
        let across = stage.diff(&["base.json.zst", "head.json.zst", "--head-since", "later.json.zst"]);
        across.expect_unable(&["the window of HEAD cannot be taken", "reset"]);

        stage.work(Some(Fault::MoreCalls), 5).await;
        stage.snapshot("last.json.zst");
        let windows =
            ["idle.json.zst", "last.json.zst", "--base-since", "base.json.zst", "--head-since", "head.json.zst"];
        stage.diff(&windows).expect_unable(&["the window of BASE is empty"]);
        let windows =
            ["later.json.zst", "last.json.zst", "--base-since", "base.json.zst", "--head-since", "head.json.zst"];
        let report = stage.diff(&windows).expect(1).report().0;
        assert_eq!(sources(&report), ["delta", "delta"], "{report:#}");
        assert_eq!(report["findings"][0]["rule"], "more_calls", "{report:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_since_judges_the_window_and_refuses_a_crash() {
    for binaries in [oldest(), newest()] {
        let mut stage = Stage::set(&binaries).await;
        stage.work(None, 1).await;
        stage.snapshot("before.json.zst");
        stage.work(None, 2).await;
        let eager = [
            "--param",
            "slow_query.min_mean_ms=0",
            "--param",
            "slow_query.min_calls=1",
            "--only",
            "slow_query,stats_reset_recently",
        ];
        let calls = |report: &Value| {
            let findings = report["findings"].as_array().expect("findings");
            let user = findings.iter().find(|one| {
                one["object"]["statement"].as_str().is_some_and(|text| text.contains("select name from users"))
            });
            user.unwrap_or_else(|| panic!("{report:#}"))["evidence"]["calls"]["value"].as_i64().expect("calls")
        };
        let dsn = stage.dsn();
        let audit = |since: &[&str]| {
            stage
                .yard
                .audit(&[&[dsn.as_str(), "--format", "json"], &eager[..], since].concat())
                .run()
                .expect(0)
                .report()
                .0
        };
        let (all, since) = (audit(&[]), audit(&["--since", "before.json.zst"]));
        assert_eq!((calls(&all), calls(&since)), (60, 30), "{since:#}");
        assert_eq!(
            (since["window"]["source"].as_str(), since["window"]["resets"].as_array().map(Vec::len)),
            (Some("delta"), Some(0))
        );
        let status = |report: &Value| {
            let rules = report["rules"].as_array().expect("rules");
            rules.iter().find(|one| one["id"] == "stats_reset_recently").expect("a rule")["status"].clone()
        };
        assert_eq!(status(&since), "skipped", "that counters are young is what was asked for");
        let table = stage.yard.audit(&[&dsn, "--since", "before.json.zst"]).run().expect(0);
        assert!(table.stdout.contains("since the snapshot of"), "{}", table.stdout);

        // A restart takes the counters along; a crash loses them, with the server up all the time.
        stage.cluster.crash();
        stage.cluster.restart(&binaries).expect("recovered");
        stage.work(None, 3).await;
        let after = audit(&["--since", "before.json.zst"]);
        assert_eq!(calls(&after), 60, "{after:#}");
        let notes = after["window"]["notes"].to_string();
        assert!(notes.contains("the server was restarted at"), "{notes}");
        stage.crash().await;
        stage.work(None, 4).await;
        stage.yard.audit(&[&dsn, "--since", "before.json.zst"]).run().expect_unable(&["--since: "]);
    }
}
