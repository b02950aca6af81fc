//! Months filled beside the partition that they take the place of.

use super::partition::transact;
use super::run::{Stop, Work};
use crate::ddl::{literal, statements};
use crate::model::plan::Change;

/// Copies batch by batch. What is copied stays when it stops, and is not copied again.
pub(super) async fn copy(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
    let half = |stop: Stop| Stop { is_half: true, ..stop };
    tell(work).await.map_err(half)?;
    for statement in statements(change) {
        let Err(stop) = work.run(&statement).await else { continue };
        work.recover(&stop).await?;
        return Err(half(stop));
    }
    Ok(())
}

/// Tells the session the limits that its statements keep to.
async fn tell(work: &mut Work<'_>) -> Result<(), Stop> {
    let limits = &work.settings.limits;
    let limits = [
        ("max_replica_lag", format!("{}ms", limits.max_replica_lag.as_millis())),
        ("max_wait", format!("{}ms", limits.max_wait.as_millis())),
        ("max_slot_wal", limits.max_slot_wal_bytes.to_string()),
    ];
    let set =
        |(name, most): &(&str, String)| format!("pg_catalog.set_config('pgassay.{name}', {}, false)", literal(most));
    let sql = format!("select {}", limits.iter().map(set).collect::<Vec<_>>().join(", "));
    work.crew.worker.value(&sql).await?;
    Ok(())
}

/// The wait for older snapshots and the proof while all are at work, then the transaction.
pub(super) async fn finish(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
    tell(work).await?;
    let all = statements(change);
    let Some((swap, proofs)) = all.split_last() else { return Ok(()) };
    for proof in proofs {
        if let Err(stop) = work.run(proof).await {
            work.recover(&stop).await?;
            return Err(Stop { is_half: false, ..stop });
        }
    }
    transact(work, change, swap).await
}
