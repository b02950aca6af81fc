//! The noise test: the same version of an application, run twice on a loaded machine, again and again. `--gate work` must
//! never report; how often `--gate time` does is printed, beside how far each figure of a call wandered. Fails when
//! `--gate work` reports at all, or when a planted regression is missed.
//!
//! - `PGASSAY_NOISE_RUNS=50` pairs of runs on each server, instead of 5; `make noise` says so
//! - `PGASSAY_NOISE_VISITS=300` visits a run, instead of 120, by each of three sessions at a time
//! - `PGASSAY_PG_BIN` names the folder of one server's binaries; without it the oldest and the newest found
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, clippy::panic, reason = "a table for people")]
#![allow(missing_docs, reason = "a program, and no library")]

#[path = "../../tests/support/app.rs"]
mod app;

use app::{Fault, SEED, deploy, seed, visits};
use pgassay::audit::{Gate, Settings, field_index, judge_changes};
use pgassay::collect::{Access, Scope, collect};
use pgassay::compare::{Comparison, Side};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup, find_binaries};
use pgassay::model::finding::Severity;
use pgassay::model::snapshot::{Snapshot, Tool};
use pgassay::postgres::{Limits, Surroundings, Target};
use pgassay::progress::Silent;
use pgassay::rules::{Library, builtin_sources};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Visitors at a time.
const SESSIONS: u64 = 3;

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    let measured = tokio::runtime::Runtime::new().map_err(Into::into);
    match measured.and_then(|runtime| runtime.block_on(all())) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("noise: {wrong} runs said what they must not");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("noise: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn all() -> Fallible<usize> {
    let folder = tempfile::Builder::new().prefix("assay-noise-").tempdir()?;
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let named: Vec<PathBuf> =
        std::env::var_os("PGASSAY_PG_BIN").map(|list| std::env::split_paths(&list).collect()).unwrap_or_default();
    let found = find_binaries(&named, &[], Path::new(env!("CARGO_MANIFEST_DIR")));
    let (Some(oldest), Some(newest)) =
        (found.iter().min_by_key(|one| one.major), found.iter().max_by_key(|one| one.major))
    else {
        return Err("no server found: run make setup".into());
    };
    let mut wrong = 0;
    for binaries in if oldest.major == newest.major { vec![newest] } else { vec![oldest, newest] } {
        wrong += Bench::set(binaries, folder.path()).await.run().await?;
    }
    Ok(wrong)
}

/// A server, a load beside it, and what was seen.
struct Bench {
    cluster: Cluster,
    library: Library,
    visits: u64,
    /// By figure: the largest ratio and the largest difference of a call that two runs of one version came to.
    spread: BTreeMap<&'static str, (f64, f64)>,
}

