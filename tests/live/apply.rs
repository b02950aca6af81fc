//! From an audit to a plan to a changed database and back: what was found is mended, a second time there
//! is nothing to do, and what was taken back is as it was.

use crate::support::{CORNER, Site, index, newest, oldest, server};
use pgassay::demo::{Binaries, SUPERUSER};
use pgassay::model::plan::{Change, IndexForm, Name};
use std::process::Command;

/// A fault of each kind that a plan mends.
const FAULTS: &str = "
    create table shop.items (id bigint primary key, order_id bigint not null references shop.orders (id),
      a int not null, b int not null, c int not null, note text not null);
    insert into shop.items select i, 1 + i % 2000, i % 100, i, i, 'note ' || i from generate_series(1, 60000) i;
    create index items_a_idx on shop.items (a);
    create index items_a_b_idx on shop.items (a, b);
    create index items_b_idx on shop.items (b);
    create index items_b_twin on shop.items (b) with (fillfactor = 70);
    comment on index shop.items_b_twin is 'a twin';
    create index items_note_idx on shop.items (note);
    create index items_c_idx on shop.items (c);
    create index items_c_broken on shop.items ((c + 1));
    create index items_c_idx_ccnew on shop.items (c);
    update pg_index set indisvalid = false
      where indexrelid in ('shop.items_c_idx_ccnew'::regclass, 'shop.items_c_broken'::regclass);
    delete from shop.items where id % 10 <> 0;
    update shop.orders set note = note || '.';
    delete from shop.orders where id > 1990 and not exists (select from shop.items where order_id = orders.id);
    create table shop.fresh as select i as id, 'x' as note from generate_series(1, 5000) i;
    alter table shop.fresh set (fillfactor = 90, autovacuum_enabled = off)";

/// Thresholds for a small shop.
const PARAMS: &[&str] = &[
    "unindexed_foreign_key.min_bytes=1",
    "unindexed_foreign_key.min_writes=1",
    "duplicate_index.min_bytes=1",
    "redundant_index.min_bytes=1",
    "unused_index.min_bytes=1500000",
    "unused_index.min_scans=0",
    "unused_index.min_writes=0",
    "unused_index.min_stats_age_days=0",
    "bloated_index.min_bytes=100000",
];

const RULES: &str = "unindexed_foreign_key,duplicate_index,redundant_index,unused_index,bloated_index,invalid_index,\
                     autovacuum_disabled,never_analyzed";

/// `pgassay plan` for these faults.
fn plan(site: &Site, words: &[&str]) -> serde_json::Value {
    let dsn = site.dsn();
    let params = PARAMS.iter().flat_map(|param| ["--param", param]);
    let all: Vec<&str> = ["plan", &dsn, "-o", "plan.json", "--only", RULES]
        .into_iter()
        .chain(params)
        .chain(words.iter().copied())
        .collect();
    site.yard.pgassay(&all).run().expect(0);
    let text = std::fs::read_to_string(site.yard.path().join("plan.json")).expect("a plan");
    serde_json::from_str(&text).expect("JSON")
}

fn steps(plan: &serde_json::Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("steps").iter();
    steps.map(|step| format!("{} {}", kind(step), object(step))).collect()
}

fn kind(step: &serde_json::Value) -> &str {
    step["change"]["kind"].as_str().expect("a kind")
}

fn object(step: &serde_json::Value) -> &str {
    let change = &step["change"];
    let name = [&change["name"], &change["index"]["name"], &change["table"]];
    name.iter().find_map(|name| name["name"].as_str()).expect("a name")
}

/// The statistics collector of 13 and 14 takes its time.
const ANALYZED: &str = "select last_analyze is not null from pg_stat_user_tables where relname = 'fresh'";

