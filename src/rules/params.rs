//! Thresholds: defaults in the rule, overridden by the config and the command line.

use crate::model::finding::Severity;
use crate::model::units::parse_quantity;
use crate::rules::form::Rule;
use crate::rules::position::suggest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parameters that are floors on size and activity.
const FLOORS: &[&str] = &["min_bytes", "min_rows", "min_writes", "min_scans", "min_calls"];

/// A threshold as a rule file declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParamForm {
    /// A number, or a text such as `100MiB`, `15s`, `35d`.
    pub default: Quantity,
    /// The unit conditions compare in.
    pub unit: String,
    /// Why this number.
    pub why: String,
}

/// A number as people write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "should be a number, or one with a unit, as in `slow_query.min_mean_ms: 500` or `10s`")]
pub enum Quantity {
    /// Already in the parameter's unit.
    Number(f64),
    /// With a unit of its own.
    Text(String),
}

impl Quantity {
    /// The number in `unit`, or why it is none.
    pub fn in_unit(&self, unit: &str) -> Result<f64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => parse_quantity(text, unit).map_err(|error| error.to_string()),
        }
    }
}

/// What the user changed: parameters by `rule.param`, severities by rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Parameters, later ones win.
    pub params: Vec<(String, Quantity)>,
    /// Severities; one that is set does not escalate any more.
    pub severity: BTreeMap<String, Severity>,
}

impl Overrides {
    /// The numbers one rule runs with.
    pub(crate) fn resolve(&self, rule: &Rule) -> Result<BTreeMap<String, f64>, String> {
        let mut resolved = BTreeMap::new();
        for (name, param) in &rule.form.params {
            resolved.insert(name.clone(), param.default.in_unit(&param.unit)?);
        }
        for (path, quantity) in &self.params {
            let Some((id, name)) = path.split_once('.') else { continue };
            if let Some(param) = rule.form.params.get(name).filter(|_| rule.is_called(id)) {
                resolved.insert(name.to_owned(), quantity.in_unit(&param.unit)?);
            }
        }
        Ok(resolved)
    }

    /// An empty database has no sizes and no activity: floors on them, unless the user set them, are 0.
    pub(crate) fn drop_floors(&self, rule: &Rule, params: &mut BTreeMap<String, f64>) {
        let is_set = |name: &str| {
            let names = |path: &str| path.split_once('.').is_some_and(|(id, own)| own == name && rule.is_called(id));
            self.params.iter().any(|(path, _)| names(path))
        };
        for (name, value) in params.iter_mut().filter(|(name, _)| FLOORS.contains(&name.as_str())) {
            if !is_set(name) {
                *value = 0.0;
            }
        }
    }

    /// The severity the user gave a rule, under its id or one it had before.
    pub(crate) fn severity_of(&self, rule: &Rule) -> Option<Severity> {
        self.severity.iter().find(|(id, _)| rule.is_called(id)).map(|(_, severity)| *severity)
    }

    /// Every override names a rule and one of its parameters, and its value can be read.
    /// The first problem is told as `(path, what is wrong)`.
    pub fn verify(&self, rules: &[Rule]) -> Result<(), (String, String)> {
        for (path, quantity) in &self.params {
            verify_param(path, quantity, rules).map_err(|message| (path.clone(), message))?;
        }
        for id in self.severity.keys() {
            find(id, rules).map_err(|message| (id.clone(), message))?;
        }
        Ok(())
    }
}

fn verify_param(path: &str, quantity: &Quantity, rules: &[Rule]) -> Result<(), String> {
    let (id, name) = path.split_once('.').ok_or_else(|| format!("`{path}` should be RULE.PARAM"))?;
    let rule = find(id, rules)?;
    let own: Vec<&str> = rule.form.params.keys().map(String::as_str).collect();
    let param = rule.form.params.get(name).ok_or_else(|| {
        if own.is_empty() {
            format!("rule `{id}` has no parameters")
        } else {
            format!("rule `{id}` has no parameter `{name}`; its own: {}", own.join(", "))
        }
    })?;
    quantity.in_unit(&param.unit).map(|_| ()).map_err(|message| format!("`{path}`: {message}"))
}

fn find<'a>(id: &str, rules: &'a [Rule]) -> Result<&'a Rule, String> {
    rules.iter().find(|rule| rule.is_called(id)).ok_or_else(|| {
        let hint = suggest(id, rules.iter().map(|rule| rule.form.id.as_str()));
        format!("no rule `{id}` (`pgassay rules list` shows all){hint}")
    })
}
