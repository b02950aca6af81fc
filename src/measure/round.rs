//! Some executions on one side, by all its sessions at the same time.

use crate::postgres::{Lap, ReadError, Stopwatch};
use crate::progress::Progress;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) sql: &'a str,
    /// Executions of all sessions together.
    pub(super) count: u32,
    /// Turns true when somebody wants no more.
    pub(super) stop: &'a watch::Receiver<bool>,
}

/// Why a round ended before its end.
#[derive(Debug)]
pub(super) enum Halt {
    Interrupted,
    Failed(ReadError),
}

/// What a round came to.
#[derive(Debug)]
pub(super) struct Done {
    /// In the order they ended.
    pub(super) laps: Vec<Lap>,
    /// Time in which something ran.
    pub(super) busy: Duration,
    pub(super) halt: Option<Halt>,
}

/// Runs it. Sessions that failed or were stopped are gone afterwards.
pub(super) async fn run_round(watches: &mut Vec<Stopwatch>, round: Round<'_>, progress: &dyn Progress) -> Done {
    let left = Arc::new(AtomicU32::new(round.count));
    let (tell, mut heard) = mpsc::unbounded_channel();
    let began = Instant::now();
    let works: Vec<_> = watches
        .drain(..)
        .map(|watch| {
            let (sql, stop) = (round.sql.to_owned(), round.stop.clone());
            tokio::spawn(work(watch, sql, Arc::clone(&left), stop, tell.clone()))
        })
        .collect();
    drop(tell);
    let (mut laps, mut halt) = (Vec::new(), None);
    while let Some(told) = heard.recv().await {
        match told {
            Ok(lap) => {
                laps.push(lap);
                progress.finished("");
            }
            // The first is why; the others come of it.
            Err(why) => halt = halt.or(Some(why)),
        }
    }
    let busy = began.elapsed();
    for work in works {
        // One that panicked has no session to give back.
        watches.extend(work.await.ok().flatten());
    }
    Done { laps, busy, halt }
}

/// One session: takes executions as long as there are some. Gives itself back when it is as good as before.
async fn work(
    watch: Stopwatch,
    sql: String,
    left: Arc<AtomicU32>,
    mut stop: watch::Receiver<bool>,
    tell: mpsc::UnboundedSender<Result<Lap, Halt>>,
) -> Option<Stopwatch> {
    while take(&left) {
        let told = tokio::select! {
            biased;
            // Who would say so may be gone: then nobody stops us.
            Ok(_) = stop.wait_for(|is_stopped| *is_stopped) => Err(Halt::Interrupted),
            lap = watch.lap(&sql) => lap.map_err(Halt::Failed),
        };
        let halt = told.as_ref().err().map(|halt| matches!(halt, Halt::Interrupted));
        // Nobody listens when the whole is dropped.
        let _ = tell.send(told);
        if let Some(is_interrupted) = halt {
            left.store(0, Ordering::Relaxed);
            if is_interrupted {
                watch.cancel().await;
            } else {
                watch.close().await;
            }
            return None;
        }
    }
    Some(watch)
}

/// Takes one of what is left.
fn take(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
}
