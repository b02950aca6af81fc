//! An application whose regressions are known: a small shop, what one visit asks of it, and ten ways in which
//! the next version may be worse. For tests of `diff`, and for the noise test among the benchmarks.

use pgassay::demo::{Cluster, SUPERUSER};

/// Database with the data, of which each run gets a copy.
pub(crate) const SEED: &str = "app_seed";

/// What the data is: orders of ten megabytes, carts that are updated in place, documents with values in TOAST,
/// events by months; and what wanders by nature: counters of few rows that all update, and a queue.
pub(crate) const DATA: &[&str] = &[
    "create table users (id int primary key, name text not null, email text not null)",
    "insert into users select i, 'user ' || i, i || '@example.com' from generate_series(1, 4000) i",
    "create table orders (id int primary key, user_id int not null, status text not null, placed_at timestamptz not null, total int not null, note text not null)",
    "insert into orders select i, 1 + i % 4000, case when i % 50 = 0 then 'open' else 'done' end, timestamptz '2026-01-01 00:00Z' + i * interval '5 minutes',
       i % 997, repeat(md5(i::text), 4) from generate_series(1, 50000) i",
    "create index orders_user_id_idx on orders (user_id)",
    "create index orders_placed_at_idx on orders (placed_at)",
    "create table carts (id int primary key, items int not null default 0, touched_at timestamptz not null default now()) with (fillfactor = 50)",
    "insert into carts select i from generate_series(1, 2000) i",
    "create table documents (id int primary key, owner_id int not null, title text not null, body text not null)",
    "insert into documents select i, 1 + i % 100, 'title ' || i, (select string_agg(md5(i::text || j::text), '') from generate_series(1, 300) j) from generate_series(1, 1000) i",
    "create index documents_owner_id_idx on documents (owner_id)",
    "create table events (at timestamptz not null, kind text not null, detail text not null) partition by range (at)",
    "do $$ begin for m in 1..6 loop execute format('create table events_%s partition of events for values from (%L) to (%L)', m,
       make_timestamptz(2026, m, 1, 0, 0, 0, 'UTC'), make_timestamptz(2026, m + 1, 1, 0, 0, 0, 'UTC')); end loop; end $$",
    "insert into events select make_timestamptz(2026, 1 + i % 6, 1 + i % 27, i % 24, 0, 0, 'UTC'), 'kind ' || i % 10, md5(i::text) from generate_series(1, 30000) i",
    "create table counters (id int primary key, n bigint not null default 0)",
    "insert into counters select i from generate_series(1, 5) i",
    "create table jobs (id bigint generated always as identity primary key, payload text not null)",
    "insert into jobs (payload) select md5(i::text) from generate_series(1, 20) i",
    "create extension pg_stat_statements",
];

/// How the next version is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DroppedIndex,
    NPlusOne,
    SelectStar,
    DeepOffset,
    LostPruning,
    TempSpill,
    MoreWal,
    SequentialScan,
    MoreCalls,
    PlanFlip,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::DroppedIndex,
        Self::NPlusOne,
        Self::SelectStar,
        Self::DeepOffset,
        Self::LostPruning,
        Self::TempSpill,
        Self::MoreWal,
        Self::SequentialScan,
        Self::MoreCalls,
        Self::PlanFlip,
    ];

    /// What its migration does; nothing where the code alone is worse.
    pub(crate) fn migration(self) -> Option<&'static str> {
        match self {
            Self::DroppedIndex => Some("drop index orders_user_id_idx"),
            Self::TempSpill => Some("alter database {} set work_mem = '64kB'"),
            Self::MoreWal => Some("create index carts_touched_at_idx on carts (touched_at)"),
            Self::PlanFlip => Some("alter database {} set random_page_cost = 5000"),
            _ => None,
        }
    }

    /// The rule that must find it, and a part of the statement or object.
    pub(crate) fn finding(self) -> (&'static str, &'static str) {
        match self {
            Self::DroppedIndex => ("index_dropped", "orders_user_id_idx"),
            Self::NPlusOne => ("new_expensive_statement", "select email from users"),
            Self::SelectStar => ("wider_rows", "select * from documents"),
            Self::DeepOffset => ("more_blocks_per_call", "offset"),
            Self::LostPruning => ("more_blocks_per_call", "from events"),
            Self::TempSpill => ("more_temp_per_call", "order by note"),
            Self::MoreWal => ("more_wal_per_call", "update carts"),
            Self::SequentialScan => ("more_blocks_per_call", "from orders where user_id::text"),
            Self::MoreCalls => ("more_calls", "select name from users"),
            Self::PlanFlip => ("plan_changed", "from orders where user_id"),
        }
    }
}

