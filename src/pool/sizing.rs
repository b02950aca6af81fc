//! How large a pool should be: the fewest server connections with which the wanted work waits no longer than the
//! target, within what the server would take.

use super::measure::{Backends, Measured};
use super::queue::Demand;
use super::{Terms, arrival_variation, limits, service_variation};
use crate::model::saturation::{CurvePoint, PoolLoad, Sizing};
use limits::Ceilings;
use std::collections::BTreeSet;

/// Fewer transactions say too little of their mean.
const LEAST_TRANSACTIONS: f64 = 20.0;

/// Fewer looks at transactions say too little of their ages.
const LEAST_AGES: f64 = 30.0;

/// Rule of thumb, and no law: with more sessions than this for each processor that want one, they get in each
/// other's way (PostgreSQL wiki, *Number Of Database Connections*).
const RUNNING_PER_CORE: f64 = 2.0;

/// Points of the curve beyond the advised one.
const BEYOND: i64 = 3;

/// Points of the curve below it.
const BELOW: i64 = 6;

/// A pool that is used this many times less than it could be is cut down to as many times its peak.
const HEADROOM: i64 = 2;

/// What is wanted of a pool, and how much of that was measured.
struct Wanted {
    demand: Demand,
    is_measured: bool,
    clients: i64,
}

impl Wanted {
    /// None where too little was seen, and in session mode, where the time of service is the client's stay.
    fn of(load: &PoolLoad, measured: &Measured<'_>, backends: Option<&Backends>) -> Option<Self> {
        let flow = load.flow.filter(|flow| flow.transactions >= LEAST_TRANSACTIONS && flow.service_ms > 0.0)?;
        if load.pool_mode.as_deref() == Some("session") {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "looks")]
        let looks = measured.pooler.looks.len() as f64;
        let service_seconds = flow.service_ms / 1000.0;
        let seen = backends.filter(|backends| backends.in_transaction * looks >= LEAST_AGES);
        let service = seen.and_then(|backends| service_variation(backends.mean_age()?, service_seconds));
        // Behind a queue the ends of transactions come as its servers let them, not as they were asked for.
        let arrivals = arrival_variation(&measured.arrivals).filter(|_| measured.waiting.mean < 1.0);
        Some(Self {
            demand: Demand {
                rate: flow.wanted_rate,
                service_seconds,
                variability: f64::midpoint(arrivals.unwrap_or(1.0).max(1.0), service.unwrap_or(1.0)),
            },
            is_measured: service.is_some(),
            clients: load.clients.peak.max(1),
        })
    }

    /// Mean wait with so many servers, in milliseconds. Nobody waits where there is one for each client.
    fn wait_ms(&self, servers: i64) -> Option<f64> {
        if servers >= self.clients {
            return Some(0.0);
        }
        u32::try_from(servers).ok().and_then(|servers| self.demand.mean_wait(servers)).map(|wait| 1000.0 * wait)
    }

    /// The fewest servers within the target.
    #[allow(clippy::cast_possible_truncation, reason = "erlangs of a pool")]
    fn fewest(&self, target_ms: f64) -> i64 {
        let least = (self.demand.offered().floor() as i64).clamp(1, self.clients);
        let is_enough = |servers: &i64| self.wait_ms(*servers).is_some_and(|wait| wait <= target_ms);
        (least..self.clients).find(is_enough).unwrap_or(self.clients)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "servers of a pool")]
    fn curve(&self, size: Option<i64>, advised: i64) -> Vec<CurvePoint> {
        let first = (self.demand.offered().ceil() as i64).max(advised - BELOW).max(1);
        let mut shown: BTreeSet<i64> = (first..=advised + BEYOND).collect();
        shown.extend(size.filter(|size| *size > 0));
        let point = |servers: i64| CurvePoint {
            servers,
            utilization: (self.demand.offered() / servers as f64).min(1.0),
            wait_ms: self.wait_ms(servers),
        };
        shown
            .into_iter()
            .filter(|servers| *servers <= self.clients.max(advised).max(size.unwrap_or(0)))
            .map(point)
            .collect()
    }

    fn sizing(&self, size: Option<i64>, servers: i64, capped_by: Option<String>) -> Sizing {
        Sizing {
            servers,
            wait_ms: self.wait_ms(servers),
            variability: self.demand.variability,
            variability_is_measured: self.is_measured,
            capped_by,
            curve: self.curve(size, servers),
        }
    }
}

