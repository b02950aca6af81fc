//! The shop on every major: the planted faults are found and nothing else; mended, they are gone.

use crate::support::{Audit, Yard, audit, root, server, shop_settings, until};
use pgassay::demo::{Shop, Workload};
use pgassay::model::finding::Severity;
use pgassay::postgres::Scratch;
use pgassay::progress::Silent;
use std::collections::BTreeSet;

/// Statements by what only they say.
const STATEMENTS: &[(&str, &str)] = &[
    ("visitor_trail", "visitor_id"),
    ("customer_of_order", "email, display_name"),
    ("order_export", "offset"),
    ("product_media", "shop.media_items"),
    ("last_act_of_staff", "recency"),
];

/// What `workload.yaml` plants.
const QUERY: &[&str] = &[
    "deep_offset order_export",
    "n_plus_one customer_of_order",
    "slow_query visitor_trail",
    "temp_spill last_act_of_staff",
    "time_hog visitor_trail",
    "wide_select product_media",
];

/// What else is slow depends on the machine and on what it does besides.
const TIMING: &[&str] = &["slow_query", "time_hog", "unstable_query", "slow_planning"];

/// What `faults.sql` and `tables.sql` plant.
const SCHEMA: &[(&str, &[&str])] = &[
    (
        "index",
        &[
            "duplicate_index shop.order_items_product_id_idx",
            "filtered_column_without_index shop.events.visitor_id",
            "invalid_index shop.users_email_lower_key",
            "missing_index shop.events_visitor_id_occurred_at_idx",
            "redundant_index shop.orders_user_id_idx",
            "seq_scan_heavy_table shop.events",
            "unindexed_foreign_key shop.orders.orders_address_id_fkey",
            "unused_index shop.payments_gateway_reference_idx",
        ],
    ),
    (
        "table",
        &[
            "autovacuum_disabled shop.inventory_levels",
            "autovacuum_disabled shop.sessions_cache",
            "autovacuum_disabled shop.supplier_prices",
            "dead_rows shop.sessions_cache",
            "never_analyzed shop.supplier_prices",
            "no_primary_key shop.audit_log",
            "sequence_exhaustion shop.invoices_id_seq",
            "stale_statistics shop.inventory_levels",
        ],
    ),
    ("partition", &["partition_runway shop.page_views"]),
    ("connection", &["idle_in_transaction shop_web@shop shop-web", "idle_in_transaction shop_worker@shop shop-worker"]),
];

/// What asks again once the faults are mended: those that had suffered from them.
const ASKED_AGAIN: &[&str] = &["visitor_trail", "order_count", "product_sales", "stock_of_product"];

macro_rules! on_every_major {
    ($($test:ident $major:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            the_planted_is_found_and_the_mended_is_gone($major).await;
        }
    )*};
}

on_every_major! { shop_on_13 13 shop_on_14 14 shop_on_15 15 shop_on_16 16 shop_on_17 17 shop_on_18 18 }

async fn the_planted_is_found_and_the_mended_is_gone(major: i32) {
    let Some(binaries) = server(major) else { return };
    let yard = Yard::open();
    let shop = yard.shop(&binaries, &Shop::setup()).await;
    let holders = shop.work(&Silent).await.expect("the workload");
    let before = audit(&shop.dsn(), &shop_settings()).await;
    assert_planted(&before);

    holders.release().await;
    let admin = shop.session("mend").await.expect("a session");
    mend(&admin).await;
    ask_again(&shop, &admin).await;
    let after = audit(&shop.dsn(), &shop_settings()).await;
    assert_mended(&after);
}

fn assert_planted(audit: &Audit) {
    for (area, planted) in SCHEMA {
        // Which of two equal indexes is kept is a matter of taste.
        let found = audit.found(area, STATEMENTS);
        let found: Vec<String> =
            found.into_iter().map(|one| one.replace("order_items_by_product", "order_items_product_id_idx")).collect();
        assert_eq!(found, *planted, "{area}");
    }
    assert_workload(&audit.found("query", STATEMENTS));
    // Sampling was not asked for, and I/O statistics come with 16: all else the auditor may read.
    let gaps: Vec<&str> = audit.snapshot.gaps.iter().map(|gap| gap.facet.name()).collect();
    let standing: &[&str] = if audit.snapshot.server.major() < 16 {
        &["io", "session_samples", "pools"]
    } else {
        &["session_samples", "pools"]
    };
    assert_eq!(gaps, standing, "{:?}", audit.snapshot.gaps);
    assert_eq!(audit.verdict.rules_that("failed"), 0, "{:?}", audit.verdict.rules);
    assert_eq!(audit.verdict.statements.unparsed, 0);
    assert!(plan_of_trail(audit).contains("Seq Scan"), "{}", plan_of_trail(audit));
    let refused = audit.snapshot.plans.iter().filter_map(|plan| plan.unplannable.as_deref());
    let refused: BTreeSet<&str> = refused.collect();
    assert!(
        refused.iter().all(|why| *why == "no_privilege"),
        "the auditor may not lock rows, nothing else: {refused:?}"
    );
    assert!(audit.verdict.count(Severity::Critical) > 0);
    assert_eq!(audit.verdict.exit_code(), 1);
}