/// Everything of the shop that a change could touch.
const CATALOG: &str = "
    select coalesce(string_agg(line, E'\\n' order by line), '') from (
      select pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid || i.indisready || i.indisclustered
        || coalesce(obj_description(i.indexrelid), '') || coalesce(s.spcname, '')
        || coalesce((select string_agg(a.attstattarget::text, ',' order by a.attnum) from pg_attribute a
             where a.attrelid = i.indexrelid and a.attstattarget >= 0), '') as line
      from pg_index i join pg_class c on c.oid = i.indexrelid left join pg_tablespace s on s.oid = c.reltablespace
      join pg_namespace n on n.oid = c.relnamespace where n.nspname not like 'pg\\_%'
      union all
      select relname || coalesce(reloptions::text, '') from pg_class where relkind in ('r', 'p') and relnamespace >= 16384
    ) x";

const EXPECTED: &[&str] = &[
    "create_index items_order_id_idx",
    "reindex_index items_c_broken",
    "reindex_index items_b_idx",
    "reindex_index items_c_idx",
    "reindex_index items_pkey",
    "reindex_index items_a_b_idx",
    "drop_index items_a_idx",
    "drop_index items_b_twin",
    "drop_index items_c_idx_ccnew",
    "drop_index items_note_idx",
    "set_reloption fresh",
    "analyze fresh",
];

