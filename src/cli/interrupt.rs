//! Runs a task until it ends or somebody interrupts it.

use super::exit;
use anyhow::{Result, anyhow};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Runs `task` on a runtime of its own. On Ctrl-C or SIGTERM the task is dropped, which closes its
/// connections and stops what it started, and an error says so.
pub(super) fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            outcome = task => outcome,
            _ = interrupt.recv() => Err(anyhow!("interrupted")),
            _ = terminate.recv() => Err(anyhow!("terminated")),
        }
    })
}

/// As [`block_on`], for work that can end early in good order: the first signal tells it to, a second one drops it.
pub(super) fn block_on_until<T>(stop: &watch::Sender<bool>, task: impl Future<Output = Result<T>>) -> Result<T> {
    block_on_signals(task, || stop.send_replace(true).then(|| Err(anyhow!("interrupted"))))
}

/// Runs `task`; each signal is told, until one of them brings it to an end.
fn block_on_signals<T>(
    task: impl Future<Output = Result<T>>,
    mut told: impl FnMut() -> Option<Result<T>>,
) -> Result<T> {
    runtime()?.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut task = std::pin::pin!(task);
        loop {
            tokio::select! {
                outcome = &mut task => return outcome,
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if let Some(outcome) = told() {
                return outcome;
            }
        }
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// As [`block_on`], for a change that must come to a safe state first: the first signal raises `flag`, a
/// second one drops the task where it is. Returns the exit code.
pub(super) fn block_on_safely(flag: &AtomicBool, task: impl Future<Output = Result<u8>>) -> Result<u8> {
    block_on_signals(task, || {
        if flag.swap(true, Ordering::Relaxed) {
            tell!("left as it is: the server may still be at work; `pgassay apply resume` looks and goes on");
            return Some(Ok(exit::STOPPED));
        }
        tell!("stopping at the next safe point; once more to leave it as it is");
        None
    })
}
