//! `pgassay apply`, with `status`, `resume` and `undo`.

use super::args::Shared;
use super::change::{self, Job};
use super::change_args::{ApplyArgs, ApplyCommand, ChangeArgs, RunArgs};
use super::config::Config;
use super::{connection, exit, runs};
use crate::apply::{Run, undo};
use crate::store::read_plan;
use anyhow::{Result, anyhow};

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
    let run = chosen(config, &args.change, args.run.as_deref(), &target.database, Run::is_unfinished)?;
    let Some(run) = run else {
        super::print(&format!("nothing to resume in database {}\n", target.database))?;
        return Ok(exit::OK);
    };
    change::resume(shared, config, &target, &run, &args.change)
}

fn take_back(shared: &Shared, config: &Config, args: &RunArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let all = Run::all(&change::state_folder(config, args.change.state.as_deref())?)?;
    let is_undone = |run: &Run| {
        all.iter().any(|other| other.header.undoes.as_ref() == Some(&run.header.run) && !other.is_unfinished())
    };
    let fits = |run: &Run| run.header.undoes.is_none() && !is_undone(run) && !undo(run).steps.is_empty();
    let Some(run) = chosen(config, &args.change, args.run.as_deref(), &target.database, fits)? else {
        super::print(&format!("nothing to take back in database {}\n", target.database))?;
        return Ok(exit::OK);
    };
    let plan = undo(&run);
    let job = Job { target: &target, plan: &plan, undoes: Some(&run.header.run), is_shown: false };
    change::carry_out(shared, config, &job, &args.change)
}

/// The named run, else the last one of this database that fits.
fn chosen(
    config: &Config,
    change: &ChangeArgs,
    named: Option<&str>,
    database: &str,
    fits: impl Fn(&Run) -> bool,
) -> Result<Option<Run>> {
    let folder = change::state_folder(config, change.state.as_deref())?;
    let all = Run::all(&folder)?;
    match named {
        Some(name) => {
            let found = all.into_iter().find(|run| run.header.run == name);
            found
                .map(Some)
                .ok_or_else(|| anyhow!("no run {name} in {}; `pgassay apply status` lists them", folder.display()))
        }
        None => Ok(all.into_iter().rfind(|run| run.header.plan.target.database == database && fits(run))),
    }
}
