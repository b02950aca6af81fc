//! `pgassay verify`.

use super::args::{LimitArgs, Shared};
use super::change_args::{PlainFormat, VerifyArgs};
use super::config::Config;
use super::{change, connection, exit, output, settings};
use crate::apply::{Run, StepEnd};
use crate::compare::{Effect, Measured, measure};
use crate::model::plan::Step;
use crate::report::{write_measured, write_measured_json};
use crate::store::{read_plan, read_snapshot};
use anyhow::{Context, Result, bail};
use std::path::Path;

pub(super) fn run(shared: &Shared, args: &VerifyArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let plan = read_plan(&args.plan)?;
    let folder = change::state_folder(&config, args.state.as_deref())?;
    let mut runs = Run::all(&folder)?;
    runs.retain(|run| run.header.plan == plan && run.header.undoes.is_none());
    if runs.is_empty() {
        bail!("this plan was not applied from here: {} has no run of it", folder.display());
    }
    let after = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => {
            let custom = settings::library(&config, &[])?.custom;
            connection::snapshot_of(shared, &config, args.target.as_deref(), &LimitArgs::default(), None, custom)?
        }
    };
    let mut outcomes = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        // A step that was done twice, as it was taken back in between, is measured from the last time.
        let is_own = |step: &&Step| runs.iter().rposition(|run| has_done(run, step)) == Some(at);
        let steps: Vec<&Step> = plan.steps.iter().filter(is_own).collect();
        if steps.is_empty() {
            continue;
        }
        let path = before(&folder, &run.header.run);
        let before = read_snapshot(&path).context("the snapshot of before the run is needed")?;
        if before.server.system_identifier != after.server.system_identifier
            || before.target.database != after.target.database
        {
            bail!("{} was taken of another database", path.display());
        }
        outcomes.push((run.header.run.as_str(), measure(&steps, &before, &after, args.min_calls)));
    }
    write(shared, args.format, &outcomes)?;
    let is_harmful = outcomes.iter().flat_map(|(_, changes)| changes).any(|one| one.effect == Effect::Harmful);
    Ok(if is_harmful { exit::FOUND } else { exit::OK })
}

/// What was there already was not changed by this run.
fn has_done(run: &Run, step: &Step) -> bool {
    run.steps.get(&step.id).and_then(|story| story.end.as_ref()).is_some_and(|(end, ..)| *end == StepEnd::Done)
}

/// The snapshot that a run takes before it begins.
pub(super) fn before(folder: &Path, run: &str) -> std::path::PathBuf {
    folder.join(format!("{run}.before.json.zst"))
}

fn write(shared: &Shared, format: PlainFormat, outcomes: &[(&str, Vec<Measured>)]) -> Result<()> {
    output::print_with(|out| match format {
        PlainFormat::Json => write_measured_json(outcomes, out),
        PlainFormat::Table => write_measured(outcomes, output::style(shared), out),
    })
}
