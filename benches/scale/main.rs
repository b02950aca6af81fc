//! How long an audit of a large server takes, how much memory, and how much of the server: a printed
//! table, never a test. Starts a throwaway PostgreSQL, the newest found, and fills it by script.
//!
//! - `PGASSAY_PG_BIN` names the folder of another server's binaries
//! - `PGASSAY_BENCH_SCALE=0.1` makes a tenth of the catalog
//! - `PGASSAY_BENCH_RUNS=9` repeats each measure so many times instead of 5
//! - `PGASSAY_BENCH_KEEP=1` leaves the server running and says how to reach it
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a table for people")]
#![allow(missing_docs, reason = "a program, and no library")]

mod catalog;
mod child;
mod fleet;
mod judge;
mod live;
mod replay;
mod table;

use catalog::Size;
use pgassay::demo::{Binaries, Cluster, find_binaries};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;
use table::{Series, Table, Unit};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // `cargo bench` hands over `--bench`; `cargo test --benches` does not, and wants nothing measured.
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A number of the environment.
fn number(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few runs")]
fn measure() -> Fallible<()> {
    let size = Size::scaled(number("PGASSAY_BENCH_SCALE", 1.0));
    let runs = (number("PGASSAY_BENCH_RUNS", 5.0) as usize).max(1);
    let binaries = binaries()?;
    let folder = std::env::temp_dir().join(format!("pgassay-bench-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let cluster = catalog::start(&binaries, &std::env::temp_dir())?;
    eprintln!("PostgreSQL {}: {} tables, {} statements …", cluster.major, size.tables, size.statements);
    let since = Instant::now();
    tokio::runtime::Runtime::new()?.block_on(catalog::build(&cluster, size))?;
    eprintln!("made in {:.0} s; measuring, {runs} runs each", since.elapsed().as_secs_f64());
    let table = fill(&cluster, &folder, size, runs)?;
    println!("{}", heading(&cluster, size, runs));
    println!("{}", table.text());
    std::fs::remove_dir_all(&folder)?;
    if std::env::var_os("PGASSAY_BENCH_KEEP").is_some() {
        let dsn = cluster.dsn(catalog::AUDITOR, catalog::DATABASE);
        println!("left running as process {}: {dsn}", cluster.keep());
    }
    Ok(())
}

fn fill(cluster: &Cluster, folder: &Path, size: Size, runs: usize) -> Fallible<Table> {
    let mut table = Table::default();
    let live = live::Live { cluster, folder, runs };
    startup(&mut table, runs * 4)?;
    live.audits(&mut table)?;
    let snapshot = live.snapshots(&mut table)?;
    judge::measure(&mut table, &snapshot, runs)?;
    live.sampling(&mut table)?;
    live.partitions(&mut table, size)?;
    live.fleets(&mut table)?;
    live.peers(&mut table)?;
    Ok(table)
}

fn startup(table: &mut Table, runs: usize) -> Fallible<()> {
    table.section("start-up");
    for args in [&["--version"][..], &["rules", "list"]] {
        let run = |_| Ok(child::run(pgassay().args(args), &[0])?.wall_ms);
        let series = (0..runs).map(run).collect::<Fallible<_>>()?;
        let target = (args[0] == "--version").then_some(10.0);
        table.row(&format!("pgassay {}", args.join(" ")), Unit::Millis, &Series(series), target);
    }
    Ok(())
}

/// The program, with nothing of the caller's settings.
fn pgassay() -> Command {
    clean(env!("CARGO_BIN_EXE_pgassay"))
}

fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", "/nonexistent").current_dir("/");
    command
}

fn heading(cluster: &Cluster, size: Size, runs: usize) -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "pgassay {} on PostgreSQL {}: {} tables, {} indexes, {} statements; {processors} processors, {runs} runs\n",
        env!("CARGO_PKG_VERSION"),
        cluster.major,
        size.tables,
        size.tables * 5,
        size.statements,
    )
}

/// As `pgassay demo` looks for them, with the repository's own.
fn binaries() -> Fallible<Binaries> {
    let split = |name| std::env::var_os(name).map(|list| std::env::split_paths(&list).collect::<Vec<PathBuf>>());
    let named = split("PGASSAY_PG_BIN").unwrap_or_default();
    let found = find_binaries(&named, &split("PATH").unwrap_or_default(), Path::new(env!("CARGO_MANIFEST_DIR")));
    Ok(found.into_iter().next().ok_or("no PostgreSQL server found: run make setup")?)
}
