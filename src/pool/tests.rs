//! Pools of all kinds, seen as PgBouncer shows them, and what is said of each.

use super::simulation::{Closed, Seen, Times, closed_queue};
use super::*;
use crate::model::snapshot::{
    Database, Lock, PoolCounts, PoolLook, PoolTotals, PooledDatabase, PoolerSettings, Role, SessionGroup, SessionLook,
    SessionSamples, Setting,
};
use proptest::prelude::*;

/// A pool of `size` for one role and database, its looks made of what a queue showed.
fn pooler(size: i64, clients: u32, seen: &[Seen]) -> Pooler {
    let look = |seen: &Seen| PoolLook {
        at_seconds: seen.at - 20.0,
        is_after_loss: false,
        pools: vec![PoolCounts {
            database: "shop".to_owned(),
            user: "app".to_owned(),
            clients_active: i64::from(clients - seen.waiting),
            clients_waiting: seen.waiting.into(),
            servers_active: seen.busy.into(),
            servers: size,
            max_wait_ms: f64::from(seen.waiting) * 10.0,
            pool_mode: Some("transaction".to_owned()),
            ..PoolCounts::default()
        }],
        totals: vec![PoolTotals {
            database: "shop".to_owned(),
            transactions: seen.transactions.into(),
            queries: seen.transactions.into(),
            transaction_ms: 1000.0 * seen.transaction_seconds,
            query_ms: 1000.0 * seen.transaction_seconds,
            wait_ms: 1000.0 * seen.wait_seconds,
        }],
    };
    Pooler {
        name: "db1:6432".to_owned(),
        version: Some("1.18.0".to_owned()),
        state: Some("active".to_owned()),
        settings: PoolerSettings {
            default_pool_size: Some(size),
            max_client_conn: Some(100),
            pool_mode: Some("transaction".to_owned()),
            ..PoolerSettings::default()
        },
        databases: vec![PooledDatabase {
            name: "shop".to_owned(),
            database: Some("shop".to_owned()),
            pool_size: Some(size),
            ..PooledDatabase::default()
        }],
        looks: seen.iter().map(look).collect(),
        seconds: 10.0,
        ..Pooler::default()
    }
}

/// Thirty clients that think 100 ms and are served 20 ms.
fn served_by(servers: u32) -> Closed {
    Closed { clients: 30, servers, think_seconds: 0.1, service_seconds: 0.02, services: Times::Exponential }
}

fn busy(servers: u32) -> Pooler {
    pooler(servers.into(), 30, &closed_queue(served_by(servers), 20.0, 30.0, 0.25))
}

/// A server whose sessions of the pool are as `group` says, at every look.
fn server(group: SessionGroup) -> Snapshot {
    let mut snapshot = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    snapshot.server.reads_all_stats = true;
    let setting =
        |name: &str, value: &str| Setting { name: name.to_owned(), value: value.to_owned(), ..Setting::default() };
    snapshot.settings = vec![setting("max_connections", "100"), setting("superuser_reserved_connections", "3")];
    let group = SessionGroup { database: Some("shop".to_owned()), user: Some("app".to_owned()), ..group };
    let look = |number: u32| SessionLook { at_seconds: f64::from(number) / 4.0, groups: vec![group.clone()] };
    snapshot.session_samples = Some(SessionSamples {
        looks: 41,
        seconds: 10.0,
        series: (0..41).map(look).collect(),
        ..SessionSamples::default()
    });
    snapshot
}

fn group(active: i64, held: i64) -> SessionGroup {
    SessionGroup {
        sessions: active + held,
        active,
        on_cpu: active,
        idle_in_transaction: held,
        in_transaction: active + held,
        transaction_seconds: 0.02 * (active + held) as f64,
        ..SessionGroup::default()
    }
}

fn judged(pooler: &Pooler, server: Option<&Snapshot>) -> PoolLoad {
    judged_by(pooler, server, &Terms::default())
}

fn judged_by(pooler: &Pooler, server: Option<&Snapshot>, terms: &Terms) -> PoolLoad {
    let evidence = Evidence { server, poolers: std::slice::from_ref(pooler), gaps: &[] };
    let mut saturation = assess(evidence, terms, Tool::default());
    saturation.poolers.remove(0).pools.remove(0)
}

