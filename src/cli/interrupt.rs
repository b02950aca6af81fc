//! Runs a task until it ends or somebody interrupts it.

use anyhow::{Result, anyhow};
use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// Runs `task` on a runtime of its own. On Ctrl-C or SIGTERM the task is dropped, which closes its
/// connections and stops what it started, and an error says so.
pub(super) fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            outcome = task => outcome,
            _ = interrupt.recv() => Err(anyhow!("interrupted")),
            _ = terminate.recv() => Err(anyhow!("terminated")),
        }
    })
}
