//! Checks at load: every name a rule uses exists, every number can be read, none is compared
//! unguarded. A typo is an error with file, line and column before anything runs.

use crate::model::table::{Facts, Field};
use crate::rules::expression::{describe, names};
use crate::rules::form::{RuleForm, parse_major};
use crate::rules::position::{Problem, suggest};
use crate::rules::vocabulary::{ACTIONS, IMPACT_UNITS, unknown};
use std::collections::{BTreeMap, BTreeSet};

/// Field names by facet, and whether each may be none.
#[derive(Debug, Clone)]
pub struct FieldIndex {
    facets: BTreeMap<String, BTreeMap<String, bool>>,
    common: BTreeMap<String, bool>,
}

impl FieldIndex {
    /// The fields that `facts` offer. Rows do not matter.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        let fields = |table: &crate::model::table::Table<'_>| {
            table.fields.iter().map(|field| (field.name.clone(), field.nullable)).collect()
        };
        Self {
            facets: facts.tables.iter().map(|table| (table.name.clone(), fields(table))).collect(),
            common: fields(&facts.common),
        }
    }
}

impl FieldIndex {
    /// The same, and a pack's own facet.
    pub fn add(&mut self, facet: &str, fields: &[Field]) {
        let fields = fields.iter().map(|field| (field.name.clone(), field.nullable)).collect();
        self.facets.insert(facet.to_owned(), fields);
    }
}

/// A file under check: its name and text, for places in messages.
struct File<'a> {
    name: &'a str,
    text: &'a str,
    form: &'a RuleForm,
}

impl File<'_> {
    fn problem(&self, path: &[&str], word: Option<&str>, message: String) -> Problem {
        Problem::at(self.name, self.text, path, word, message)
    }
}

/// All problems of one rule file; empty when it is sound.
#[must_use]
pub fn check(name: &str, text: &str, form: &RuleForm, fields: &FieldIndex) -> Vec<Problem> {
    let file = File { name, text, form };
    let mut problems = check_words(&file);
    let Some(facet) = fields.facets.get(form.over.name()) else {
        let hint = suggest(form.over.name(), fields.facets.keys().map(String::as_str));
        problems.push(file.problem(&["over"], None, format!("no facet `{}`{hint}", form.over.name())));
        return problems;
    };
    let known: BTreeMap<&str, bool> =
        facet.iter().chain(&fields.common).map(|(name, nullable)| (name.as_str(), *nullable)).collect();
    problems.extend(check_params(&file, &known));
    problems.extend(check_requires(&file, fields));
    for part in parts(form) {
        problems.extend(check_names(&file, &part, &known));
    }
    let evidence = form.evidence.iter().map(|field| ("evidence", field));
    for (key, field) in evidence.chain(form.wanted_columns.iter().map(|field| ("wanted_columns", field))) {
        if !known.contains_key(field.as_str()) {
            let hint = suggest(field, known.keys().copied());
            let message = format!("{key}: facet `{}` has no field `{field}`{hint}", form.over.name());
            problems.push(file.problem(&[key], Some(field), message));
        }
    }
    problems
}

/// An expression or template of a rule, by the path of keys that leads to it.
struct Part<'a> {
    path: Vec<&'static str>,
    text: &'a str,
    is_template: bool,
}

fn parts(form: &RuleForm) -> Vec<Part<'_>> {
    let mut parts = vec![
        Part { path: vec!["when"], text: &form.when, is_template: false },
        Part { path: vec!["impact", "value"], text: &form.impact.value, is_template: false },
        Part { path: vec!["message"], text: &form.message, is_template: true },
        Part { path: vec!["fix", "text"], text: &form.fix.text, is_template: true },
    ];
    let optional = [
        (vec!["critical_when"], &form.critical_when),
        (vec!["confidence", "low_when"], &form.confidence.low_when),
        (vec!["confidence", "high_when"], &form.confidence.high_when),
    ];
    for (path, text) in optional {
        if let Some(text) = text {
            parts.push(Part { path, text, is_template: false });
        }
    }
    parts
}

