//! `pgassay history trend`.

use super::args::Shared;
use super::config::Config;
use super::history_args::{KindArg, TrendArgs, TrendFormat, TrendGate};
use super::history_store::Store;
use super::{connection, exit, history, output, settings};
use crate::compare::{Chronicle, metric_names, trends};
use crate::model::history::{Holdings, Kept};
use crate::model::trend::{Kind, Terms, Trends};
use crate::report::{
    escape, write_trends, write_trends_csv, write_trends_json, write_trends_markdown, write_trends_prometheus,
};
use crate::rules::{matches_glob, suggest};
use anyhow::{Result, bail};
use chrono::TimeDelta;

pub(super) fn run(shared: &Shared, config: &Config, args: &TrendArgs) -> Result<u8> {
    for name in &args.metric {
        let known = metric_names();
        if !known.contains(&name.as_str()) {
            bail!("no metric `{name}`{}; there are {}", suggest(name, known.iter().copied()), known.join(", "));
        }
    }
    let store = Store::open(config, &args.store)?;
    let mut holdings = store.holdings()?;
    let target = one_target(&mut holdings, args.target.as_deref())?;
    let mut chronicle = Chronicle::new(args.min_calls);
    store.read(&chosen(&holdings, args)?, |kept, snapshot| match snapshot {
        Ok(snapshot) => chronicle.add(snapshot, kept.run.findings),
        Err(error) => tell!("warning: {}: left out", escape(&error.to_string())),
    })?;
    let terms = Terms {
        change_pct: args.change,
        confidence_pct: args.confidence,
        min_calls: args.min_calls,
        top: usize::from(args.top),
    };
    let wanted = |kind: Kind, object: &str, metric: &str| {
        (args.of.is_empty() || args.of.iter().any(|of| self::kind(*of) == kind))
            && (args.metric.is_empty() || args.metric.iter().any(|name| name == metric))
            && (args.object.is_empty() || args.object.iter().any(|glob| is_object(glob, object)))
    };
    let trends = trends(&chronicle, &target, &terms, &wanted, connection::tool());
    write(shared, args, &trends)?;
    let fails = args.fail_on == TrendGate::Degrading && trends.summary.degrading > 0;
    Ok(if fails { exit::FOUND } else { exit::OK })
}

/// Statements may be written as reports write them.
fn is_object(glob: &str, object: &str) -> bool {
    matches_glob(glob.strip_prefix("q:").unwrap_or(glob), object)
}

fn kind(arg: KindArg) -> Kind {
    match arg {
        KindArg::Statement => Kind::Statement,
        KindArg::Table => Kind::Table,
        KindArg::Database => Kind::Database,
        KindArg::Server => Kind::Server,
    }
}

/// Leaves the runs of the one target that is meant, and says which it is.
fn one_target(holdings: &mut Holdings, named: Option<&str>) -> Result<String> {
    if let Some(name) = named {
        history::only(holdings, name)?;
    }
    match history::places(holdings).as_slice() {
        [place] => Ok(place.clone()),
        [] => bail!("no run in {}; `pgassay audit --history` keeps some", holdings.store),
        several => bail!("runs of several targets are there: name one of {}", several.join(", ")),
    }
}

/// The last runs, the oldest first; with `--every` the one nearest to each such time.
fn chosen<'a>(holdings: &'a Holdings, args: &TrendArgs) -> Result<Vec<&'a Kept>> {
    let last = usize::from(args.last);
    let Some(every) = &args.every else {
        return Ok(holdings.runs.iter().skip(holdings.runs.len().saturating_sub(last)).collect());
    };
    let every = TimeDelta::from_std(settings::long_duration("every", every)?)?;
    let mut chosen: Vec<&Kept> = Vec::new();
    let Some(newest) = holdings.runs.last().map(|kept| kept.run.captured_at) else { return Ok(chosen) };
    for step in 0..i32::from(args.last) {
        let Some(moment) = every.checked_mul(step).and_then(|back| newest.checked_sub_signed(back)) else { break };
        let distance = |kept: &&Kept| (kept.run.captured_at - moment).abs();
        // Farther off it would be set beside another hour.
        let nearest = holdings.runs.iter().min_by_key(distance).filter(|kept| distance(kept) <= every / 4);
        chosen.extend(nearest);
    }
    chosen.reverse();
    Ok(chosen)
}

fn write(shared: &Shared, args: &TrendArgs, trends: &Trends) -> Result<()> {
    output::print_with(|out| match args.format {
        TrendFormat::Table => write_trends(trends, args.all, output::style(shared), out),
        TrendFormat::Json => write_trends_json(trends, out),
        TrendFormat::Markdown => write_trends_markdown(trends, out),
        TrendFormat::Csv => write_trends_csv(trends, out),
        TrendFormat::Prometheus => write_trends_prometheus(trends, out),
    })
}
