//! Runs rules over facts: each rule ends as found, passed, waived, skipped or failed.

use crate::model::finding::{Confidence, Evidence, Finding, Impact, Severity, Waived};
use crate::model::snapshot::Gap;
use crate::model::table::{Facts, Row, Table};
use crate::model::units;
use crate::model::verdict::{DESELECTED, RuleOutcome, RuleStatus, RuleText};
use crate::rules::expression::{Scope, describe, environment, value};
use crate::rules::form::{Kind, Rule, RuleForm};
use crate::rules::library::Origin;
use crate::rules::params::Overrides;
use crate::rules::waiver::{Waiver, matches_glob};
use chrono::NaiveDate;
use minijinja::value::Value;
use minijinja::{Expression, Template};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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

/// The facts and settings that all rules run against.
struct Court<'a> {
    facts: &'a Facts,
    gaps: &'a [Gap],
    overrides: &'a Overrides,
    selection: &'a Selection,
    common: Arc<HashMap<String, Value>>,
    major: i32,
}

/// A facet's rows as the expression language sees them; made once for all rules over it.
struct Prepared<'a> {
    table: &'a Table,
    columns: Arc<HashMap<String, usize>>,
    rows: Vec<Arc<Vec<Value>>>,
}

/// Runs `rules` over `facts`. `today` decides which waivers still hold. Rules whose facet no table
/// holds are left out: they belong to a later pass.
#[must_use]
pub fn evaluate(
    rules: &[Rule],
    facts: &Facts,
    gaps: &[Gap],
    overrides: &Overrides,
    selection: &Selection,
    waivers: &[Waiver],
    today: NaiveDate,
) -> Judged {
    let common = common_values(&facts.common);
    let major = common.get("server_major").and_then(|value| value.as_i64()).and_then(|major| i32::try_from(major).ok());
    let court = Court { facts, gaps, overrides, selection, common: Arc::new(common), major: major.unwrap_or(0) };
    let mut prepared: BTreeMap<&str, Prepared<'_>> = BTreeMap::new();
    let mut judged = Judged::default();
    for rule in rules {
        let Some(table) = facts.table(rule.form.over.name()) else { continue };
        let outcome = if !selection.takes(rule) {
            Err(RuleStatus::Skipped(DESELECTED.to_owned()))
        } else {
            court.admit(rule).and_then(|params| {
                let facet = prepared.entry(table.name.as_str()).or_insert_with(|| prepare(table));
                court.run(rule, facet, params).map_err(RuleStatus::Failed)
            })
        };
        let (mut findings, status) = match outcome {
            Ok(findings) if findings.is_empty() => (findings, RuleStatus::Passed),
            Ok(findings) => (findings, RuleStatus::Found),
            Err(status) => (Vec::new(), status),
        };
        apply_waivers(&mut findings, waivers, today);
        let all_waived = !findings.is_empty() && findings.iter().all(|finding| finding.waived.is_some());
        let status = if all_waived { RuleStatus::Waived } else { status };
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

fn common_values(common: &Table) -> HashMap<String, Value> {
    let Some(row) = common.rows.first() else { return HashMap::new() };
    common.fields.iter().zip(&row.cells).map(|(field, cell)| (field.name.clone(), value(cell))).collect()
}

fn prepare(table: &Table) -> Prepared<'_> {
    Prepared {
        table,
        columns: Arc::new(
            table.fields.iter().enumerate().map(|(column, field)| (field.name.clone(), column)).collect(),
        ),
        rows: table.rows.iter().map(|row| Arc::new(row.cells.iter().map(value).collect())).collect(),
    }
}

impl Court<'_> {
    /// The rule's parameters, or why it does not run here.
    fn admit(&self, rule: &Rule) -> Result<BTreeMap<String, f64>, RuleStatus> {
        let mut params = self.overrides.resolve(rule).map_err(RuleStatus::Failed)?;
        if self.selection.static_only {
            self.overrides.drop_floors(rule, &mut params);
        }
        if let Some(least) = rule.min_major().filter(|least| self.major < *least) {
            return Err(RuleStatus::Skipped(format!("needs PostgreSQL {least}, this is {}", self.major)));
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
        let age = self.common.get(field).and_then(|value| f64::try_from(value.clone()).ok()).unwrap_or(0.0);
        if age >= *least {
            return Ok(());
        }
        Err(RuleStatus::Skipped(format!(
            "counters cover {} only, the rule wants {} (min_stats_age_days)",
            units::millis(age * 86_400_000.0),
            counted(*least, "day"),
        )))
    }

    fn run(&self, rule: &Rule, facet: &Prepared<'_>, params: BTreeMap<String, f64>) -> Result<Vec<Finding>, String> {
        let compiled = Compiled::new(&rule.form).map_err(|error| describe(&error))?;
        let params = Arc::new(params.into_iter().map(|(name, number)| (name, Value::from(number))).collect());
        let fixed = self.overrides.severity_of(rule);
        let mut findings = Vec::new();
        let wanted = facet.table.rows.iter().zip(&facet.rows);
        for (row, cells) in wanted.filter(|(row, _)| self.selection.takes_schema(row.object.schema.as_deref())) {
            let scope = Value::from_object(Scope {
                columns: Arc::clone(&facet.columns),
                cells: Arc::clone(cells),
                common: Arc::clone(&self.common),
                params: Arc::clone(&params),
            });
            let found = compiled
                .judge(&rule.form, fixed, facet.table, row, &self.facts.common, &scope)
                .map_err(|error| format!("on {}: {}", row.object.path(), describe(&error)))?;
            findings.extend(found);
        }
        Ok(findings)
    }
}

type Compute<'a> = Expression<'a, 'a>;

/// A rule's expressions, read once a run.
struct Compiled<'a> {
    when: Compute<'a>,
    critical_when: Option<Compute<'a>>,
    low_when: Option<Compute<'a>>,
    high_when: Option<Compute<'a>>,
    impact: Compute<'a>,
    message: Template<'a, 'a>,
    fix: Template<'a, 'a>,
}

