//! `plan`, `apply`, `verify` on the corner shop: an index that helps, one whose loss does harm, and what is
//! said before there is anything to say.

use crate::support::{CORNER, Yard, audit, corner, newest, oldest, shop_settings, until, with_statements};
use pgassay::ddl::{Wish, propose};
use pgassay::demo::{Cluster, SUPERUSER};
use pgassay::model::object::{Object, ObjectKind};
use pgassay::model::plan::FindingRef;
use pgassay::model::snapshot::Tool;
use pgassay::postgres::Scratch;
use serde_json::Value;

/// Enough orders for a scan to be felt, an index on their notes and none on their users.
const MORE: &str = "
    create extension pg_stat_statements;
    drop index shop.orders_user_id_idx;
    insert into shop.orders (user_id, note) select 1 + i % 500, 'note ' || i from generate_series(2001, 40000) as i;
    create index orders_note_idx on shop.orders (note);
    insert into shop.users (name) select 'gone ' || i from generate_series(1, 20) as i;
    vacuum analyze shop.orders;
    vacuum analyze shop.users;
";

const PARAMS: [&str; 4] =
    ["--param", "unindexed_foreign_key.min_bytes=0", "--param", "unindexed_foreign_key.min_writes=1"];

struct Stage {
    yard: Yard,
    cluster: Cluster,
    admin: Scratch,
}

impl Stage {
    async fn set(binaries: &pgassay::demo::Binaries) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(binaries, &with_statements());
        let admin = corner(&cluster).await;
        for statement in MORE.split(';').filter(|text| !text.trim().is_empty()) {
            admin.execute(statement).await.expect("prepared");
        }
        Self { yard, cluster, admin }
    }

    fn dsn(&self) -> String {
        self.cluster.dsn(SUPERUSER, CORNER)
    }

    /// The clerk looks up orders by user and by note, and forgets users without orders.
    async fn work(&self, times: u32) {
        let clerk = self.cluster.session(CORNER, SUPERUSER, "till").await.expect("a session");
        for number in 1..=times {
            clerk.execute(&format!("select id, note from shop.orders where user_id = {number}")).await.expect("asked");
            clerk.execute(&format!("select id from shop.orders where note = 'note {number}'")).await.expect("asked");
        }
        clerk.execute("delete from shop.users where name like 'gone %'").await.expect("forgotten");
        clerk.close().await;
        // What a session counted arrives when it has gone, and on 13 and 14 by way of the collector.
        let counted = "select n_tup_del > 0 from pg_stat_user_tables where relname = 'users'";
        until(&self.admin, counted).await;
    }

    /// The outcome of `verify`, and its exit code.
    fn verify(&self, plan: &str, args: &[&str]) -> (Option<i32>, Value) {
        let dsn = self.dsn();
        let all = [&["verify", plan, dsn.as_str(), "--state", "state", "--format", "json"], args].concat();
        let outcome = self.yard.pgassay(&all).run();
        let json = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        (outcome.code, json)
    }

    fn apply(&self, plan: &str) {
        self.yard.pgassay(&["apply", plan, &self.dsn(), "--state", "state", "--yes"]).run().expect(0);
    }

    async fn has_index(&self, name: &str) -> bool {
        let sql = format!("select count(*) from pg_index where indisvalid and indexrelid = to_regclass('{name}')");
        self.admin.value(&sql).await.expect("asked").as_deref() == Some("1")
    }
}

/// A wish of somebody's.
fn wish(action: &str, kind: ObjectKind, name: &str) -> Wish {
    Wish {
        finding: FindingRef {
            rule: "a_rule".to_owned(),
            object: format!("shop.{name}"),
            fingerprint: "0123456789abcdef".to_owned(),
        },
        action: action.to_owned(),
        object: Object {
            kind,
            database: Some(CORNER.to_owned()),
            schema: Some("shop".to_owned()),
            name: name.to_owned(),
            ..Object::default()
        },
        message: "somebody said so".to_owned(),
        advice: String::new(),
        caveats: Vec::new(),
        is_doubtful: false,
        keeper: None,
        definition: None,
    }
}

/// The one change of an outcome.
fn only(outcome: &Value) -> &Value {
    assert_eq!(outcome["runs"].as_array().map(Vec::len), Some(1), "{outcome}");
    let changes = outcome["runs"][0]["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{outcome}");
    &changes[0]
}

