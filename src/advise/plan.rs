//! Advice as a change plan: one step for each proposal. Removals are left to people: whether a new index is
//! used must be seen first.

use crate::ddl::{Wanted, creations};
use crate::model::advice::{Advice, Caveat, Proposal, Removal};
use crate::model::finding::fingerprint;
use crate::model::plan::{FindingRef, IndexForm, Left, Plan};
use crate::model::snapshot::Snapshot;
use crate::model::units;

/// What the steps mend, by name.
const RULE: &str = "missing_index";

/// The plan that creates what is proposed.
#[must_use]
pub fn plan(advice: &Advice, snapshot: &Snapshot) -> Plan {
    let wanted = advice.proposals.iter().map(wanted).collect();
    let left = advice.removals.iter().map(left).collect();
    creations(wanted, left, snapshot, advice.tool.clone())
}

fn reference(rule: &str, object: String) -> FindingRef {
    FindingRef { rule: rule.to_owned(), fingerprint: fingerprint(&format!("{rule}:{object}")), object }
}

fn wanted(proposal: &Proposal) -> Wanted {
    let statements = proposal.serves.len();
    let plural = if statements == 1 { "" } else { "s" };
    Wanted {
        form: IndexForm {
            name: proposal.name.clone(),
            table: proposal.table.clone(),
            using: proposal.using.clone(),
            ..IndexForm::default()
        },
        estimate: proposal.estimate.clone(),
        why: format!(
            "{RULE}: {statements} statement{plural} would use it; saves about {} an hour, {} % of the workload, by planner costs: an estimate",
            units::millis(proposal.saved_ms_per_hour),
            units::short(100.0 * proposal.saved_share)
        ),
        caveats: proposal.caveats.iter().map(|Caveat { code, text }| format!("{text} ({code})")).collect(),
        finding: reference(RULE, format!("{}.{}", proposal.table, proposal.name.name)),
    }
}

fn left(removal: &Removal) -> Left {
    let (reason, advice) = match removal.after_proposal {
        Some(number) => (
            "first see that the new index is used".to_owned(),
            format!("when step {number} is done and verified: {}", removal.definition),
        ),
        None => ("advice creates; drops are planned by `pgassay plan`".to_owned(), removal.definition.clone()),
    };
    let rule = removal.reasons.first().map_or("", String::as_str);
    Left { finding: reference(rule, removal.name.to_string()), reason, advice }
}
