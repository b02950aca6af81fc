//! From looks to figures: what one pool did in the sample, and what its sessions did on the server.

use crate::model::saturation::{Flow, Point, Spread};
use crate::model::snapshot::{
    PoolCounts, PoolLook, PoolTotals, PooledDatabase, Pooler, SessionGroup, Snapshot, SocketCount,
};
use std::collections::BTreeMap;

/// Transactions that must have ended before the sample for their mean to be a measure of usual.
const LEAST_BEFORE: i64 = 100;

/// A share that makes most of it.
const MOST: f64 = 0.5;

/// What one pool did.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) pooler: &'a Pooler,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
    /// Its row of `SHOW DATABASES`.
    pub(super) entry: Option<&'a PooledDatabase>,
    pub(super) pool_mode: Option<String>,
    pub(super) size: Option<i64>,
    pub(super) reserve: i64,
    pub(super) clients: Spread,
    pub(super) waiting: Spread,
    pub(super) active: Spread,
    pub(super) servers: Spread,
    /// Looks at which clients waited.
    pub(super) waiting_looks: Vec<&'a PoolLook>,
    pub(super) max_wait_ms: f64,
    /// The counters' differences; the demand is not filled in yet.
    pub(super) flow: Option<Flow>,
    /// Mean time of service by the counters alone, in milliseconds.
    pub(super) counted_ms: Option<f64>,
    /// Share of the completed transactions' time in which no query ran.
    pub(super) idle_share: Option<f64>,
    /// Transactions ended in each interval.
    pub(super) arrivals: Vec<f64>,
}

/// Mean and peak of counts.
#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
pub(super) fn spread(counts: impl IntoIterator<Item = i64>) -> Spread {
    let counts: Vec<i64> = counts.into_iter().collect();
    let sum: i64 = counts.iter().sum();
    Spread { mean: sum as f64 / counts.len().max(1) as f64, peak: counts.iter().copied().max().unwrap_or(0) }
}

/// Clients of all pools.
pub(super) fn clients(look: &PoolLook) -> i64 {
    look.pools.iter().map(|pool| pool.clients_active + pool.clients_waiting).sum()
}

/// Server connections of the pools that a look shows and `is_meant` picks.
pub(super) fn servers(look: &PoolLook, is_meant: impl Fn(&PoolCounts) -> bool) -> i64 {
    look.pools.iter().filter(|pool| is_meant(pool)).map(|pool| pool.servers).sum()
}

/// Times that the console was lost, or counters fell, between two looks.
pub(super) fn restarts(pooler: &Pooler) -> usize {
    let fell = |before: &PoolLook, after: &PoolLook| {
        before
            .totals
            .iter()
            .any(|old| after.totals.iter().any(|new| new.database == old.database && !follows(old, new)))
    };
    pooler.looks.windows(2).filter(|pair| pair[1].is_after_loss || fell(&pair[0], &pair[1])).count()
}

/// The counters went on counting.
fn follows(old: &PoolTotals, new: &PoolTotals) -> bool {
    new.transactions >= old.transactions && new.transaction_ms >= old.transaction_ms && new.wait_ms >= old.wait_ms
}

/// Rises of the counters of a database, added up over the intervals in which they rose.
#[derive(Debug, Default)]
struct Rise {
    seconds: f64,
    transactions: f64,
    transaction_ms: f64,
    query_ms: f64,
    wait_ms: f64,
    /// Transactions of each interval.
    counts: Vec<f64>,
}

#[allow(clippy::cast_precision_loss, reason = "differences within seconds")]
fn rise(pooler: &Pooler, database: &str) -> Rise {
    let mut rise = Rise::default();
    let of = |look: &'_ PoolLook| look.totals.iter().find(|row| row.database == database).cloned();
    for pair in pooler.looks.windows(2) {
        let (Some(old), Some(new)) = (of(&pair[0]), of(&pair[1])) else { continue };
        if pair[1].is_after_loss || !follows(&old, &new) {
            continue;
        }
        let count = (new.transactions - old.transactions) as f64;
        rise.seconds += pair[1].at_seconds - pair[0].at_seconds;
        rise.transactions += count;
        rise.transaction_ms += new.transaction_ms - old.transaction_ms;
        rise.query_ms += new.query_ms - old.query_ms;
        rise.wait_ms += new.wait_ms - old.wait_ms;
        rise.counts.push(count);
    }
    rise
}

