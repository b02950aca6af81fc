//! Which verdict the evidence carries. Each is looked for in turn, the first that holds is given:
//! what is paused, then whether clients wait at all, then what keeps them waiting.

use super::Terms;
use super::limits;
use super::measure::{Backends, Measured};
use crate::model::saturation::{Flow, Judgement, Spread, Verdict};
use crate::model::snapshot::{Pooler, Snapshot};
use crate::model::units;

/// Clients wait at this share of the looks at least: less is a moment, such as a login.
const WAITING_LOOKS: f64 = 0.1;

/// A share that makes most of it.
const MOST: f64 = 0.5;

/// So many times as long as before is slow.
const SLOWER: f64 = 2.0;

/// Of fewer transactions the mean says nothing.
const LEAST_TRANSACTIONS: f64 = 20.0;

/// Less of the size used at the peak, in percent, is oversized,
const LITTLE_USED_PCT: f64 = 30.0;

/// where the size is at least this: a smaller one is no burden.
const LEAST_SIZE: i64 = 5;

/// So much of a limit on clients or sessions in use is near it, in percent.
pub(super) const NEAR_PCT: f64 = 80.0;

/// A pool and all that is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) measured: &'a Measured<'a>,
    pub(super) flow: Option<Flow>,
    pub(super) backends: Option<&'a Backends>,
    pub(super) server: Option<&'a Snapshot>,
    pub(super) terms: &'a Terms,
}

pub(super) fn judgement(verdict: Verdict, reason: String, remedy: &str) -> Judgement {
    Judgement { verdict, reason, remedy: (!remedy.is_empty()).then(|| remedy.to_owned()) }
}