/// Numbers that look like chance, and are the same in each run of one seed (Knuth, MMIX).
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 1 to `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (self.0 >> 33) % sides
    }
}

/// What one visit asks: a page, an order, a cart, sometimes a report.
pub(crate) fn visit(fault: Option<Fault>, dice: &mut Dice, visit: u64) -> Vec<String> {
    let has = |one: Fault| fault == Some(one);
    let user = dice.roll(4000);
    let mut asked = vec!["begin".to_owned()];
    for _ in 0..if has(Fault::MoreCalls) { 12 } else { 1 } {
        asked.push(format!("select name from users where id = {}", dice.roll(4000)));
    }
    asked.push(if has(Fault::SequentialScan) {
        format!("select id, total from orders where user_id::text = '{user}'")
    } else {
        format!("select id, total from orders where user_id = {user}")
    });
    if has(Fault::NPlusOne) {
        asked.extend((0..20).map(|_| format!("select email from users where id = {}", dice.roll(4000))));
    } else {
        asked.push(format!("select o.id, u.email from orders o join users u on u.id = o.user_id where o.id between {user} and {user} + 19"));
    }
    let offset = if has(Fault::DeepOffset) { 20 * dice.roll(1000) } else { 20 * dice.roll(3) };
    asked.push(format!("select id, total from orders order by placed_at desc limit 20 offset {offset}"));
    let columns = if has(Fault::SelectStar) { "*" } else { "id, title" };
    asked.push(format!("select {columns} from documents where owner_id = {}", dice.roll(100)));
    asked.push(format!("update carts set items = items + 1, touched_at = now() where id = {}", dice.roll(2000)));
    asked.push(format!(
        "insert into events values (timestamptz '2026-03-05 00:00Z' + {visit} * interval '1 second', 'kind 1', md5('{user}'))"
    ));
    asked.push(format!("update counters set n = n + 1 where id = {}", dice.roll(5)));
    asked.push(format!("insert into jobs (payload) values (md5('{user}'))"));
    asked.push(
        "delete from jobs where id = (select id from jobs order by id for update skip locked limit 1)".to_owned(),
    );
    let month = dice.roll(6);
    asked.push(if has(Fault::LostPruning) {
        format!("select count(*) from events where date_trunc('month', at at time zone 'UTC') = '2026-0{month}-01'")
    } else {
        format!("select count(*) from events where at >= timestamptz '2026-0{month}-01 00:00Z' and at < timestamptz '2026-0{}-01 00:00Z'", month + 1)
    });
    if visit.is_multiple_of(10) {
        asked.push(format!("select id, note from orders where status = 'open' and total <> {user} order by note"));
    }
    asked.push("commit".to_owned());
    asked
}

/// Loads the data.
pub(crate) async fn seed(cluster: &Cluster) {
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    admin.execute(&format!("create database {SEED}")).await.expect("a database");
    let owner = cluster.session(SEED, SUPERUSER, "setup").await.expect("a session");
    for statement in DATA {
        owner.execute(statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    owner.execute("vacuum analyze").await.expect("vacuumed");
    owner.close().await;
    admin.close().await;
}

/// A copy of the data, migrated.
pub(crate) async fn deploy(cluster: &Cluster, database: &str, fault: Option<Fault>) {
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    admin.execute(&format!("create database {database} template {SEED}")).await.expect("a copy");
    if let Some(migration) = fault.and_then(Fault::migration) {
        let owner = cluster.session(database, SUPERUSER, "setup").await.expect("a session");
        owner.execute(&migration.replace("{}", database)).await.expect("migrated");
        owner.close().await;
    }
    admin.close().await;
}

/// So many visits, one after the other; what they counted has arrived when this returns.
pub(crate) async fn visits(cluster: &Cluster, database: &str, fault: Option<Fault>, seed: u64, count: u64) {
    let web = cluster.session(database, SUPERUSER, "web").await.expect("a session");
    let mut dice = Dice::new(seed);
    for number in 1..=count {
        for statement in visit(fault, &mut dice, number) {
            web.execute(&statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
        }
    }
    web.close().await;
}
