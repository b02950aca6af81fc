//! `pgassay audit --targets`: many servers in one run. They are read several at a time and judged one after the other,
//! and of each nothing is kept but its line of the overview: memory does not grow with their number.

use super::args::{AuditArgs, FormatArg, Shared};
use super::audit::Bench;
use super::config::Config;
use super::connection::{self, Errand};
use super::fleet_args::FleetArgs;
use super::fleet_files::Files;
use super::output::{self, PLAIN};
use super::progress_bar::Bar;
use super::{fault, history_store, html, interrupt, settings};
use crate::collect::CollectError;
use crate::model::fleet::{Ending, Ledger, Overview};
use crate::model::history::Run;
use crate::model::snapshot::Snapshot;
use crate::model::units;
use crate::model::verdict::Verdict;
use crate::progress::Progress;
use crate::report::{
    Style, escape, write_overview, write_overview_csv, write_overview_json, write_overview_markdown,
    write_overview_prometheus,
};
use crate::rules::matches_glob;
use crate::store::read_baseline;
use anyhow::{Result, bail};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;
use tokio::sync::mpsc;

/// Servers that are read at a time.
const SERVERS_AT_ONCE: u16 = 4;

/// Time for one target.
const TARGET_TIMEOUT: Duration = Duration::from_secs(300);

/// Targets that are named where several failed.
const NAMED: usize = 3;

pub(super) fn run(shared: &Shared, config: &Config, args: &AuditArgs, bench: &Bench) -> Result<u8> {
    let named = named(config, &args.fleet.targets)?;
    let chosen: Vec<&str> =
        named.iter().copied().filter(|name| args.fleet.shard.is_none_or(|shard| shard.takes(name))).collect();
    let files = Files::of(config, args, bench)?;
    files.make_folders(&chosen)?;
    let fleet = Fleet { config, args, bench, files, pace: Pace::of(config, &args.fleet)? };
    let bar = Bar::new(shared, "auditing");
    bar.begin(chosen.len());
    let (ledger, interrupted) = fleet.audit(&chosen, &bar);
    bar.clear();
    let overview = ledger.close(connection::tool(), args.fleet.shard, named.len());
    fleet.write(shared, &overview)?;
    tell_lost(&overview, interrupted.as_ref());
    Ok(overview.summary.exit_code)
}

/// The targets that one of the globs takes, by name.
fn named<'a>(config: &'a Config, globs: &[String]) -> Result<Vec<&'a str>> {
    let names = || config.targets.keys().map(String::as_str);
    if let Some(glob) = globs.iter().find(|glob| !names().any(|name| matches_glob(glob, name))) {
        let known: Vec<&str> = names().collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("--targets {glob}: the config has no target of that name; there are: {known}");
    }
    Ok(names().filter(|name| globs.iter().any(|glob| matches_glob(glob, name))).collect())
}

/// How many at a time, and how long each.
struct Pace {
    servers_at_once: usize,
    target_timeout: Duration,
}

impl Pace {
    fn of(config: &Config, args: &FleetArgs) -> Result<Self> {
        let own = &config.fleet;
        let timeout = args.target_timeout.as_ref().or(own.target_timeout.as_ref());
        Ok(Self {
            servers_at_once: usize::from(args.servers_at_once.or(own.servers_at_once).unwrap_or(SERVERS_AT_ONCE)),
            target_timeout: timeout.map_or(Ok(TARGET_TIMEOUT), |text| settings::duration("target-timeout", text))?,
        })
    }
}

/// What came of reading a target.
type Reading = Result<Box<Snapshot>, (Ending, String)>;

/// A target, read.
struct Read {
    name: String,
    reading: Reading,
}

/// A run over many targets.
struct Fleet<'a> {
    config: &'a Config,
    args: &'a AuditArgs,
    bench: &'a Bench,
    files: Files,
    pace: Pace,
}

