//! How long advice takes for 500 statements over 200 tables, on a throwaway server with HypoPG, made by
//! script and the same each time. `PGASSAY_BENCH_SCALE=0.1` makes a tenth of both.

use crate::Fallible;
use pgassay::advise::{Bounds, Consultation, Weigh, estimate};
use pgassay::collect::{Access, ColumnTypes, Scope, collect};
use pgassay::demo::{Cluster, SUPERUSER, Setup, find_binaries};
use pgassay::model::snapshot::{RelationName, Snapshot, Tool};
use pgassay::postgres::{Limits, Reader, Scratch, Surroundings, Target};
use pgassay::progress::Silent;
use pgassay::whatif::consult;
use std::path::Path;
use std::time::Instant;

const TABLES: f64 = 200.0;
const STATEMENTS: f64 = 500.0;
const ROWS: usize = 2_000;

/// Seconds that the advice may take on two processors, with a planner that is asked and without.
const GOALS: [(&str, f64); 2] = [("planner", 30.0), ("estimate", 5.0)];

/// Measures on a server of the major that has the extension; says so where none has.
pub(crate) async fn measure() -> Fallible<()> {
    let setup = Setup::default().with("shared_preload_libraries", "pg_stat_statements");
    for binaries in find_binaries(&[], &[], Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let cluster = Cluster::start(&binaries, &std::env::temp_dir(), &setup)?;
        let admin = cluster.session("postgres", SUPERUSER, "bench").await?;
        if admin.execute("create extension hypopg").await.is_ok() {
            admin.execute("create extension pg_stat_statements").await?;
            return advise(&cluster, &admin).await;
        }
    }
    println!("no server with HypoPG is installed here: run make setup");
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred")]
async fn advise(cluster: &Cluster, admin: &Scratch) -> Fallible<()> {
    let scale = std::env::var("PGASSAY_BENCH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let (tables, statements) = ((TABLES * scale).max(20.0) as usize, (STATEMENTS * scale) as usize);
    for table in 0..tables {
        admin.execute(&created(table)).await?;
    }
    admin.execute("analyze").await?;
    admin.execute("select pg_stat_statements_reset()").await?;
    for number in 0..statements {
        admin.execute(&statement(number, tables)).await?;
    }
    let target = Target::resolve(&cluster.dsn(SUPERUSER, "postgres"), &Surroundings::default())?;
    let access = Access { target: &target, name: "bench", limits: Limits::default(), run: "bench" };
    let began = Instant::now();
    let snapshot =
        collect(access, &Scope { plans: 1_000, top: 1_000, ..Scope::default() }, Tool::default(), &Silent).await?;
    let read = began.elapsed().as_secs_f64();
    println!("PostgreSQL {}: {} plans of {tables} tables read in {read:.1} s", cluster.major, snapshot.plans.len());
    println!(
        "{:>10} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "by", "least", "statements", "pool", "indexes", "asked", "s", "goal"
    );
    let reader = Reader::connect(&target, Limits::default(), "bench").await?;
    // Of half the statements: time must grow as they do.
    let half = Snapshot { plans: snapshot.plans[..snapshot.plans.len() / 2].to_vec(), ..snapshot.clone() };
    for snapshot in [&half, &snapshot] {
        for least_gain in [0.01, 0.001] {
            for goal in GOALS {
                row(&reader, snapshot, least_gain, goal).await?;
            }
        }
    }
    println!("peak memory: {}", peak().unwrap_or_else(|| "not known".to_owned()));
    Ok(())
}

async fn row(reader: &Reader, snapshot: &Snapshot, least_gain: f64, (by, goal): (&str, f64)) -> Fallible<()> {
    let consultation = Consultation {
        weigh: Weigh::Calls,
        bounds: Bounds { budget_bytes: None, max_per_table: 10, least_gain, least_statement_gain: 0.1 },
        windows: None,
        sessions: 2,
        max_calls: 20_000,
        with_curve: false,
        with_spread: true,
    };
    let types = ColumnTypes::new(&snapshot.columns, &snapshot.target.database);
    let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
    let began = Instant::now();
    let advice = match by {
        "estimate" => estimate(snapshot, consultation),
        _ => consult(reader, snapshot, consultation, &column_type).await?,
    };
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{by:>10} {least_gain:>10} {:>10} {:>8} {:>8} {:>8} {seconds:>8.1} {:>8}",
        advice.workload.queries.len(),
        advice.pool.len(),
        advice.found.chosen.len(),
        advice.found.calls,
        if seconds <= goal { "met" } else { "MISSED" }
    );
    Ok(())
}

/// A table with a key, columns of few and of many values, times, and something to read past.
fn created(table: usize) -> String {
    format!(
        "create table t{table} (id int primary key, parent int, kind int, state text, code int, at timestamptz, \
           amount numeric, name text, ref int, pad text);
         insert into t{table} select i, i * 7919 % {ROWS}, i % 40, 's' || i % 6, i % 700, \
           '2024-01-01'::timestamptz + (i * 7919 % {ROWS}) * interval '1 hour', i % 90, 'name ' || i % 900, i % 300, \
           repeat('x', 200) from generate_series(1, {ROWS}) i"
    )
}

/// One of eleven forms, on tables that follow each other.
fn statement(number: usize, tables: usize) -> String {
    let (a, b) = (number * 37 % tables, (number * 37 + 1 + number % 3) % tables);
    let c = (b + 7) % tables;
    match number % 11 {
        0 => format!("select * from t{a} where code = 5"),
        1 => format!("select * from t{a} where kind = 3 and name = 'name 3'"),
        2 => format!("select id, amount from t{a} where state = 's1' and at between '2024-01-03' and '2024-01-05'"),
        3 => format!("select * from t{a} where ref = 9 order by at desc limit 5"),
        4 => format!("select y.* from t{a} x join t{b} y on y.parent = x.id where x.code = 8"),
        5 => format!("select kind, sum(amount) from t{a} where ref = 7 group by kind"),
        6 => format!("select * from t{a} where parent in (3, 4, 5) or name = 'name 8'"),
        7 => format!("select * from t{a} x where x.code = 4 and not exists (select from t{b} y where y.ref = x.id)"),
        8 => format!(
            "select x.name, z.amount from t{a} x join t{b} y on y.parent = x.id join t{c} z on z.ref = y.id \
             where x.name = 'name 6' and z.kind = 4 order by z.at limit 10"
        ),
        9 => format!("select * from t{a} order by kind, at desc limit 20"),
        _ => format!("select max(at) from t{a} where parent = {number} and state = 's2'"),
    }
}

/// The most memory this program ever had.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().to_owned())
}