fn assert_verdict(load: &PoolLoad, verdict: Verdict, words: &[&str]) {
    assert_eq!(load.judgement.verdict, verdict, "{:?}", load.judgement);
    for word in words {
        assert!(load.judgement.reason.contains(word), "`{word}`: {}", load.judgement.reason);
    }
}

#[test]
fn a_pool_that_is_too_small_gets_a_size_that_is_enough() {
    let load = judged(&busy(2), None);
    assert_verdict(&load, Verdict::PoolTooSmall, &["all 2 server connections", "clients wait"]);
    let sizing = load.sizing.expect("a size");
    assert!((5..=8).contains(&sizing.servers), "{sizing:?}");
    assert!(sizing.wait_ms.is_some_and(|wait| wait <= 10.0));
    assert_eq!(load.settings[0].line, format!("default_pool_size = {}", sizing.servers));
    let enough = u32::try_from(sizing.servers).expect("few");
    let after = judged(&busy(enough), None);
    assert_verdict(&after, Verdict::Healthy, &["mean wait"]);
    assert!(after.flow.expect("counters").wait_ms <= 10.0);
    let waits: Vec<f64> = sizing.curve.iter().map(|point| point.wait_ms.unwrap_or(f64::INFINITY)).collect();
    assert!(waits.is_sorted_by(|a, b| a >= b), "{waits:?}");
}

#[test]
fn the_size_is_capped_by_what_the_server_takes() {
    let mut server = server(group(2, 0));
    server.roles = vec![Role { name: "app".to_owned(), connection_limit: 4, ..Role::default() }];
    let load = judged(&busy(2), Some(&server));
    let sizing = load.sizing.expect("a size");
    assert_eq!((sizing.servers, sizing.capped_by.as_deref()), (4, Some("role app may have 4 sessions")));
    server.roles.clear();
    let cores = Terms { cores: Some(1), ..Terms::default() };
    let load = judged_by(&busy(3), Some(&server), &Terms { cores: Some(2), ..cores });
    let sizing = load.sizing.expect("a size");
    assert_eq!(sizing.servers, 4);
    assert!(sizing.capped_by.is_some_and(|why| why.contains("rule of thumb")));
}

#[test]
fn slots_are_given_away_once() {
    let mut server = server(group(2, 0));
    server.settings[0].value = "10".to_owned();
    let poolers = [busy(2), busy(2)];
    let saturation =
        assess(Evidence { server: Some(&server), poolers: &poolers, gaps: &[] }, &Terms::default(), Tool::default());
    let sizes: Vec<i64> =
        saturation.poolers.iter().map(|pooler| pooler.pools[0].sizing.as_ref().expect("a size").servers).collect();
    // 10 slots, 3 reserved, 2 in use, one of ours: 4 are free.
    assert_eq!(sizes, [6, 2]);
    let second = &saturation.poolers[1].pools[0];
    assert!(second.settings.is_empty());
    assert!(second.judgement.remedy.as_ref().is_some_and(|remedy| remedy.contains("0 connection slots are left")));
}

#[test]
fn of_a_few_transactions_no_size_is_made() {
    let slow = Closed { service_seconds: 0.2, ..served_by(2) };
    let load = judged(&pooler(2, 30, &closed_queue(slow, 20.0, 21.0, 0.25)), None);
    assert_verdict(&load, Verdict::PoolTooSmall, &[]);
    assert!(load.sizing.is_none() && load.settings.is_empty());
    assert!(load.judgement.remedy.is_some_and(|remedy| remedy.contains("watch longer")));
}

#[test]
fn what_keeps_a_full_pool_waiting_is_told_apart() {
    let full = busy(2);
    assert_verdict(
        &judged(&full, Some(&server(group(0, 2)))),
        Verdict::TransactionsHeld,
        &["100 % of the time", "idle in transaction"],
    );
    let mut locked = server(SessionGroup { on_lock: 2, on_cpu: 0, ..group(2, 0) });
    locked.locks = vec![Lock { root_pid: Some(71), root_state: Some("active".to_owned()), ..Lock::default() }];
    assert_verdict(
        &judged(&full, Some(&locked)),
        Verdict::DatabaseSlow,
        &["100 % of its active sessions wait for locks", "process 71 (active)"],
    );
    let storage = server(SessionGroup { on_io: 2, on_cpu: 0, ..group(2, 0) });
    assert_verdict(&judged(&full, Some(&storage)), Verdict::DatabaseSlow, &["storage"]);
    let mut slower = full.clone();
    for look in &mut slower.looks {
        // A hundred thousand of 2 ms each went before.
        look.totals[0].transactions += 100_000;
        look.totals[0].transaction_ms += 200_000.0;
    }
    assert_verdict(&judged(&slower, None), Verdict::DatabaseSlow, &["before the sample"]);
    let busy_server = server(SessionGroup { active: 8, on_cpu: 8, sessions: 8, ..SessionGroup::default() });
    let cores = Terms { cores: Some(2), ..Terms::default() };
    assert_verdict(
        &judged_by(&full, Some(&busy_server), &cores),
        Verdict::DatabaseSlow,
        &["8 sessions want the 2 processors"],
    );
}

