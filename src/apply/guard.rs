//! How a statement is run, by its lock class: short ones with a time-out and again, long ones with none
//! and a watchdog.

use super::crew::{Activity, Crew};
use super::run::Settings;
use crate::ddl::holder_text;
use crate::model::catalog::Holder;
use crate::model::finding::fingerprint;
use crate::model::plan::{LockClass, Statement};
use crate::model::units;
use crate::postgres::ReadError;
use crate::progress::Progress;
use std::time::{Duration, Instant};

/// Tries for a lock that others would queue behind.
const TRIES: u32 = 20;

/// Shortest and longest wait of one such try.
const LOCK_TIMEOUTS_MS: (u32, u32) = (100, 1_000);

/// Shortest and longest pause between tries.
const PAUSES_MS: (u64, u64) = (50, 5_000);

/// The watchdog looks this often.
const LOOK: Duration = Duration::from_millis(500);

/// What the server says, in no other language, where somebody granted a privilege, say, at the same moment.
const RACED: &str = "tuple concurrently updated";

/// A statement that did not get through.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// What happened, for people.
    pub(super) text: String,
    /// The session is gone.
    pub(super) is_lost: bool,
}

impl Broken {
    fn of(error: &ReadError) -> Self {
        let code = error.sqlstate.as_deref().map(|code| format!(" (SQLSTATE {code})")).unwrap_or_default();
        Self { text: format!("{}{code}", error.message), is_lost: error.is_lost() }
    }
}

/// Runs one statement as its class wants it.
pub(super) async fn run(
    crew: &Crew,
    statement: &Statement,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), Broken> {
    statement.commands().for_each(|sql| progress.note(&format!("{sql};")));
    let result = match statement.class {
        LockClass::Blocking => blocking(crew, statement, "commit", settings, progress).await,
        LockClass::Waiting => waiting(crew, &statement.sql, settings, progress).await,
    };
    remarks(crew, progress);
    if result.as_ref().is_err_and(|broken| !broken.is_lost) {
        // The server tells of an error before it lets go of locks and of what it was building: who looks at the
        // catalog now would take us for somebody at work. The next answer comes when it has.
        let _ = crew.worker.value("select 1").await;
    }
    result
}

/// Runs a transaction to its end, and rolls it back.
pub(super) async fn rehearse(
    crew: &Crew,
    statement: &Statement,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), Broken> {
    let result = blocking(crew, statement, "rollback", settings, progress).await;
    remarks(crew, progress);
    result
}

/// What the server says while it works may be a reason to stop: that an index outgrew its memory, say. How far a block of
/// ours is, it says as INFO.
fn remarks(crew: &Crew, progress: &dyn Progress) {
    for notice in crew.worker.notices() {
        match notice.strip_prefix("info: ") {
            Some(phase) => progress.phase(phase, 0, 0),
            None => progress.warn(&notice),
        }
    }
}

/// In a transaction of its own with a lock time-out that grows, at most [`TRIES`] times and `max_wait`.
async fn blocking(
    crew: &Crew,
    statement: &Statement,
    end: &str,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), Broken> {
    let began = Instant::now();
    for attempt in 1..=TRIES {
        let (least, most) = LOCK_TIMEOUTS_MS;
        let timeout = least + (most - least) * (attempt - 1) / (TRIES - 1);
        let who = match attempt_once(crew, statement, end, timeout).await {
            Ok(()) => return Ok(()),
            Err((error, who)) if error.sqlstate.as_deref() == Some("55P03") => who,
            Err((error, _)) if error.sqlstate.as_deref() == Some("40P01") => {
                "a deadlock with another session".to_owned()
            }
            Err((error, _)) if error.message.contains(RACED) => "another session changed the same object".to_owned(),
            Err((error, _)) => return Err(Broken::of(&error)),
        };
        progress.warn(&format!("lock not granted in {timeout} ms (try {attempt} of {TRIES}): {who}"));
        let is_late = began.elapsed() >= settings.limits.max_wait;
        if attempt == TRIES || is_late || settings.is_interrupted() {
            let after = units::millis(began.elapsed().as_secs_f64() * 1000.0);
            return Err(Broken {
                text: format!("lock not granted after {attempt} tries in {after}: {who}"),
                is_lost: false,
            });
        }
        tokio::time::sleep(pause(attempt, &crew.application)).await;
    }
    Ok(())
}