impl Fleet<'_> {
    /// Reads and judges all of them. Of an interrupted run the rest is told as not reached.
    fn audit(&self, chosen: &[&str], bar: &Bar) -> (Ledger, Option<anyhow::Error>) {
        // One is judged while the next waits: readers wait rather than pile up what they read.
        let (sender, receiver) = mpsc::channel(1);
        std::thread::scope(|scope| {
            let judging = scope.spawn(|| self.judge_all(receiver, bar));
            let interrupted = interrupt::block_on(self.read_all(chosen, bar, sender)).err();
            let mut ledger = judging.join().unwrap_or_default();
            for name in chosen.iter().filter(|name| !ledger.has(name)).collect::<Vec<_>>() {
                ledger.miss(name, Ending::NotReached, "the run was interrupted before it was read");
            }
            (ledger, interrupted)
        })
    }

    /// Targets on one server follow each other, so that on none more than `--jobs` of our sessions are at work.
    async fn read_all(&self, chosen: &[&str], bar: &Bar, out: mpsc::Sender<Read>) -> Result<()> {
        let mut servers: BTreeMap<(String, u16), Vec<Errand>> = BTreeMap::new();
        for (number, name) in chosen.iter().enumerate() {
            let (limits, databases) = (&self.args.limits, &self.args.databases);
            match Errand::named(self.config, name, (limits, databases), self.bench.custom.clone()) {
                Ok(mut errand) => {
                    // What is given up must be told from the others on its server.
                    errand.run = format!("{}.{number}", errand.run);
                    let server = (errand.target.host.clone(), errand.target.port);
                    servers.entry(server).or_default().push(errand);
                }
                Err(error) => {
                    let reading = Err((Ending::Failed, format!("{error:#}")));
                    bar.finished(name);
                    let _ = out.send(Read { name: (*name).to_owned(), reading }).await;
                }
            }
        }
        let out = &out;
        stream::iter(servers.into_values())
            .for_each_concurrent(self.pace.servers_at_once, |targets| async move {
                for errand in targets {
                    let reading = self.read(&errand, bar).await;
                    let _ = out.send(Read { name: errand.name, reading }).await;
                }
            })
            .await;
        Ok(())
    }

    async fn read(&self, errand: &Errand, bar: &Bar) -> Reading {
        bar.started(&errand.name);
        let voice = bar.of(&errand.name);
        let (limit, place) = (self.pace.target_timeout, errand.target.place());
        let reading = read_within(errand.read(&voice), errand.cancel(), limit, &place).await;
        bar.finished(&errand.name);
        reading
    }

    fn judge_all(&self, mut reads: mpsc::Receiver<Read>, bar: &Bar) -> Ledger {
        let mut ledger = Ledger::default();
        while let Some(Read { name, reading }) = reads.blocking_recv() {
            let judged = reading.and_then(|snapshot| {
                let judged = fault::caught(|| self.judge(&name, *snapshot, bar));
                judged.map_err(|fault| (Ending::Failed, fault))
            });
            match judged {
                Ok((verdict, run, error)) => ledger.add(&verdict, run, error),
                Err((ending, error)) => ledger.miss(&name, ending, &error),
            }
        }
        ledger
    }

    /// Judges one target, writes its files and keeps the run; and what of that could not be done.
    fn judge(&self, name: &str, mut snapshot: Snapshot, bar: &Bar) -> (Verdict, Run, Option<String>) {
        let save = self.files.save.as_ref().map(|save| save.file(name));
        let saved = output::save(save.as_deref(), &snapshot);
        let mut verdict = self.bench.judge(self.config, &mut snapshot);
        let marked = self.mark(name, &mut verdict, bar);
        let history = self.args.history.as_ref().or(self.config.history.store.as_ref());
        let reports = self.files.reports(name);
        if reports.iter().any(|(format, _)| *format == FormatArg::Html) {
            let note = html::complete(&mut verdict, self.config, history.map(String::as_str), &snapshot);
            note.iter().for_each(|note| bar.warn(&format!("{name}: {note}")));
        }
        let written = output::write_files(&verdict, &reports);
        let kept =
            history.map_or(Ok(()), |history| history_store::keep(self.config, history, &snapshot, Some(&verdict)));
        let lost = output::all([saved, marked, written, kept]).err();
        let run = history_store::run_of(&snapshot, Some(&verdict));
        (verdict, run, lost.map(|error| error.to_string()))
    }

    /// Marks what is new. Without a baseline that can be read, all that is found counts.
    fn mark(&self, name: &str, verdict: &mut Verdict, bar: &Bar) -> Result<()> {
        let Some(path) = self.files.baseline.as_ref().map(|baseline| baseline.file(name)) else { return Ok(()) };
        if !path.exists() {
            bar.warn(&format!("{name}: there is no {}: all that is found counts", path.display()));
            return Ok(());
        }
        let note = self.bench.mark(&path, &read_baseline(&path)?, verdict)?;
        note.iter().for_each(|note| bar.warn(&format!("{name}: {note}")));
        Ok(())
    }

    /// The overview on standard output, and in its files.
    fn write(&self, shared: &Shared, overview: &Overview) -> Result<()> {
        for (format, path) in &self.files.overviews {
            let mut text = Vec::new();
            render(overview, *format, PLAIN, &mut text)?;
            output::write_file(*format, path, &text)?;
        }
        output::print_with(|out| render(overview, self.files.format, output::style(shared), out))
    }
}