/// Figures of a call of a statement.
type Figures = [(&'static str, f64, f64)];

impl Bench {
    async fn set(binaries: &Binaries, folder: &Path) -> Self {
        // Small buffers, checkpoints and autovacuum at any time: what a workload meets on a busy server.
        let setup = Setup::default()
            .with("shared_preload_libraries", "pg_stat_statements")
            .with("shared_buffers", "16MB")
            .with("max_wal_size", "64MB")
            .with("checkpoint_timeout", "30s")
            .with("full_page_writes", "on")
            .with("autovacuum_naptime", "1s");
        let cluster = Cluster::start(binaries, folder, &setup).expect("a server");
        seed(&cluster).await;
        let library = Library::load(builtin_sources(), &field_index()).expect("the built-in rules");
        Self { cluster, library, visits: number("PGASSAY_NOISE_VISITS", 120), spread: BTreeMap::new() }
    }

    async fn run(mut self) -> Fallible<usize> {
        let runs = number("PGASSAY_NOISE_RUNS", 5);
        let is_over = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..4).map(|_| busy(Arc::clone(&is_over))).collect();
        let (mut work, mut time, mut wrong) = (0, 0, 0);
        let mut before = self.version("run_0", None, 1).await?;
        for run in 1..=runs {
            let now = self.version(&format!("run_{run}"), None, 1 + run).await?;
            let said = self.said(&before, &now, Gate::Work);
            if !said.is_empty() {
                eprintln!("PostgreSQL {}, pair {run}: {said:#?}", self.cluster.major);
                work += 1;
            }
            time += usize::from(!self.said(&before, &now, Gate::Time).is_empty());
            self.measure(&before, &now);
            before = now;
        }
        wrong += work;
        let mut missed = 0;
        for fault in Fault::ALL {
            let now = self.version(&format!("worse_{}", format!("{fault:?}").to_lowercase()), Some(fault), 7).await?;
            let (rule, part) = fault.finding();
            let said = self.said(&before, &now, Gate::Work);
            if !said.iter().any(|one| one.starts_with(rule) && one.contains(part)) {
                eprintln!("PostgreSQL {}: {fault:?} was missed: {said:#?}", self.cluster.major);
                missed += 1;
            }
        }
        wrong += missed;
        is_over.store(true, Ordering::Relaxed);
        load.into_iter().for_each(|thread| drop(thread.join()));
        println!(
            "PostgreSQL {}: {runs} pairs; --gate work reported in {work}, --gate time in {time}; {missed} of {} planted regressions missed",
            self.cluster.major,
            Fault::ALL.len()
        );
        for (figure, (ratio, difference)) in &self.spread {
            println!("  {figure:<12} wandered by a factor of {ratio:.2} at most, and by {difference:.1} at most");
        }
        Ok(wrong)
    }

    /// A run of a version on a copy of the data by several visitors at a time, and what was counted.
    async fn version(&self, name: &str, fault: Option<Fault>, dice: u64) -> Fallible<Snapshot> {
        deploy(&self.cluster, name, fault).await;
        let visitors = (0..SESSIONS).map(|nr| visits(&self.cluster, name, fault, dice * 10 + nr, self.visits));
        futures_util::future::join_all(visitors).await;
        let dsn = self.cluster.dsn(SUPERUSER, name);
        let target = Target::resolve(&dsn, &Surroundings::default())?;
        let access = Access { target: &target, name, limits: Limits::default(), run: "noise" };
        let snapshot = collect(access, &Scope::default(), Tool::default(), &Silent).await?;
        let admin = self.cluster.session(SEED, SUPERUSER, "setup").await?;
        admin.execute(&format!("drop database {name}")).await?;
        admin.close().await;
        Ok(snapshot)
    }

    /// What a gate says against the later of two versions.
    fn said(&self, before: &Snapshot, now: &Snapshot, gate: Gate) -> Vec<String> {
        let alone = |snapshot| Side { snapshot, since: None };
        let comparison = Comparison::of(alone(before), alone(now)).expect("comparable");
        let verdict = judge_changes(&comparison, &self.library, &Settings::default(), gate, Tool::default());
        let bad = verdict.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
        bad.map(|finding| {
            let about = finding.object.statement.as_ref().unwrap_or(&finding.object.name);
            format!("{} {about}: {}", finding.rule, finding.message)
        })
        .collect()
    }

    fn measure(&mut self, before: &Snapshot, now: &Snapshot) {
        let alone = |snapshot| Side { snapshot, since: None };
        let comparison = Comparison::of(alone(before), alone(now)).expect("comparable");
        for pair in comparison.meeting().pairs.iter().filter(|pair| pair.base.counters.calls >= 10) {
            let (base, head) = (&pair.base.counters, &pair.head.counters);
            #[allow(clippy::cast_precision_loss, reason = "averages")]
            let of = |value: i64, calls: i64| value as f64 / calls.max(1) as f64;
            let blocks =
                |row: &pgassay::model::snapshot::StatementCounters| row.shared_blocks_hit + row.shared_blocks_read;
            let figures: &Figures = &[
                ("blocks", of(blocks(base), base.calls), of(blocks(head), head.calls)),
                ("rows", of(base.rows, base.calls), of(head.rows, head.calls)),
                ("temp blocks", of(base.temp_blocks_written, base.calls), of(head.temp_blocks_written, head.calls)),
                ("WAL records", of(base.wal_records, base.calls), of(head.wal_records, head.calls)),
                ("WAL bytes", of(base.wal_bytes, base.calls), of(head.wal_bytes, head.calls)),
                ("ms", base.mean_exec_time_ms, head.mean_exec_time_ms),
            ];
            for (name, base, head) in figures {
                let (small, large) = (base.min(*head), base.max(*head));
                let own = self.spread.entry(name).or_insert((1.0, 0.0));
                let ratio = if small > 0.0 { large / small } else { 1.0 };
                *own = (own.0.max(ratio), own.1.max(large - small));
            }
        }
    }
}

/// A processor kept busy, in turns of half a second, so that runs differ by what is beside them.
fn busy(is_over: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut spun = 0u64;
        while !is_over.load(Ordering::Relaxed) {
            let since = std::time::Instant::now();
            while since.elapsed().as_millis() < 500 {
                spun = spun.wrapping_mul(31).wrapping_add(1);
            }
            std::thread::sleep(std::time::Duration::from_millis(spun % 700));
        }
        spun
    })
}
