//! `pgassay history`.

use super::args::Shared;
use super::change_args::PlainFormat;
use super::config::Config;
use super::history_args::{HistoryArgs, HistoryCommand, ListArgs, PruneArgs, ShowArgs, StoreArgs};
use super::{exit, output, settings, trend};
use crate::facts::counters_since;
use crate::model::history::{Holdings, Kept, Run, Tally};
use crate::model::snapshot::Snapshot;
use crate::model::verdict::Verdict;
use crate::report::{escape, write_holdings, write_holdings_json, write_kept};
use crate::store::{Folder, read_snapshot, write_snapshot};
use anyhow::{Result, anyhow, bail};
use chrono::TimeDelta;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn run(shared: &Shared, args: &HistoryArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    match &args.command {
        HistoryCommand::List(list) => self::list(shared, &config, list),
        HistoryCommand::Show(show) => self::show(shared, &config, show),
        HistoryCommand::Trend(args) => trend::run(shared, &config, args),
        HistoryCommand::Prune(prune) => self::prune(shared, &config, prune),
    }
}

/// Keeps a run, and what was found in it.
pub(super) fn keep(history: &str, snapshot: &Snapshot, verdict: Option<&Verdict>) -> Result<()> {
    let run = Run::of(snapshot, counters_since(snapshot).from, verdict.map(Tally::of));
    Folder::at(Path::new(history)).keep(&run, snapshot)?;
    Ok(())
}

/// The history of the flag, else of the config.
pub(super) fn open(config: &Config, args: &StoreArgs) -> Result<Folder> {
    let named = args.history.as_deref().or(config.history.store.as_deref());
    let named = named.ok_or_else(|| {
        anyhow!("which history? Name the folder that `audit --history` was given with --history, or history.store in the config")
    })?;
    Ok(Folder::at(Path::new(named)))
}

fn list(shared: &Shared, config: &Config, args: &ListArgs) -> Result<u8> {
    let mut holdings = open(config, &args.store)?.holdings()?;
    if let Some(target) = &args.target {
        only(&mut holdings, target)?;
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        PlainFormat::Table => write_holdings(&holdings, output::style(shared), &mut out)?,
        PlainFormat::Json => write_holdings_json(&holdings, &mut out)?,
    }
    out.flush()?;
    Ok(exit::OK)
}

/// Leaves the runs of one target; that there are none is a mistake.
pub(super) fn only(holdings: &mut Holdings, target: &str) -> Result<()> {
    let places = places(holdings);
    holdings.runs.retain(|kept| kept.run.is_of(target));
    if holdings.runs.is_empty() {
        let known = if places.is_empty() { "no run at all".to_owned() } else { places.join(", ") };
        bail!("no run of `{target}` in {}; there is {known}", holdings.store);
    }
    Ok(())
}

/// The targets there are runs of.
pub(super) fn places(holdings: &Holdings) -> Vec<String> {
    let mut places: Vec<String> = holdings.runs.iter().map(|kept| kept.run.place()).collect();
    places.sort();
    places.dedup();
    places
}

fn show(shared: &Shared, config: &Config, args: &ShowArgs) -> Result<u8> {
    let folder = open(config, &args.store)?;
    let holdings = folder.holdings()?;
    let kept = named(&holdings, &args.name)?;
    let path = folder.file(&kept.name);
    if let Some(output) = &args.output {
        write_snapshot(output, &read_snapshot(&path)?)?;
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    write_kept(kept, output::style(shared), &mut out)?;
    let file = args.output.as_ref().unwrap_or(&path);
    writeln!(out, "\nto judge it again: pgassay audit --from {}", escape(&file.display().to_string()))?;
    out.flush()?;
    Ok(exit::OK)
}

/// The one run whose name begins so.
fn named<'a>(holdings: &'a Holdings, text: &str) -> Result<&'a Kept> {
    let text = text.trim_end_matches(".json.zst");
    match holdings.runs.iter().filter(|kept| kept.name.starts_with(text)).collect::<Vec<_>>().as_slice() {
        [only] => Ok(only),
        [] => bail!("no run {text} in {}; `pgassay history list` shows all", holdings.store),
        several => {
            bail!("{} runs begin with {text}, {} among them: write more of the name", several.len(), several[0].name)
        }
    }
}

fn prune(shared: &Shared, config: &Config, args: &PruneArgs) -> Result<u8> {
    let keep = args.keep.as_ref().or(config.history.keep.as_ref());
    let keep =
        keep.ok_or_else(|| anyhow!("how long are runs kept? Say so with --keep 90d, or history.keep in the config"))?;
    let keep = TimeDelta::from_std(settings::long_duration("keep", keep)?)?;
    let folder = open(config, &args.store)?;
    let holdings = folder.holdings()?;
    let overdue = holdings.overdue(keep);
    if args.yes {
        for kept in &overdue {
            folder.remove(kept)?;
        }
    }
    if shared.quiet {
        return Ok(exit::OK);
    }
    let mut text: String = overdue.iter().map(|kept| format!("{}\n", kept.name)).collect();
    let (count, all) = (overdue.len(), holdings.runs.len());
    text.push_str(&match (count, args.yes) {
        (0, _) => format!("nothing to do: none of {all} runs is older than what is kept\n"),
        (_, true) => format!("{count} of {all} runs removed\n"),
        (_, false) => format!("{count} of {all} runs would go; nothing was removed: --yes removes them\n"),
    });
    super::print(&text)?;
    Ok(exit::OK)
}