impl<'a> Compiled<'a> {
    fn new(form: &'a RuleForm) -> Result<Self, minijinja::Error> {
        let env = environment();
        let optional = |text: &'a Option<String>| text.as_deref().map(|text| env.compile_expression(text)).transpose();
        Ok(Self {
            when: env.compile_expression(&form.when)?,
            critical_when: optional(&form.critical_when)?,
            low_when: optional(&form.confidence.low_when)?,
            high_when: optional(&form.confidence.high_when)?,
            impact: env.compile_expression(&form.impact.value)?,
            message: env.template_from_str(&form.message)?,
            fix: env.template_from_str(&form.fix.text)?,
        })
    }

    fn judge(
        &self,
        form: &RuleForm,
        fixed: Option<Severity>,
        table: &Table,
        row: &Row,
        common: &Table,
        scope: &Value,
    ) -> Result<Option<Finding>, minijinja::Error> {
        if !holds(&self.when, scope)? {
            return Ok(None);
        }
        let is_critical = asked(self.critical_when.as_ref(), scope)?;
        let severity = fixed.unwrap_or(if is_critical { Severity::Critical } else { form.severity });
        let impact = f64::try_from(self.impact.eval(scope.clone())?)?;
        Ok(Some(Finding {
            rule: form.id.clone(),
            area: form.area.name().to_owned(),
            title: form.title.clone(),
            severity,
            confidence: self.confidence(scope)?,
            object: row.object.clone(),
            message: one_line(&self.message.render(scope.clone())?),
            evidence: form.evidence.iter().filter_map(|name| evidence(name, table, row, common)).collect(),
            why: one_line(&form.why),
            fix: form.fix.rendered(one_line(&self.fix.render(scope.clone())?)),
            caveats: vec![one_line(&form.quiet_when)],
            references: form.references.clone(),
            impact: Impact {
                value: impact,
                unit: form.impact.unit.clone(),
                text: impact_text(impact, &form.impact.unit),
            },
            waived: None,
            new: None,
        }))
    }

    fn confidence(&self, scope: &Value) -> Result<Confidence, minijinja::Error> {
        if asked(self.low_when.as_ref(), scope)? {
            return Ok(Confidence::Low);
        }
        Ok(if asked(self.high_when.as_ref(), scope)? { Confidence::High } else { Confidence::Medium })
    }
}

fn holds(condition: &Compute<'_>, scope: &Value) -> Result<bool, minijinja::Error> {
    Ok(condition.eval(scope.clone())?.is_true())
}

fn asked(condition: Option<&Compute<'_>>, scope: &Value) -> Result<bool, minijinja::Error> {
    condition.map_or(Ok(false), |condition| holds(condition, scope))
}

fn evidence(name: &str, table: &Table, row: &Row, common: &Table) -> Option<Evidence> {
    let own = table.fields.iter().zip(&row.cells);
    let shared = common.rows.first().map(|row| common.fields.iter().zip(&row.cells)).into_iter().flatten();
    let (field, value) = own.chain(shared).find(|(field, _)| field.name == name)?;
    Some(Evidence { name: name.to_owned(), value: value.clone(), unit: field.unit.clone() })
}

/// `1 day`, `35 days`.
fn counted(number: f64, unit: &str) -> String {
    let plural = if (number - 1.0).abs() < f64::EPSILON { "" } else { "s" };
    format!("{} {unit}{plural}", units::short(number))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn impact_text(value: f64, unit: &str) -> String {
    match unit {
        "bytes" => units::bytes(value),
        "ms" => units::millis(value),
        "seconds" => units::millis(value * 1000.0),
        "pct" => format!("{} %", units::short(value)),
        _ => format!("{} {unit}", units::short(value)),
    }
}
