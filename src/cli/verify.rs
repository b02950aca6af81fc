//! `pgassay verify`.

use super::args::{FormatArg, LimitArgs, Shared};
use super::change_args::VerifyArgs;
use super::config::Config;
use super::{change, connection, exit, output, settings};
use crate::apply::{Run, StepEnd};
use crate::compare::{Effect, Measured, measure};
use crate::model::plan::Step;
use crate::report::write_measured;
use crate::store::{read_plan, read_snapshot};
use anyhow::{Context, Result, anyhow, bail};
use std::io::{self, Write};
use std::path::Path;

pub(super) fn run(shared: &Shared, args: &VerifyArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let plan = read_plan(&args.plan)?;
    let folder = change::state_folder(&config, args.state.as_deref())?;
    let mut runs = Run::all(&folder)?.into_iter();
    let run = runs.rfind(|run| run.header.plan == plan && run.header.undoes.is_none());
    let run =
        run.ok_or_else(|| anyhow!("this plan was not applied from here: {} has no run of it", folder.display()))?;
    let path = before(&folder, &run.header.run);
    let before = read_snapshot(&path).context("the snapshot of before the run is needed")?;
    let after = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => {
            let custom = settings::library(&config, &[])?.custom;
            connection::snapshot_of(shared, &config, args.target.as_deref(), &LimitArgs::default(), None, custom)?
        }
    };
    if before.server.system_identifier != after.server.system_identifier
        || before.target.database != after.target.database
    {
        bail!("{} was taken of another database", path.display());
    }
    // What was there already was not changed by this run.
    let is_done = |step: &&Step| {
        run.steps.get(&step.id).and_then(|story| story.end.as_ref()).is_some_and(|(end, ..)| *end == StepEnd::Done)
    };
    let done: Vec<&Step> = plan.steps.iter().filter(is_done).collect();
    let measured = measure(&done, &before, &after, args.min_calls);
    write(shared, args.format, &measured, &run)?;
    let is_harmful = measured.iter().any(|one| one.effect == Effect::Harmful);
    Ok(if is_harmful { exit::FOUND } else { exit::OK })
}

/// The snapshot that a run takes before it begins.
pub(super) fn before(folder: &Path, run: &str) -> std::path::PathBuf {
    folder.join(format!("{run}.before.json.zst"))
}

fn write(shared: &Shared, format: FormatArg, measured: &[Measured], run: &Run) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        FormatArg::Table => write_measured(measured, &run.header.run, output::style(shared), &mut out)?,
        FormatArg::Json => {
            serde_json::to_writer_pretty(&mut out, measured)?;
            out.write_all(b"\n")?;
        }
        _ => bail!("--format: verify writes table or json"),
    }
    Ok(out.flush()?)
}
