//! Runs rules over facts: each rule ends as found, passed, waived, skipped or failed.

use crate::model::finding::{Finding, Waived};
use crate::model::snapshot::Gap;
use crate::model::table::{Facts, Field, Row};
use crate::model::units;
use crate::model::verdict::{DESELECTED, RuleOutcome, RuleStatus, RuleText};
use crate::rules::case::{Case, Common, one_line};
use crate::rules::expression::describe;
use crate::rules::form::{Kind, Rule, RuleForm};
use crate::rules::library::Origin;
use crate::rules::params::Overrides;
use crate::rules::rows::judge_rows;
use crate::rules::waiver::{Waiver, matches_glob};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Which rules run, by id, area or tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; all when empty.
    pub only: Vec<String>,
    /// Never these.
    pub skip: Vec<String>,
    /// Only rules that hold on an empty database, as in CI.
    pub static_only: bool,
    /// Objects of these schemas, `*` and `?` as wildcards; all when empty. Objects of no schema stay.
    pub schemas: Vec<String>,
    /// Never objects of these schemas.
    pub excluded_schemas: Vec<String>,
}

impl Selection {
    /// The rule runs.
    #[must_use]
    pub fn takes(&self, rule: &Rule) -> bool {
        let named = |words: &[String]| words.iter().any(|word| rule.answers_to(word));
        let is_static = rule.form.kind == Kind::Static;
        !named(&self.skip) && (self.only.is_empty() || named(&self.only)) && (is_static || !self.static_only)
    }

    /// An object of this schema is judged.
    #[must_use]
    pub fn takes_schema(&self, schema: Option<&str>) -> bool {
        let Some(schema) = schema else { return true };
        let named = |globs: &[String]| globs.iter().any(|glob| matches_glob(glob, schema));
        !named(&self.excluded_schemas) && (self.schemas.is_empty() || named(&self.schemas))
    }
}

/// Findings in no order yet, and how each rule ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Waived ones included.
    pub findings: Vec<Finding>,
    /// One per rule.
    pub rules: Vec<RuleOutcome>,
}

/// What all rules run against.
struct Court<'a> {
    common: Common,
    gaps: &'a [Gap],
    overrides: &'a Overrides,
    selection: &'a Selection,
}

/// Runs `rules` over `facts`, facet by facet and row by row, so that one row lives at a time. `today` decides
/// which waivers still hold. Rules whose facet no table holds are left out: they belong to a later pass.
#[must_use]
pub fn evaluate(
    rules: &[Rule],
    facts: Facts<'_>,
    gaps: &[Gap],
    overrides: &Overrides,
    selection: &Selection,
    waivers: &[Waiver],
    today: NaiveDate,
) -> Judged {
    let court = Court { common: Common::of(facts.common), gaps, overrides, selection };
    let mut outcomes: BTreeMap<usize, Result<Vec<Finding>, RuleStatus>> = BTreeMap::new();
    for table in facts.tables {
        let own = rules.iter().enumerate().filter(|(_, rule)| rule.form.over.name() == table.name);
        let (mut numbers, mut cases) = (Vec::new(), Vec::new());
        for (number, rule) in own {
            match court.case(rule, &table.fields) {
                Ok(case) => {
                    numbers.push(number);
                    cases.push(case);
                }
                Err(status) => drop(outcomes.insert(number, Err(status))),
            }
        }
        let takes = |row: &Row<'_>| selection.takes_schema(row.object.schema.as_deref());
        let found = judge_rows(table, &cases, &court.common, &takes)
            .into_iter()
            .map(|outcome| outcome.map_err(RuleStatus::Failed));
        outcomes.extend(numbers.into_iter().zip(found));
    }
    let mut judged = Judged::default();
    for (number, outcome) in outcomes {
        let (mut findings, status) = match outcome {
            Ok(findings) if findings.is_empty() => (findings, RuleStatus::Passed),
            Ok(findings) => (findings, RuleStatus::Found),
            Err(status) => (Vec::new(), status),
        };
        apply_waivers(&mut findings, waivers, today);
        let all_waived = !findings.is_empty() && findings.iter().all(|finding| finding.waived.is_some());
        let status = if all_waived { RuleStatus::Waived } else { status };
        let rule = &rules[number];
        let outcome = RuleOutcome { id: rule.form.id.clone(), text: text_of(rule), status, findings: findings.len() };
        judged.rules.push(outcome);
        judged.findings.append(&mut findings);
    }
    judged
}

