//! One pass of the rules for each audited database, then one over the waivers. What belongs to the
//! whole instance is judged in the first pass alone.

use super::verdict::Settings;
use crate::compare::{Comparison, Meeting};
use crate::facts::{CHANGES, WaiverUse, common, waivers, with_changes, with_facts};
use crate::model::snapshot::{Facet, Snapshot};
use crate::model::table::Facts;
use crate::model::verdict::{RuleOutcome, RuleStatus};
use crate::rules::{Judged, Library, Rule, Selection, Waiver, evaluate, skipped};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Judges every audited database of a snapshot.
pub(super) fn run(snapshot: &Snapshot, library: &Library, settings: &Settings) -> Judged {
    let pass = |part: &Snapshot, facts: Facts<'_>, selection: &Selection| {
        let today = snapshot.captured_at.date_naive();
        evaluate(&library.rules, facts, &part.gaps, &settings.overrides, selection, &settings.waivers, today)
    };
    let mut merged = Merged::default();
    let only_one = [snapshot.target.database.clone()];
    let databases = if snapshot.audited.is_empty() { &only_one[..] } else { &snapshot.audited };
    for (number, database) in databases.iter().enumerate() {
        let part =
            if databases.len() > 1 { Cow::Owned(snapshot.of_database(database)) } else { Cow::Borrowed(snapshot) };
        merged.add(with_facts(&part, |mut facts| {
            facts.tables.retain(|table| table.name != "waivers" && (number == 0 || is_of_database(&table.name)));
            pass(&part, facts, &settings.selection)
        }));
    }
    let mut judged = merged.into_judged();
    of_waivers(&mut judged, snapshot, &library.rules, settings);
    for rule in &library.rules {
        let name = rule.form.over.name();
        if !CHANGES.contains(&name) && !judged.rules.iter().any(|outcome| outcome.id == rule.form.id) {
            let reason = format!("its facet `{name}` was not collected");
            judged.rules.push(skipped(rule, reason));
        }
    }
    judged
}

/// Judges the changes between two snapshots, all databases at once.
pub(super) fn over_changes(
    comparison: &Comparison,
    meeting: &Meeting<'_>,
    rules: &[Rule],
    settings: &Settings,
) -> Judged {
    let head = &comparison.head;
    let today = head.captured_at.date_naive();
    let own = |rule: &str| rules.iter().any(|one| one.is_called(rule));
    let waivers: Vec<Waiver> = settings.waivers.iter().filter(|waiver| own(&waiver.rule)).cloned().collect();
    let settings = Settings { waivers, ..settings.clone() };
    let mut judged = with_changes(comparison, meeting, |facts| {
        evaluate(rules, facts, &head.gaps, &settings.overrides, &settings.selection, &settings.waivers, today)
    });
    of_waivers(&mut judged, head, rules, &settings);
    judged
}

/// Judges the waivers by what came of them.
fn of_waivers(judged: &mut Judged, snapshot: &Snapshot, rules: &[Rule], settings: &Settings) {
    let uses = waiver_uses(&settings.waivers, judged, snapshot);
    let facts = Facts { common: common(snapshot), tables: vec![waivers(&snapshot.target.database, &uses)] };
    // Whatever is selected, a waiver that is out of date must be heard of.
    let selection = Selection { skip: settings.selection.skip.clone(), ..Selection::default() };
    let today = snapshot.captured_at.date_naive();
    let second = evaluate(rules, facts, &snapshot.gaps, &settings.overrides, &selection, &settings.waivers, today);
    judged.findings.extend(second.findings);
    judged.rules.extend(second.rules);
}

fn is_of_database(table: &str) -> bool {
    // Proposals are made of the database's own plans.
    let table = if table == "proposals" { Facet::Plans.name() } else { table };
    Facet::ALL.iter().any(|facet| facet.name() == table && facet.is_of_database())
}

/// Outcomes of several databases as one: a rule has found something when it did so anywhere.
#[derive(Default)]
struct Merged {
    judged: Judged,
    rules: BTreeMap<String, RuleOutcome>,
}

impl Merged {
    fn add(&mut self, judged: Judged) {
        self.judged.findings.extend(judged.findings);
        for outcome in judged.rules {
            match self.rules.get_mut(&outcome.id) {
                None => {
                    self.rules.insert(outcome.id.clone(), outcome);
                }
                Some(known) => {
                    known.findings += outcome.findings;
                    if weight(&outcome.status) > weight(&known.status) {
                        known.status = outcome.status;
                    }
                }
            }
        }
    }

    fn into_judged(self) -> Judged {
        Judged { rules: self.rules.into_values().collect(), ..self.judged }
    }
}

fn weight(status: &RuleStatus) -> u8 {
    match status {
        RuleStatus::Skipped(_) => 0,
        RuleStatus::Passed => 1,
        RuleStatus::Waived => 2,
        RuleStatus::Found => 3,
        RuleStatus::Failed(_) => 4,
    }
}

fn waiver_uses(waivers: &[Waiver], judged: &Judged, snapshot: &Snapshot) -> Vec<WaiverUse> {
    let ran = |rule: &RuleOutcome| !matches!(rule.status, RuleStatus::Skipped(_) | RuleStatus::Failed(_));
    waivers
        .iter()
        .map(|waiver| WaiverUse {
            waived_rule: waiver.rule.clone(),
            waived_object: waiver.object.clone(),
            reason: waiver.reason.clone(),
            until: waiver.until,
            owner: waiver.owner.clone(),
            is_expired: waiver.is_expired(snapshot.captured_at.date_naive()),
            rule_ran: judged.rules.iter().any(|rule| rule.id == waiver.rule && ran(rule)),
            matches: judged.findings.iter().filter(|finding| waiver.covers(finding)).count(),
        })
        .collect()
}
