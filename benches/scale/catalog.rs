//! The scripted catalog: tables, indexes, statements and partitions, as many as are asked for.

use crate::Fallible;
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup};
use pgassay::postgres::Scratch;
use std::path::Path;

/// The database of tables and statements.
pub(crate) const DATABASE: &str = "bench";

/// The role that audits.
pub(crate) const AUDITOR: &str = "auditor";

/// Tables made in one transaction.
const BATCH: usize = 100;

/// Statements sent at a time.
const STATEMENTS: usize = 50;

/// How much is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) tables: usize,
    pub(crate) statements: usize,
    /// Partitions of the largest table; others have a quarter and a half of them.
    pub(crate) partitions: usize,
}

impl Size {
    /// Of 10,000 tables by a factor.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    pub(crate) fn scaled(factor: f64) -> Self {
        let of = |whole: f64| ((whole * factor / 100.0).round().max(1.0) as usize) * 100;
        Self { tables: of(10_000.0), statements: of(5_000.0), partitions: 4 * of(500.0) }
    }

    /// Databases with one partitioned table, by the number of its partitions.
    pub(crate) fn partitioned(&self) -> [usize; 4] {
        [0, self.partitions / 4, self.partitions / 2, self.partitions]
    }
}

pub(crate) fn start(binaries: &Binaries, parent: &Path) -> Fallible<Cluster> {
    let setup = [
        ("shared_preload_libraries", "pg_stat_statements"),
        ("pg_stat_statements.max", "10000"),
        ("track_io_timing", "on"),
        ("autovacuum", "off"),
        ("shared_buffers", "256MB"),
        ("max_locks_per_transaction", "1024"),
        ("max_wal_size", "8GB"),
        ("checkpoint_timeout", "1h"),
        ("log_line_prefix", "%p|"),
    ];
    let setup = setup.iter().fold(Setup::default(), |setup, (name, value)| setup.with(name, value));
    Ok(Cluster::start(binaries, parent, &setup)?)
}

/// Makes everything, two sessions at a time.
pub(crate) async fn build(cluster: &Cluster, size: Size) -> Fallible<()> {
    let admin = cluster.session("postgres", SUPERUSER, "build").await?;
    admin.execute(&format!("create database {DATABASE}")).await?;
    let reading = if cluster.major >= 14 { ", pg_read_all_data" } else { "" };
    admin.execute(&format!("create role {AUDITOR} login; grant pg_monitor{reading} to {AUDITOR}")).await?;
    let session = cluster.session(DATABASE, SUPERUSER, "build").await?;
    session.execute("create extension pg_stat_statements").await?;
    for area in 0..20 {
        session
            .execute(&format!("create schema area_{area:02}; grant usage on schema area_{area:02} to public"))
            .await?;
        if cluster.major < 14 {
            let sql = format!("alter default privileges in schema area_{area:02} grant select on tables to public");
            session.execute(&sql).await?;
        }
    }
    let middle = size.tables / 2 / BATCH * BATCH;
    tokio::try_join!(tables(cluster, 0, middle), tables(cluster, middle, size.tables))?;
    analyze_catalog(&session).await?;
    tokio::try_join!(statements(cluster, size, 0), statements(cluster, size, 1))?;
    for count in size.partitioned() {
        admin.execute(&format!("create database {}", partitioned(count))).await?;
        partitions(cluster, count).await?;
    }
    admin.execute("checkpoint").await?;
    Ok(())
}

/// As autovacuum does on any server that lives longer: without it the planner knows nothing of the catalog.
async fn analyze_catalog(session: &Scratch) -> Fallible<()> {
    let sql = "select string_agg(format('analyze pg_catalog.%I', relname), '; ') from pg_catalog.pg_class \
               where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r' and not relisshared";
    if let Some(analyze) = session.value(sql).await? {
        session.execute(&analyze).await?;
    }
    Ok(())
}

/// Name of the database with a table of so many partitions.
pub(crate) fn partitioned(count: usize) -> String {
    format!("partitions_{count}")
}

async fn tables(cluster: &Cluster, after: usize, last: usize) -> Fallible<()> {
    let session = cluster.session(DATABASE, SUPERUSER, "build").await?;
    for from in (after..last).step_by(BATCH) {
        session.execute(&filled(include_str!("catalog.sql"), from + 1, from + BATCH)).await?;
    }
    session.close().await;
    Ok(())
}

async fn partitions(cluster: &Cluster, count: usize) -> Fallible<()> {
    let session = cluster.session(&partitioned(count), SUPERUSER, "build").await?;
    let table = "create table events (id bigint, at timestamptz not null, kind text, body jsonb, primary key (id, at)) \
                 partition by range (at)";
    session.execute(&format!("{table}; create index on events (kind, at); grant select on events to public")).await?;
    for from in (0..count).step_by(BATCH) {
        session.execute(&filled(include_str!("partitions.sql"), from + 1, from + BATCH)).await?;
    }
    analyze_catalog(&session).await?;
    session.close().await;
    Ok(())
}

fn filled(sql: &str, from: usize, to: usize) -> String {
    sql.replace("{from}", &from.to_string()).replace("{to}", &to.to_string())
}

/// Runs every other statement, from the first or second on.
async fn statements(cluster: &Cluster, size: Size, half: usize) -> Fallible<()> {
    let session = cluster.session(DATABASE, SUPERUSER, "work").await?;
    let own: Vec<String> = (half..size.statements).step_by(2).map(|number| statement(number, size)).collect();
    for some in own.chunks(STATEMENTS) {
        session.execute(&some.join("; ")).await?;
    }
    session.close().await;
    Ok(())
}

/// A statement of some 4,000 characters, over two tables that no other one names in this order.
fn statement(number: usize, size: Size) -> String {
    let place = |table: usize| format!("area_{:02}.orders_{table:05}", table % 20);
    let (one, other) = (1 + number % size.tables, 1 + (number * 7 + 3) % size.tables);
    let sums: Vec<String> = (0..45)
        .map(|state| {
            format!("sum(case when o.status = 'state_{state}' then o.amount else 0 end) as amount_in_state_{state}")
        })
        .collect();
    format!(
        "select p.email, {} from {} o join {} p on p.id = o.customer_id where o.status = 'state_1' and o.amount > {number} \
         and p.created_at > now() - interval '30 days' group by p.email order by p.email limit 50",
        sums.join(", "),
        place(one),
        place(other),
    )
}