/// A rule that did not run, and why.
#[must_use]
pub fn skipped(rule: &Rule, reason: String) -> RuleOutcome {
    let status = RuleStatus::Skipped(reason);
    RuleOutcome { id: rule.form.id.clone(), text: text_of(rule), status, findings: 0 }
}

fn text_of(rule: &Rule) -> RuleText {
    let form = &rule.form;
    RuleText {
        area: form.area.name().to_owned(),
        title: form.title.clone(),
        severity: form.severity,
        why: one_line(&form.why),
        quiet_when: one_line(&form.quiet_when),
        references: form.references.clone(),
        tags: form.tags.clone(),
        is_built_in: rule.origin == Origin::BuiltIn,
    }
}

fn apply_waivers(findings: &mut [Finding], waivers: &[Waiver], today: NaiveDate) {
    for finding in findings {
        let accepted = waivers.iter().find(|waiver| !waiver.is_expired(today) && waiver.covers(finding));
        finding.waived = accepted.map(Waiver::stamp) as Option<Waived>;
    }
}

impl Court<'_> {
    /// The rule's parameters, or why it does not run here.
    fn admit(&self, rule: &Rule) -> Result<BTreeMap<String, f64>, RuleStatus> {
        let mut params = self.overrides.resolve(rule).map_err(RuleStatus::Failed)?;
        if self.selection.static_only {
            self.overrides.drop_floors(rule, &mut params);
        }
        let major = self.common.number("server_major").unwrap_or(0.0);
        if let Some(least) = rule.min_major().filter(|least| major < f64::from(*least)) {
            return Err(RuleStatus::Skipped(format!("needs PostgreSQL {least}, this is {major}")));
        }
        let needed = std::iter::once(rule.form.over.name()).chain(rule.form.requires.facets.iter().map(String::as_str));
        for facet in needed {
            if let Some(gap) = self.gaps.iter().find(|gap| gap.facet.name() == facet && !gap.partial) {
                return Err(RuleStatus::Skipped(format!("{facet} not read: {}", gap.reason)));
            }
        }
        self.admit_age(&rule.form, &params)?;
        Ok(params)
    }

    /// Young counters prove nothing: the rule waits until they are old enough.
    fn admit_age(&self, form: &RuleForm, params: &BTreeMap<String, f64>) -> Result<(), RuleStatus> {
        let Some(least) = params.get("min_stats_age_days").filter(|_| form.requires.min_stats_age_days.is_some())
        else {
            return Ok(());
        };
        let field = if form.over.name() == "statements" { "statements_age_days" } else { "stats_age_days" };
        let age = self.common.number(field).unwrap_or(0.0);
        if age >= *least {
            return Ok(());
        }
        Err(RuleStatus::Skipped(format!(
            "counters cover {} only, the rule wants {} (min_stats_age_days)",
            units::millis(age * 86_400_000.0),
            counted(*least, "day"),
        )))
    }

    /// A rule made ready for a facet of these fields, or why it does not run here.
    fn case<'r>(&self, rule: &'r Rule, fields: &[Field]) -> Result<Case<'r>, RuleStatus> {
        if !self.selection.takes(rule) {
            return Err(RuleStatus::Skipped(DESELECTED.to_owned()));
        }
        let params = self.admit(rule)?;
        let fixed = self.overrides.severity_of(rule);
        Case::new(&rule.form, fixed, params, fields, &self.common).map_err(|error| RuleStatus::Failed(describe(&error)))
    }
}

/// `1 day`, `35 days`.
fn counted(number: f64, unit: &str) -> String {
    let plural = if (number - 1.0).abs() < f64::EPSILON { "" } else { "s" };
    format!("{} {unit}{plural}", units::short(number))
}