/// Before and since, of the statement whose text has this part.
fn blocks(change: &Value, part: &str) -> (f64, f64, bool) {
    let statements = change["statements"].as_array().expect("statements");
    let found = statements.iter().find(|one| one["text"].as_str().is_some_and(|text| text.contains(part)));
    let one = found.unwrap_or_else(|| panic!("no `{part}` in {change:#}"));
    let of = |side: &str| one[side]["blocks"].as_f64().expect("a number");
    (of("before"), of("since"), one["uses_index"] == true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_statements_use_has_helped() {
    for binaries in [oldest(), newest()] {
        let stage = Stage::set(&binaries).await;
        stage.work(60).await;
        let dsn = stage.dsn();
        let plan = [
            &["plan", dsn.as_str(), "--only", "unindexed_foreign_key", "-o", "plan.json", "--sql", "plan.sql"],
            &PARAMS[..],
        ]
        .concat();
        let said = stage.yard.pgassay(&plan).run().expect(0);
        assert!(said.stdout.starts_with("1 step for database corner"), "{}", said.stdout);

        let never = ["verify", "plan.json", &dsn, "--state", "state"];
        stage.yard.pgassay(&never).run().expect_unable(&["was not applied from here", "state"]);
        stage.apply("plan.json");
        assert!(stage.has_index("shop.orders_user_id_idx").await);

        stage.work(10).await;
        let (code, early) = stage.verify("plan.json", &[]);
        assert_eq!((code, only(&early)["effect"].as_str()), (Some(0), Some("too_early")), "{early:#}");

        stage.work(100).await;
        let (code, outcome) = stage.verify("plan.json", &[]);
        let change = only(&outcome);
        assert_eq!((code, change["effect"].as_str()), (Some(0), Some("helped")), "{outcome:#}");
        let (before, since, uses_index) = blocks(change, "user_id =");
        assert!(before > 100.0 && since < before / 2.0 && uses_index, "{outcome:#}");
        let (before, since, uses_index) = blocks(change, "note =");
        assert!((before - since).abs() < 2.0 && !uses_index, "{outcome:#}");

        // A later snapshot says the same as the server.
        stage.yard.pgassay(&["snapshot", &dsn, "-o", "later.json.zst"]).run().expect(0);
        let from = ["verify", "plan.json", "--from", "later.json.zst", "--state", "state"];
        let said = stage.yard.pgassay(&from).run().expect(0);
        assert!(said.stdout.contains("1  create_index  shop.orders_user_id_idx  helped"), "{}", said.stdout);

        // Done is done: the plan finds nothing to do, and is measured by the run that did it.
        let again = ["apply", "plan.json", &dsn, "--state", "state", "--yes"];
        assert!(stage.yard.pgassay(&again).run().expect(0).stdout.starts_with("nothing to do"));
        assert_eq!(stage.verify("plan.json", &[]).0, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loss_of_an_index_that_was_used_is_harm_and_can_be_taken_back() {
    for binaries in [oldest(), newest()] {
        let stage = Stage::set(&binaries).await;
        stage.work(60).await;
        let snapshot = audit(&stage.dsn(), &shop_settings()).await.snapshot;
        // What no rule would wish for.
        let wish = wish("drop_index", ObjectKind::Index, "orders_note_idx");
        let plan = propose(&[wish], &snapshot, Tool::default());
        pgassay::store::write_plan(&stage.yard.path().join("plan.json"), &plan).expect("written");
        stage.apply("plan.json");
        assert!(!stage.has_index("shop.orders_note_idx").await);

        stage.work(100).await;
        let (code, outcome) = stage.verify("plan.json", &[]);
        let change = only(&outcome);
        assert_eq!((code, change["effect"].as_str()), (Some(1), Some("harmful")), "{outcome:#}");
        let (before, since, _) = blocks(change, "note =");
        assert!(before < 20.0 && since > 100.0, "{outcome:#}");

        let said = stage.yard.pgassay(&["verify", "plan.json", &stage.dsn(), "--state", "state"]).run().expect(1);
        let run = outcome["runs"][0]["run"].as_str().expect("a run");
        let advice = format!("pgassay apply undo --run {run}");
        assert!(said.stdout.contains(&advice), "{}", said.stdout);

        let undo = ["apply", "undo", &stage.dsn(), "--run", run, "--state", "state", "--yes"];
        stage.yard.pgassay(&undo).run().expect(0);
        assert!(stage.has_index("shop.orders_note_idx").await);
        let (code, outcome) = stage.verify("plan.json", &[]);
        assert_eq!((code, only(&outcome)["effect"].as_str()), (Some(0), Some("missing")), "{outcome:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_applied_in_parts_is_measured_run_by_run() {
    let stage = Stage::set(&newest()).await;
    stage.work(10).await;
    let snapshot = audit(&stage.dsn(), &shop_settings()).await.snapshot;
    let wishes =
        [wish("drop_index", ObjectKind::Index, "orders_note_idx"), wish("analyze", ObjectKind::Table, "users")];
    let plan = propose(&wishes, &snapshot, Tool::default());
    pgassay::store::write_plan(&stage.yard.path().join("plan.json"), &plan).expect("written");
    let dsn = stage.dsn();
    for step in ["2", "1"] {
        stage.yard.pgassay(&["apply", "plan.json", &dsn, "--state", "state", "--step", step, "--yes"]).run().expect(0);
    }
    // Run names of one second are ordered by process; either is a part.
    let (code, outcome) = stage.verify("plan.json", &[]);
    let runs = outcome["runs"].as_array().expect("runs");
    let mut steps: Vec<_> = runs.iter().map(|run| (run["changes"].clone(), run["run"].clone())).collect();
    assert_eq!((code, steps.len()), (Some(0), 2), "{outcome:#}");
    steps.sort_by_key(|(changes, _)| changes[0]["step"].as_u64());
    let kinds: Vec<_> = steps.iter().map(|(changes, _)| (changes[0]["kind"].as_str(), changes[1].is_null())).collect();
    assert_eq!(kinds, [(Some("drop_index"), true), (Some("analyze"), true)], "{outcome:#}");
}
