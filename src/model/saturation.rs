//! How saturated a server's connections and its pools are, why, and what to set. Version 1 of `pool --format json`.

use crate::model::snapshot::{Gap, Tool};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the JSON form.
pub const SATURATION_VERSION: u32 = 1;

/// What a sample of some seconds shows.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Saturation {
    /// Version of this form, [`SATURATION_VERSION`].
    pub saturation_version: u32,
    /// The program that judges.
    pub tool: Tool,
    /// When it was read, by the server's clock; none where no server was watched.
    pub captured_at: Option<DateTime<Utc>>,
    /// Time that was to be watched, in seconds.
    pub sample_seconds: f64,
    /// The mean wait that is aimed at, in milliseconds.
    pub target_wait_ms: f64,
    /// The server; none where only a console was watched.
    pub server: Option<ServerLoad>,
    /// The PgBouncers.
    pub poolers: Vec<PoolerLoad>,
    /// What was not read, and why.
    pub gaps: Vec<Gap>,
}

impl Saturation {
    /// Everything that was judged.
    pub fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        let poolers = self.poolers.iter().flat_map(|pooler| {
            std::iter::once(&pooler.judgement).chain(pooler.pools.iter().map(|pool| &pool.judgement))
        });
        self.server.iter().map(|server| &server.judgement).chain(poolers)
    }

    /// Clients wait, or a limit is near.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.judgements().any(|judgement| judgement.verdict.is_saturated())
    }
}

/// What a pool, a PgBouncer or a server suffers from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All server connections are at work and clients wait, though nothing holds them up.
    PoolTooSmall,
    /// Clients wait although the pool is not at its size: another limit keeps it small, or the server is out of reach.
    LimitElsewhere,
    /// Transactions take longer than before, wait for locks, storage or the processor, or do not end.
    DatabaseSlow,
    /// Server connections are held by open transactions whose clients do nothing.
    TransactionsHeld,
    /// PgBouncer will soon let in no more clients.
    ClientLimitNear,
    /// The server, a role or a database will soon let in no more sessions.
    ConnectionLimitNear,
    /// Clients wait because somebody said PAUSE or SUSPEND.
    Paused,
    /// Much more than was ever used.
    Oversized,
    /// Nothing waits.
    Healthy,
    /// No transaction in the sample.
    #[default]
    Idle,
    /// Too little was seen.
    NotJudged,
}

impl Verdict {
    /// The name in reports and rules.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PoolTooSmall => "pool_too_small",
            Self::LimitElsewhere => "limit_elsewhere",
            Self::DatabaseSlow => "database_slow",
            Self::TransactionsHeld => "transactions_held",
            Self::ClientLimitNear => "client_limit_near",
            Self::ConnectionLimitNear => "connection_limit_near",
            Self::Paused => "paused",
            Self::Oversized => "oversized",
            Self::Healthy => "healthy",
            Self::Idle => "idle",
            Self::NotJudged => "not_judged",
        }
    }

    /// Clients wait, or will soon be refused.
    #[must_use]
    pub fn is_saturated(self) -> bool {
        matches!(
            self,
            Self::PoolTooSmall
                | Self::LimitElsewhere
                | Self::DatabaseSlow
                | Self::TransactionsHeld
                | Self::ClientLimitNear
                | Self::ConnectionLimitNear
                | Self::Paused
        )
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Judgement {
    /// Which.
    pub verdict: Verdict,
    /// The evidence, in words and figures.
    pub reason: String,
    /// What to do; none where nothing needs doing.
    pub remedy: Option<String>,
}

/// Mean and peak over the looks of a sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// Mean of all looks.
    pub mean: f64,
    /// Highest of all looks.
    pub peak: i64,
}

/// One look, for a line over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// Seconds since the sample began.
    pub at_seconds: f64,
    /// Connections at work: of a pool those that serve a client, of a server those that execute.
    pub active: i64,
    /// Of a pool clients that wait for a connection, of a server sessions that wait for a lock.
    pub waiting: i64,
}

/// The server's sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ServerLoad {
    /// What it suffers from.
    pub judgement: Judgement,
    /// Slots that ordinary roles can use; none where the settings were not read.
    pub usable_slots: Option<i64>,
    /// Client backends, our own left out.
    pub sessions: Spread,
    /// Of those, executing.
    pub active: Spread,
    /// Idle in a transaction.
    pub idle_in_transaction: Spread,
    /// Executing, and waiting for a lock.
    pub waiting_for_locks: Spread,
    /// The longest transaction seen, in seconds.
    pub oldest_transaction_seconds: Option<f64>,
    /// Share of the observations of active sessions by what they waited for, `CPU` for nothing; most frequent first.
    pub waits: Vec<WaitShare>,
    /// Roles and databases with a connection limit.
    pub limits: Vec<LimitUse>,
    /// Counters of the databases over the sample, from 14 with the time of sessions.
    pub databases: Vec<DatabaseLoad>,
    /// Who is at the root of the queues for locks.
    pub blockers: Vec<Blocker>,
    /// Looks taken.
    pub looks: usize,
    /// Looks that the server did not answer.
    pub missed: usize,
    /// The series.
    pub series: Vec<Point>,
}

/// A class of waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct WaitShare {
    /// Class, as in `pg_stat_activity.wait_event_type`; `CPU` for none.
    pub wait: String,
    /// From 0 to 1.
    pub share: f64,
}

/// A limit on connections to the server, and the most that was used of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct LimitUse {
    /// `role app`, `database shop`, `max_db_connections of shop`.
    pub of: String,
    /// Most at a look.
    pub peak: i64,
    /// The limit.
    pub limit: i64,
}