/// Reads for so long at most. What is given up, and what panics, may leave a server at work: that is cancelled.
async fn read_within(
    read: impl Future<Output = Result<Snapshot, CollectError>>,
    cancel: impl Future<Output = ()>,
    limit: Duration,
    place: &str,
) -> Reading {
    let lost = match tokio::time::timeout(limit, fault::caught_in(read)).await {
        Ok(Ok(Ok(snapshot))) => return Ok(Box::new(snapshot)),
        Ok(Ok(Err(error))) => return Err((Ending::Failed, error.to_string())),
        Ok(Err(fault)) => (Ending::Failed, fault),
        Err(_) => {
            let limit = units::millis(limit.as_secs_f64() * 1000.0);
            let next = "raise --target-timeout, or see with --verbose what takes long";
            (Ending::TimedOut, format!("{place} was not read within {limit}\n  next: {next}"))
        }
    };
    cancel.await;
    Err(lost)
}

fn render(overview: &Overview, format: FormatArg, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        FormatArg::Json => write_overview_json(overview, out),
        FormatArg::Markdown => write_overview_markdown(overview, out),
        FormatArg::Csv => write_overview_csv(overview, out),
        FormatArg::Prometheus => write_overview_prometheus(overview, out),
        // Others are refused before anything is read.
        _ => write_overview(overview, style, out),
    }
}

/// What went wrong, beside a report that may be in a file.
fn tell_lost(overview: &Overview, interrupted: Option<&anyhow::Error>) {
    let all = overview.targets.len();
    let is_lost = |ending| matches!(ending, Ending::Failed | Ending::TimedOut);
    let lost: Vec<&str> =
        overview.targets.iter().filter(|target| is_lost(target.ending)).map(|target| target.name.as_str()).collect();
    if !lost.is_empty() {
        let more = lost.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names: Vec<&str> = lost.iter().take(NAMED).copied().collect();
        tell!("pgassay: {} of {all} targets failed: {}{more}", lost.len(), escape(&names.join(", ")));
    }
    if let Some(why) = interrupted {
        tell!("pgassay: {why}: {} of {all} targets were not reached", overview.summary.not_reached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use chrono::DateTime;
    use std::cell::Cell;
    use std::future::{pending, poll_fn, ready};
    use std::task::Poll;

    #[tokio::test]
    async fn a_target_that_panics_or_hangs_is_one_lost_and_cancelled() {
        let none = || Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let cancelled = Cell::new(0);
        let cancel = || async { cancelled.set(cancelled.get() + 1) };
        let (long, short) = (Duration::from_secs(600), Duration::from_millis(1));
        assert!(read_within(ready(Ok(none())), cancel(), long, "db1").await.is_ok());
        assert_eq!(cancelled.get(), 0);
        let panics = poll_fn(|_| -> Poll<Result<Snapshot, CollectError>> { panic!("of one target") });
        let (ending, told) = read_within(panics, cancel(), long, "db1").await.expect_err("lost");
        assert!(ending == Ending::Failed && told.ends_with(": of one target"), "{told}");
        assert_eq!(cancelled.get(), 1);
        let (ending, told) = read_within(pending(), cancel(), short, "db1").await.expect_err("lost");
        assert!(ending == Ending::TimedOut && told.starts_with("db1 was not read within 1 ms\n"), "{told}");
        assert_eq!(cancelled.get(), 2);
    }
}