fn pct(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

impl Case<'_> {
    pub(super) fn judge(&self) -> Judgement {
        if self.measured.pooler.looks.is_empty() {
            return judgement(Verdict::NotJudged, "the console gave no look".to_owned(), "");
        }
        if let Some(paused) = self.paused() {
            return paused;
        }
        if !self.waits() {
            return self.at_ease();
        }
        let causes: [fn(&Self) -> Option<Judgement>; 3] = [Self::limited, Self::held, Self::slow];
        causes.iter().find_map(|cause| cause(self)).unwrap_or_else(|| self.too_small())
    }

    fn paused(&self) -> Option<Judgement> {
        let pooler = self.measured.pooler;
        let state = pooler.state.as_deref().filter(|state| *state != "active");
        let waiting = self.measured.waiting.peak;
        let waiting = if waiting > 0 { format!(", {waiting} clients wait") } else { String::new() };
        if let Some(state) = state {
            return Some(judgement(
                Verdict::Paused,
                format!("PgBouncer is {state}{waiting}"),
                "RESUME; on the console, once what it was said for is done",
            ));
        }
        let entry = self.measured.entry?;
        let remedy = format!("RESUME {}; on the console, once what it was said for is done", entry.name);
        entry
            .is_paused
            .then(|| judgement(Verdict::Paused, format!("database {} is paused{waiting}", entry.name), &remedy))
    }

    /// Clients wait longer than the target, and that is no single moment.
    fn waits(&self) -> bool {
        let share = self.measured.waiting_share();
        match self.flow {
            // Counted when it ends; who still waits is seen in the queue, by Little's law.
            Some(flow) => {
                let queued_ms = 1000.0 * self.measured.waiting.mean / flow.rate;
                share >= WAITING_LOOKS && flow.wait_ms.max(queued_ms) >= self.terms.target_wait_ms
            }
            None => share >= MOST,
        }
    }

    /// Nobody waits.
    fn at_ease(&self) -> Judgement {
        let measured = self.measured;
        let Some(flow) = self.flow.filter(|flow| flow.rate > 0.0) else {
            return judgement(Verdict::Idle, "no transaction ended in the sample".to_owned(), "");
        };
        let peak = measured.active.peak + measured.waiting.peak;
        let waits = format!("mean wait {}", units::millis(flow.wait_ms));
        let Some(size) = measured.size else {
            return judgement(Verdict::Healthy, format!("{waits}, {peak} connections at work at the peak"), "");
        };
        #[allow(clippy::cast_precision_loss, reason = "counts of connections")]
        let used = 100.0 * peak as f64 / size.max(1) as f64;
        let told = format!("{waits}, at the peak {peak} of {size} connections at work ({used:.0} %)");
        if size >= LEAST_SIZE && used < LITTLE_USED_PCT {
            return judgement(
                Verdict::Oversized,
                told,
                "lower it where a longer sample at the busiest hour shows the same",
            );
        }
        judgement(Verdict::Healthy, told, "")
    }

    /// The pool has as many connections as it may.
    fn full_share(&self) -> f64 {
        let size = self.measured.size.unwrap_or(0);
        self.measured.share_of_waiting(|look| self.measured.at(look).is_some_and(|pool| pool.servers >= size))
    }

    fn waiting_words(&self) -> String {
        let measured = self.measured;
        let mean = self.flow.map(|flow| format!("mean wait {}, ", units::millis(flow.wait_ms))).unwrap_or_default();
        format!(
            "{mean}{} clients wait on average, {} at the peak",
            units::short(measured.waiting.mean),
            measured.waiting.peak
        )
    }

    fn limited(&self) -> Option<Judgement> {
        if self.full_share() >= MOST {
            return None;
        }
        let (what, remedy) = limits::reached(self);
        if limits::seems_paused(self) {
            let reason = format!(
                "{}: {what} and makes none, though the server answers; most likely it is paused",
                self.waiting_words()
            );
            return Some(judgement(
                Verdict::Paused,
                reason,
                "RESUME; on the console, once what it was said for is done; this version does not show a PAUSE of all databases",
            ));
        }
        let size = self.measured.size.map(|size| format!(" of {size}")).unwrap_or_default();
        let servers = self.measured.servers;
        let reason = format!(
            "{}, with {}{size} server connections on average: {what}",
            self.waiting_words(),
            units::short(servers.mean)
        );
        Some(judgement(Verdict::LimitElsewhere, reason, &remedy))
    }

    /// Share of the time of busy connections in which nothing runs, by the server's sessions, else by the counters.
    pub(super) fn held_share(&self) -> Option<f64> {
        let of = |backends: &Backends| {
            let busy = backends.active + backends.idle_in_transaction;
            (busy > 0.0).then(|| backends.idle_in_transaction / busy)
        };
        self.backends.and_then(of).or(self.measured.idle_share)
    }

    fn held(&self) -> Option<Judgement> {
        let share = self.held_share().filter(|share| *share >= MOST)?;
        let oldest = self
            .backends
            .map(|backends| {
                format!(", the oldest transaction {} old", units::millis(1000.0 * backends.oldest_transaction_seconds))
            })
            .unwrap_or_default();
        let reason = format!(
            "{}; {} of the time of server connections goes by idle in transaction{oldest}",
            self.waiting_words(),
            pct(share)
        );
        Some(judgement(
            Verdict::TransactionsHeld,
            reason,
            "let the application end transactions before it waits for anything else; \
             idle_in_transaction_session_timeout, set for the role, bounds them",
        ))
    }

    fn slow(&self) -> Option<Judgement> {
        let why = self.waits_on_server().or_else(|| self.slower()).or_else(|| self.stuck())?;
        let remedy =
            "a larger pool would only move the queue into the server: speed up what runs there first (pgassay audit)";
        Some(judgement(Verdict::DatabaseSlow, format!("{}; {why}", self.waiting_words()), remedy))
    }

    /// Sessions of the pool wait for locks or storage, or more of them want a processor than there are.
    fn waits_on_server(&self) -> Option<String> {
        let backends = self.backends.filter(|backends| backends.active > 0.0)?;
        let (locks, storage) = (backends.on_lock / backends.active, backends.on_io / backends.active);
        if locks >= MOST {
            let root = self.server.and_then(blocker).unwrap_or_default();
            return Some(format!("{} of its active sessions wait for locks{root}", pct(locks)));
        }
        if storage >= MOST {
            return Some(format!("{} of its active sessions wait for storage or lightweight locks", pct(storage)));
        }
        let cores = self.terms.cores.map(f64::from)?;
        let running = self.server.map_or(0.0, running);
        (running >= cores * SLOWER)
            .then(|| format!("{} sessions want the {cores:.0} processors at once", units::short(running)))
    }

    /// By two measures: the counters mix in waits of transactions under way, busy connections those that never end.
    fn slower(&self) -> Option<String> {
        let flow = self.flow.filter(|flow| flow.transactions >= LEAST_TRANSACTIONS)?;
        let by_busy = 1000.0 * self.measured.active.mean / flow.rate;
        let takes = by_busy.min(self.measured.counted_ms?);
        let before = flow.service_before_ms.filter(|before| *before > 0.0)?;
        (takes >= SLOWER * before).then(|| {
            format!("a transaction takes {}, {} before the sample", units::millis(takes), units::millis(before))
        })
    }

    fn stuck(&self) -> Option<String> {
        self.flow.is_none().then(|| "all connections are at work and no transaction ended in the sample".to_owned())
    }

    fn too_small(&self) -> Judgement {
        let size = self.measured.size.unwrap_or(0);
        let service = self.flow.map(|flow| format!(", a transaction takes {}", units::millis(flow.service_ms)));
        let reason = format!(
            "{}, with all {size} server connections in use{}",
            self.waiting_words(),
            service.unwrap_or_default()
        );
        if self.measured.pool_mode.as_deref() == Some("session") {
            return judgement(
                Verdict::PoolTooSmall,
                reason,
                "in session mode each client holds a connection until it leaves: pool_mode = transaction, where the \
                 application needs no session state, serves many with few",
            );
        }
        judgement(Verdict::PoolTooSmall, reason, "enlarge the pool as below")
    }
}

