//! The locks that the plans speak of are the locks that the servers take.

use crate::support::{Site, index, server};
use pgassay::ddl::{attach, create_parent, drop_parent, statements, trimmings};
use pgassay::model::partition::{
    DefaultPartition, DetachForm, Edge, PartitionForm, Range, Subpartition, Subpartitioning,
};
use pgassay::model::plan::{Change, IndexForm, LockClass, Name, Statement, StatisticsForm, Trimmings};
use pgassay::postgres::Scratch;

const TABLES: &str = "
    create table shop.events (id bigint, note text) partition by range (id);
    create table shop.events_1 partition of shop.events for values from (0) to (1000);
    create table shop.events_by_day (at date) partition by range (at);
    create table shop.walks (at date) partition by range (at);
    create table shop.walks_1 partition of shop.walks for values from ('2027-01-01') to ('2027-02-01');
    create table shop.days (at date not null, user_id bigint references shop.users (id)) partition by range (at);
    create table shop.nights (at date) partition by range (at);
    create table shop.nights_rest partition of shop.nights default;
    insert into shop.events select i, 'note' from generate_series(0, 999) i;
    create index events_1_note_idx on shop.events_1 (note);
    create index orders_lower_idx on shop.orders (lower(note))";

/// From the weakest to the strongest, as plans write them.
const LOCKS: &[(&str, &str)] = &[
    ("AccessShareLock", "ACCESS SHARE"),
    ("RowShareLock", "ROW SHARE"),
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

/// The strongest lock of a session on what was in the shop before, and on its indexes.
async fn strongest(site: &Site, pid: &str) -> (String, String) {
    let sql = format!(
        "select coalesce(string_agg(distinct c.relkind::text || l.mode, ','), '') from pg_locks l
         join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
         where l.pid = {pid} and l.granted and n.nspname = 'shop' and c.oid in (select oid from before)"
    );
    let held = site.text(&sql).await;
    let most = |kinds: &[char]| {
        let own = held.split(',').filter(|lock| lock.starts_with(kinds));
        let of = |lock: &str| LOCKS.iter().position(|(mode, _)| lock[1..] == **mode).expect("a mode");
        own.map(of).max().map_or("none", |at| LOCKS[at].1).to_owned()
    };
    (most(&['r', 'p']), most(&['i', 'I']))
}

/// Runs a short one in a transaction, looks, and commits.
async fn in_transaction(site: &Site, session: &Scratch, pid: &str, statement: &Statement) -> (String, String) {
    session.execute("begin").await.expect("begun");
    for sql in statement.commands() {
        session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let locks = strongest(site, pid).await;
    session.execute("commit").await.expect("committed");
    locks
}

/// Looks at a long one while it waits for an older transaction on its table.
async fn while_it_waits(
    site: &Site,
    session: Scratch,
    pid: &str,
    statement: &Statement,
) -> (Scratch, (String, String)) {
    let holder = site.session("begin; update shop.orders set note = note where id = 1").await;
    let sql = statement.sql.clone();
    let running = tokio::spawn(async move {
        session.execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        session
    });
    site.until(&format!("select wait_event_type = 'Lock' from pg_stat_activity where pid = {pid}")).await;
    let locks = strongest(site, pid).await;
    holder.execute("rollback").await.expect("released");
    (running.await.expect("it ran"), locks)
}

fn trimmed() -> IndexForm {
    let trimmings = Trimmings {
        comment: Some("a comment".to_owned()),
        statistics: vec![(1, 500)],
        is_clustered: true,
        ..Trimmings::default()
    };
    IndexForm { trimmings, ..index("orders_lower_idx", "orders", "btree (lower(note))") }
}

/// A month of a table, made and taken back.
fn month(table: &str, references: Vec<Name>, more: PartitionForm) -> Vec<Statement> {
    let edge = |day: &str| vec![Edge::Value(day.to_owned())];
    let form = PartitionForm {
        name: Name::new("shop", &format!("{table}_2027_01")),
        table: Name::new("shop", table),
        range: Range { from: edge("2027-01-01"), to: edge("2027-02-01") },
        references,
        ..more
    };
    [Change::CreatePartition(form.clone()), Change::DropPartition(form)].iter().flat_map(statements).collect()
}

/// All that can be in a plan, in an order in which each can be run.
fn all() -> Vec<Statement> {
    let parent = IndexForm { is_partitioned: true, ..index("events_note_idx", "events", "btree (note)") };
    let child = Name::new("shop", "events_1_note_idx");
    let notes = || index("orders_note_idx", "orders", "btree (note)");
    let orders = || Name::new("shop", "orders");
    let form = StatisticsForm {
        name: Name::new("shop", "orders_stats"),
        table: orders(),
        kinds: vec!["ndistinct".to_owned()],
        columns: vec!["user_id".to_owned(), "note".to_owned()],
    };
    let option = |name: &str, to: Option<&str>| Change::SetReloption {
        table: orders(),
        option: name.to_owned(),
        from: None,
        to: to.map(str::to_owned),
    };
    let changes = [
        Change::CreateIndex(notes()),
        Change::ReindexIndex { index: notes(), was_valid: true, bytes: 0 },
        Change::DropIndex(notes()),
        Change::Analyze { table: orders() },
        Change::CreateStatistics(form.clone()),
        Change::DropStatistics(form),
        option("autovacuum_enabled", Some("off")),
        option("autovacuum_enabled", None),
        option("fillfactor", Some("90")),
        option("fillfactor", None),
    ];
    let mut all: Vec<Statement> = changes.iter().flat_map(statements).collect();
    all.extend(trimmings(&trimmed()));
    all.push(create_parent(&parent));
    all.push(attach(&parent.name, &child, &Name::new("shop", "events_1")));
    all.push(drop_parent(&parent));
    all.extend(month("events_by_day", Vec::new(), PartitionForm::default()));
    all.extend(month("days", vec![Name::new("shop", "users")], PartitionForm::default()));
    let rest = DefaultPartition { name: Name::new("shop", "nights_rest"), window_ms: 1_000, drain: None };
    all.extend(month("nights", Vec::new(), PartitionForm { default: Some(rest), ..PartitionForm::default() }));
    for has_identity in [false, true] {
        let bucket = Subpartition {
            name: Name::new("shop", "days_2027_01_p0"),
            bound: "FOR VALUES WITH (modulus 1, remainder 0)".to_owned(),
            ..Subpartition::default()
        };
        let below = Some(Subpartitioning { key: "HASH (user_id)".to_owned(), partitions: vec![bucket] });
        let again = PartitionForm { below, has_identity, ..PartitionForm::default() };
        all.extend(month("days", vec![Name::new("shop", "users")], again));
    }
    let leaving = |references| DetachForm {
        name: Name::new("shop", "walks_1"),
        table: Name::new("shop", "walks"),
        range: Range {
            from: vec![Edge::Value("2027-01-01".to_owned())],
            to: vec![Edge::Value("2027-02-01".to_owned())],
        },
        oid: 0,
        is_concurrent: false,
        references,
    };
    for references in [Vec::new(), vec![Name::new("shop", "users")]] {
        all.extend(statements(&Change::DetachPartition(leaving(references.clone()))));
        all.extend(statements(&Change::AttachPartition(leaving(references))));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_as_said() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(&binaries, TABLES).await;
        site.admin.execute("create table public.kept (oid oid)").await.expect("a list");
        let list = "create view public.before as select oid from public.kept";
        site.admin.execute(list).await.expect("a view of it");
        site.admin.execute("set search_path = public").await.expect("set");
        let mut session = site.session("select 1").await;
        let pid = session.value("select pg_backend_pid()").await.expect("a number").expect("one");
        for statement in all() {
            // What it makes is nobody else's yet.
            site.admin.execute("truncate kept; insert into kept select oid from pg_class").await.expect("listed");
            let is_within = statement.class == LockClass::Blocking || statement.sql.starts_with("ANALYZE");
            let (on_table, on_index) = if is_within {
                in_transaction(&site, &session, &pid, &statement).await
            } else {
                let (again, locks) = while_it_waits(&site, session, &pid, &statement).await;
                session = again;
                locks
            };
            let what = format!("{major}: {} (index: {on_index})", statement.sql);
            match statement.lock.strip_suffix(" on the index") {
                Some(lock) => {
                    assert_eq!(on_index, lock, "{what}");
                    assert!(matches!(on_table.as_str(), "none" | "ACCESS SHARE"), "{what}: {on_table} on the table");
                }
                None => assert_eq!(on_table, statement.lock, "{what}"),
            }
        }
    }
}
