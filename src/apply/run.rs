//! The steps of a plan, one after the other: look, change, look again, write it down.

use super::adoption;
use super::crew::{Crew, Orphan};
use super::guard::{self, Broken};
use super::index;
use super::journal::{Entry, Journal, JournalError, Run, StepEnd};
use super::partition;
use super::split;
use crate::ddl::{Half, Limits, State, behind, inverse, leaf_form, literal, state, statements, twin};
use crate::model::catalog::{Catalog, SeenIndex};
use crate::model::plan::{Change, IndexForm, Name, Plan, Statement, Step};
use crate::model::units;
use crate::postgres::ReadError;
use crate::progress::Progress;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pause between looks at standbys that are behind, and at sessions that are to end.
const LOOK: Duration = Duration::from_secs(1);

/// A session that was lost has this long to end by itself.
const GRACE: Duration = Duration::from_secs(30);

/// How a run behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How far it may go.
    pub limits: Limits,
    /// Set when somebody wants it to stop: it then comes to a safe state first.
    pub interrupted: Arc<AtomicBool>,
    /// `SET name = value` in the session that changes: `maintenance_work_mem`, workers.
    pub session: Vec<(String, String)>,
}

impl Settings {
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// For repairs: they come to their end though somebody wants us to stop.
    fn undisturbed(&self) -> Self {
        Self { interrupted: Arc::default(), ..self.clone() }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Each step that was looked at: id, end, what is said of it.
    pub steps: Vec<(u32, StepEnd, String)>,
    /// All chosen steps are done.
    pub is_complete: bool,
}

/// A step that did not come to its end.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) text: String,
    /// Something of it is left.
    pub(super) is_half: bool,
    /// The session that changes is gone.
    pub(super) is_lost: bool,
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        // Whether it came to its end, nobody can say without a look.
        Self { text: broken.text, is_half: broken.is_lost, is_lost: broken.is_lost }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self { text: error.message.clone(), is_half: true, is_lost: error.is_lost() }
    }
}

/// The server's time, from one look at its clock.
#[derive(Debug, Clone, Copy)]
struct Clock {
    at: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    fn now(self) -> DateTime<Utc> {
        self.at + TimeDelta::from_std(self.since.elapsed()).unwrap_or_default()
    }
}

/// One run at work.
pub(super) struct Work<'a> {
    pub(super) crew: &'a mut Crew,
    pub(super) settings: &'a Settings,
    pub(super) progress: &'a dyn Progress,
    plan: &'a Plan,
    journal: &'a mut Journal,
    clock: Clock,
}

/// Carries out the chosen steps of a plan that passed pre-flight. `begun` is the journal of the run that is
/// taken up again, read before. Stops at the first step that fails.
pub async fn apply(
    crew: &mut Crew,
    plan: &Plan,
    chosen: &[&Step],
    settings: &Settings,
    journal: &mut Journal,
    begun: Option<&Run>,
    progress: &dyn Progress,
) -> Result<Outcome, JournalError> {
    let at = crew.scout.server().await.map_or(plan.captured_at, |server| server.now);
    let clock = Clock { at, since: Instant::now() };
    let mut work = Work { crew, settings, progress, plan, journal, clock };
    if begun.is_some() {
        work.journal.write(&Entry::Resumed { at })?;
    }
    progress.begin(chosen.len());
    let mut outcome = Outcome { steps: Vec::new(), is_complete: true };
    for step in chosen {
        if begun.is_some_and(|run| run.is_done(step.id)) {
            continue;
        }
        let what = format!("{}. {} {}", step.id, step.change.kind(), step.change.object());
        progress.started(&what);
        let (end, text) = work.step(step, begun).await?;
        progress.finished(&what);
        outcome.steps.push((step.id, end, text));
        if !end.is_good() {
            outcome.is_complete = false;
            break;
        }
    }
    let entry = Entry::Ended { at: work.clock.now(), is_complete: outcome.is_complete };
    work.journal.write(&entry)?;
    Ok(outcome)
}

