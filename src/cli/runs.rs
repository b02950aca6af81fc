//! `pgassay apply status`: what runs did, as their journals tell.

use super::exit;
use crate::apply::{Run, StepEnd};
use anyhow::{Result, bail};
use std::path::Path;

/// Lists all runs, or tells one.
pub(super) fn status(folder: &Path, named: Option<&str>) -> Result<u8> {
    let text = match named {
        Some(name) => told(&self::named(folder, name)?),
        None => {
            let runs = Run::all(folder)?;
            let none = runs.is_empty().then(|| format!("no runs in {}\n", folder.display()));
            none.unwrap_or_else(|| runs.iter().map(|run| format!("{}\n", line(run))).collect())
        }
    };
    super::print(&text)?;
    Ok(exit::OK)
}

/// One run, whatever else is in the folder.
pub(super) fn named(folder: &Path, name: &str) -> Result<Run> {
    let path = folder.join(format!("{name}.jsonl"));
    if !path.exists() {
        bail!("no run {name} in {}; `pgassay apply status` lists them", folder.display());
    }
    Ok(Run::read(&path)?)
}

/// `20261120T073000Z-4711-9c0f21ab  shop at db1:5432  3 of 4 steps done  stopped: pgassay apply resume`
fn line(run: &Run) -> String {
    let header = &run.header;
    let done = header.steps.iter().filter(|step| run.is_done(**step)).count();
    let of = header.undoes.as_ref().map(|of| format!("  takes back {of}")).unwrap_or_default();
    format!(
        "{}  {}  {done} of {} steps done  {}{of}",
        header.run,
        crate::report::escape(&header.place),
        header.steps.len(),
        ending(run)
    )
}

fn ending(run: &Run) -> String {
    match run.ended {
        Some((at, _)) if !run.is_unfinished() => format!("complete at {}", at.format("%F %T UTC")),
        Some((at, _)) => format!("stopped at {}: pgassay apply resume", at.format("%F %T UTC")),
        None => "at work, or died: pgassay apply resume".to_owned(),
    }
}

fn told(run: &Run) -> String {
    let mut text = format!("{}\njournal: {}\n", line(run), run.path.display());
    for step in run.header.plan.steps.iter().filter(|step| run.header.steps.contains(&step.id)) {
        let story = run.steps.get(&step.id);
        let end = match story.and_then(|story| story.end.as_ref()) {
            Some((end, _, said)) => format!("{}: {said}", end.name()),
            None if story.is_some_and(|story| story.is_begun) => "begun".to_owned(),
            None => "not begun".to_owned(),
        };
        let name = format!("{}  {}  {}", step.id, step.change.kind(), step.change.object());
        text.push_str(&crate::report::escape(&format!("{name}  {end}")));
        text.push('\n');
        if story.and_then(|story| story.end.as_ref()).is_some_and(|(end, ..)| *end == StepEnd::Half) {
            text.push_str("   next: `pgassay apply resume` finishes it, `pgassay apply undo` takes it back\n");
        }
    }
    text
}
