//! A table that is made ready to be adopted, and taken back. The adoption itself is one transaction, which leaves nothing
//! when it fails.

use super::index;
use super::partition::transact;
use super::run::{Stop, Work};
use crate::ddl::{State, check, drop_check, prove, statements};
use crate::model::adoption::{AdoptForm, PrepareForm};
use crate::model::plan::{Change, IndexForm};

/// The index, the CHECK, its proof: what is there is not made again.
pub(super) async fn prepare(work: &mut Work<'_>, change: &Change, form: &PrepareForm) -> Result<(), Stop> {
    if let Some(index) = &form.index {
        build(work, index).await?;
    }
    let has_index = form.index.is_some();
    let left = |stop: Stop| Stop { is_half: stop.is_half || has_index, ..stop };
    let catalog = work.look(change).await.map_err(left)?;
    if catalog.relation(&form.table).is_none_or(|own| own.boundary.is_none()) {
        work.run(&check(form)).await.map_err(left)?;
    }
    let Err(stop) = work.run(&prove(form)).await else { return Ok(()) };
    work.recover(&stop).await?;
    let catalog = work.look(change).await?;
    if matches!(work.state(change, &catalog), State::Done(_)) {
        return Ok(());
    }
    // One that is not proved refuses rows all the same.
    work.repair(&drop_check(form)).await.map_err(|again| {
        let text =
            format!("{}; {} is left and refuses rows of {} on: {}", stop.text, form.check, form.boundary, again.text);
        Stop { text, is_half: true, ..again }
    })?;
    Err(left(Stop { is_half: false, ..stop }))
}

/// As [`prepare`], backwards.
pub(super) async fn withdraw(work: &mut Work<'_>, form: &PrepareForm) -> Result<(), Stop> {
    work.run(&drop_check(form)).await?;
    let Some(index) = &form.index else { return Ok(()) };
    let alone = Change::DropIndex(index.clone());
    let catalog = work.look(&alone).await?;
    match work.state(&alone, &catalog) {
        State::Done(_) => Ok(()),
        State::Foreign(text) => Err(Stop { text, is_half: true, is_lost: false }),
        _ => index::drop(work, &alone, index).await,
    }
}

/// The index of the old key while all are at work, then the transaction.
pub(super) async fn release(work: &mut Work<'_>, change: &Change, form: &AdoptForm) -> Result<(), Stop> {
    if let Some(swap) = &form.swap {
        build(work, &swap.restored).await?;
    }
    match statements(change).last() {
        Some(last) => transact(work, change, last).await.map_err(|stop| Stop { is_half: form.swap.is_some(), ..stop }),
        None => Ok(()),
    }
}

async fn build(work: &mut Work<'_>, form: &IndexForm) -> Result<(), Stop> {
    let alone = Change::CreateIndex(form.clone());
    let catalog = work.look(&alone).await?;
    match work.state(&alone, &catalog) {
        State::Done(_) => Ok(()),
        State::Foreign(text) => Err(Stop { text, is_half: false, is_lost: false }),
        state => index::create(work, &alone, form, &state).await,
    }
}
