//! Twelve months made and twelve retired under a paced load, with and without somebody who reads the table for three
//! seconds: by pgassay, and by pg_partman's own functions where a server has it. A plain table of as many rows converted and
//! its past split, and a look at 2,000 months of which none is missing. Printed, never a test.
//!
//! Two write and two read, each a statement and then a pause: processors are left over, so that the longest statement tells
//! of locks. `PGASSAY_BENCH_PAUSE_MS=0` is a load without pauses, `PGASSAY_BENCH_MAJOR=14` takes one server only.
//!
//! Each contestant has a database of its own on one throwaway server, with a table of 25 months and 300,000 rows.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, reason = "a table for people")]
#![allow(missing_docs, reason = "a program, and no library")]

#[path = "../../tests/support/load.rs"]
#[allow(dead_code, reason = "the tests take more of it")]
mod load;

use load::Load;
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup, find_binaries};
use pgassay::postgres::Scratch;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Months back from the current one, and rows of each.
const MONTHS: u32 = 24;
const ROWS: u32 = 12_000;

/// The same rows in a plain table.
const PLAIN: &str = "create schema load;
    create table load.calls (id bigint not null primary key, at timestamptz not null, n int not null default 0, note text default 'none');
    create index calls_note_idx on load.calls (note); create index calls_at_idx on load.calls (at);
    insert into load.calls (id, at) select -i, now() - i * interval '3 minutes 30 seconds' from generate_series(1, 300000) i;
    create table load.months (at date not null, n int) partition by range (at);
    do $$ begin for nr in 0..1999 loop
      execute format('create table load.months_%s partition of load.months for values from (%L) to (%L)', to_char(date '1900-01-01' + nr * interval '1 month', 'YYYY_MM'),
        (date '1900-01-01' + nr * interval '1 month')::date, (date '1900-01-01' + (nr + 1) * interval '1 month')::date);
    end loop; end $$";

/// Milliseconds for which a session of the load pauses after a statement.
const PAUSE_MS: u64 = 10;

/// For so long the load is alone before a job.
const ALONE: Duration = Duration::from_secs(2);

/// Somebody who reads for a while.
const READER: &str = "begin; select count(*) from load.calls; select pg_sleep(3); commit";

