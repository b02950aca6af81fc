//! `pgassay pool`.

use super::args::{LimitArgs, Shared};
use super::config::Config;
use super::pool_args::{PoolArgs, PoolFormat};
use super::progress_bar::Bar;
use super::{connection, exit, interrupt, output, settings};
use crate::collect::{Access, SAMPLE, Watched, watch};
use crate::model::saturation::Saturation;
use crate::model::snapshot::{Facet, Gap};
use crate::pool::{Evidence, TARGET_WAIT_MS, Terms, assess};
use crate::postgres::{Limits, Target};
use crate::report::{write_saturation, write_saturation_json, write_saturation_prometheus};
use crate::store::read_snapshot;
use anyhow::{Result, bail};
use std::io::{self, IsTerminal};
use std::time::Duration;

/// Clears the screen and goes to its top (ECMA-48 §8.3.39, §8.3.21).
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

pub(super) fn run(shared: &Shared, args: &PoolArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let target_wait_ms = args.target_wait.as_ref().or(config.pool.target_wait.as_ref());
    let target_wait_ms = target_wait_ms.map_or(Ok(TARGET_WAIT_MS), |text| wait(text))?;
    let terms = Terms { target_wait_ms, cores: args.cores.or(config.pool.cores) };
    if let Some(path) = &args.from {
        let snapshot = read_snapshot(path)?;
        if snapshot.session_samples.is_none() && snapshot.pools.is_empty() {
            bail!(
                "{}: no sessions and no PgBouncer were watched for this snapshot\n  next: take one with --sample 10s, or --pgbouncer DSN",
                path.display()
            );
        }
        let gaps: Vec<Gap> = snapshot.gaps.iter().filter(|gap| is_ours(gap)).cloned().collect();
        let evidence = Evidence { server: Some(&snapshot), poolers: &snapshot.pools, gaps: &gaps };
        let seen = assess(evidence, &terms, connection::tool());
        show(shared, args.format, &seen)?;
        return Ok(exit_code(&seen));
    }
    let order = Order::of(&config, args, terms)?;
    loop {
        let seen = order.sample(shared)?;
        // What was not seen must not pass for what is not there.
        let is_whole = !seen.gaps.iter().any(|gap| gap.is_failure);
        if args.until_saturated && is_whole && !seen.is_saturated() {
            continue;
        }
        if args.watch && args.format == PoolFormat::Table && io::stdout().is_terminal() {
            super::print(CLEAR)?;
        }
        let is_read = show(shared, args.format, &seen)?;
        if args.until_saturated && seen.is_saturated() {
            return Ok(exit::FOUND);
        }
        if !(args.watch && is_read) {
            return Ok(exit_code(&seen));
        }
    }
}

/// A gap in what this command reads.
fn is_ours(gap: &Gap) -> bool {
    matches!(
        gap.facet,
        Facet::Sessions | Facet::SessionSamples | Facet::Pools | Facet::Locks | Facet::Roles | Facet::Settings
    )
}

/// A mean wait, in milliseconds.
pub(super) fn wait(text: &str) -> Result<f64> {
    let millis = settings::quantity("target-wait", text, "ms", "10ms")?;
    if !(0.01..=60_000.0).contains(&millis) {
        bail!("target-wait: `{text}` should be between 10us and 1min");
    }
    Ok(millis)
}

/// What was asked for: flags laid over the config.
struct Order {
    server: Option<(Target, String)>,
    poolers: Vec<Target>,
    limits: Limits,
    time: Duration,
    terms: Terms,
}

impl Order {
    fn of(config: &Config, args: &PoolArgs, terms: Terms) -> Result<Self> {
        let limit_args = LimitArgs {
            sample: args.sample.clone(),
            statement_timeout: args.statement_timeout.clone(),
            connect_timeout: args.connect_timeout.clone(),
            ..LimitArgs::default()
        };
        let (limits, scope, connect_timeout) = settings::limits(config, &limit_args, Vec::new(), Vec::new())?;
        let patient = |target: Target| match connect_timeout {
            Some(timeout) => target.with_connect_timeout(timeout),
            None => target,
        };
        let poolers = connection::poolers_of(config, args.target.as_deref(), &args.pgbouncer)?;
        // Where nothing names a server a console is watched alone.
        let server = if connection::is_named(args.target.as_deref()) || poolers.is_empty() {
            let (target, name) = connection::named_target_of(config, args.target.as_deref())?;
            Some((patient(target), name))
        } else {
            None
        };
        let is_local = server.as_ref().is_some_and(|(target, _)| target.host.starts_with('/'));
        let own = std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
        Ok(Self {
            server,
            poolers: poolers.into_iter().map(patient).collect(),
            // One session is enough, and is one of those that are counted.
            limits: Limits { jobs: 1, ..limits },
            time: scope.sample.unwrap_or(SAMPLE),
            terms: Terms { cores: terms.cores.or(own.filter(|_| is_local)), ..terms },
        })
    }

    /// Watches once and judges.
    fn sample(&self, shared: &Shared) -> Result<Saturation> {
        let run = connection::run_name();
        let Watched { server, poolers, gaps } = interrupt::block_on(async {
            let bar = Bar::new(shared, "watching");
            let access = self.server.as_ref().map(|(target, name)| Access { target, name, limits: self.limits, run });
            let watched = watch(access, &self.poolers, self.time, run, connection::tool(), &bar).await;
            bar.clear();
            Ok(watched?)
        })?;
        if server.is_none() && poolers.is_empty() {
            let told: Vec<String> = gaps.iter().map(|gap| format!("{}\n  next: {}", gap.reason, gap.remedy)).collect();
            bail!("{}", told.join("\n"));
        }
        let evidence = Evidence { server: server.as_ref(), poolers: &poolers, gaps: &gaps };
        Ok(assess(evidence, &self.terms, connection::tool()))
    }
}

/// Says whether somebody still reads.
fn show(shared: &Shared, format: PoolFormat, seen: &Saturation) -> Result<bool> {
    output::is_read_through(|out| match format {
        PoolFormat::Table => write_saturation(seen, output::style(shared), out),
        PoolFormat::Json => write_saturation_json(seen, out),
        PoolFormat::Prometheus => write_saturation_prometheus(seen, out),
    })
}

fn exit_code(seen: &Saturation) -> u8 {
    if seen.gaps.iter().any(|gap| gap.is_failure) { exit::INCOMPLETE } else { exit::OK }
}
