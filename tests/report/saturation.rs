//! What `pool` says in its forms: golden texts, the published schema, Prometheus' format, texts that mean harm.

use pgassay::model::saturation::{
    CurvePoint, DatabaseLoad, Flow, Judgement, LimitUse, Point, PoolLoad, PoolerLoad, SATURATION_VERSION, Saturation,
    ServerLoad, SettingChange, Sizing, Spread, Verdict, WaitShare,
};
use pgassay::model::snapshot::{Facet, Gap, Tool};
use pgassay::report::{Style, write_saturation, write_saturation_json, write_saturation_prometheus};
use serde_json::Value;
use std::path::PathBuf;

fn judged(verdict: Verdict, reason: &str, remedy: Option<&str>) -> Judgement {
    Judgement { verdict, reason: reason.to_owned(), remedy: remedy.map(str::to_owned) }
}

fn series(values: &[(i64, i64)]) -> Vec<Point> {
    let point = |(at, (active, waiting)): (u32, &(i64, i64))| Point {
        at_seconds: f64::from(at) / 4.0,
        active: *active,
        waiting: *waiting,
    };
    (0..).zip(values).map(point).collect()
}

fn server() -> ServerLoad {
    ServerLoad {
        judgement: judged(Verdict::Healthy, "12 of 97 slots in use at the peak, 2.1 sessions active on average", None),
        usable_slots: Some(97),
        sessions: Spread { mean: 11.2, peak: 12 },
        active: Spread { mean: 2.1, peak: 4 },
        idle_in_transaction: Spread { mean: 0.2, peak: 1 },
        oldest_transaction_seconds: Some(1.25),
        waits: vec![
            WaitShare { wait: "CPU".to_owned(), share: 0.62 },
            WaitShare { wait: "IO".to_owned(), share: 0.38 },
        ],
        limits: vec![LimitUse { of: "role app".to_owned(), peak: 9, limit: 40 }],
        databases: vec![DatabaseLoad {
            database: "shop".to_owned(),
            transactions_per_second: 102.4,
            mean_sessions: Some(9.0),
            mean_active: Some(2.0),
            mean_idle_in_transaction: Some(0.1),
        }],
        looks: 6,
        series: series(&[(1, 0), (2, 0), (4, 0), (2, 0), (1, 0), (2, 0)]),
        ..ServerLoad::default()
    }
}

fn pool(database: &str) -> PoolLoad {
    let point = |servers: i64, utilization: f64, wait_ms| CurvePoint { servers, utilization, wait_ms };
    PoolLoad {
        database: database.to_owned(),
        user: "app".to_owned(),
        judgement: judged(
            Verdict::PoolTooSmall,
            "mean wait 118 ms, 11.4 clients wait on average, 14 at the peak, with all 2 server connections in use, a transaction takes 21 ms",
            Some("enlarge the pool as below"),
        ),
        pool_mode: Some("transaction".to_owned()),
        pool_size: Some(2),
        clients: Spread { mean: 30.0, peak: 30 },
        waiting: Spread { mean: 11.4, peak: 14 },
        active: Spread { mean: 2.0, peak: 2 },
        servers: Spread { mean: 2.0, peak: 2 },
        client_states: [("active".to_owned(), 18), ("waiting".to_owned(), 12)].into(),
        server_states: [("active".to_owned(), 2)].into(),
        limits: vec![LimitUse { of: format!("max_db_connections of {database}"), peak: 2, limit: 10 }],
        used_pct: Some(100.0),
        max_wait_ms: 190.0,
        flow: Some(Flow {
            transactions: 970.0,
            seconds: 10.0,
            rate: 97.0,
            wait_ms: 118.0,
            service_ms: 21.0,
            service_before_ms: Some(20.0),
            think_ms: 170.0,
            wanted_rate: 157.0,
            offered_load: 3.3,
            is_shared: false,
        }),
        sizing: Some(Sizing {
            servers: 5,
            wait_ms: Some(4.2),
            variability: 1.0,
            variability_is_measured: false,
            capped_by: None,
            curve: vec![
                point(2, 1.0, None),
                point(4, 0.83, Some(31.0)),
                point(5, 0.66, Some(4.2)),
                point(6, 0.55, Some(1.1)),
            ],
        }),
        settings: vec![SettingChange {
            setting: "default_pool_size".to_owned(),
            from: Some(2),
            to: 5,
            line: "default_pool_size = 5".to_owned(),
            place: "[pgbouncer] of pgbouncer.ini, then RELOAD;".to_owned(),
        }],
        series: series(&[(2, 9), (2, 12), (2, 14), (2, 11), (2, 8), (2, 14)]),
        ..PoolLoad::default()
    }
}