/// Strongest lock on the table of a session that is none of the load's, as seen every few milliseconds.
const LOCKS: &str =
    "select coalesce(string_agg(distinct l.mode, ' '), '') from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.relation = 'load.calls'::regclass and l.granted and a.application_name not in ('load', 'reader', 'watch')
      and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')";

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let measured = tokio::runtime::Runtime::new().map_err(Into::into);
    match measured.and_then(|runtime| runtime.block_on(all())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn all() -> Fallible<()> {
    let folder = tempfile::Builder::new().prefix("assay-bench-").tempdir()?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    println!("the load: two write, two read, each with a pause of {} ms after a statement", pause().as_millis());
    println!(
        "{:<14} {:<10} {:<40} {:>11} {:>8} {:>8} {:>9}  locks on the table",
        "server", "by", "what", "statements/s", "alone ms", "wall ms", "worst ms"
    );
    let all = find_binaries(&[], &[], Path::new(env!("CARGO_MANIFEST_DIR")));
    let only: Option<i32> = number("PGASSAY_BENCH_MAJOR").and_then(|number| number.try_into().ok());
    for binaries in all.iter().filter(|one| only.map_or(one.major >= 14, |only| one.major == only)) {
        server(binaries, folder.path()).await?;
    }
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn pause() -> Duration {
    Duration::from_millis(number("PGASSAY_BENCH_PAUSE_MS").unwrap_or(PAUSE_MS))
}

async fn server(binaries: &Binaries, folder: &Path) -> Fallible<()> {
    let cluster = Cluster::start(binaries, folder, &Setup::default())?;
    let admin = cluster.session("postgres", SUPERUSER, "setup").await?;
    let has_partman = "select count(*) from pg_available_extensions where name = 'pg_partman'";
    let has_partman = admin.value(has_partman).await?.as_deref() == Some("1");
    for by in ["pgassay", "pg_partman"].into_iter().filter(|by| has_partman || *by == "pgassay") {
        let bench = Bench { cluster: &cluster, folder, by, database: by, major: binaries.major };
        admin.execute(&format!("create database {by}")).await?;
        bench.measure().await?;
    }
    admin.execute("create database plain").await?;
    Bench { cluster: &cluster, folder, by: "pgassay", database: "plain", major: binaries.major }.convert().await
}

struct Bench<'a> {
    cluster: &'a Cluster,
    folder: &'a Path,
    by: &'a str,
    database: &'a str,
    major: i32,
}

impl Bench<'_> {
    async fn measure(&self) -> Fallible<()> {
        let session = self.cluster.session(self.by, SUPERUSER, "maintenance").await?;
        session.execute(&load::table(MONTHS, ROWS)).await?;
        if self.by == "pg_partman" {
            // The table is handed over as it is; its months are named as pg_partman names them by itself.
            let adopt = "create schema partman; create extension pg_partman schema partman;
                do $$ declare p name; begin
                  for p in select relname from pg_class where relispartition and relname like 'calls_p%' and relkind = 'r' loop
                    execute format('alter table load.%I rename to %I', p, overlay(left(p, 13) placing '_' from 12 for 0));
                  end loop; end $$;
                select partman.create_parent('load.calls', 'at', 'native', 'monthly', p_premake := 1)";
            session.execute(adopt).await?;
        }
        for (what, reads) in [("", false), (", beside a reader of 3 s", true)] {
            let (ahead, keep) = if reads { (24, 6) } else { (12, 12) };
            self.row(&session, &format!("12 months made{what}"), Job::Create(ahead), reads).await?;
            self.row(&session, &format!("months retired{what}"), Job::Retire(keep), reads).await?;
        }
        Ok(())
    }

    async fn convert(&self) -> Fallible<()> {
        let session = self.cluster.session(self.database, SUPERUSER, "maintenance").await?;
        session.execute(PLAIN).await?;
        session.execute("vacuum analyze load.calls").await?;
        for (what, job) in [
            ("the table converted", Job::Convert),
            ("that taken back", Job::Undo),
            ("the table converted again", Job::Convert),
            ("its past split", Job::Split),
            ("2,000 months, none missing", Job::Maintain),
        ] {
            self.row(&session, what, job, false).await?;
        }
        Ok(())
    }

    /// One job under load.
    async fn row(&self, session: &Scratch, what: &str, job: Job, reads: bool) -> Fallible<()> {
        let load = Load::paced(self.cluster, self.database, 2, pause()).await;
        let watch = self.cluster.session(self.database, SUPERUSER, "watch").await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        load.worst_ms();
        let before = load.statements();
        tokio::time::sleep(ALONE).await;
        let (rate, alone) = ((load.statements() - before) / ALONE.as_secs(), load.worst_ms());
        let reader = self.cluster.session(self.database, SUPERUSER, "reader").await?;
        let reading = tokio::spawn(async move {
            if reads {
                let _ = reader.execute(READER).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        load.worst_ms();
        let began = Instant::now();
        let mut seen = BTreeSet::new();
        let told;
        let working = self.work(session, job);
        let mut working = std::pin::pin!(working);
        loop {
            tokio::select! {
                result = &mut working => { told = result?; break }
                () = tokio::time::sleep(Duration::from_millis(3)) => {
                    seen.extend(watch.value(LOCKS).await?.unwrap_or_default().split(' ').map(str::to_owned));
                }
            }
        }
        let (wall, worst) = (began.elapsed().as_secs_f64() * 1000.0, load.worst_ms());
        reading.await?;
        let account = load.end().await;
        if let Some(failure) = account.failures.first() {
            println!("   a statement of the load failed: {failure}");
        }
        seen.remove("");
        let locks: Vec<String> = seen.into_iter().collect();
        println!(
            "{:<14} {:<10} {what:<40} {rate:>11} {alone:>8.1} {wall:>8.0} {worst:>9.1}  {}{told}",
            format!("PostgreSQL {}", self.major),
            self.by,
            if locks.is_empty() { "none seen".to_owned() } else { locks.join(" ") }
        );
        Ok(())
    }

    /// With what was said of the lock.
    async fn work(&self, session: &Scratch, job: Job) -> Fallible<String> {
        if self.by == "pg_partman" {
            let set = match job {
                Job::Create(ahead) => format!("premake = {ahead}, infinite_time_partitions = true"),
                Job::Retire(keep) => format!("retention = '{keep} months', retention_keep_table = true"),
                _ => return Err("pg_partman has no such function".into()),
            };
            session
                .execute(&format!("update partman.part_config set {set}; select partman.run_maintenance('load.calls')"))
                .await?;
            return Ok(String::new());
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgassay"));
        command.env_clear().args(job.words()).arg(self.cluster.dsn(SUPERUSER, self.database));
        command.args(["--yes", "--state"]).arg(self.folder.join("state"));
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Ok(said
            .lines()
            .find_map(|line| line.strip_prefix("notice: "))
            .map_or_else(String::new, |line| format!("; {line}")))
    }
}

#[derive(Clone, Copy)]
enum Job {
    /// So many months beyond the current one.
    Create(u32),
    /// All but so many months before it.
    Retire(u32),
    /// A plain table is adopted.
    Convert,
    /// And is itself again.
    Undo,
    /// Its past becomes months.
    Split,
    /// Of a table that has all its months.
    Maintain,
}

impl Job {
    /// `pgassay …`, but for the target
    fn words(self) -> Vec<String> {
        let words = match self {
            Self::Create(ahead) => format!("partition create load.calls --months {ahead}"),
            Self::Retire(keep) => format!("partition retire load.calls --keep {keep}months"),
            Self::Convert => "partition convert load.calls --by at --allow primary_key".to_owned(),
            Self::Undo => "apply undo".to_owned(),
            Self::Split => "partition split load.calls".to_owned(),
            Self::Maintain => "partition maintain --table load.months".to_owned(),
        };
        words.split(' ').map(str::to_owned).collect()
    }
}
