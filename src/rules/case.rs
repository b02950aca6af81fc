//! One rule over the rows of its facet: its expressions, read once, and what they find.

use crate::model::finding::{Confidence, Evidence, Finding, Impact, Severity};
use crate::model::table::{Field, Row, Table};
use crate::model::units;
use crate::rules::expression::{Names, Place, Scope, environment, value};
use crate::rules::form::RuleForm;
use minijinja::value::Value;
use minijinja::{Error, Expression, Template};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The facts common to all rows.
pub(super) struct Common {
    fields: Vec<Field>,
    cells: Vec<serde_json::Value>,
}

impl Common {
    pub(super) fn of(mut table: Table<'_>) -> Self {
        let cells = table.rows.next().map(|row| (row.cells)(&|_| true));
        Self { cells: cells.unwrap_or_default(), fields: table.fields }
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let at = self.fields.iter().position(|field| field.name == name)?;
        self.cells.get(at)?.as_f64()
    }
}

type Compute<'a> = Expression<'a, 'a>;

/// A rule made ready.
pub(super) struct Case<'a> {
    form: &'a RuleForm,
    /// Severity fixed by the user.
    fixed: Option<Severity>,
    when: Compute<'a>,
    /// Names of `when`, which every row is asked.
    asked: Names,
    /// All names, for the few rows that are found.
    all: Arc<Names>,
    critical_when: Option<Compute<'a>>,
    low_when: Option<Compute<'a>>,
    high_when: Option<Compute<'a>>,
    impact: Compute<'a>,
    message: Template<'a, 'a>,
    fix: Template<'a, 'a>,
}

impl<'a> Case<'a> {
    /// A parameter hides a field of its name, a field of the facet one common to all.
    pub(super) fn new(
        form: &'a RuleForm,
        fixed: Option<Severity>,
        params: BTreeMap<String, f64>,
        fields: &[Field],
        common: &Common,
    ) -> Result<Self, Error> {
        let env = environment();
        let optional = |text: &'a Option<String>| text.as_deref().map(|text| env.compile_expression(text)).transpose();
        let when = env.compile_expression(&form.when)?;
        let params = params.into_iter().map(|(name, number)| (name, Place::Fixed(Value::from(number))));
        let columns = fields.iter().enumerate().map(|(at, field)| (field.name.clone(), Place::Column(at)));
        let shared = common.fields.iter().zip(&common.cells);
        let shared = shared.map(|(field, cell)| (field.name.clone(), Place::Fixed(value(cell))));
        let all: Names = params.chain(columns).chain(shared).collect();
        let used = when.undeclared_variables(false);
        // The filter `ago` counts from `captured_at` without naming it.
        let asked = all.iter().filter(|(name, _)| used.contains(name) || name == "captured_at").cloned().collect();
        Ok(Self {
            form,
            fixed,
            when,
            asked,
            all: Arc::new(all),
            critical_when: optional(&form.critical_when)?,
            low_when: optional(&form.confidence.low_when)?,
            high_when: optional(&form.confidence.high_when)?,
            impact: env.compile_expression(&form.impact.value)?,
            message: env.template_from_str(&form.message)?,
            fix: env.template_from_str(&form.fix.text)?,
        })
    }

    /// `when` looks at this column.
    pub(super) fn asks(&self, column: usize) -> bool {
        self.asked.iter().any(|(_, place)| matches!(place, Place::Column(at) if *at == column))
    }

    /// The names that `when` asks for, for one thread: counting references of what other threads count too
    /// is slow.
    pub(super) fn names(&self) -> Arc<Names> {
        Arc::new(self.asked.clone())
    }

    /// The finding that a row is, if any. `cells` are those that are asked for.
    pub(super) fn judge(
        &self,
        row: &Row<'_>,
        names: &Arc<Names>,
        cells: &Arc<Vec<serde_json::Value>>,
        fields: &[Field],
        common: &Common,
    ) -> Result<Option<Finding>, Error> {
        let scope = Value::from_object(Scope { names: Arc::clone(names), cells: Arc::clone(cells) });
        if holds(&self.when, &scope)? { self.finding(row, fields, common).map(Some) } else { Ok(None) }
    }

    fn finding(&self, row: &Row<'_>, fields: &[Field], common: &Common) -> Result<Finding, Error> {
        let form = self.form;
        let cells = Arc::new((row.cells)(&|_| true));
        let scope = &Value::from_object(Scope { names: Arc::clone(&self.all), cells: Arc::clone(&cells) });
        let is_critical = asked(self.critical_when.as_ref(), scope)?;
        let impact = f64::try_from(self.impact.eval(scope.clone())?)?;
        let facts = || fields.iter().zip(cells.iter()).chain(common.fields.iter().zip(&common.cells));
        let fact = |name: &String| facts().find(|(field, _)| field.name == *name);
        let evidence = |name: &String| {
            let (field, cell) = fact(name)?;
            Some(Evidence { name: name.clone(), value: cell.clone(), unit: field.unit.clone() })
        };
        Ok(Finding {
            rule: form.id.clone(),
            area: form.area.name().to_owned(),
            title: form.title.clone(),
            severity: self.fixed.unwrap_or(if is_critical { Severity::Critical } else { form.severity }),
            confidence: self.confidence(scope)?,
            object: row.object.clone(),
            message: one_line(&self.message.render(scope.clone())?),
            evidence: form.evidence.iter().filter_map(evidence).collect(),
            why: one_line(&form.why),
            fix: form.fix.rendered(one_line(&self.fix.render(scope.clone())?)),
            caveats: vec![one_line(&form.quiet_when)],
            references: form.references.clone(),
            impact: Impact {
                value: impact,
                unit: form.impact.unit.clone(),
                text: impact_text(impact, &form.impact.unit),
            },
            wanted_columns: form.wanted_columns.as_ref().map(|name| texts(fact(name))).unwrap_or_default(),
            told_by: None,
            waived: None,
            new: None,
        })
    }

    fn confidence(&self, scope: &Value) -> Result<Confidence, Error> {
        if asked(self.low_when.as_ref(), scope)? {
            return Ok(Confidence::Low);
        }
        Ok(if asked(self.high_when.as_ref(), scope)? { Confidence::High } else { Confidence::Medium })
    }
}

fn holds(condition: &Compute<'_>, scope: &Value) -> Result<bool, Error> {
    Ok(condition.eval(scope.clone())?.is_true())
}

fn asked(condition: Option<&Compute<'_>>, scope: &Value) -> Result<bool, Error> {
    condition.map_or(Ok(false), |condition| holds(condition, scope))
}

/// A text, or a list of them; nothing where there is none.
fn texts(fact: Option<(&Field, &serde_json::Value)>) -> Vec<String> {
    let Some((_, value)) = fact else { return Vec::new() };
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

pub(super) fn one_line(text: &str) -> String {
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
