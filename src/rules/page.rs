//! A rule explained: what `pgassay rules show` prints, and the page in `docs/rules/`.

use crate::rules::form::{Kind, Rule};
use crate::rules::params::{ParamForm, Quantity};
use std::fmt::Write;

/// The rule as Markdown.
#[must_use]
pub fn page(rule: &Rule) -> String {
    let form = &rule.form;
    let kind = match form.kind {
        Kind::Static => "holds on an empty database",
        Kind::Runtime => "needs the statistics of a workload",
    };
    let mut text = format!(
        "# {}\n\n{}. Severity {}, area {}, over `{}`; {kind}.\n\n{}\n",
        form.id,
        capitalised(&form.title),
        form.severity.name(),
        form.area.name(),
        form.over.name(),
        form.why.trim()
    );
    section(&mut text, "Found when", &format!("```\n{}\n```", form.when.trim()));
    if let Some(critical) = &form.critical_when {
        section(&mut text, "Critical when", &format!("```\n{}\n```", critical.trim()));
    }
    if !form.params.is_empty() {
        let rows: Vec<String> = form.params.iter().map(|(name, param)| param_row(&form.id, name, param)).collect();
        section(&mut text, "Thresholds", &rows.join("\n"));
    }
    section(&mut text, "What to do", &template_words(&form.fix.text));
    section(&mut text, "When to ignore it", form.quiet_when.trim());
    section(&mut text, "How sure", &confidence(rule));
    if !form.references.is_empty() {
        let links: Vec<String> = form.references.iter().map(|link| format!("- {link}")).collect();
        section(&mut text, "Read on", &links.join("\n"));
    }
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    // Writing to a String cannot fail.
    let _ = write!(text, "\n## {title}\n\n{body}\n");
}

fn capitalised(title: &str) -> String {
    if title.split(' ').next().is_some_and(|first| first.contains('_')) {
        return title.to_owned();
    }
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn param_row(rule: &str, name: &str, param: &ParamForm) -> String {
    let value = match &param.default {
        Quantity::Number(1.0) => format!("1 {}", singular(&param.unit)),
        Quantity::Number(number) => format!("{number} {}", param.unit),
        Quantity::Text(text) => text.clone(),
    };
    format!("- `{name}`: {value}. {}. Change it with `--param {rule}.{name}=…`.", capitalised(param.why.trim()))
}

/// A unit of one: `month`, `row a call`.
fn singular(unit: &str) -> String {
    let (first, rest) = unit.find(' ').map_or((unit, ""), |at| unit.split_at(at));
    let one = first.strip_suffix('s').filter(|one| one.len() > 1).unwrap_or(first);
    format!("{one}{rest}")
}

/// A template's words: places by the names of their fields, alternatives one after the other.
fn template_words(template: &str) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let (close, is_place) = if tag.starts_with("{{") { ("}}", true) } else { ("%}", false) };
        let Some((inner, after)) = tag.get(2..).and_then(|inner| inner.split_once(close)) else { break };
        let name = inner.trim_matches('-').split(['|', '(', '[']).next().unwrap_or_default().trim();
        if is_place {
            out.push_str(&format!("`{name}`"));
        } else if name.starts_with("el") {
            out.push_str(" / ");
        }
        rest = after;
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn confidence(rule: &Rule) -> String {
    let form = &rule.form.confidence;
    let line = |level: &str, condition: &Option<String>| {
        condition.as_ref().map(|condition| format!("{level} when `{}`", condition.trim()))
    };
    let parts: Vec<String> =
        [line("low", &form.low_when), line("high", &form.high_when)].into_iter().flatten().collect();
    if parts.is_empty() { "Medium.".to_owned() } else { format!("Medium; {}.", parts.join("; ")) }
}