/// The sessions that a rule of thumb allows, where processors are known and the pool's sessions use them.
#[allow(clippy::cast_possible_truncation, reason = "sessions of a pool")]
fn by_processors(backends: Option<&Backends>, terms: &Terms) -> Option<(i64, String)> {
    let backends = backends.filter(|backends| backends.active > 0.0 && backends.on_cpu > 0.0)?;
    let cores = terms.cores?;
    let most = RUNNING_PER_CORE * f64::from(cores) * backends.active / backends.on_cpu;
    Some((
        most.floor().max(1.0) as i64,
        format!("a rule of thumb, two running sessions for each of {cores} processors"),
    ))
}

/// Sizes a pool that is too small.
pub(super) fn enlarge(
    load: &mut PoolLoad,
    measured: &Measured<'_>,
    backends: Option<&Backends>,
    terms: &Terms,
    ceilings: &mut Ceilings<'_>,
) {
    let size = measured.size.unwrap_or(0);
    let wanted = Wanted::of(load, measured, backends);
    let is_by_session = load.pool_mode.as_deref() == Some("session");
    let ideal = match &wanted {
        Some(wanted) => wanted.fewest(terms.target_wait_ms).max(size + 1),
        // Each client holds a connection until it leaves.
        None if is_by_session => load.clients.peak,
        None => {
            load.judgement.remedy =
                Some("enlarge it step by step, or watch longer: too few transactions ended to size it".to_owned());
            return;
        }
    };
    let caps = ceilings.most(measured).into_iter().chain(by_processors(backends, terms));
    let cap = caps.filter(|(most, _)| *most < ideal).min_by_key(|(most, _)| *most);
    let (servers, capped_by) = cap.map_or((ideal, None), |(most, why)| (most.max(size), Some(why)));
    if let Some(why) = capped_by.as_ref().filter(|_| servers <= size) {
        let remedy = format!("a larger pool has no room ({why}): make some, or make transactions shorter");
        load.judgement.remedy = Some(remedy);
    }
    load.sizing = Some(match &wanted {
        Some(wanted) => wanted.sizing(measured.size, servers, capped_by),
        None => Sizing { servers, capped_by, ..Sizing::default() },
    });
    if servers > size {
        ceilings.take(servers - measured.servers.peak);
        load.settings = limits::resized(measured, servers);
    }
}

/// Sizes a pool that is much too large: for what is wanted, and with room above the peak.
pub(super) fn shrink(load: &mut PoolLoad, measured: &Measured<'_>, backends: Option<&Backends>, terms: &Terms) {
    let (Some(size), Some(wanted)) = (measured.size, Wanted::of(load, measured, backends)) else { return };
    let peak = measured.active.peak + measured.waiting.peak;
    let servers = wanted.fewest(terms.target_wait_ms).max(HEADROOM * peak).max(1);
    if servers < size {
        load.sizing = Some(wanted.sizing(measured.size, servers, None));
        load.settings = limits::resized(measured, servers);
    }
}

/// The curve of a pool that needs no change.
pub(super) fn curve_of(
    load: &PoolLoad,
    measured: &Measured<'_>,
    backends: Option<&Backends>,
    terms: &Terms,
) -> Option<Sizing> {
    let wanted = Wanted::of(load, measured, backends)?;
    Some(wanted.sizing(measured.size, wanted.fewest(terms.target_wait_ms), None))
}
