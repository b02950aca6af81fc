//! Advice as a change plan: one step for each proposal. Removals are left to people: whether a new index is
//! used must be seen first.

use super::candidate::Candidate;
use super::key::Key;
use crate::ddl::{Draftsman, Wanted, creations};
use crate::model::advice::{Advice, Caveat, Proposal, Removal};
use crate::model::finding::fingerprint;
use crate::model::plan::{Change, FindingRef, IndexForm, Left, Plan};
use crate::model::snapshot::Snapshot;
use crate::model::units;

/// What the steps mend, by name.
const RULE: &str = "missing_index";

/// The plan that creates what is proposed.
#[must_use]
pub fn plan(advice: &Advice, snapshot: &Snapshot) -> Plan {
    let mut draftsman = Draftsman::of(snapshot);
    let wanted = advice.proposals.iter().filter_map(|proposal| wanted(proposal, &mut draftsman)).collect();
    let left = advice.removals.iter().filter_map(left).collect();
    creations(wanted, left, snapshot, advice.tool.clone())
}

fn reference(rule: &str, object: String) -> FindingRef {
    FindingRef { rule: rule.to_owned(), fingerprint: fingerprint(&format!("{rule}:{object}")), object }
}

/// None where the table is gone.
fn wanted(proposal: &Proposal, draftsman: &mut Draftsman<'_>) -> Option<Wanted> {
    let statements = proposal.serves.len();
    let plural = if statements == 1 { "" } else { "s" };
    let costs = if proposal.planner_checked { "planner costs" } else { "pgassay's own costs, no planner was asked" };
    let form = IndexForm {
        name: proposal.name.clone(),
        table: proposal.table.clone(),
        using: proposal.using.clone(),
        predicate: proposal.predicate.clone(),
        ..IndexForm::default()
    };
    let words: Vec<String> = Candidate::from(proposal).keys.iter().flat_map(Key::words).collect();
    Some(Wanted {
        change: Change::CreateIndex(draftsman.with_leaves(form, &words).ok()?),
        estimate: proposal.estimate.clone(),
        why: format!(
            "{RULE}: {statements} statement{plural} would use it; saves about {} an hour, {} % of the workload, by {costs}: an estimate{}",
            units::millis(proposal.saved_ms_per_hour),
            units::short(100.0 * proposal.saved_share),
            replacing(proposal)
        ),
        caveats: proposal.caveats.iter().map(|Caveat { code, text }| format!("{text} ({code})")).collect(),
        finding: reference(RULE, format!("{}.{}", proposal.table, proposal.name.name)),
    })
}

/// What should go when it is in use.
fn replacing(proposal: &Proposal) -> String {
    let names: Vec<String> = proposal.replaces.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; in the place of {}, which could go once it is used", names.join(", "))
    }
}

/// What a proposal makes redundant; what could go as things are, `pgassay plan` drops.
fn left(removal: &Removal) -> Option<Left> {
    let number = removal.after_proposal?;
    let rule = removal.reasons.first().map_or("", String::as_str);
    Some(Left {
        finding: reference(rule, removal.name.to_string()),
        reason: "the new index must be in use before".to_owned(),
        advice: format!("when step {number} is done and verified: {}", removal.definition),
    })
}
