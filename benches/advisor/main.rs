//! How long advice takes, on a throwaway server; and what the advice for a workload is worth, at several
//! budgets, in the planner's own cost of the workload's real statements: printed tables, never a test. The
//! second where both are set:
//!
//! - `PGASSAY_ADVISOR_DSN` names a server with the workload in `pg_stat_statements`, HypoPG and the data
//! - `PGASSAY_ADVISOR_QUERIES` names a folder with the same statements with their constants, one `.sql` each
//! - `PGASSAY_ADVISOR_BUDGET=500,none` takes only these budgets, in MB
//! - `PGASSAY_ADVISOR_DETAIL=1` prints what each statement costs and uses in the end
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::cast_precision_loss, reason = "a table for people")]
#![allow(missing_docs, reason = "a program, and no library")]

mod many;

use pgassay::advise::{Bounds, Consultation, Consulted, Id, Question, Weigh, WhatIf, estimate};
use pgassay::collect::{Access, ColumnTypes, Scope, collect};
use pgassay::model::snapshot::{RelationName, Snapshot, Statement, StatementCounters, Tool};
use pgassay::postgres::{Limits, Reader, Surroundings, Target};
use pgassay::progress::Silent;
use pgassay::whatif::{Hypopg, Probe, consult, plan};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::Handle;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Without a planner, by the snapshot's plans and statistics alone.
const UNASKED: &str = "unasked";

/// Bytes; none is no bound.
const BUDGETS: [Option<i64>; 5] =
    [Some(250_000_000), Some(500_000_000), Some(1_000_000_000), Some(2_000_000_000), None];

fn main() -> ExitCode {
    // `cargo bench` hands over `--bench`; `cargo test --benches` does not, and wants nothing measured.
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
    match (std::env::var("PGASSAY_ADVISOR_DSN"), std::env::var("PGASSAY_ADVISOR_QUERIES")) {
        (Ok(dsn), Ok(folder)) => measure(&dsn, Path::new(&folder)).await,
        _ => many::measure().await,
    }
}

/// From this major on a role may be let keep its questions out of the statistics; before it superusers alone.
const SINCE: i32 = 15;

async fn measure(dsn: &str, folder: &Path) -> Fallible<()> {
    let target = Target::resolve(dsn, &Surroundings::default())?;
    let mut reader = Reader::connect(&target, Limits::default(), "bench").await?;
    // The next run counts the same calls.
    reader.stay_out_of_statements(SINCE).await;
    let access = Access { target: &target, name: "bench", limits: Limits::default(), run: "bench" };
    let scope = Scope { plans: 500, ..Scope::default() };
    let normalised = collect(access, &scope, Tool::default(), &Silent).await?;
    let literal = with_constants(&reader, &normalised, folder).await?;
    println!(
        "{:>8} {:>12} {:>12} {:>8} {:>8} {:>8} {:>7}",
        "budget", "texts", "cost after", "indexes", "MB", "asked", "s"
    );
    let only = std::env::var("PGASSAY_ADVISOR_BUDGET").ok();
    let wanted = |budget: &Option<i64>| {
        let name = budget.map_or_else(|| "none".to_owned(), |bytes| (bytes / 1_000_000).to_string());
        only.as_ref().is_none_or(|only| only.split(',').any(|one| one == name))
    };
    for budget in BUDGETS.into_iter().filter(wanted) {
        for (name, snapshot) in [("normalised", &normalised), ("constants", &literal), (UNASKED, &normalised)] {
            let began = Instant::now();
            let advice = match name {
                UNASKED => estimate(snapshot, Consultation { max_calls: 30_000, ..consultation(budget) }),
                _ => advise(&reader, snapshot, budget).await?,
            };
            let seconds = began.elapsed().as_secs_f64();
            if std::env::var_os("PGASSAY_ADVISOR_DETAIL").is_some() {
                estimated(&advice);
            }
            let (cost, bytes) = worth(&reader, &literal, &advice).await?;
            let budget = budget.map_or_else(|| "none".to_owned(), |bytes| format!("{}", bytes / 1_000_000));
            println!(
                "{budget:>8} {name:>12} {:>12.3} {:>8} {:>8} {:>8} {seconds:>7.1}",
                cost / 1e6,
                advice.found.chosen.len(),
                bytes / 1_000_000,
                advice.found.calls
            );
        }
    }
    Ok(())
}