impl<'a> Measured<'a> {
    pub(super) fn of(pooler: &'a Pooler, database: &'a str, user: &'a str) -> Self {
        let is_ours = |pool: &&PoolCounts| pool.database == database && pool.user == user;
        let rows: Vec<(&PoolLook, PoolCounts)> = pooler
            .looks
            .iter()
            .map(|look| (look, look.pools.iter().find(is_ours).cloned().unwrap_or_default()))
            .collect();
        let entry = pooler.databases.iter().find(|row| row.name == database);
        let own = pooler.users.iter().find(|row| row.name == user).and_then(|row| row.pool_size);
        let settings = &pooler.settings;
        let counts = |count: fn(&PoolCounts) -> i64| spread(rows.iter().map(|(_, pool)| count(pool)));
        let mut measured = Self {
            pooler,
            database,
            user,
            entry,
            pool_mode: rows
                .iter()
                .find_map(|(_, pool)| pool.pool_mode.clone())
                .or_else(|| entry.and_then(|row| row.pool_mode.clone()))
                .or_else(|| settings.pool_mode.clone()),
            size: own.or(entry.and_then(|row| row.pool_size)).or(settings.default_pool_size),
            reserve: entry.and_then(|row| row.reserve_pool_size).or(settings.reserve_pool_size).unwrap_or(0),
            clients: counts(|pool| pool.clients_active + pool.clients_waiting),
            waiting: counts(|pool| pool.clients_waiting),
            active: counts(|pool| pool.servers_active),
            servers: counts(|pool| pool.servers),
            waiting_looks: rows.iter().filter(|(_, pool)| pool.clients_waiting > 0).map(|(look, _)| *look).collect(),
            max_wait_ms: rows.iter().map(|(_, pool)| pool.max_wait_ms).fold(0.0, f64::max),
            flow: None,
            counted_ms: None,
            idle_share: None,
            arrivals: Vec::new(),
        };
        measured.count();
        measured
    }

    /// Reads the counters. They are the database's; a pool's part of them is by how busy it was, as by J. Little's
    /// law the mean number of busy connections and of waiting clients is the rate times the time of each.
    fn count(&mut self) {
        let rise = rise(self.pooler, self.database);
        if rise.transactions < 1.0 || rise.seconds <= 0.0 {
            return;
        }
        let whole = |count: fn(&PoolCounts) -> i64| {
            let of = |look: &PoolLook| look.pools.iter().filter(|pool| pool.database == self.database).map(count).sum();
            spread(self.pooler.looks.iter().map(of)).mean
        };
        let part = |own: f64, all: f64, other: f64| if all > 0.0 { own / all } else { other };
        let by_clients = part(self.clients.mean, whole(|pool| pool.clients_active + pool.clients_waiting), 1.0);
        let busy = part(self.active.mean, whole(|pool| pool.servers_active), by_clients);
        let waits = part(self.waiting.mean, whole(|pool| pool.clients_waiting), busy);
        let transactions = rise.transactions * busy;
        if transactions <= 0.0 {
            return;
        }
        let served_ms = self.served_ms(&rise, whole(|pool| pool.servers_active));
        self.flow = Some(Flow {
            transactions,
            seconds: rise.seconds,
            rate: transactions / rise.seconds,
            wait_ms: rise.wait_ms * waits / transactions,
            service_ms: served_ms / rise.transactions,
            service_before_ms: self.service_before(),
            is_shared: busy < 1.0,
            ..Flow::default()
        });
        self.counted_ms = Some((rise.transaction_ms - rise.wait_ms).max(0.0) / rise.transactions);
        let idle_ms = rise.transaction_ms - rise.query_ms;
        self.idle_share = (served_ms > 0.0).then(|| (idle_ms / served_ms).clamp(0.0, 1.0));
        self.arrivals = rise.counts;
    }

    /// Time of service of all transactions that ended, in milliseconds: their time less their waits. Waits are counted
    /// when they end, and times when transactions do, so that those under way at either end of the sample spoil the
    /// difference as much as waits grow or shrink meanwhile. Where clients wait at most looks the servers are busy all
    /// the time, and how many are is known exactly: then it is their number times the time, by Little's law.
    fn served_ms(&self, rise: &Rise, busy: f64) -> f64 {
        if self.waiting_share() >= MOST && busy > 0.0 {
            return 1000.0 * busy * rise.seconds;
        }
        (rise.transaction_ms - rise.wait_ms).max(0.0)
    }