fn saturation(database: &str) -> Saturation {
    let gap = Gap {
        facet: Facet::Pools,
        database: None,
        partial: true,
        reason: "cannot connect to db2:6432/pgbouncer: connection refused".to_owned(),
        sqlstate: None,
        remedy: "check that PgBouncer runs there, and its listen_port and listen_addr".to_owned(),
        is_failure: true,
    };
    Saturation {
        saturation_version: SATURATION_VERSION,
        tool: Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() },
        captured_at: Some("2026-11-20T06:03:39Z".parse().expect("a time")),
        sample_seconds: 10.0,
        target_wait_ms: 10.0,
        server: Some(server()),
        poolers: vec![PoolerLoad {
            name: "db1:6432".to_owned(),
            version: Some("1.18.0".to_owned()),
            judgement: judged(Verdict::Healthy, "30 of 100 clients at the peak", None),
            clients: Spread { mean: 30.0, peak: 30 },
            client_limit: Some(100),
            looks: 41,
            notes: vec!["columns that this program does not know: pools.load_balance_hosts".to_owned()],
            pools: vec![pool(database)],
            ..PoolerLoad::default()
        }],
        gaps: vec![gap],
    }
}

/// The PgBouncer of the sample.
pub(super) fn poolers() -> Vec<PoolerLoad> {
    saturation("shop").poolers
}

fn text(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn table(seen: &Saturation, width: u16) -> String {
    text(|out| write_saturation(seen, Style { width, color: false }, out))
}

#[test]
fn the_table() {
    insta::assert_snapshot!(table(&saturation("shop"), 100));
}

#[test]
fn gauges() {
    let told = text(|out| write_saturation_prometheus(&saturation("shop"), out));
    insta::assert_snapshot!(told);
}

#[test]
fn json_is_as_published() {
    let schema = schemars::schema_for!(Saturation).as_value().clone();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/pool.json");
    let published: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("run `make pages`")).expect("JSON");
    assert_eq!(published, schema, "docs/schema/pool.json is stale: run `make pages`");
    let told: Value = serde_json::from_str(&text(|out| write_saturation_json(&saturation("shop"), out))).expect("JSON");
    let validator = jsonschema::validator_for(&published).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&told).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(told["poolers"][0]["pools"][0]["judgement"]["verdict"], "pool_too_small");
}

/// Names of databases that would colour a terminal, or end a label.
#[test]
fn names_that_mean_harm_stay_names() {
    let seen = saturation("sh\u{1b}[31mop\"} 1\nevil{x=\"\\");
    let shown = table(&seen, 80);
    assert!(!shown.contains('\u{1b}') && shown.contains("evil"), "{shown}");
    let gauges = text(|out| write_saturation_prometheus(&seen, out));
    assert_gauges(&gauges);
    assert!(!gauges.contains('\u{1b}') && !gauges.lines().any(|line| line.starts_with("evil")), "{gauges}");
}

/// Each line is a comment or a sample whose metric was announced, its labels quoted to their end.
fn assert_gauges(gauges: &str) {
    let mut announced = String::new();
    for line in gauges.lines() {
        if let Some(metric) = line.strip_prefix("# TYPE ") {
            announced = metric.strip_suffix(" gauge").expect("a gauge").to_owned();
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let rest = line.strip_prefix(&announced).unwrap_or_else(|| panic!("{line} is not {announced}"));
        let value = match rest.strip_prefix('{') {
            Some(labels) => {
                let (mut is_quoted, mut is_escaped) = (false, false);
                let end = labels.char_indices().find(|(_, c)| {
                    let is_end = *c == '}' && !is_quoted;
                    is_quoted ^= *c == '"' && !is_escaped;
                    is_escaped = *c == '\\' && !is_escaped;
                    is_end
                });
                &labels[end.expect("labels end").0 + 1..]
            }
            None => rest,
        };
        assert!(value.trim().parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn every_gauge_can_be_read_back() {
    assert_gauges(&text(|out| write_saturation_prometheus(&saturation("shop"), out)));
}