fn consultation(budget: Option<i64>) -> Consultation {
    Consultation {
        weigh: Weigh::Calls,
        bounds: Bounds { budget_bytes: budget, max_per_table: 50, least_gain: 0.0, least_statement_gain: 0.0 },
        windows: None,
        sessions: 2,
        max_calls: 3_000,
        with_curve: false,
        with_spread: false,
    }
}

async fn advise(reader: &Reader, snapshot: &Snapshot, budget: Option<i64>) -> Fallible<Consulted> {
    let types = ColumnTypes::new(&snapshot.columns, &snapshot.target.database);
    Ok(consult(reader, snapshot, consultation(budget), &|relation: &RelationName, name: &str| types.of(relation, name))
        .await?)
}

/// The snapshot with the statements of a folder for its workload.
async fn with_constants(reader: &Reader, snapshot: &Snapshot, folder: &Path) -> Fallible<Snapshot> {
    let mut literal = Snapshot { statements: Vec::new(), plans: Vec::new(), ..snapshot.clone() };
    let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file)?.trim().trim_end_matches(';').to_owned();
        let fingerprint = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let question = question(snapshot, &fingerprint, &text);
        literal.plans.push(plan(reader, snapshot.server.major(), question, &|_: &RelationName, _: &str| None).await);
        let counters = StatementCounters { calls: 1, total_exec_time_ms: 1.0, ..StatementCounters::default() };
        let database = snapshot.target.database.clone();
        literal.statements.push(Statement { fingerprint, text, database, counters, ..Statement::default() });
    }
    Ok(literal)
}

fn question<'a>(snapshot: &'a Snapshot, fingerprint: &'a str, text: &'a str) -> pgassay::whatif::Question<'a> {
    pgassay::whatif::Question { database: &snapshot.target.database, fingerprint, text, search_path: "public" }
}

/// What the search takes each statement to cost.
fn estimated(advice: &Consulted) {
    for (query, cost) in advice.workload.queries.iter().zip(&advice.found.costs) {
        let Some((before, after, used)) = cost else { continue };
        let used: Vec<String> = used.iter().map(|id| named(advice, *id)).collect();
        let text: String = query.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
        println!("  {before:.0} -> {after:.0} {} <- {text}", used.join(" "));
    }
}

fn named(advice: &Consulted, id: Id) -> String {
    let candidate = advice.pool.get(id);
    let rows = candidate.predicate.as_ref().map(|rows| format!(" where {rows}")).unwrap_or_default();
    format!("{}{}{rows}", candidate.table.name, candidate.using().trim_start_matches("btree "))
}

/// Summed cost of the real statements with the chosen indexes, and their size, as HypoPG has both.
async fn worth(reader: &Reader, literal: &Snapshot, advice: &Consulted) -> Fallible<(f64, i64)> {
    let mut probes: Vec<Probe> = Vec::new();
    for statement in &literal.statements {
        let question = question(literal, &statement.fingerprint, &statement.text);
        let probe = Hypopg::probe(reader, literal.server.major(), question, &|_: &RelationName, _: &str| None).await;
        probes.push(probe.map_err(|(code, words)| format!("{}: {code}: {words}", statement.fingerprint))?);
    }
    let alive: Vec<_> = advice.found.chosen.iter().copied().collect();
    let questions: Vec<Question> = (0..probes.len()).map(|query| Question { query, alive: alive.clone() }).collect();
    let schema = literal.extensions.iter().find(|row| row.name == "hypopg").map_or("public", |row| &row.schema);
    let mut oracle = Hypopg::connect(reader, 1, schema, probes, Handle::current()).await?;
    let pool = &advice.pool;
    let answers = tokio::task::block_in_place(|| oracle.ask(pool, &questions));
    if std::env::var_os("PGASSAY_ADVISOR_DETAIL").is_some() {
        for (statement, answer) in literal.statements.iter().zip(&answers) {
            let used = answer.iter().flat_map(|answer| &answer.used);
            let used: Vec<String> = used.map(|id| named(advice, *id)).collect();
            let cost = answer.as_ref().map_or(0.0, |answer| answer.cost);
            println!("  {} {cost:.0} {}", statement.fingerprint, used.join(" "));
        }
    }
    let chosen: Vec<_> = alive.iter().map(|id| pool.get(*id)).collect();
    let bytes = tokio::task::block_in_place(|| oracle.measure(&chosen)).into_iter().sum();
    Ok((answers.into_iter().flatten().map(|answer| answer.cost).sum(), bytes))
}
