//! `pg_stat_statements` under strain: with too little room, and with texts that fill books.

use crate::support::{CORNER, Report, Yard, ask, corner, newest, oldest, server, with_statements};
use pgassay::demo::{Cluster, SUPERUSER};
use std::time::{Duration, Instant};

fn audit(yard: &Yard, cluster: &Cluster, args: &[&str]) -> Report {
    let dsn = cluster.dsn(SUPERUSER, CORNER);
    let report = yard.audit(&[&[dsn.as_str(), "--format", "json"], args].concat()).run().expect(0).report();
    report.assert_calm();
    assert_eq!(report.gaps(), []);
    report
}

/// Any statement is slow.
const EAGER: &[&str] = &["--param", "slow_query.min_mean_ms=0", "--param", "slow_query.min_calls=1"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_statements_than_room() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements().with("pg_stat_statements.max", "100"));
        let admin = corner(&cluster).await;
        admin.execute("create extension pg_stat_statements").await.expect("the extension");
        let columns: Vec<String> = (0..500).map(|number| format!("column_{number} int")).collect();
        admin.execute(&format!("create table public.wide ({})", columns.join(", "))).await.expect("a table");
        for round in 0..2 {
            for number in 0..500 {
                let asked = format!("select column_{number} from public.wide where column_{number} > {round}");
                admin.execute(&asked).await.expect("asked");
            }
        }
        let report = audit(&yard, &cluster, EAGER);
        let findings = report.0["findings"].as_array().expect("findings");
        let slow: Vec<_> = findings.iter().filter(|finding| finding["rule"] == "slow_query").collect();
        assert!(slow.len() > 20, "{}", slow.len());
        if cluster.major < 14 {
            assert_eq!(report.status("statements_evicting"), "skipped", "13 does not count them");
            continue;
        }
        assert_eq!(report.status("statements_evicting"), "found");
        assert!(slow.iter().all(|finding| finding["confidence"] == "low"), "totals are missing what was thrown out");
    }
}

/// Kept whole, one of them would be most of the report.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_of_a_megabyte() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        admin.execute("create extension pg_stat_statements").await.expect("the extension");
        let numbers: Vec<String> = (0..150_000).map(|number| number.to_string()).collect();
        let columns: Vec<String> = (0..1600).map(|number| format!("note || '{number}' as column_{number}")).collect();
        let unions: Vec<String> =
            (0..2000).map(|number| format!("select id + {number} as a{number} from shop.orders")).collect();
        for asked in [
            format!("select id from shop.orders where id in ({})", numbers.join(", ")),
            format!("select id from shop.orders where note = '{}é'", "é".repeat(500_000)),
            format!("select id /* {} */ from shop.orders where id = 1", "é".repeat(500_000)),
            format!("select {} from shop.orders limit 1", columns.join(", ")),
            format!("{} limit 1", unions.join(" union all ")),
            format!("select {} 1 {} as deep", "(".repeat(2000), ")".repeat(2000)),
            format!("prepare long as select '{}'", "x".repeat(1_000_000)),
        ] {
            admin.execute(&asked).await.unwrap_or_else(|error| panic!("{error}: {}", &asked[..80]));
        }
        let since = Instant::now();
        let report = audit(&yard, &cluster, EAGER);
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
        let long = report.0.to_string().len();
        assert!(long < 2_000_000, "{long} bytes");
        let counts = &report.0["summary"]["statements"];
        assert!(report.judged() >= 5, "what can be parsed is judged: {counts}");
    }
}

/// From 15 on a role may be let: no superuser is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_set_what_is_tracked_leaves_no_entries() {
    for major in [15, 16, 18] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = corner(&cluster).await;
        let role = "create extension pg_stat_statements; create role auditor login; grant pg_monitor, pg_read_all_data to auditor";
        admin.execute(role).await.expect("a role");
        ask(&cluster).await;
        let mut own = Vec::new();
        for grant in ["", "grant set on parameter pg_stat_statements.track to auditor"] {
            admin.execute(grant).await.expect("granted");
            admin.execute("select pg_stat_statements_reset()").await.expect("reset");
            yard.pgassay(&["advise", &cluster.dsn("auditor", CORNER)]).run().expect(0);
            let texts =
                "select string_agg(left(regexp_replace(query, '\\s+', ' ', 'g'), 80), E'\\n') from pg_stat_statements s
                         join pg_roles r on r.oid = s.userid where r.rolname = 'auditor'";
            own.push(admin.value(texts).await.expect("read").unwrap_or_default());
        }
        // BEGIN and COMMIT, what the server is, whether it may, and that it does.
        let counts: Vec<usize> = own.iter().map(|texts| texts.lines().count()).collect();
        assert!(counts[0] > 10 && counts[1] <= 5, "{major}: {own:#?}");
    }
}
