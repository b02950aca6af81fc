//! Months filled beside the partition that they take the place of.

use super::partition::transact;
use super::run::{Stop, Work};
use crate::ddl::{literal, statements};
use crate::model::plan::Change;

/// Copies batch by batch. What is copied stays when it stops, and is not copied again.
pub(super) async fn copy(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
    let half = |stop: Stop| Stop { is_half: true, ..stop };
    let most = format!("{}ms", work.settings.limits.max_replica_lag.as_millis());
    let sql = format!("select pg_catalog.set_config('pgassay.max_replica_lag', {}, false)", literal(&most));
    work.crew.worker.value(&sql).await.map_err(|error| half(Stop::from(error)))?;
    for statement in statements(change) {
        let Err(stop) = work.run(&statement).await else { continue };
        work.recover(&stop).await?;
        return Err(half(stop));
    }
    Ok(())
}

/// The proof while all are at work, then the transaction.
pub(super) async fn finish(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
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
