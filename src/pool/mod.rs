//! Whether connections and pools are saturated, why, and how large a pool should be: from a series of looks at
//! PgBouncer's console and at the server's sessions, either or both.
//!
//! Pure: looks and counters come in, verdicts and settings go out. Must not know servers, consoles or the clock.

mod demand;
mod limits;
mod measure;
mod queue;
mod server;
#[cfg(test)]
mod simulation;
mod sizing;
mod verdict;

pub use demand::{Observed, arrival_variation, service_variation};
pub use queue::{Demand, waiting_probability};

use crate::model::saturation::{Flow, Judgement, PoolLoad, PoolerLoad, SATURATION_VERSION, Saturation, Verdict};
use crate::model::snapshot::{Gap, Pooler, Snapshot, Tool};
use limits::Ceilings;
use measure::{Backends, Measured};

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The server, with its sampled sessions; none where only consoles were watched.
    pub server: Option<&'a Snapshot>,
    /// The PgBouncers.
    pub poolers: &'a [Pooler],
    /// What was not read, and why.
    pub gaps: &'a [Gap],
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// The mean wait for a server connection that is aimed at, in milliseconds.
    pub target_wait_ms: f64,
    /// Processors of the server, where they are known.
    pub cores: Option<u32>,
}

/// The mean wait that is aimed at unless told otherwise, in milliseconds.
pub const TARGET_WAIT_MS: f64 = 10.0;

impl Default for Terms {
    fn default() -> Self {
        Self { target_wait_ms: TARGET_WAIT_MS, cores: None }
    }
}

/// Judges what was seen.
#[must_use]
pub fn assess(evidence: Evidence<'_>, terms: &Terms, tool: Tool) -> Saturation {
    let mut ceilings = Ceilings::of(evidence.server);
    let poolers: Vec<PoolerLoad> =
        evidence.poolers.iter().map(|pooler| pooler_load(pooler, &evidence, terms, &mut ceilings)).collect();
    let samples = evidence.server.and_then(|snapshot| snapshot.session_samples.as_ref());
    let watched = evidence.poolers.iter().map(|pooler| pooler.seconds);
    Saturation {
        saturation_version: SATURATION_VERSION,
        tool,
        captured_at: evidence.server.map(|snapshot| snapshot.captured_at),
        sample_seconds: samples.map(|samples| samples.seconds).into_iter().chain(watched).fold(0.0, f64::max),
        target_wait_ms: terms.target_wait_ms,
        server: evidence
            .server
            .filter(|snapshot| snapshot.session_samples.is_some())
            .map(|snapshot| server::load(snapshot, terms)),
        poolers,
        gaps: evidence.gaps.to_vec(),
    }
}

fn pooler_load(pooler: &Pooler, evidence: &Evidence<'_>, terms: &Terms, ceilings: &mut Ceilings<'_>) -> PoolerLoad {
    let mut names: Vec<(&str, &str)> = pooler
        .looks
        .iter()
        .flat_map(|look| look.pools.iter().map(|pool| (pool.database.as_str(), pool.user.as_str())))
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut pools: Vec<PoolLoad> = names
        .into_iter()
        .map(|(database, user)| {
            let measured = Measured::of(pooler, database, user);
            let backends = evidence.server.and_then(|snapshot| Backends::of(snapshot, &measured));
            pool_load(&measured, backends.as_ref(), evidence.server, terms, ceilings)
        })
        .collect();
    pools.sort_by(|a, b| {
        let rank = |pool: &PoolLoad| (pool.judgement.verdict, pool.database.clone(), pool.user.clone());
        rank(a).cmp(&rank(b))
    });
    let clients = measure::spread(pooler.looks.iter().map(measure::clients));
    PoolerLoad {
        name: pooler.name.clone(),
        version: pooler.version.clone(),
        judgement: verdict::of_pooler(pooler, clients),
        clients,
        client_limit: pooler.settings.max_client_conn.filter(|limit| *limit > 0),
        looks: pooler.looks.len(),
        missed: pooler.missed,
        notes: notes(pooler),
        pools,
    }
}

fn pool_load(
    measured: &Measured<'_>,
    backends: Option<&Backends>,
    server: Option<&Snapshot>,
    terms: &Terms,
    ceilings: &mut Ceilings<'_>,
) -> PoolLoad {
    let flow = measured.flow.map(|flow| with_demand(flow, measured));
    let case = verdict::Case { measured, flow, backends, server, terms };
    let judgement: Judgement = case.judge();
    let mut load = PoolLoad {
        database: measured.database.to_owned(),
        user: measured.user.to_owned(),
        pool_mode: measured.pool_mode.clone(),
        pool_size: measured.size,
        reserve_pool_size: measured.reserve,
        clients: measured.clients,
        waiting: measured.waiting,
        active: measured.active,
        servers: measured.servers,
        client_states: measured.states(&measured.pooler.clients),
        server_states: measured.states(&measured.pooler.servers),
        limits: limits::of_pooler(measured),
        used_pct: measured.used_pct(),
        max_wait_ms: measured.max_wait_ms,
        flow,
        held_share: case.held_share(),
        sizing: None,
        settings: Vec::new(),
        series: measured.series(),
        judgement,
    };
    match load.judgement.verdict {
        Verdict::PoolTooSmall => sizing::enlarge(&mut load, measured, backends, terms, ceilings),
        Verdict::Oversized => sizing::shrink(&mut load, measured, backends, terms),
        Verdict::LimitElsewhere => load.settings = limits::raised(&case),
        Verdict::Healthy => load.sizing = sizing::curve_of(&load, measured, backends, terms),
        _ => {}
    }
    load
}

/// The flow with what its clients want.
fn with_demand(flow: Flow, measured: &Measured<'_>) -> Flow {
    let observed = Observed {
        clients: measured.clients.mean,
        rate: flow.rate,
        wait_seconds: flow.wait_ms / 1000.0,
        service_seconds: flow.service_ms / 1000.0,
    };
    let wanted_rate = observed.wanted_rate();
    Flow {
        think_ms: 1000.0 * observed.think_seconds(),
        wanted_rate,
        offered_load: wanted_rate * observed.service_seconds,
        ..flow
    }
}

/// What about a sample should be known.
fn notes(pooler: &Pooler) -> Vec<String> {
    let mut notes = Vec::new();
    let restarts = measure::restarts(pooler);
    if restarts > 0 {
        let times = if restarts == 1 { "once".to_owned() } else { format!("{restarts} times") };
        notes.push(format!(
            "PgBouncer was restarted or its console lost {times} during the sample: that time is left out of the counters"
        ));
    }
    notes.extend(
        pooler
            .databases
            .iter()
            .filter(|row| row.is_disabled)
            .map(|row| format!("database {} is disabled: new clients are refused", row.name)),
    );
    if pooler.missed > 0 {
        notes.push(format!("{} looks were not answered by the console", pooler.missed));
    }
    if !pooler.unknown_columns.is_empty() {
        notes.push(format!("columns that this program does not know: {}", pooler.unknown_columns.join(", ")));
    }
    if !pooler.missing_columns.is_empty() {
        notes.push(format!("columns that this PgBouncer does not have: {}", pooler.missing_columns.join(", ")));
    }
    notes
}

#[cfg(test)]
mod tests;