async fn with_faults(binaries: &Binaries) -> Site {
    let site = Site::with(binaries, FAULTS).await;
    // What was counted before VACUUM must not arrive behind it.
    site.until("select n_tup_del > 0 from pg_stat_user_tables where relname = 'items'").await;
    site.until("select n_tup_upd >= 2000 from pg_stat_user_tables where relname = 'orders'").await;
    for table in ["shop.items", "shop.orders"] {
        // A snapshot of autovacuum's may keep the dead rows for a moment.
        let dead = format!("select n_dead_tup::text from pg_stat_user_tables where relid = '{table}'::regclass");
        for _ in 0..50 {
            site.admin.execute(&format!("vacuum analyze {table}")).await.expect("vacuumed");
            if site.admin.value(&dead).await.expect("a count").as_deref() == Some("0") {
                break;
            }
        }
    }
    site.until("select n_tup_ins >= 5000 from pg_stat_user_tables where relname = 'fresh'").await;
    site
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_is_mended_and_taken_back() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = with_faults(&binaries).await;
        let before = site.text(CATALOG).await;
        let planned = plan(&site, &["--sql", "plan.sql"]);
        let mut found = steps(&planned);
        let mut expected: Vec<String> = EXPECTED.iter().map(|step| (*step).to_owned()).collect();
        found.sort();
        expected.sort();
        // What bloat is estimated of hangs on the server's estimates.
        found.retain(|step| !step.starts_with("reindex_index items_") || step.ends_with("broken"));
        expected.retain(|step| !step.starts_with("reindex_index items_") || step.ends_with("broken"));
        assert_eq!(found, expected, "{major}: {:#}", planned["left"]);
        let rebuilds =
            steps(&planned).iter().any(|step| step.starts_with("reindex_index") && !step.ends_with("broken"));
        assert!(rebuilds, "{major}: {:#}", planned["left"]);

        let outcome = site.apply(&[]).expect(0);
        assert_eq!(outcome.stdout.lines().count(), steps(&planned).len(), "{outcome:#?}");
        site.until(ANALYZED).await;
        let again = site.apply(&[]).expect(0);
        assert_eq!(again.stdout, "nothing to do: the database is as the plan wants it\n", "{major}: {again:#?}");
        assert_eq!(site.journals(), 1);
        let rest = plan(&site, &[]);
        assert_eq!(steps(&rest), [""; 0], "{major}: nothing of it is found again");

        site.run(&["undo"]).expect(0);
        // What could not be used was mended, not taken back.
        let whole = |text: &str| -> Vec<String> {
            let own = text.lines().filter(|line| !line.contains("items_c_broken") && !line.contains("_ccnew"));
            own.map(str::to_owned).collect()
        };
        let (was, is) = (whole(&before), whole(&site.text(CATALOG).await));
        assert_eq!(is, was, "{major}");
        assert!(site.run(&["undo"]).expect(0).stdout.contains("nothing to take back"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_does_the_same() {
    for binaries in [oldest(), newest()] {
        let site = with_faults(&binaries).await;
        plan(&site, &["--sql", "plan.sql"]);
        let psql = |database: &str| {
            Command::new("psql")
                .args(["--no-psqlrc", "--quiet", "--file", "plan.sql", "-U", SUPERUSER, "-d", database])
                .arg("-h")
                .arg(site.cluster.socket())
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .current_dir(site.yard.path())
                .output()
                .expect("psql is missing: run make setup")
        };
        let before = site.text(CATALOG).await;
        let elsewhere = psql("postgres");
        assert_eq!(elsewhere.status.code(), Some(3), "it stops in another database");
        assert!(String::from_utf8_lossy(&elsewhere.stderr).contains("division by zero"));
        assert_eq!(site.text(CATALOG).await, before);
        let here = psql(CORNER);
        assert!(here.status.success(), "{}", String::from_utf8_lossy(&here.stderr));
        site.until(ANALYZED).await;
        assert_eq!(site.apply(&[]).expect(0).stdout, "nothing to do: the database is as the plan wants it\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_can_be_had_of_a_report_and_of_a_snapshot() {
    let site = with_faults(&newest()).await;
    let live = plan(&site, &[]);
    let dsn = site.dsn();
    let params: Vec<&str> = PARAMS.iter().flat_map(|param| ["--param", param]).collect();
    let run = |words: &[&str]| site.yard.pgassay(&[words, &params].concat()).run();
    let audit =
        run(&["audit", &dsn, "--only", RULES, "--format", "json", "--save", "shop.json.zst", "--fail-on", "never"]);
    site.yard.write("report.json", &audit.expect(0).stdout);
    for (words, name) in [
        (vec!["--from", "shop.json.zst"], "a.json"),
        (vec!["--from", "shop.json.zst"], "b.json"),
        (vec!["--from", "shop.json.zst", "--from-report", "report.json"], "c.json"),
    ] {
        run(&[&["plan", "--only", RULES, "-o", name], words.as_slice()].concat()).expect(0);
    }
    let read = |name: &str| std::fs::read_to_string(site.yard.path().join(name)).expect("a plan");
    assert_eq!(read("a.json"), read("b.json"), "the same snapshot, the same plan");
    assert_eq!(read("a.json"), read("c.json"), "the same findings, the same plan");
    let replayed: serde_json::Value = serde_json::from_str(&read("a.json")).expect("JSON");
    assert_eq!(steps(&replayed), steps(&live));
    run(&[
        "plan",
        "--only",
        "duplicate_index",
        "-o",
        "d.json",
        "--from",
        "shop.json.zst",
        "--from-report",
        "report.json",
    ])
    .expect(0);
    let only: serde_json::Value = serde_json::from_str(&read("d.json")).expect("JSON");
    assert_eq!(steps(&only), ["drop_index items_b_twin"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_and_carried_out_at_once() {
    let site = with_faults(&newest()).await;
    let dsn = site.dsn();
    let words =
        ["plan", &dsn, "--only", "duplicate_index", "--param", "duplicate_index.min_bytes=1", "--state", "state"];
    site.yard.pgassay(&words).arg("--dry-run").run().expect(0);
    assert_eq!(site.indexes("items_b_twin").await, "items_b_twin t t");
    site.yard.pgassay(&words).run().expect(0);
    assert_eq!(
        (site.indexes("items_b_twin").await.as_str(), site.journals()),
        ("items_b_twin t t", 0),
        "not asked for"
    );
    site.yard.pgassay(&words).arg("--yes").run().expect(0);
    assert_eq!((site.indexes("items_b_twin").await.as_str(), site.journals()), ("", 1));
    let again = site.yard.pgassay(&words).arg("--yes").run().expect(0);
    assert_eq!(site.journals(), 1, "{again:#?}");
    site.run(&["undo"]).expect(0);
    assert_eq!(site.indexes("items_b_twin").await, "items_b_twin t t");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_steps_alone_are_done() {
    let site = Site::open(&newest()).await;
    let users = Change::CreateIndex(index("users_name_idx", "users", "btree (name)"));
    site.plan(vec![crate::support::notes(), users]).await;
    site.apply(&["--step", "2"]).expect(0);
    assert_eq!(
        (site.indexes("%note%").await.as_str(), site.indexes("%name%").await.as_str()),
        ("", "users_name_idx t t")
    );
    assert!(site.run(&["resume"]).expect(0).stdout.contains("nothing to resume"), "all that was chosen is done");
    let outcome = site.apply(&[]).expect(0);
    assert!(outcome.stdout.contains("2  create_index  shop.users_name_idx  nothing to do"), "{outcome:#?}");
    site.run(&["undo"]).expect(0);
    assert_eq!(site.indexes("%note%").await, "");
    assert_eq!(site.indexes("%name%").await, "users_name_idx t t", "the last run did not make it");
    site.run(&["undo"]).expect(0);
    assert_eq!(site.indexes("%name%").await, "");
}

/// An index with everything that its definition does not say.
const RICH: &str = "
    create index rich on shop.orders (lower(note) text_pattern_ops desc nulls last, (id + 1)) include (user_id)
      with (fillfactor = 70, deduplicate_items = off) tablespace rooms where (note <> 'it''s \\ WHERE');
    comment on index shop.rich is E'it''s rich \\\\ and\\n odd';
    alter index shop.rich alter column 1 set statistics 500;
    alter index shop.rich alter column 2 set statistics 0;
    create unique index plain on shop.orders (id, user_id);
    alter table shop.orders cluster on plain";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_index_comes_back_with_all_it_had() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::open(&binaries).await;
        let rooms = site.cluster.socket().join("rooms");
        std::fs::create_dir(&rooms).expect("a folder");
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(site.cluster.data()).expect("the data"));
        std::os::unix::fs::chown(&rooms, Some(owner), None).expect("given away");
        site.admin.execute(&format!("create tablespace rooms location '{}'", rooms.display())).await.expect("a place");
        site.admin.execute(RICH).await.expect("an index");
        let before = site.text(CATALOG).await;
        let mut changes = Vec::new();
        for name in ["rich", "plain"] {
            let definition = site.text(&format!("select pg_get_indexdef('shop.{name}'::regclass)")).await;
            let text = pgassay::statement::index_text(&definition).expect("a definition");
            changes.push(Change::DropIndex(IndexForm {
                name: Name::new("shop", name),
                table: Name::new("shop", "orders"),
                is_unique: text.is_unique,
                using: text.using,
                predicate: text.predicate,
                ..IndexForm::default()
            }));
        }
        site.plan(changes).await;
        site.apply(&[]).expect(0);
        assert_eq!(site.indexes("rich").await + &site.indexes("plain").await, "");
        site.run(&["undo"]).expect(0);
        assert_eq!(site.text(CATALOG).await, before, "{major}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_undo_had_no_time_for_is_made_up_for() {
    let site = Site::open(&newest()).await;
    site.admin.execute("comment on index shop.orders_user_id_idx is 'of old'").await.expect("a comment");
    site.plan(vec![Change::DropIndex(index("orders_user_id_idx", "orders", "btree (user_id)"))]).await;
    site.apply(&[]).expect(0);
    // It died after the build and before the comment.
    site.admin.execute("create index orders_user_id_idx on shop.orders (user_id)").await.expect("built");
    site.run(&["undo"]).expect(0);
    assert_eq!(site.text("select obj_description('shop.orders_user_id_idx'::regclass)").await, "of old");
}
