//! Changes of partitions. What is one transaction leaves nothing when it fails; a concurrent detach leaves a hidden
//! partition, which is detached to the end.

use super::run::{Stop, Work};
use crate::ddl::{State, finalize, statements};
use crate::model::partition::DetachForm;
use crate::model::plan::{Change, Statement};

/// Runs the transaction. Where its end was not heard of, the catalog tells.
pub(super) async fn carry_out(work: &mut Work<'_>, change: &Change) -> Result<(), Stop> {
    for statement in statements(change) {
        transact(work, change, &statement).await?;
    }
    Ok(())
}

/// Runs one transaction, after which the change is done.
pub(super) async fn transact(work: &mut Work<'_>, change: &Change, statement: &Statement) -> Result<(), Stop> {
    let Err(stop) = work.run(statement).await else { return Ok(()) };
    work.recover(&stop).await?;
    let catalog = work.look(change).await?;
    if matches!(work.state(change, &catalog), State::Done(_)) {
        return Ok(());
    }
    Err(Stop { is_half: false, ..stop })
}

/// Detaches a partition. From its first wait on the partition is hidden: the way is forward, and ours.
pub(super) async fn detach(work: &mut Work<'_>, change: &Change, form: &DetachForm) -> Result<(), Stop> {
    // What an earlier run began may have ended meanwhile.
    let catalog = work.look(change).await?;
    match work.state(change, &catalog) {
        State::Done(_) => return Ok(()),
        State::Half(_) => return work.run(&finalize(form)).await.map_err(|stop| hidden(stop, form)),
        _ => {}
    }
    for statement in statements(change) {
        let Err(stop) = work.run(&statement).await else { continue };
        work.recover(&stop).await?;
        let catalog = work.look(change).await?;
        match work.state(change, &catalog) {
            State::Done(_) => {}
            State::Half(_) => work.repair(&finalize(form)).await.map_err(|again| {
                let text = format!("{}; {}", stop.text, again.text);
                hidden(Stop { text, ..again }, form)
            })?,
            _ => return Err(Stop { is_half: false, ..stop }),
        }
    }
    Ok(())
}

fn hidden(stop: Stop, form: &DetachForm) -> Stop {
    let text = format!(
        "{}; {} is half detached, and its rows are hidden: resume finishes it, undo finishes it and attaches it again",
        stop.text, form.name
    );
    Stop { text, is_half: true, ..stop }
}

/// Attaches a partition again, of which a detach may have stopped half-way.
pub(super) async fn attach(work: &mut Work<'_>, change: &Change, form: &DetachForm) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    if let State::Half(_) = work.state(change, &catalog) {
        work.run(&finalize(form)).await.map_err(|stop| hidden(stop, form))?;
    }
    carry_out(work, change).await
}