/// How the server would look for a visitor's trail.
fn plan_of_trail(audit: &Audit) -> String {
    let trail = audit.snapshot.statements.iter().find(|statement| statement.text.contains("visitor_id = "));
    let fingerprint = &trail.expect("the statement").fingerprint;
    let plan = audit.snapshot.plans.iter().find(|plan| plan.fingerprint == *fingerprint);
    plan.and_then(|plan| plan.plan.as_ref()).expect("its plan").to_string()
}

/// Everything planted is there, and nothing besides but by the clock.
fn assert_workload(found: &[String]) {
    let missing: Vec<_> = QUERY.iter().filter(|planted| !found.iter().any(|one| one == **planted)).collect();
    let is_timing = |one: &str| TIMING.iter().any(|rule| one.starts_with(&format!("{rule} ")));
    let besides: Vec<_> = found.iter().filter(|one| !QUERY.contains(&one.as_str()) && !is_timing(one)).collect();
    assert!(missing.is_empty() && besides.is_empty(), "missing: {missing:?}\nbesides: {besides:?}");
}

/// The rules that have a mend, by its file.
fn mends() -> Vec<(String, String)> {
    let folder = root().join("fixtures/schema/shop/mends");
    let mut files: Vec<_> = folder.read_dir().expect("mends").map(|entry| entry.expect("a mend").path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let rule = path.file_stem().and_then(|stem| stem.to_str()).expect("a rule's name");
        (rule.to_owned(), std::fs::read_to_string(path).expect("a mend"))
    };
    files.iter().map(read).collect()
}

async fn mend(admin: &Scratch) {
    for (rule, sql) in mends() {
        // Each statement alone, because CONCURRENTLY bears no transaction; a DO block has `;` inside.
        let statements: Vec<&str> = if rule == "partition_runway" { vec![&sql] } else { sql.split(';').collect() };
        for statement in statements.iter().filter(|statement| !statement.trim().is_empty()) {
            admin.execute(statement).await.unwrap_or_else(|error| panic!("{rule}: {error}\n{statement}"));
        }
    }
    admin.execute("select pg_stat_statements_reset()").await.expect("reset");
}

/// Works the part of the day that suffered, and waits until its counters have arrived.
async fn ask_again(shop: &Shop, admin: &Scratch) {
    let file = std::fs::read_to_string(root().join("fixtures/schema/shop/workload.yaml")).expect("the workload");
    let mut entries: Vec<serde_json::Value> = serde_yaml::from_str(&file).expect("entries");
    entries.retain(|entry| ASKED_AGAIN.iter().any(|name| entry["name"] == **name));
    assert_eq!(entries.len(), ASKED_AGAIN.len());
    let part = serde_yaml::to_string(&entries).expect("YAML");
    Workload::parse(&part).expect("a workload").run(&shop.cluster, "shop").await.expect("it runs");
    // Other addresses than last time: those are gone.
    let forgetful = shop.session("forget").await.expect("a session");
    let forget = "delete from shop.addresses where id in (select max(id) from shop.addresses group by id % 20)";
    forgetful.execute(forget).await.expect("addresses without an order");
    forgetful.close().await;
    let scans = |index: &str| {
        format!("select coalesce(sum(idx_scan), 0) >= 20 from pg_stat_user_indexes where indexrelname = '{index}'")
    };
    until(admin, &scans("events_visitor_id_occurred_at_idx")).await;
    until(admin, &scans("orders_address_id_idx")).await;
}

fn assert_mended(audit: &Audit) {
    for (area, _) in SCHEMA {
        assert_eq!(audit.found(area, STATEMENTS), [""; 0], "{area}");
    }
    let trail = audit.snapshot.statements.iter().find(|statement| statement.text.contains("visitor_id"));
    assert_eq!(trail.map(|statement| statement.counters.calls), Some(60), "it was asked again");
    assert!(plan_of_trail(audit).contains("events_visitor_id_occurred_at_idx"), "{}", plan_of_trail(audit));
    let still: Vec<String> = audit.found("query", STATEMENTS);
    assert!(!still.iter().any(|finding| finding.ends_with(" visitor_trail")), "{still:?}");
    let ran =
        |rule: &str| audit.verdict.rules.iter().any(|outcome| outcome.id == rule && outcome.status.reason().is_none());
    assert!(mends().iter().all(|(rule, _)| ran(rule)), "each rule with a mend has judged: {:?}", audit.verdict.rules);
    assert_eq!(audit.verdict.exit_code(), 0, "{:?}", audit.verdict.findings);
}
