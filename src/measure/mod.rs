//! Runs a statement that only reads, again and again, and keeps how long it took: on one server, or on two in turn.

mod explain;
mod guard;
mod round;

use crate::model::measurement::{Range, Side};
use crate::model::snapshot::{Server, TargetInfo};
use crate::postgres::{ConnectError, Lap, Limits, MARKER, ReadError, Stopwatch, Target, pick};
use crate::progress::Progress;
use crate::timing::figures;
use round::{Halt, Round, run_round};
use std::time::Duration;
use tokio::sync::watch;

/// What is to be run, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The statement.
    pub sql: String,
    /// Its identity.
    pub fingerprint: String,
    /// The byte behind its first word.
    pub behind_first: usize,
    /// Executions that count, on each side.
    pub iterations: u32,
    /// Executions of each session before.
    pub warmup: u32,
    /// Sessions at the same time.
    pub clients: u16,
}

/// Where it is run.
#[derive(Debug)]
pub struct Place<'a> {
    /// The server and database.
    pub target: &'a Target,
    /// The target's name.
    pub name: &'a str,
    /// How long an execution may take, and wait for a lock.
    pub limits: Limits,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// No connection.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The statement may do more than read.
    #[error("the statement is refused: {reason}\n  next: {next}")]
    Refused {
        /// What it may do.
        reason: String,
        /// What to do about it.
        next: String,
    },
    /// The server refused it, or was too slow.
    #[error("{place}: {message}{next}")]
    Failed {
        /// Where.
        place: String,
        /// The server's words.
        message: String,
        /// What to do; begins with a line break where there is something.
        next: &'static str,
    },
    /// Somebody stopped it before the first execution that counts.
    #[error("interrupted before anything was measured")]
    Interrupted,
}

impl MeasureError {
    fn failed(place: &Place<'_>, error: ReadError) -> Self {
        let next = match error.sqlstate.as_deref() {
            Some("57014") => "\n  next: raise --statement-timeout",
            Some("55P03") => "\n  next: another session locks what is read: try again, or raise --lock-timeout",
            Some("42501") => "\n  next: measure as a role that may read it",
            _ => "",
        };
        Self::Failed { place: place.name.to_owned(), message: error.message, next }
    }
}

/// One side at work.
struct Work<'a> {
    place: &'a Place<'a>,
    server: Server,
    watches: Vec<Stopwatch>,
    laps: Vec<Lap>,
    busy: Duration,
}

