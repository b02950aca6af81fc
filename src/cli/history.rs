//! `pgassay history`.

use super::args::Shared;
use super::change_args::{ChangeArgs, FileArgs, PlainFormat};
use super::config::Config;
use super::history_args::{HistoryArgs, HistoryCommand, InitArgs, ListArgs, PruneArgs, ShowArgs};
use super::history_store::{self, Store};
use super::partition_args::{CreateArgs, DefaultArgs, RetireArgs};
use super::{connection, exit, interrupt, months, output, retire, settings, trend};
use crate::archive::{TABLE, migrate, script};
use crate::model::history::{Holdings, Kept};
use crate::partition::{Keep, Zone};
use crate::report::{escape, write_holdings, write_holdings_json, write_kept};
use crate::store::write_snapshot;
use anyhow::{Result, anyhow, bail};
use chrono::TimeDelta;

/// Days.
const SHORTEST_MONTH: u64 = 28;

pub(super) fn run(shared: &Shared, args: &HistoryArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    match &args.command {
        HistoryCommand::List(list) => self::list(shared, &config, list),
        HistoryCommand::Show(show) => self::show(shared, &config, show),
        HistoryCommand::Trend(args) => trend::run(shared, &config, args),
        HistoryCommand::Prune(prune) => self::prune(shared, &config, prune),
        HistoryCommand::Init(init) => self::init(shared, &config, init),
    }
}

fn list(shared: &Shared, config: &Config, args: &ListArgs) -> Result<u8> {
    let mut holdings = Store::open(config, &args.store)?.holdings()?;
    if let Some(target) = &args.target {
        only(&mut holdings, target)?;
    }
    output::print_with(|out| match args.format {
        PlainFormat::Table => write_holdings(&holdings, output::style(shared), out),
        PlainFormat::Json => write_holdings_json(&holdings, out),
    })?;
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
    let store = Store::open(config, &args.store)?;
    let holdings = store.holdings()?;
    let kept = named(&holdings, &args.name)?;
    if let Some(output) = &args.output {
        let mut written = Ok(());
        store.read(&[kept], |_, snapshot| {
            written = snapshot.and_then(|snapshot| Ok(write_snapshot(output, &snapshot)?));
        })?;
        written?;
    }
    let file = match (&args.output, &store) {
        (Some(output), _) => output.display().to_string(),
        (None, Store::Folder(folder)) => folder.file(&kept.name).display().to_string(),
        (None, Store::Database(_)) => "FILE, which --output FILE writes here".to_owned(),
    };
    output::print_with(|out| {
        write_kept(kept, output::style(shared), out)?;
        writeln!(out, "\nto judge it again: pgassay audit --from {}", escape(&file))
    })?;
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
    let folder = match Store::open(config, &args.store)? {
        Store::Folder(folder) => folder,
        Store::Database(_) => return retire(shared, config, args, keep),
    };
    let keep = TimeDelta::from_std(settings::long_duration("keep", keep)?)?;
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

/// In a database whole months go, as of any partitioned table: detached by one run, dropped by one a week later.
fn retire(shared: &Shared, config: &Config, args: &PruneArgs, keep: &str) -> Result<u8> {
    let retire = RetireArgs {
        table: TABLE.to_owned(),
        target: Some(history_store::named(config, &args.store)?.to_owned()),
        keep: Some(months(keep)?),
        drop: true,
        quarantine: None,
        files: FileArgs::default(),
        change: ChangeArgs { yes: args.yes, dry_run: !args.yes, state: args.state.clone(), ..ChangeArgs::default() },
    };
    retire::run(shared, config, &retire)
}

/// The months that hold at least so many days before the current one.
pub(super) fn months(keep: &str) -> Result<Keep> {
    if let Ok(keep) = keep.parse() {
        return Ok(keep);
    }
    let days = settings::long_duration("keep", keep)?.as_secs().div_ceil(86_400);
    format!("{} months", days.div_ceil(SHORTEST_MONTH)).parse().map_err(|why| anyhow!("keep: {why}"))
}

fn init(shared: &Shared, config: &Config, args: &InitArgs) -> Result<u8> {
    let tool = connection::tool();
    let tool = format!("{} {}", tool.name, tool.version);
    if !args.yes {
        super::print(&script(&args.writer, &args.reader, &tool))?;
        if !shared.quiet {
            tell!(
                "nothing was done: --yes does it, and makes the months; after doing it by hand: pgassay partition create {TABLE} TARGET --yes"
            );
        }
        return Ok(exit::OK);
    }
    let text = history_store::named(config, &args.store)?;
    let Store::Database(target) = Store::open(config, &args.store)? else {
        bail!("{text} is a folder, which needs no preparation: the first run makes it")
    };
    let application = history_store::application();
    let done =
        interrupt::block_on(async { Ok(migrate(&target, &application, &args.writer, &args.reader, &tool).await?) })?;
    if !shared.quiet {
        let versions: Vec<String> = done.iter().map(|version| format!("version {version} made\n")).collect();
        super::print(&if done.is_empty() { "schema up to date\n".to_owned() } else { versions.concat() })?;
    }
    let create = CreateArgs {
        table: TABLE.to_owned(),
        target: Some(text.to_owned()),
        months: args.months,
        from: None,
        to: None,
        zone: Zone::named("UTC"),
        default: DefaultArgs::default(),
        files: FileArgs::default(),
        change: ChangeArgs { yes: true, state: args.state.clone(), ..ChangeArgs::default() },
    };
    months::create(shared, config, &create)
}
