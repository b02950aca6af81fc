//! A run taken back: what it did, in reverse, as a plan of its own.

use super::journal::{Run, StepStory};
use crate::ddl::{inverse, statements};
use crate::model::plan::{Change, Estimate, Plan, Step};

/// The plan that takes a run back, the last step first. Steps that changed nothing, or leave nothing to take
/// back, are left out.
#[must_use]
pub fn undo(run: &Run) -> Plan {
    let begun = run.steps.iter().rev().filter_map(|(id, story)| Some((*id, changed(story)?)));
    let steps = (1..).zip(begun).map(|(id, (of, change))| step(id, of, change)).collect();
    Plan { steps, left: Vec::new(), ..run.header.plan.clone() }
}

/// What takes a begun step back, whether it came to its end or not.
fn changed(story: &StepStory) -> Option<Change> {
    story.restore.clone().filter(|_| story.is_begun)
}

fn step(id: u32, of: u32, change: Change) -> Step {
    Step {
        id,
        statements: statements(&change),
        undo: inverse(&change).map(|change| statements(&change)).unwrap_or_default(),
        depends_on: Vec::new(),
        why: format!("takes back step {of}"),
        caveats: Vec::new(),
        findings: Vec::new(),
        estimate: Estimate { basis: "as before the run".to_owned(), ..Estimate::default() },
        change,
    }
}
