//! `pgassay apply`, with `status`, `resume` and `undo`.

use super::args::Shared;
use super::change::{self, Job};
use super::change_args::{ApplyArgs, ApplyCommand, RunArgs};
use super::config::Config;
use super::{connection, exit, runs};
use crate::apply::{Run, undo};
use crate::store::read_plan;
use anyhow::{Result, anyhow};
use std::path::Path;

pub(super) fn run(shared: &Shared, args: &ApplyArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    match (&args.command, &args.plan) {
        (Some(ApplyCommand::Status { run, state }), _) => {
            runs::status(&change::state_folder(&config, state.as_deref())?, run.as_deref())
        }
        (Some(ApplyCommand::Resume(run)), _) => resume(shared, &config, run),
        (Some(ApplyCommand::Undo(run)), _) => take_back(shared, &config, run),
        (None, Some(path)) => {
            let plan = read_plan(path)?;
            let target = connection::target_of(&config, args.target.as_deref())?;
            let job = Job { target: &target, plan: &plan, undoes: None, is_shown: false };
            change::carry_out(shared, &config, &job, &args.change)
        }
        (None, None) => Err(anyhow!("name a plan: `pgassay plan -o plan.json` makes one")),
    }
}

fn resume(shared: &Shared, config: &Config, args: &RunArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let folder = change::state_folder(config, args.change.state.as_deref())?;
    // One that is being taken back is not gone on with.
    let fits = |all: &[Run], run: &Run| run.is_unfinished() && undoing(all, run).next().is_none();
    let Some(run) = chosen(&folder, args.run.as_deref(), &target.database, fits)? else {
        super::print(&format!("nothing to resume in database {}\n", target.database))?;
        return Ok(exit::OK);
    };
    change::resume(shared, config, &target, &run, &args.change)
}

fn take_back(shared: &Shared, config: &Config, args: &RunArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let folder = change::state_folder(config, args.change.state.as_deref())?;
    let fits = |all: &[Run], run: &Run| {
        let is_undone = undoing(all, run).any(|other| !other.is_unfinished());
        run.header.undoes.is_none() && !is_undone && !undo(run).steps.is_empty()
    };
    let Some(run) = chosen(&folder, args.run.as_deref(), &target.database, fits)? else {
        super::print(&format!("nothing to take back in database {}\n", target.database))?;
        return Ok(exit::OK);
    };
    let plan = undo(&run);
    let job = Job { target: &target, plan: &plan, undoes: Some(&run.header.run), is_shown: false };
    change::carry_out(shared, config, &job, &args.change)
}

/// The runs that take this one back.
fn undoing<'a>(all: &'a [Run], run: &'a Run) -> impl Iterator<Item = &'a Run> {
    all.iter().filter(|other| other.header.undoes.as_ref() == Some(&run.header.run))
}

/// The named run, else the last one of this database that fits.
fn chosen(
    folder: &Path,
    named: Option<&str>,
    database: &str,
    fits: impl Fn(&[Run], &Run) -> bool,
) -> Result<Option<Run>> {
    if let Some(name) = named {
        // Whatever is wrong with other journals.
        return Ok(Some(runs::named(folder, name)?));
    }
    let all = Run::all(folder)?;
    let found = all.iter().rfind(|run| run.header.plan.target.database == database && fits(&all, run));
    Ok(found.cloned())
}