#[test]
fn a_queue_that_melts_away_is_no_slow_database() {
    let mut melting = busy(2);
    let most = melting.looks.len() as f64;
    let plain = judged(&melting, None).flow.expect("counters");
    for (number, look) in melting.looks.iter_mut().enumerate() {
        // Two transactions are under way at each look: they waited for ten seconds at first, for none in the end.
        let totals = &mut look.totals[0];
        totals.wait_ms += 20_000.0 * (1.0 - number as f64 / most);
        totals.transactions += 100_000;
        totals.transaction_ms += 2_000_000.0;
    }
    let (first, last) = (&melting.looks[0].totals[0], &melting.looks[melting.looks.len() - 1].totals[0]);
    let count = (last.transactions - first.transactions) as f64;
    let by_counters = (last.transaction_ms - first.transaction_ms - last.wait_ms + first.wait_ms) / count;
    assert!(by_counters > 1.8 * plain.service_ms, "the counters mislead: {by_counters}");
    let load = judged(&melting, None);
    assert_verdict(&load, Verdict::PoolTooSmall, &[]);
    assert!((load.flow.expect("counters").service_ms / plain.service_ms - 1.0).abs() < 0.01);
}

#[test]
fn transactions_in_which_nothing_runs_are_seen_without_the_server() {
    let mut held = busy(2);
    for look in &mut held.looks {
        let totals = &mut look.totals[0];
        totals.query_ms = totals.wait_ms + 0.2 * (totals.transaction_ms - totals.wait_ms);
    }
    let load = judged(&held, None);
    assert_verdict(&load, Verdict::TransactionsHeld, &["% of the time of server connections"]);
    assert!(load.held_share.is_some_and(|share| (share - 0.8).abs() < 0.05), "{:?}", load.held_share);
}

#[test]
fn connections_that_never_come_back_are_a_slow_database() {
    let mut stuck = busy(2);
    let first = stuck.looks[0].totals.clone();
    for look in &mut stuck.looks {
        look.totals.clone_from(&first);
        look.pools[0].clients_waiting = 7;
    }
    assert_verdict(&judged(&stuck, None), Verdict::DatabaseSlow, &["no transaction ended"]);
}

/// Clients wait, and the pool has `servers` of 20.
fn short_of(servers: i64) -> Pooler {
    let mut pooler = busy(2);
    pooler.settings.default_pool_size = Some(20);
    pooler.databases[0].pool_size = Some(20);
    pooler.looks.iter_mut().for_each(|look| look.pools[0].servers = servers);
    pooler
}

#[test]
fn a_limit_that_keeps_a_pool_below_its_size_is_named() {
    let mut limited = short_of(2);
    limited.databases[0].max_connections = Some(2);
    let load = judged(&limited, None);
    assert_verdict(&load, Verdict::LimitElsewhere, &["max_db_connections of 2", "2 of 20"]);
    assert_eq!(load.settings[0].line, "shop = … max_db_connections=20");
    limited.settings.max_db_connections = Some(2);
    assert_eq!(judged(&limited, None).settings[0].line, "max_db_connections = 20");

    let mut limited = short_of(2);
    limited.settings.max_user_connections = Some(2);
    assert_verdict(&judged(&limited, None), Verdict::LimitElsewhere, &["max_user_connections of 2"]);

    let mut server = server(group(2, 0));
    server.roles = vec![Role { name: "app".to_owned(), connection_limit: 2, ..Role::default() }];
    let load = judged(&short_of(2), Some(&server));
    assert_verdict(&load, Verdict::LimitElsewhere, &["role app have 2 sessions"]);
    assert_eq!(load.settings[0].line, "ALTER ROLE app CONNECTION LIMIT 20;");
    server.roles.clear();
    server.databases = vec![Database { name: "shop".to_owned(), connection_limit: 2, ..Database::default() }];
    assert_verdict(&judged(&short_of(2), Some(&server)), Verdict::LimitElsewhere, &["database shop have 2 sessions"]);
    server.databases.clear();
    server.settings[0].value = "6".to_owned();
    assert_verdict(&judged(&short_of(2), Some(&server)), Verdict::LimitElsewhere, &["all 3 connection slots"]);

    assert_verdict(&judged(&short_of(0), None), Verdict::LimitElsewhere, &["no connection to the server"]);
    assert_verdict(&judged(&short_of(2), None), Verdict::LimitElsewhere, &["none of the limits"]);
}