/// Sessions that want a processor, of all on the server.
#[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
fn running(snapshot: &Snapshot) -> f64 {
    let Some(samples) = &snapshot.session_samples else { return 0.0 };
    let sum: i64 = samples.series.iter().flat_map(|look| &look.groups).map(|group| group.on_cpu).sum();
    sum as f64 / samples.series.len().max(1) as f64
}

/// `, most of them behind process 71 (idle in transaction)`
pub(super) fn blocker(snapshot: &Snapshot) -> Option<String> {
    let worst = super::server::blockers(snapshot).into_iter().next()?;
    let state = worst.state.map(|state| format!(" ({state})")).unwrap_or_default();
    Some(match worst.pid {
        0 => ", most of them behind a prepared transaction".to_owned(),
        pid => format!(", most of them behind process {pid}{state}"),
    })
}

/// Whether a PgBouncer, or one of its databases, will let clients in.
#[allow(clippy::cast_precision_loss, reason = "counts of clients")]
pub(super) fn of_pooler(pooler: &Pooler, clients: Spread) -> Judgement {
    if pooler.looks.is_empty() {
        return judgement(Verdict::NotJudged, "the console gave no look".to_owned(), "");
    }
    let whole = ("max_client_conn".to_owned(), clients.peak, pooler.settings.max_client_conn);
    let by_database = pooler.databases.iter().map(|row| {
        let peak = pooler.looks.iter().map(|look| {
            let own = look.pools.iter().filter(|pool| pool.database == row.name);
            own.map(|pool| pool.clients_active + pool.clients_waiting).sum::<i64>()
        });
        (format!("max_db_client_connections of {}", row.name), peak.max().unwrap_or(0), row.max_client_connections)
    });
    let near = std::iter::once(whole).chain(by_database).find_map(|(name, peak, limit)| {
        let limit = limit.filter(|limit| *limit > 0)?;
        let used = 100.0 * peak as f64 / limit as f64;
        (used >= NEAR_PCT).then(|| format!("{peak} of {limit} client connections in use ({used:.0} %), by {name}"))
    });
    match near {
        Some(reason) => judgement(
            Verdict::ClientLimitNear,
            reason,
            "raise it, and the limit on open files with it, or shrink the applications' own pools: clients beyond it are refused",
        ),
        None => {
            let limit = pooler.settings.max_client_conn.map(|limit| format!(" of {limit}")).unwrap_or_default();
            judgement(Verdict::Healthy, format!("{}{limit} clients at the peak", clients.peak), "")
        }
    }
}
