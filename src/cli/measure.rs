//! `pgassay measure`.

use super::args::{LimitArgs, Shared};
use super::config::Config;
use super::measure_args::{MeasureArgs, MeasureFormat};
use super::progress_bar::Bar;
use super::{connection, exit, interrupt, output, settings};
use crate::measure::{Order, Place, measure};
use crate::model::measurement::{MEASUREMENT_VERSION, Measurement, Side};
use crate::postgres::{Limits, Target};
use crate::report::{write_measurement, write_measurement_csv, write_measurement_json, write_measurement_markdown};
use crate::rules::Problem;
use crate::statement::{Reading, analyse, reading};
use crate::store::{read_side, read_text, write_measurement as keep};
use crate::timing::{Turns, comparison};
use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::watch;

pub(super) fn run(shared: &Shared, args: &MeasureArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let order = order(args)?;
    let base = args.baseline.as_deref().map(read_side).transpose()?;
    if let Some(base) = base.as_ref().filter(|base| base.clients != args.clients) {
        bail!(
            "the baseline was measured by {} clients: give --clients {} for a comparison",
            base.clients,
            base.clients
        );
    }
    let targets = targets(&config, args)?;
    let mut sides = measured(shared, &targets, &order)?;
    let turns = if base.is_some() { Turns::Apart } else { Turns::Taken };
    if let (Some(path), [side]) = (&args.save, sides.as_slice()) {
        keep(path, &whole(vec![side.clone()], turns))?;
    }
    sides.splice(0..0, base);
    let is_cut = sides.iter().any(|side| side.stopped.is_some());
    write(shared, args.format, &whole(sides, turns))?;
    Ok(if is_cut { exit::INCOMPLETE } else { exit::OK })
}

/// The statement, if it is one that only reads.
fn order(args: &MeasureArgs) -> Result<Order> {
    let (place, text) = match (&args.sql, &args.file) {
        (Some(sql), _) => ("--sql".to_owned(), sql.clone()),
        (None, Some(file)) => (file.display().to_string(), read_text(file)?),
        (None, None) => bail!("name a statement with --sql or --file"),
    };
    let Reading { sql, behind_first } =
        reading(&text).map_err(|misfit| Problem::in_text(&place, &text, misfit.at, misfit.message))?;
    let fingerprint = analyse(&sql)?.fingerprint;
    let MeasureArgs { iterations, warmup, clients, .. } = *args;
    Ok(Order { sql, fingerprint, behind_first, iterations, warmup, clients })
}

/// The servers, with their names; and what an execution may take there.
struct Targets {
    named: Vec<(Target, String)>,
    limits: Limits,
}

fn targets(config: &Config, args: &MeasureArgs) -> Result<Targets> {
    let limit_args = LimitArgs {
        statement_timeout: args.statement_timeout.clone(),
        lock_timeout: args.lock_timeout.clone(),
        connect_timeout: args.connect_timeout.clone(),
        ..LimitArgs::default()
    };
    let (limits, _, connect_timeout) = settings::limits(config, &limit_args, Vec::new(), Vec::new())?;
    let patient = |(target, name): (Target, String)| match connect_timeout {
        Some(timeout) => (target.with_connect_timeout(timeout), name),
        None => (target, name),
    };
    let mut named = vec![patient(connection::named_target_of(config, args.target.as_deref())?)];
    if let Some(other) = &args.against {
        named.push(patient(connection::named_target_of(config, Some(other)).context("--against")?));
    }
    Ok(Targets { named, limits })
}

fn measured(shared: &Shared, targets: &Targets, order: &Order) -> Result<Vec<Side>> {
    let limits = targets.limits;
    let places: Vec<Place<'_>> = targets.named.iter().map(|(target, name)| Place { target, name, limits }).collect();
    let run = connection::run_name();
    let (stop, is_stopped) = watch::channel(false);
    interrupt::block_on_until(&stop, async {
        let bar = Bar::new(shared, "measuring");
        let sides = measure(&places, order, run, &is_stopped, &bar).await;
        bar.clear();
        sides.map_err(|error| anyhow!("{error}"))
    })
}

fn whole(sides: Vec<Side>, turns: Turns) -> Measurement {
    let comparison = match sides.as_slice() {
        [first, second] => comparison(first, second, turns),
        _ => None,
    };
    Measurement { measurement_version: MEASUREMENT_VERSION, tool: connection::tool(), sides, comparison }
}

fn write(shared: &Shared, format: MeasureFormat, measurement: &Measurement) -> Result<()> {
    output::print_with(|out| match format {
        MeasureFormat::Table => write_measurement(measurement, output::style(shared), out),
        MeasureFormat::Json => write_measurement_json(measurement, out),
        MeasureFormat::Markdown => write_measurement_markdown(measurement, out),
        MeasureFormat::Csv => write_measurement_csv(measurement, out),
    })
}