#[test]
fn a_pause_is_told_before_anything_else() {
    let mut paused = short_of(0);
    paused.state = Some("paused".to_owned());
    assert_verdict(&judged(&paused, None), Verdict::Paused, &["PgBouncer is paused", "clients wait"]);
    let mut untold = short_of(0);
    untold.state = None;
    assert_verdict(&judged(&untold, None), Verdict::LimitElsewhere, &["no connection to the server"]);
    assert_verdict(&judged(&untold, Some(&server(group(0, 0)))), Verdict::Paused, &["most likely"]);
    let mut paused = busy(2);
    paused.databases[0].is_paused = true;
    assert_verdict(&judged(&paused, None), Verdict::Paused, &["database shop is paused"]);
}

#[test]
fn a_pool_of_which_little_is_used_is_too_large() {
    let load = judged(&pooler(60, 30, &closed_queue(served_by(60), 20.0, 30.0, 0.25)), None);
    assert_verdict(&load, Verdict::Oversized, &["of 60 connections"]);
    let sizing = load.sizing.expect("a size");
    assert!(sizing.servers < 60 && sizing.servers >= 2 * load.active.peak, "{sizing:?}");
    assert_verdict(&judged(&busy(12), None), Verdict::Healthy, &[]);
    let idle = Seen { at: 20.0, ..Seen::default() };
    assert_verdict(&judged(&pooler(20, 3, &[idle, Seen { at: 30.0, ..idle }]), None), Verdict::Idle, &[]);
}

#[test]
fn clients_near_their_limit_are_the_poolers_trouble() {
    let of = |pooler: &Pooler| {
        let evidence = Evidence { server: None, poolers: std::slice::from_ref(pooler), gaps: &[] };
        assess(evidence, &Terms::default(), Tool::default()).poolers.remove(0).judgement
    };
    let mut crowded = busy(12);
    assert_eq!(of(&crowded).verdict, Verdict::Healthy);
    crowded.settings.max_client_conn = Some(35);
    assert_eq!(of(&crowded).verdict, Verdict::ClientLimitNear);
    assert!(of(&crowded).reason.contains("30 of 35"));
    crowded.settings.max_client_conn = Some(1000);
    crowded.databases[0].max_client_connections = Some(30);
    assert!(of(&crowded).reason.contains("max_db_client_connections of shop"));
}

#[test]
fn counters_that_fall_are_left_out_and_told() {
    let mut restarted = busy(2);
    let (whole, middle) = (judged(&restarted, None), restarted.looks.len() / 2);
    let base = restarted.looks[middle].totals[0].clone();
    for look in &mut restarted.looks[middle..] {
        let totals = &mut look.totals[0];
        totals.transactions -= base.transactions;
        totals.transaction_ms -= base.transaction_ms;
        totals.wait_ms -= base.wait_ms;
        totals.query_ms -= base.query_ms;
    }
    let load = judged(&restarted, None);
    assert_verdict(&load, Verdict::PoolTooSmall, &[]);
    let (seen, all) = (load.flow.expect("counters"), whole.flow.expect("counters"));
    assert!((seen.rate / all.rate - 1.0).abs() < 0.1 && seen.seconds < all.seconds, "{seen:?} {all:?}");
    assert_eq!(measure::restarts(&restarted), 1);
    let evidence = Evidence { server: None, poolers: &[restarted], gaps: &[] };
    let saturation = assess(evidence, &Terms::default(), Tool::default());
    assert!(saturation.poolers[0].notes[0].contains("restarted"), "{:?}", saturation.poolers[0].notes);
}