fn check_words(file: &File<'_>) -> Vec<Problem> {
    let form = file.form;
    let mut problems = Vec::new();
    let is_snake = |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let stem = std::path::Path::new(file.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if form.id.is_empty() || !is_snake(&form.id) {
        problems.push(file.problem(&["id"], None, format!("id `{}` should be lower_snake_case", form.id)));
    } else if stem != form.id {
        problems.push(file.problem(&["id"], None, format!("id `{}` should be the file's stem, `{stem}`", form.id)));
    }
    let texts =
        [("title", &form.title), ("message", &form.message), ("why", &form.why), ("quiet_when", &form.quiet_when)];
    for (key, text) in texts {
        if text.trim().is_empty() {
            problems.push(file.problem(&[key], None, format!("`{key}` is empty")));
        }
    }
    problems.extend(check_choices(file));
    if form.title.ends_with('.') || form.title.starts_with(char::is_uppercase) && !form.title.starts_with("SELECT") {
        problems.push(file.problem(&["title"], None, "a title starts in lower case and has no full stop".to_owned()));
    }
    problems
}

/// Words that mean something to others: to `plan`, and to the order of findings.
fn check_choices(file: &File<'_>) -> Vec<Problem> {
    let (action, unit) = (file.form.fix.action.as_str(), file.form.impact.unit.as_str());
    let own = file.form.params.values().map(|param| param.unit.as_str());
    let units: Vec<&str> = IMPACT_UNITS.iter().copied().chain(own).collect();
    let mut problems = Vec::new();
    if !ACTIONS.contains(&action) {
        let message = format!("fix.action: no action `{action}`{}", one_of(action, ACTIONS));
        problems.push(file.problem(&["fix", "action"], Some(action), message));
    }
    if !units.contains(&unit) {
        let known = one_of(unit, IMPACT_UNITS);
        let message = format!("impact.unit: no unit `{unit}`{known}, or the unit of one of its parameters");
        problems.push(file.problem(&["impact", "unit"], Some(unit), message));
    }
    problems
}

fn one_of(word: &str, known: &[&str]) -> String {
    format!("{}; known: {}", suggest(word, known.iter().copied()), known.join(", "))
}

fn check_params(file: &File<'_>, known: &BTreeMap<&str, bool>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let used: BTreeSet<String> =
        parts(file.form).iter().filter_map(|part| names(part.text, part.is_template).ok()).flatten().collect();
    for (name, param) in &file.form.params {
        if let Err(message) = param.default.in_unit(&param.unit) {
            problems.push(file.problem(&["params", name, "default"], None, format!("`{name}`: {message}")));
        }
        if known.contains_key(name.as_str()) {
            let message = format!("parameter `{name}` has the name of a field");
            problems.push(file.problem(&["params", name], None, message));
        }
        if !used.contains(name) && name != "min_stats_age_days" {
            problems.push(file.problem(&["params", name], None, format!("parameter `{name}` is never used")));
        }
        if param.why.trim().is_empty() {
            problems.push(file.problem(&["params", name], None, format!("parameter `{name}` does not say why")));
        }
    }
    problems
}

fn check_requires(file: &File<'_>, fields: &FieldIndex) -> Vec<Problem> {
    let requires = &file.form.requires;
    let mut problems = Vec::new();
    if let Some(text) = requires.postgres.as_deref().filter(|text| parse_major(text).is_none()) {
        let message = format!("`{text}` should be a least major, as in \">=14\"");
        problems.push(file.problem(&["requires", "postgres"], None, message));
    }
    for facet in requires.facets.iter().filter(|facet| !fields.facets.contains_key(*facet)) {
        let hint = suggest(facet, fields.facets.keys().map(String::as_str));
        problems.push(file.problem(&["requires", "facets"], Some(facet), format!("no facet `{facet}`{hint}")));
    }
    problems
}

fn check_names(file: &File<'_>, part: &Part<'_>, known: &BTreeMap<&str, bool>) -> Vec<Problem> {
    let key = part.path.join(".");
    let used = match names(part.text, part.is_template) {
        Ok(used) => used,
        Err(error) => return vec![file.problem(&part.path, None, format!("{key}: {}", describe(&error)))],
    };
    let mut problems: Vec<Problem> = unknown(part.text, part.is_template)
        .into_iter()
        .map(|(word, message)| file.problem(&part.path, Some(&word), format!("{key}: {message}")))
        .collect();
    for name in &used {
        if file.form.params.contains_key(name) {
            continue;
        }
        match known.get(name.as_str()) {
            None => {
                let all = known.keys().copied().chain(file.form.params.keys().map(String::as_str));
                let hint = suggest(name, all);
                let message = format!("{key}: facet `{}` has no field `{name}`{hint}", file.form.over.name());
                problems.push(file.problem(&part.path, Some(name), message));
            }
            Some(true) if !is_guarded(file.form, part, name) => {
                let message =
                    format!("{key}: `{name}` may be none: say `{name} is none or …` or `{name} is not none and …`");
                problems.push(file.problem(&part.path, Some(name), message));
            }
            Some(_) => {}
        }
    }
    problems
}

/// The text asks whether the field is none; what renders only for findings may rely on `when` asking.
fn is_guarded(form: &RuleForm, part: &Part<'_>, name: &str) -> bool {
    let asks = |text: &str| {
        let words: Vec<&str> =
            text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
        words
            .windows(3)
            .any(|three| three[0] == name && three[1] == "is" && matches!(three[2], "none" | "not" | "defined"))
    };
    asks(part.text) || (part.path != ["when"] && asks(&form.when))
}
