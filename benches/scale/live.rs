//! Measures against the server: audit and psql by turns, memory, the server's own share, partitions.

use crate::catalog::{AUDITOR, DATABASE, Size, partitioned};
use crate::child::{Run, children_ms, run, watch};
use crate::table::{Series, Table, Unit};
use crate::{Fallible, clean, pgassay, replay};
use pgassay::demo::{Cluster, SUPERUSER};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The audit ran: nothing critical, or something.
const AUDITED: &[i32] = &[0, 1];

/// Sessions that are watched.
const SESSIONS: usize = 80;

/// How long.
const SAMPLE_SECONDS: f64 = 20.0;

pub(crate) struct Live<'a> {
    pub(crate) cluster: &'a Cluster,
    /// For files of ours.
    pub(crate) folder: &'a Path,
    pub(crate) runs: usize,
}

/// What a run cost the server.
#[derive(Debug, Clone, Copy)]
struct Load {
    cpu_ms: f64,
    blocks_hit: f64,
    blocks_read: f64,
    temp_mb: f64,
    transactions: f64,
}

impl Live<'_> {
    /// The audit against the same SQL in psql, by turns, so that both meet the same noise.
    pub(crate) fn audits(&self, table: &mut Table) -> Fallible<()> {
        let script = self.script()?;
        let psql = || {
            let mut command = clean("psql");
            let user = ["-XqAt", "-v", "ON_ERROR_STOP=0", "-U", AUDITOR, "-d", DATABASE, "-o", "/dev/null"];
            command.args(user).arg("-h").arg(self.cluster.socket()).arg("-f").arg(&script);
            command.stderr(std::process::Stdio::null());
            command
        };
        let has_psql = Command::new("psql").arg("--version").output().is_ok();
        let mut ours: Vec<(Run, Load)> = Vec::new();
        let mut theirs: Vec<(Run, Load)> = Vec::new();
        self.audit(DATABASE, &[])?;
        for _ in 0..self.runs {
            ours.push(self.loaded(|| run(&mut self.command(DATABASE, &[]), AUDITED))?);
            if has_psql {
                theirs.push(self.loaded(|| run(&mut psql(), &[0]))?);
            }
        }
        let wall = |runs: &[(Run, Load)]| Series(runs.iter().map(|(run, _)| run.wall_ms).collect());
        table.section("audit");
        table.row("pgassay audit --format json", Unit::Millis, &wall(&ours), None);
        if has_psql {
            table.row("the same SQL in psql, one session", Unit::Millis, &wall(&theirs), None);
            table.row("audit ÷ psql", Unit::Ratio, &wall(&ours).over(&wall(&theirs)), Some(1.0));
        } else {
            table.note("psql is not on the PATH: nothing to compare with");
        }
        let cpu = Series(ours.iter().map(|(run, _)| run.cpu_ms).collect());
        table.row("processor time of pgassay itself", Unit::Millis, &cpu, None);
        let watched = (0..self.runs).map(|_| watch(&mut self.command(DATABASE, &[]), AUDITED));
        let watched = watched.collect::<Fallible<Vec<Run>>>()?;
        table.row("peak memory of pgassay", Unit::Megabytes, &Series::of(&watched, |run| run.peak_mb), Some(200.0));
        table.section("load on the server, of one audit");
        loads(table, &ours, "audit");
        if has_psql {
            table.section("load on the server, of psql");
            loads(table, &theirs, "psql");
        }
        Ok(())
    }

    fn command(&self, database: &str, args: &[&str]) -> Command {
        let mut command = pgassay();
        command.arg("audit").arg(self.cluster.dsn(AUDITOR, database)).args(["--format", "json"]).args(args);
        command
    }

    fn audit(&self, database: &str, args: &[&str]) -> Fallible<Run> {
        run(&mut self.command(database, args), AUDITED)
    }

    /// Lets the server log one audit, and makes a script of it.
    fn script(&self) -> Fallible<PathBuf> {
        let log = self.cluster.socket().join("log");
        let before = std::fs::read(&log)?.len();
        self.admin(&format!("alter role {AUDITOR} set log_statement = 'all'"))?;
        self.audit(DATABASE, &[])?;
        self.admin(&format!("alter role {AUDITOR} reset log_statement"))?;
        let written = std::fs::read(&log)?;
        let path = self.folder.join("audit.sql");
        std::fs::write(&path, replay::script(&String::from_utf8_lossy(&written[before..])))?;
        Ok(path)
    }

    /// The first column of the first row, as the superuser.
    fn admin(&self, sql: &str) -> Fallible<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let session = self.cluster.session("postgres", SUPERUSER, "bench").await?;
            let value = session.value(sql).await?;
            session.close().await;
            Ok(value.unwrap_or_default())
        })
    }

    fn counters(&self) -> Fallible<Load> {
        // Sessions tell their counts when they end, and the server collects them a moment later.
        std::thread::sleep(Duration::from_millis(300));
        let lock = std::fs::read_to_string(self.cluster.data().join("postmaster.pid"))?;
        let process = Path::new("/proc").join(lock.lines().next().unwrap_or_default());
        let sql = format!(
            "select concat_ws(' ', blks_hit, blks_read, temp_bytes / 1048576.0, xact_commit) \
             from pg_stat_database where datname = '{DATABASE}'"
        );
        let line = self.admin(&sql)?;
        let figures: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [blocks_hit, blocks_read, temp_mb, transactions] = figures[..] else { return Err(line.into()) };
        Ok(Load { cpu_ms: children_ms(&process), blocks_hit, blocks_read, temp_mb, transactions })
    }

    fn loaded(&self, mut work: impl FnMut() -> Fallible<Run>) -> Fallible<(Run, Load)> {
        let before = self.counters()?;
        let run = work()?;
        let after = self.counters()?;
        let load = Load {
            cpu_ms: after.cpu_ms - before.cpu_ms,
            blocks_hit: after.blocks_hit - before.blocks_hit,
            blocks_read: after.blocks_read - before.blocks_read,
            temp_mb: after.temp_mb - before.temp_mb,
            transactions: after.transactions - before.transactions,
        };
        Ok((run, load))
    }

    /// Collecting alone, and judging what was collected; returns the file.
    pub(crate) fn snapshots(&self, table: &mut Table) -> Fallible<PathBuf> {
        let path = self.folder.join("bench.json.zst");
        let mut take = pgassay();
        take.args(["snapshot", "--quiet", "--output"]).arg(&path).arg(self.cluster.dsn(AUDITOR, DATABASE));
        let taken = (0..self.runs).map(|_| watch(&mut take, &[0])).collect::<Fallible<Vec<Run>>>()?;
        table.section("in two steps");
        table.row("pgassay snapshot", Unit::Millis, &Series::of(&taken, |run| run.wall_ms), None);
        table.row("  its peak memory", Unit::Megabytes, &Series::of(&taken, |run| run.peak_mb), None);
        let mut again = pgassay();
        again.args(["audit", "--format", "json", "--from"]).arg(&path);
        let judged = (0..self.runs).map(|_| watch(&mut again, AUDITED)).collect::<Fallible<Vec<Run>>>()?;
        table.row("pgassay audit --from", Unit::Millis, &Series::of(&judged, |run| run.wall_ms), None);
        table.row("  its peak memory", Unit::Megabytes, &Series::of(&judged, |run| run.peak_mb), None);
        #[allow(clippy::cast_precision_loss, reason = "shown to three digits")]
        let size = std::fs::metadata(&path)?.len() as f64 / 1_048_576.0;
        table.row("size of the snapshot", Unit::Megabytes, &Series(vec![size]), None);
        Ok(path)
    }

    /// One table of many partitions: twice as many should take twice as long.
    pub(crate) fn partitions(&self, table: &mut Table, size: Size) -> Fallible<()> {
        let counts = size.partitioned();
        let databases = counts.map(partitioned);
        let mut walls: [Vec<f64>; 4] = Default::default();
        let mut costs: [Vec<f64>; 4] = Default::default();
        for _ in 0..self.runs * 2 {
            for (database, (walls, costs)) in databases.iter().zip(walls.iter_mut().zip(&mut costs)) {
                let (run, load) = self.loaded(|| self.audit(database, &[]))?;
                walls.push(run.wall_ms);
                costs.push(run.cpu_ms + load.cpu_ms);
            }
        }
        table.section("audit of one table with partitions");
        for (count, (walls, costs)) in counts.iter().zip(walls.into_iter().zip(&costs)) {
            table.row(&format!("{count} partitions"), Unit::Millis, &Series(walls), None);
            table.row("  processor time, the server's too", Unit::Millis, &Series(costs.clone()), None);
        }
        // Of processor time: few partitions are read beside what takes longer, and cost no time at all.
        let above = |at: usize| Series(costs[at].iter().zip(&costs[0]).map(|(own, none)| own - none).collect());
        // Medians: differences of single runs are mostly noise.
        let ratio = above(3).median() / above(1).median();
        let what = format!("{} ÷ {}, processor time above none; linear is 4", counts[3], counts[1]);
        table.row(&what, Unit::Ratio, &Series(vec![ratio]), Some(4.4));
        Ok(())
    }

    /// What watching sessions costs the server while many are connected: processor time a second.
    pub(crate) fn sampling(&self, table: &mut Table) -> Fallible<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let crowd: Result<Vec<_>, _> = runtime.block_on(async {
            let come = (0..SESSIONS).map(|_| self.cluster.session(DATABASE, SUPERUSER, "crowd"));
            futures_util::future::join_all(come).await.into_iter().collect()
        });
        let crowd: Vec<pgassay::postgres::Scratch> = crowd?;
        let mut command = pgassay();
        command.arg("pool").arg(self.cluster.dsn(AUDITOR, DATABASE));
        command.args(["--format", "json", "--sample", &format!("{SAMPLE_SECONDS}s")]);
        let mut loads = Vec::new();
        for _ in 0..self.runs {
            loads.push(self.loaded(|| run(&mut command, &[0]))?);
        }
        runtime.block_on(async {
            for session in crowd {
                session.close().await;
            }
        });
        let second = |of: fn(&(Run, Load)) -> f64| Series(loads.iter().map(|one| of(one) / SAMPLE_SECONDS).collect());
        table.section(&format!("pool, {SESSIONS} sessions watched for {SAMPLE_SECONDS} s; a second of it"));
        table.row("processor time of the server", Unit::Millis, &second(|(_, load)| load.cpu_ms), Some(10.0));
        table.row("processor time of pgassay itself", Unit::Millis, &second(|(run, _)| run.cpu_ms), None);
        Ok(())
    }

    /// Other tools, where they are on the PATH.
    pub(crate) fn peers(&self, table: &mut Table) -> Fallible<()> {
        let socket = self.cluster.socket().display().to_string();
        let url = format!("postgres://{SUPERUSER}@localhost/{DATABASE}?host={}", socket.replace('/', "%2F"));
        let mut commands: Vec<(&str, Command, &[i32])> = Vec::new();
        let mut extras = clean("pgextras");
        extras.args(["diagnose"]).env("DATABASE_URL", &url).stderr(std::process::Stdio::null());
        commands.push(("pgextras diagnose", extras, &[0]));
        let mut check = clean("check_postgres");
        check.args(["--action=bloat", "--dbuser", SUPERUSER, "--dbname", DATABASE, "--host", &socket]);
        // The states of a check: fine, warning, critical, unknown.
        commands.push(("check_postgres --action=bloat", check, &[0, 1, 2, 3]));
        table.section("others on the same server");
        for (name, command, accepted) in &mut commands {
            let runs: Fallible<Vec<Run>> = (0..self.runs.min(3)).map(|_| run(command, accepted)).collect();
            match runs {
                Ok(runs) => table.row(name, Unit::Millis, &Series::of(&runs, |run| run.wall_ms), None),
                Err(_) => table.note(&format!("{name}: not on the PATH, or it failed")),
            }
        }
        Ok(())
    }
}

fn loads(table: &mut Table, runs: &[(Run, Load)], what: &str) {
    let figure = |of: fn(&Load) -> f64| Series(runs.iter().map(|(_, load)| of(load)).collect());
    table.row(&format!("{what}: processor time"), Unit::Millis, &figure(|load| load.cpu_ms), None);
    table.row(&format!("{what}: blocks found in shared buffers"), Unit::Count, &figure(|load| load.blocks_hit), None);
    table.row(&format!("{what}: blocks read"), Unit::Count, &figure(|load| load.blocks_read), None);
    table.row(&format!("{what}: temporary files"), Unit::Megabytes, &figure(|load| load.temp_mb), None);
    table.row(&format!("{what}: transactions"), Unit::Count, &figure(|load| load.transactions), None);
}