/// Measures on each place. Two take turns, so that what the machines do meanwhile meets both alike: in rounds of one
/// execution, or of five for each of several sessions, the order changing each time. `stop` ends it early.
pub async fn measure(
    places: &[Place<'_>],
    order: &Order,
    run: &str,
    stop: &watch::Receiver<bool>,
    progress: &dyn Progress,
) -> Result<Vec<Side>, MeasureError> {
    let clients = u32::from(order.clients);
    let total = u64::from(order.iterations) + u64::from(order.warmup) * u64::from(clients);
    progress.begin(places.len() * usize::try_from(total).unwrap_or(usize::MAX));
    let mut works = Vec::new();
    for place in places {
        works.push(open(place, order, run).await?);
    }
    let sql = order.marked();
    let mut halted = None;
    for work in &mut works {
        let round = Round { sql: &sql, count: order.warmup * clients, stop };
        match run_round(&mut work.watches, round, progress).await.halt {
            None => {}
            Some(Halt::Interrupted) => return Err(MeasureError::Interrupted),
            Some(Halt::Failed(error)) => return Err(MeasureError::failed(work.place, error)),
        }
    }
    let batch = match (works.len(), clients) {
        (1, _) => order.iterations,
        (_, 1) => 1,
        _ => 5 * clients,
    };
    let (mut left, mut is_reversed) = (order.iterations, false);
    while left > 0 && halted.is_none() {
        let count = batch.min(left);
        let mut turns: Vec<&mut Work<'_>> = works.iter_mut().collect();
        if is_reversed {
            turns.reverse();
        }
        for work in turns {
            let done = run_round(&mut work.watches, Round { sql: &sql, count, stop }, progress).await;
            work.laps.extend(done.laps);
            work.busy += done.busy;
            halted = done.halt;
            if halted.is_some() {
                break;
            }
        }
        (left, is_reversed) = (left - count, !is_reversed);
    }
    finish(works, order, halted).await
}

async fn finish(works: Vec<Work<'_>>, order: &Order, halted: Option<Halt>) -> Result<Vec<Side>, MeasureError> {
    let first = works.first().map(|work| work.place);
    if works.iter().all(|work| work.laps.is_empty()) {
        return Err(match (halted, first) {
            (Some(Halt::Failed(error)), Some(place)) => MeasureError::failed(place, error),
            _ => MeasureError::Interrupted,
        });
    }
    let stopped = halted.map(|halt| match halt {
        Halt::Interrupted => "interrupted".to_owned(),
        Halt::Failed(error) => error.message,
    });
    let mut sides = Vec::new();
    for work in works {
        let seen = match (&stopped, work.watches.first()) {
            (None, Some(watch)) => explain::analyse(watch, &order.marked()).await,
            _ => None,
        };
        sides.push(side(&work, order, stopped.clone(), seen));
        for watch in work.watches {
            watch.close().await;
        }
    }
    Ok(sides)
}

async fn open<'a>(place: &'a Place<'a>, order: &Order, run: &str) -> Result<Work<'a>, MeasureError> {
    let first = Stopwatch::connect(place.target, place.limits, run).await?;
    let failed = |error| MeasureError::failed(place, error);
    let server = server(&first).await.map_err(failed)?;
    guard::admit(&first, order).await.map_err(|refusal| match refusal {
        guard::Refusal::Failed(error) => failed(error),
        guard::Refusal::Refused { reason, next } => MeasureError::Refused { reason, next },
    })?;
    let mut watches = vec![first];
    for _ in 1..order.clients {
        watches.push(Stopwatch::connect(place.target, place.limits, run).await?);
    }
    Ok(Work { place, server, watches, laps: Vec::new(), busy: Duration::ZERO })
}

/// What the server is, and its clock.
async fn server(watch: &Stopwatch) -> Result<Server, ReadError> {
    let sql = pick("server", 0, 0).map(|query| query.sql).unwrap_or_default();
    let row = watch.ask(sql, &[]).await?.pop();
    row.ok_or_else(|| ReadError {
        message: "the server described itself with no row".to_owned(),
        sqlstate: None,
        position: None,
    })
}

#[allow(clippy::cast_precision_loss, reason = "a count of executions")]
fn side(work: &Work<'_>, order: &Order, stopped: Option<String>, seen: Option<explain::Seen>) -> Side {
    let times_ms: Vec<f64> = work.laps.iter().map(|lap| 1000.0 * lap.time.as_secs_f64()).collect();
    let rows = work.laps.iter().map(|lap| lap.rows);
    let target = work.place.target;
    let seconds = work.busy.as_secs_f64();
    Side {
        target: TargetInfo {
            name: work.place.name.to_owned(),
            host: target.host.clone(),
            port: target.port,
            database: target.database.clone(),
        },
        server_version: work.server.version.clone(),
        captured_at: work.server.now,
        statement: order.sql.clone(),
        fingerprint: order.fingerprint.clone(),
        clients: order.clients,
        warmup: order.warmup,
        iterations: order.iterations,
        stopped,
        figures: figures(&times_ms),
        per_second: if seconds > 0.0 { times_ms.len() as f64 / seconds } else { 0.0 },
        times_ms,
        rows: Range { min: rows.clone().min().unwrap_or(0), max: rows.max().unwrap_or(0) },
        blocks: seen.as_ref().map(|seen| seen.blocks),
        plan: seen.map(|seen| seen.plan).unwrap_or_default(),
    }
}

impl Order {
    /// The statement with our mark behind its first word, so that it can be told from the workload.
    fn marked(&self) -> String {
        let (first, rest) = self.sql.split_at_checked(self.behind_first).unwrap_or(("", &self.sql));
        format!("{first} {}{rest}", MARKER)
    }
}