#[test]
fn pools_of_one_database_share_its_counters_by_how_busy_they_are() {
    let mut two = busy(2);
    for look in &mut two.looks {
        let mut other = look.pools[0].clone();
        other.user = "reports".to_owned();
        look.pools.push(other);
    }
    let whole = judged(&busy(2), None).flow.expect("counters");
    let half = judged(&two, None).flow.expect("counters");
    assert!(half.is_shared && !whole.is_shared);
    assert!((2.0 * half.rate - whole.rate).abs() < 1e-6 * whole.rate);
    assert!((half.wait_ms - whole.wait_ms).abs() < 1e-6 * whole.wait_ms);
}

#[test]
fn in_session_mode_a_client_needs_a_connection_of_its_own() {
    let mut pooler = busy(2);
    pooler.looks.iter_mut().for_each(|look| look.pools[0].pool_mode = Some("session".to_owned()));
    let load = judged(&pooler, None);
    assert_verdict(&load, Verdict::PoolTooSmall, &[]);
    assert!(load.judgement.remedy.as_ref().is_some_and(|remedy| remedy.contains("pool_mode = transaction")));
    assert_eq!(load.sizing.expect("a size").servers, 30);
}

#[test]
fn a_server_by_itself_is_judged_too() {
    let of = |snapshot: &Snapshot| {
        let evidence = Evidence { server: Some(snapshot), poolers: &[], gaps: &[] };
        assess(evidence, &Terms::default(), Tool::default()).server.expect("a server").judgement
    };
    assert_eq!(of(&server(group(3, 0))).verdict, Verdict::Healthy);
    assert_eq!(of(&server(group(1, 5))).verdict, Verdict::TransactionsHeld);
    assert_eq!(of(&server(SessionGroup { on_lock: 4, ..group(5, 0) })).verdict, Verdict::DatabaseSlow);
    assert_eq!(of(&server(group(90, 0))).verdict, Verdict::ConnectionLimitNear);
    let mut limited = server(group(9, 0));
    limited.roles = vec![Role { name: "app".to_owned(), connection_limit: 10, ..Role::default() }];
    assert!(of(&limited).reason.contains("role app has 9 of its 10"));
    let mut blind = server(group(0, 0));
    blind.server.reads_all_stats = false;
    assert_eq!(of(&blind).verdict, Verdict::NotJudged);
}

proptest! {
    /// Whatever a console says, it is judged in numbers.
    #[test]
    fn no_series_makes_it_panic(
        rows in proptest::collection::vec((0_i64..50, 0_i64..50, 0_i64..30, -5_i64..1_000, -1e6_f64..1e6, any::<bool>()), 0..12),
        size in proptest::option::of(-1_i64..40), cores in proptest::option::of(1_u32..8), held in 0_i64..5,
    ) {
        let mut pooler = busy(2);
        pooler.settings.default_pool_size = size;
        pooler.databases[0].pool_size = size;
        let template = pooler.looks[0].clone();
        pooler.looks = rows.iter().enumerate().map(|(at, (active, waiting, servers, count, time, is_after_loss))| {
            let mut look = PoolLook { at_seconds: at as f64 / 4.0, is_after_loss: *is_after_loss, ..template.clone() };
            look.pools[0] = PoolCounts {
                clients_active: *active, clients_waiting: *waiting, servers_active: *servers, servers: *servers,
                ..look.pools[0].clone()
            };
            look.totals[0] = PoolTotals { transactions: *count, transaction_ms: *time, wait_ms: time / 3.0, ..look.totals[0].clone() };
            look
        }).collect();
        let server = server(group(2, held));
        let evidence = Evidence { server: Some(&server), poolers: std::slice::from_ref(&pooler), gaps: &[] };
        let saturation = assess(evidence, &Terms { cores, ..Terms::default() }, Tool::default());
        prop_assert!(serde_json::to_string(&saturation).is_ok());
        for pool in saturation.poolers.iter().flat_map(|pooler| &pooler.pools) {
            if let (Some(sizing), Some(size)) = (&pool.sizing, pool.pool_size) {
                prop_assert!(sizing.servers >= 1.min(size));
            }
        }
    }
}
