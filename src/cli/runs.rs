//! `pgassay apply status`: what runs did, as their journals tell.

use super::exit;
use crate::apply::{Run, StepEnd};
use anyhow::{Result, anyhow};
use std::path::Path;

/// Lists all runs, or tells one.
pub(super) fn status(folder: &Path, named: Option<&str>) -> Result<u8> {
    let runs = Run::all(folder)?;
    let text = match named {
        None if runs.is_empty() => format!("no runs in {}\n", folder.display()),
        None => runs.iter().map(|run| format!("{}\n", line(run))).collect(),
        Some(name) => {
            let run = runs.iter().find(|run| run.header.run == name);
            told(
                run.ok_or_else(|| anyhow!("no run {name} in {}; `pgassay apply status` lists them", folder.display()))?,
            )
        }
    };
    super::print(&text)?;
    Ok(exit::OK)
}

/// `20261120T073000Z-4711  shop at db1:5432  3 of 4 steps done  stopped: pgassay apply resume`
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
        Some((at, true)) => format!("complete at {}", at.format("%F %T UTC")),
        Some((at, false)) => format!("stopped at {}: pgassay apply resume", at.format("%F %T UTC")),
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
