//! Runs a statement that only reads, again and again, and keeps how long it took: on one server, or on two in turn.

mod explain;
mod guard;
mod round;

use crate::model::measurement::{Range, Side};
use crate::model::snapshot::{Server, TargetInfo};
use crate::postgres::{ConnectError, Lap, Limits, MARKER, ReadError, Stopwatch, Target, pick};
use crate::progress::Progress;
use crate::timing::figures;
use round::{Done, Halt, Round, run_round};
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

/// Rounds of a measurement: each has sessions of its own. A session stays faster or slower than another by where its
/// process happens to run, so executions of one session say less than their number; the rounds are what is compared.
const ROUNDS: u32 = 10;

/// One side at work.
struct Work<'a> {
    place: &'a Place<'a>,
    server: Server,
    /// Sessions of the round.
    watches: Vec<Stopwatch>,
    laps: Vec<Lap>,
    /// Median of each whole round, in milliseconds.
    medians: Vec<f64>,
    busy: Duration,
}

/// What all of a measurement shares.
struct Site<'a> {
    order: &'a Order,
    sql: String,
    run: &'a str,
    stop: &'a watch::Receiver<bool>,
    progress: &'a dyn Progress,
}

/// Why it went no further, and where.
type Halted<'a> = (Halt, &'a Place<'a>);

/// Measures on each place. Two take turns, so that what the machines do meanwhile meets both alike: one execution
/// each, or five for each of several sessions, the order changing each time. `stop` ends it early.
pub async fn measure(
    places: &[Place<'_>],
    order: &Order,
    run: &str,
    stop: &watch::Receiver<bool>,
    progress: &dyn Progress,
) -> Result<Vec<Side>, MeasureError> {
    let rounds = ROUNDS.min(order.iterations);
    let each = u64::from(order.iterations) + u64::from(order.warmup) * u64::from(order.clients) * u64::from(rounds);
    progress.begin(places.len() * usize::try_from(each).unwrap_or(usize::MAX));
    let mut works = Vec::new();
    for place in places {
        works.push(open(place, order, run).await?);
    }
    let site = Site { order, sql: order.marked(), run, stop, progress };
    let mut halted = None;
    for round in 0..rounds {
        let until = |round: u32| u64::from(order.iterations) * u64::from(round) / u64::from(rounds);
        let count = u32::try_from(until(round + 1) - until(round)).unwrap_or(u32::MAX);
        halted = site.round(&mut works, count).await;
        if halted.is_some() {
            break;
        }
    }
    finish(works, order, halted).await
}

impl Site<'_> {
    /// One round on all sides.
    async fn round<'a>(&self, works: &mut [Work<'a>], count: u32) -> Option<Halted<'a>> {
        for work in &mut *works {
            let halt = self.ready(work).await;
            if let Some(halt) = halt {
                return Some((halt, work.place));
            }
        }
        let before: Vec<usize> = works.iter().map(|work| work.laps.len()).collect();
        let clients = u32::from(self.order.clients);
        let batch = match (works.len(), clients) {
            (1, _) => count,
            (_, 1) => 1,
            _ => 5 * clients,
        };
        let (mut left, mut is_reversed) = (count, false);
        while left > 0 {
            let count = batch.min(left);
            let mut turns: Vec<&mut Work<'_>> = works.iter_mut().collect();
            if is_reversed {
                turns.reverse();
            }
            for work in turns {
                let done = self.run(work, count).await;
                work.laps.extend(done.laps);
                work.busy += done.busy;
                if let Some(halt) = done.halt {
                    return Some((halt, work.place));
                }
            }
            (left, is_reversed) = (left - count, !is_reversed);
        }
        for (work, before) in works.iter_mut().zip(before) {
            let own: Vec<f64> = work.laps.iter().skip(before).map(millis).collect();
            work.medians.push(figures(&own).median);
        }
        None
    }

    /// Sessions of this round, warmed up.
    async fn ready(&self, work: &mut Work<'_>) -> Option<Halt> {
        for watch in work.watches.drain(..) {
            watch.close().await;
        }
        let Place { target, limits, .. } = work.place;
        for _ in 0..self.order.clients {
            match Stopwatch::connect(target, *limits, self.run).await {
                Ok(watch) => work.watches.push(watch),
                Err(error) => return Some(Halt::Failed(error.into())),
            }
        }
        self.run(work, self.order.warmup * u32::from(self.order.clients)).await.halt
    }

    async fn run(&self, work: &mut Work<'_>, count: u32) -> Done {
        run_round(&mut work.watches, Round { sql: &self.sql, count, stop: self.stop }, self.progress).await
    }
}

/// The sides as far as they came, and why they came no further.
async fn finish<'a>(
    works: Vec<Work<'a>>,
    order: &Order,
    halted: Option<Halted<'a>>,
) -> Result<Vec<Side>, MeasureError> {
    if works.iter().all(|work| work.laps.is_empty()) {
        return Err(match halted {
            Some((Halt::Failed(error), place)) => MeasureError::failed(place, error),
            _ => MeasureError::Interrupted,
        });
    }
    let stopped = halted.map(|(halt, place)| match halt {
        Halt::Interrupted => "interrupted".to_owned(),
        Halt::Failed(error) => format!("{}: {}", place.name, error.message),
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
    Ok(Work { place, server, watches: vec![first], laps: Vec::new(), medians: Vec::new(), busy: Duration::ZERO })
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
    let times_ms: Vec<f64> = work.laps.iter().map(millis).collect();
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
        rounds_ms: work.medians.clone(),
        rows: Range { min: rows.clone().min().unwrap_or(0), max: rows.max().unwrap_or(0) },
        blocks: seen.as_ref().map(|seen| seen.blocks),
        plan: seen.map(|seen| seen.plan).unwrap_or_default(),
    }
}

fn millis(lap: &Lap) -> f64 {
    1000.0 * lap.time.as_secs_f64()
}

impl Order {
    /// The statement with our mark behind its first word, so that it can be told from the workload.
    fn marked(&self) -> String {
        let (first, rest) = self.sql.split_at_checked(self.behind_first).unwrap_or(("", &self.sql));
        format!("{first} {}{rest}", MARKER)
    }
}