    /// Mean time of service of all transactions before the sample, in milliseconds.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    fn service_before(&self) -> Option<f64> {
        let first = self.pooler.looks.first()?.totals.iter().find(|row| row.database == self.database)?;
        let served = (first.transaction_ms - first.wait_ms).max(0.0);
        (first.transactions >= LEAST_BEFORE).then(|| served / first.transactions as f64)
    }

    /// Share of the looks at which clients waited.
    #[allow(clippy::cast_precision_loss, reason = "looks")]
    pub(super) fn waiting_share(&self) -> f64 {
        self.waiting_looks.len() as f64 / self.pooler.looks.len().max(1) as f64
    }

    /// Share of the looks at which clients waited that are as `is_so` asks.
    #[allow(clippy::cast_precision_loss, reason = "looks")]
    pub(super) fn share_of_waiting(&self, is_so: impl Fn(&PoolLook) -> bool) -> f64 {
        let so = self.waiting_looks.iter().filter(|look| is_so(look)).count();
        so as f64 / self.waiting_looks.len().max(1) as f64
    }

    /// Its counts at a look.
    pub(super) fn at<'b>(&self, look: &'b PoolLook) -> Option<&'b PoolCounts> {
        look.pools.iter().find(|pool| pool.database == self.database && pool.user == self.user)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of connections")]
    pub(super) fn used_pct(&self) -> Option<f64> {
        let size = self.size.filter(|size| *size > 0)?;
        Some(100.0 * self.active.peak as f64 / size as f64)
    }

    /// The database on the server, and the role its sessions have there.
    pub(super) fn on_server(&self) -> (&str, &str) {
        let database = self.entry.and_then(|row| row.database.as_deref()).unwrap_or(self.database);
        let role = self.entry.and_then(|row| row.force_user.as_deref()).unwrap_or(self.user);
        (database, role)
    }

    /// Its connections by state.
    pub(super) fn states(&self, sockets: &[SocketCount]) -> BTreeMap<String, i64> {
        let own = sockets.iter().filter(|row| row.database == self.database && row.user == self.user);
        own.map(|row| (row.state.clone(), row.count)).collect()
    }

    pub(super) fn series(&self) -> Vec<Point> {
        let point = |look: &PoolLook| {
            let counts = self.at(look);
            Point {
                at_seconds: look.at_seconds,
                active: counts.map_or(0, |pool| pool.servers_active),
                waiting: counts.map_or(0, |pool| pool.clients_waiting),
            }
        };
        self.pooler.looks.iter().map(point).collect()
    }
}

/// A pool's sessions on the server: those of its role on its database, those that came another way among them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Backends {
    /// Means over the looks.
    pub(super) active: f64,
    pub(super) on_cpu: f64,
    pub(super) on_lock: f64,
    pub(super) on_io: f64,
    pub(super) idle_in_transaction: f64,
    pub(super) in_transaction: f64,
    /// Ages of the transactions at a look, added up, in seconds.
    pub(super) transaction_seconds: f64,
    pub(super) oldest_transaction_seconds: f64,
}

impl Backends {
    /// None where the server shows no such session, or may not show what it does: it may be another server.
    #[allow(clippy::cast_precision_loss, reason = "counts of sessions")]
    pub(super) fn of(snapshot: &Snapshot, measured: &Measured<'_>) -> Option<Self> {
        let (database, role) = measured.on_server();
        let samples = snapshot.session_samples.as_ref()?;
        let is_ours =
            |group: &&SessionGroup| group.database.as_deref() == Some(database) && group.user.as_deref() == Some(role);
        let groups: Vec<&SessionGroup> = samples.series.iter().flat_map(|look| &look.groups).filter(is_ours).collect();
        if groups.is_empty() || !snapshot.server.reads_all_stats {
            return None;
        }
        let looks = samples.series.len() as f64;
        let mean = |of: fn(&SessionGroup) -> f64| groups.iter().map(|group| of(group)).sum::<f64>() / looks;
        let oldest = groups.iter().filter_map(|group| group.oldest_transaction_seconds);
        Some(Self {
            active: mean(|group| group.active as f64),
            on_cpu: mean(|group| group.on_cpu as f64),
            on_lock: mean(|group| group.on_lock as f64),
            on_io: mean(|group| group.on_io as f64),
            idle_in_transaction: mean(|group| group.idle_in_transaction as f64),
            in_transaction: mean(|group| group.in_transaction as f64),
            transaction_seconds: mean(|group| group.transaction_seconds),
            oldest_transaction_seconds: oldest.fold(0.0, f64::max),
        })
    }

    /// Mean age of a transaction, in seconds.
    pub(super) fn mean_age(&self) -> Option<f64> {
        (self.in_transaction > 0.0).then(|| self.transaction_seconds / self.in_transaction)
    }
}