/// What a database did in the sample by its counters. Sessions add to these when they come to rest, at most once a
/// second, and from 15 on only with work on tables: short of that they lag behind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct DatabaseLoad {
    /// Its name.
    pub database: String,
    /// Commits and rollbacks a second.
    pub transactions_per_second: f64,
    /// Sessions connected on average, by the time they report; none before 14. Sessions report when a
    /// transaction ends, so long ones are counted late.
    pub mean_sessions: Option<f64>,
    /// Sessions executing on average; none before 14.
    pub mean_active: Option<f64>,
    /// Sessions idle in transaction on average; none before 14.
    pub mean_idle_in_transaction: Option<f64>,
}

/// A session that others wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Blocker {
    /// Its process; 0 for a prepared transaction.
    pub pid: i32,
    /// Its state.
    pub state: Option<String>,
    /// Sessions that wait behind it.
    pub waiting: usize,
}

/// A PgBouncer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct PoolerLoad {
    /// Host and port.
    pub name: String,
    /// Version.
    pub version: Option<String>,
    /// Whether clients will be let in.
    pub judgement: Judgement,
    /// Clients of all pools.
    pub clients: Spread,
    /// max_client_conn.
    pub client_limit: Option<i64>,
    /// Looks taken.
    pub looks: usize,
    /// Looks that the console did not answer.
    pub missed: usize,
    /// What about the sample should be known: restarts, columns that are not known or not there.
    pub notes: Vec<String>,
    /// Its pools, those that suffer first.
    pub pools: Vec<PoolLoad>,
}

/// A pool: one database and one user of a PgBouncer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct PoolLoad {
    /// Database, as clients name it.
    pub database: String,
    /// User.
    pub user: String,
    /// What it suffers from.
    pub judgement: Judgement,
    /// session, transaction or statement.
    pub pool_mode: Option<String>,
    /// Server connections that it may have; none where it was not told.
    pub pool_size: Option<i64>,
    /// And those in reserve.
    pub reserve_pool_size: i64,
    /// Clients connected.
    pub clients: Spread,
    /// Clients that wait for a server connection.
    pub waiting: Spread,
    /// Server connections that serve a client.
    pub active: Spread,
    /// All server connections.
    pub servers: Spread,
    /// Client connections by state when the sample began; from 1.25 idle ones are told from active ones.
    pub client_states: BTreeMap<String, i64>,
    /// Server connections by state when the sample began.
    pub server_states: BTreeMap<String, i64>,
    /// PgBouncer's limits on the database and on the user, with the most server connections they had.
    pub limits: Vec<LimitUse>,
    /// Peak of the active ones as a share of the size, in percent.
    pub used_pct: Option<f64>,
    /// The longest that the first in the queue had waited, in milliseconds.
    pub max_wait_ms: f64,
    /// What its counters say; none where no transaction ended, or the counters fell.
    pub flow: Option<Flow>,
    /// Share of the time of server connections in which their clients did nothing in an open transaction, from 0 to 1.
    pub held_share: Option<f64>,
    /// How large it should be; none where that is not the trouble, or too little was seen.
    pub sizing: Option<Sizing>,
    /// What to change.
    pub settings: Vec<SettingChange>,
    /// The series.
    pub series: Vec<Point>,
}

/// Transactions of a pool over the sample. Where a database has several pools, PgBouncer counts them together: then
/// they are shared out by how busy each pool was, which is an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Flow {
    /// Transactions that ended.
    pub transactions: f64,
    /// In so many seconds.
    pub seconds: f64,
    /// Transactions a second.
    pub rate: f64,
    /// Mean wait for a server connection, in milliseconds.
    pub wait_ms: f64,
    /// Mean time a transaction holds its server connection, in milliseconds.
    pub service_ms: f64,
    /// The same over all time before the sample; none where too few transactions ended by then.
    pub service_before_ms: Option<f64>,
    /// Mean time of a client between two transactions, in milliseconds.
    pub think_ms: f64,
    /// Transactions a second that the same clients would ask for if nobody waited.
    pub wanted_rate: f64,
    /// Server connections that these would keep busy on average, in erlangs.
    pub offered_load: f64,
    /// The counters are those of several pools.
    pub is_shared: bool,
}

/// How large a pool should be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Sizing {
    /// Server connections: the fewest with a mean wait within the target, or what the cap allows.
    pub servers: i64,
    /// Mean wait with these by estimate, in milliseconds; none: the queue would grow.
    pub wait_ms: Option<f64>,
    /// (Ca² + Cs²) ÷ 2: 1 for random arrivals and exponential times.
    pub variability: f64,
    /// The variability was measured; else 1 is assumed.
    pub variability_is_measured: bool,
    /// What keeps it from being larger.
    pub capped_by: Option<String>,
    /// Server connections and the mean wait with them.
    pub curve: Vec<CurvePoint>,
}

/// A point of the sizing curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct CurvePoint {
    /// Server connections.
    pub servers: i64,
    /// Share of the time that each is busy, from 0 to 1.
    pub utilization: f64,
    /// Mean wait by estimate, in milliseconds; none: the queue would grow.
    pub wait_ms: Option<f64>,
}

/// A setting to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SettingChange {
    /// Its name, `default_pool_size`.
    pub setting: String,
    /// What it is; none where it was not told.
    pub from: Option<i64>,
    /// What it should be.
    pub to: i64,
    /// The line, as it is to be written.
    pub line: String,
    /// Where: `[pgbouncer] of pgbouncer.ini`, `psql`.
    pub place: String,
}