/// One try. With the error comes who was in the way.
async fn attempt_once(
    crew: &Crew,
    statement: &Statement,
    end: &str,
    timeout_ms: u32,
) -> Result<(), (ReadError, String)> {
    let nobody = |error| (error, String::new());
    crew.worker.execute(&format!("begin; set local lock_timeout = {timeout_ms}")).await.map_err(nobody)?;
    let mut who = "another session".to_owned();
    // In one message: what is locked is not kept so for the way of each command to the server and back.
    let commands: Vec<&str> = statement.commands().collect();
    let text = format!("{};\n{end}", commands.join(";\n"));
    let mut statement = std::pin::pin!(crew.worker.execute(&text));
    let looking = async {
        loop {
            tokio::time::sleep(Duration::from_millis(u64::from(timeout_ms) / 3)).await;
            match crew.scout.blockers(crew.worker.pid).await {
                Ok(holders) if !holders.is_empty() => return Some(holders),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    };
    let result = tokio::select! {
        result = &mut statement => result,
        holders = looking => {
            if let Some(holders) = holders {
                who = format!("held by {}", holders.iter().map(holder_text).collect::<Vec<_>>().join(" and "));
            }
            statement.await
        }
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) => {
            // A lost session rolls back by itself.
            let _ = crew.worker.execute("rollback").await;
            Err((error, who))
        }
    }
}

/// Grows with each try; runs that collide do not collide again, as the rest depends on the run.
fn pause(attempt: u32, run: &str) -> Duration {
    let (least, most) = PAUSES_MS;
    let base = (least << attempt.min(10)).min(most);
    let seed = u64::from_str_radix(&fingerprint(&format!("{run}:{attempt}")), 16).unwrap_or(0);
    Duration::from_millis(base / 2 + seed % (base / 2 + 1))
}

/// Without any time-out, as that would leave a half-built index behind; a watchdog on another session
/// says who is waited for, and cancels when it takes too long or somebody interrupts us.
async fn waiting(crew: &Crew, sql: &str, settings: &Settings, progress: &dyn Progress) -> Result<(), Broken> {
    let mut statement = std::pin::pin!(crew.worker.execute(sql));
    let mut waited = Duration::ZERO;
    let mut cancelled = None;
    let mut last = Instant::now();
    let mut named = String::new();
    loop {
        tokio::select! {
            biased;
            result = &mut statement => {
                return result.map_err(|error| match cancelled {
                    Some(why) => Broken { text: why, is_lost: error.is_lost() },
                    None => Broken::of(&error),
                });
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let passed = last.elapsed();
        last = Instant::now();
        remarks(crew, progress);
        // A look that fails says nothing of the statement.
        let Ok(Some(activity)) = crew.scout.activity(crew.worker.pid).await else { continue };
        let mut who = String::new();
        if activity.is_waiting == Some(true) {
            waited += passed;
            let holders = blockers(crew, crew.worker.pid).await;
            who = told(&holders, &activity);
            progress.phase(&format!("waits for {who}"), 0, 0);
            let pids = format!("{:?}", holders.iter().map(|holder| (holder.pid, &holder.prepared)).collect::<Vec<_>>());
            if waited >= LOOK && pids != named {
                progress.warn(&format!("waits for {who}"));
                named = pids;
            }
        } else {
            waited = Duration::ZERO;
            report(&activity, progress);
        }
        let why = if settings.is_interrupted() {
            Some("interrupted".to_owned())
        } else if waited >= settings.limits.max_wait {
            let most = units::millis(settings.limits.max_wait.as_secs_f64() * 1000.0);
            Some(format!("waited {most} (--max-wait) for {who}"))
        } else {
            None
        };
        if let Some(why) = why.filter(|_| cancelled.is_none()) {
            // Only our own: the server decides whether it comes in time.
            if crew.scout.cancel(crew.worker.pid).await.is_ok() {
                cancelled = Some(why);
            }
        }
    }
}

async fn blockers(crew: &Crew, pid: i32) -> Vec<Holder> {
    crew.scout.blockers(pid).await.unwrap_or_default()
}

fn told(holders: &[Holder], activity: &Activity) -> String {
    if holders.is_empty() {
        return activity.locker_pid.map_or_else(|| "another session".to_owned(), |pid| format!("pid {pid}"));
    }
    holders.iter().map(holder_text).collect::<Vec<_>>().join(" and ")
}

#[allow(clippy::cast_sign_loss, reason = "counters")]
fn report(activity: &Activity, progress: &dyn Progress) {
    let Some(phase) = &activity.phase else { return };
    let count = |value: Option<i64>| value.unwrap_or(0).max(0) as u64;
    let total = count(activity.total);
    progress.phase(phase, count(activity.done).min(total), total);
}

/// Waits until a session of an earlier run has ended what it is doing.
pub(super) async fn attend(crew: &Crew, pid: i32, settings: &Settings, progress: &dyn Progress) -> Result<(), Broken> {
    let began = Instant::now();
    loop {
        let activity = match crew.scout.activity(pid).await {
            Ok(Some(activity)) if activity.state.as_deref() == Some("active") => activity,
            Ok(_) => return Ok(()),
            Err(error) => return Err(Broken::of(&error)),
        };
        report(&activity, progress);
        if settings.is_interrupted() || began.elapsed() >= settings.limits.max_wait {
            let holders = if activity.is_waiting == Some(true) { blockers(crew, pid).await } else { Vec::new() };
            let who = if holders.is_empty() {
                String::new()
            } else {
                format!(" and waits for {}", told(&holders, &activity))
            };
            let text = format!(
                "pid {pid} of an earlier run is still at work{who}; to end that work: SELECT pg_cancel_backend({pid})"
            );
            return Err(Broken { text, is_lost: false });
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_seconds_and_differ_by_run() {
        for attempt in 1..=TRIES {
            let pause = pause(attempt, "pgassay/apply/a");
            assert!((Duration::from_millis(PAUSES_MS.0)..=Duration::from_millis(PAUSES_MS.1)).contains(&pause));
        }
        assert!(pause(TRIES, "a") > pause(1, "a"));
        let (a, b): (Vec<_>, Vec<_>) = (1..9).map(|attempt| (pause(attempt, "a"), pause(attempt, "b"))).unzip();
        assert_ne!(a, b);
    }
}
