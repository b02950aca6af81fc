//! Changes of partitions: each is one transaction, so that a failure leaves nothing of it.

use super::run::{Stop, Work};
use crate::ddl::{State, statements};
use crate::model::plan::Change;

/// Runs the transaction. Where its end was not heard of, the catalog tells.
pub(super) async fn carry_out(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
    for statement in statements(change) {
        let Err(stop) = work.run(&statement).await else { continue };
        work.recover(&stop).await?;
        let catalog = work.look(change).await?;
        if !matches!(work.state(change, &catalog), State::Done(_)) {
            return Err(Stop { is_half: false, ..stop });
        }
    }
    Ok(())
}
