//! Whether a plan that was read from a file still is one that this program would have written.

use super::sql::{inverse, statements};
use crate::model::plan::{PLAN_VERSION, Plan, Step};
use std::collections::BTreeSet;

/// Nothing if the plan may be carried out, else what is wrong with it. Its SQL must be what its changes
/// say: an edited statement would be carried out under guards that were made for another.
pub fn sound(plan: &Plan) -> Result<(), String> {
    if plan.plan_version != PLAN_VERSION {
        return Err(format!(
            "plan version {}, this program reads {PLAN_VERSION}: make the plan again",
            plan.plan_version
        ));
    }
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        step_is_sound(step, &before).map_err(|what| format!("step {}: {what}", step.id))?;
        before.insert(step.id);
    }
    Ok(())
}

fn step_is_sound(step: &Step, before: &BTreeSet<u32>) -> Result<(), String> {
    if before.contains(&step.id) {
        return Err("another step has the same id".to_owned());
    }
    if let Some(missing) = step.depends_on.iter().find(|id| !before.contains(id)) {
        return Err(format!("depends on step {missing}, which does not come before it"));
    }
    let undo = inverse(&step.change).map(|change| statements(&change)).unwrap_or_default();
    if step.statements != statements(&step.change) || step.undo != undo {
        return Err("its SQL is not what its change says: edit the findings or the schema, and plan again".to_owned());
    }
    Ok(())
}