/// Runs the transaction of a change as [`apply`] would, and rolls it back at its end.
pub async fn try_out(
    crew: &Crew,
    statement: &Statement,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(), String> {
    guard::rehearse(crew, statement, settings, progress).await.map_err(|broken| broken.text)
}

impl Work<'_> {
    async fn step(&mut self, step: &Step, begun: Option<&Run>) -> Result<(StepEnd, String), JournalError> {
        let since = Instant::now();
        let (end, text) = match self.prepare(step).await {
            Err(stop) => (if stop.is_half { StepEnd::Half } else { StepEnd::Failed }, stop.text),
            Ok((State::Done(text), _)) => (StepEnd::Already, text),
            Ok((State::Foreign(text), _)) => (StepEnd::Failed, text),
            Ok((state, catalog)) => {
                let known = begun.and_then(|run| run.steps.get(&step.id)).filter(|story| story.is_begun);
                let bystanders =
                    known.map_or_else(|| invalid(&catalog, &step.change), |story| story.bystanders.clone());
                self.journal.write(&Entry::StepBegun {
                    step: step.id,
                    at: self.clock.now(),
                    restore: restore(&step.change, &catalog).map(Box::new),
                    bystanders: bystanders.clone(),
                })?;
                match self.change(&step.change, state, &bystanders).await {
                    Ok(()) => (StepEnd::Done, format!("in {}", units::millis(since.elapsed().as_secs_f64() * 1000.0))),
                    Err(stop) if stop.is_half => (StepEnd::Half, stop.text),
                    Err(stop) => (StepEnd::Failed, stop.text),
                }
            }
        };
        self.journal.write(&Entry::StepEnded {
            step: step.id,
            at: self.clock.now(),
            end,
            text: text.clone(),
            seconds: since.elapsed().as_secs_f64(),
        })?;
        Ok((end, text))
    }

    /// What must hold before each step, and how far it is.
    async fn prepare(&mut self, step: &Step) -> Result<(State, Catalog), Stop> {
        let unharmed = |stop: Stop| Stop { is_half: false, ..stop };
        if self.settings.is_interrupted() {
            return Err(Stop { text: "interrupted before it began".to_owned(), is_half: false, is_lost: false });
        }
        let kept = self.crew.keep_lock().await;
        kept.map_err(|text| Stop { text, is_half: false, is_lost: false })?;
        self.wait_for_standbys().await.map_err(unharmed)?;
        let catalog = self.look(&step.change).await.map_err(unharmed)?;
        Ok((self.state(&step.change, &catalog), catalog))
    }

    pub(super) fn state(&self, change: &Change, catalog: &Catalog) -> State {
        state(change, catalog, self.plan.captured_at)
    }

    pub(super) async fn look(&self, change: &Change) -> Result<Catalog, Stop> {
        Ok(self.crew.scout.catalog(&[change]).await?)
    }

    /// Standbys and slots that are behind get time to catch up.
    async fn wait_for_standbys(&self) -> Result<(), Stop> {
        let began = Instant::now();
        loop {
            let rows = self.crew.scout.behind().await?;
            let Some(first) = behind(&rows, &self.settings.limits).into_iter().next() else { return Ok(()) };
            if self.settings.is_interrupted() || began.elapsed() >= self.settings.limits.max_wait {
                return Err(Stop { text: first, is_half: false, is_lost: false });
            }
            self.progress.phase(&format!("pauses: {first}"), 0, 0);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn change(&mut self, change: &Change, state: State, bystanders: &[Name]) -> Result<(), Stop> {
        let is_half = state != State::Todo;
        self.end_of_orphans().await.map_err(|stop| Stop { is_half, ..stop })?;
        self.session().await?;
        let state = match state {
            // What an earlier run of ours was building is built now, or is not.
            State::Half(Half::Building { .. }) => {
                let catalog = self.look(change).await?;
                self.state(change, &catalog)
            }
            state => state,
        };
        match (change, state) {
            (_, State::Done(_)) => Ok(()),
            (_, State::Foreign(text)) => Err(Stop { text, is_half: true, is_lost: false }),
            (Change::CreateIndex(form), _) if form.is_partitioned => {
                index::create_partitioned(self, change, form).await
            }
            (Change::CreateIndex(form), state) => index::create(self, change, form, &state).await,
            (Change::DropIndex(form), _) if form.is_partitioned => index::drop_partitioned(self, change, form).await,
            (Change::DropIndex(form), _) => index::drop(self, change, form).await,
            (Change::ReindexIndex { index, .. }, _) => index::reindex(self, change, index, bystanders).await,
            (Change::CreatePartition(_) | Change::DropPartition(_), _) => partition::carry_out(self, change).await,
            (Change::DetachPartition(form), _) => partition::detach(self, change, form).await,
            (Change::AttachPartition(form), _) => partition::attach(self, change, form).await,
            (Change::PrepareAdoption(form), _) => adoption::prepare(self, change, form).await,
            (Change::WithdrawPreparation(form), _) => adoption::withdraw(self, form).await,
            (Change::AdoptTable(_), _) => partition::carry_out(self, change).await,
            (Change::BeginSplit(_) | Change::AbandonSplit(_), _) => partition::carry_out(self, change).await,
            (Change::CopyRows(_), _) => split::copy(self, change).await,
            (Change::FinishSplit(_), _) => split::finish(self, change).await,
            (Change::ReleaseTable(form), _) => adoption::release(self, change, form).await,
            (change, _) => {
                for statement in statements(change) {
                    self.run(&statement).await?;
                }
                Ok(())
            }
        }
    }

    /// The server may still be at what an earlier run began: the death of a client stops nothing at once.
    async fn end_of_orphans(&mut self) -> Result<(), Stop> {
        for Orphan { pid, application } in self.crew.scout.orphans().await? {
            if pid != self.crew.worker.pid {
                self.progress.warn(&format!("pid {pid} ({application}) of an earlier run is still at work"));
                guard::attend(self.crew, pid, self.settings, self.progress).await?;
            }
        }
        Ok(())
    }

    async fn session(&self) -> Result<(), Stop> {
        for (name, value) in &self.settings.session {
            let sql = format!("select pg_catalog.set_config({}, {}, false)", literal(name), literal(value));
            let refused = |error: ReadError| Stop { is_half: false, ..Stop::from(error) };
            self.crew.worker.value(&sql).await.map_err(refused)?;
        }
        Ok(())
    }

    pub(super) async fn run(&mut self, statement: &Statement) -> Result<(), Stop> {
        Ok(guard::run(self.crew, statement, self.settings, self.progress).await?)
    }

    /// As [`Work::run`], for what puts things right again.
    pub(super) async fn repair(&mut self, statement: &Statement) -> Result<(), Stop> {
        self.progress.warn(&format!("repairs: {}", statement.sql));
        Ok(guard::run(self.crew, statement, &self.settings.undisturbed(), self.progress).await?)
    }

    /// After a failure: a lost session is replaced as soon as the server has ended it.
    pub(super) async fn recover(&mut self, stop: &Stop) -> Result<(), Stop> {
        if !stop.is_lost {
            return Ok(());
        }
        let lost = |what: String| Stop { text: format!("{}; {what}", stop.text), is_half: true, is_lost: true };
        let (pid, began) = (self.crew.worker.pid, Instant::now());
        let mut is_cancelled = false;
        loop {
            match self.crew.scout.activity(pid).await {
                Ok(None) => break,
                Ok(Some(_)) if began.elapsed() >= GRACE && is_cancelled => {
                    return Err(lost(format!("the server is still at it with pid {pid}")));
                }
                Ok(Some(_)) if began.elapsed() >= GRACE / 2 && !is_cancelled => {
                    is_cancelled = self.crew.scout.cancel(pid).await.is_ok();
                }
                Err(_) if began.elapsed() >= GRACE => return Err(lost("the server does not answer".to_owned())),
                _ => {}
            }
            tokio::time::sleep(LOOK).await;
        }
        self.crew.replace_worker().await.map_err(lost)
    }
}

/// The invalid indexes of a change's table: none of what a failure leaves.
fn invalid(catalog: &Catalog, change: &Change) -> Vec<Name> {
    let table = change.table();
    let own = |index: &&SeenIndex| index.schema == table.schema && index.table == table.name && !index.is_valid;
    catalog.indexes.iter().filter(own).map(SeenIndex::name).collect()
}

/// What takes a change back, with what the catalog knows of the object beyond its definition. An index that
/// no query could use is not made again.
fn restore(change: &Change, catalog: &Catalog) -> Option<Change> {
    match inverse(change)? {
        Change::CreateIndex(mut form) => {
            form.trimmings = catalog.index(&form.name).filter(|index| index.is_usable())?.trimmings();
            Some(Change::CreateIndex(form))
        }
        Change::DropIndex(mut form) if form.is_partitioned => {
            let bare = form.clone();
            for leaf in &mut form.leaves {
                leaf.twin = twin(catalog, &bare, leaf).map(|own| {
                    Box::new(IndexForm { name: own.name(), trimmings: own.trimmings(), ..leaf_form(&bare, leaf) })
                });
            }
            Some(Change::DropIndex(form))
        }
        other => Some(other),
    }
}
