//! GitLab's code quality report: a list of issues, which GitLab itself compares with those of the
//! target branch by their fingerprints. It cannot hold accepted ones, so waived findings are left out.

use super::escape;
use super::words::{also, facet, gap, object, rule_file};
use crate::model::finding::{Finding, Severity, fingerprint};
use crate::model::verdict::{RuleStatus, Verdict};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let failed = failures(verdict);
    let found = verdict.open().map(|finding| Issue {
        description: escape(&format!(
            "{}: {} → {}",
            object(verdict, finding),
            said(verdict, finding),
            finding.fix.text
        )),
        check_name: &finding.rule,
        fingerprint: finding.fingerprint(),
        severity: match finding.severity {
            Severity::Critical => "critical",
            Severity::Warning => "major",
            Severity::Info => "info",
        },
        location: at(rule_file(&finding.area, &finding.rule)),
    });
    let issues: Vec<Issue<'_>> = failed.into_iter().chain(found).collect();
    serde_json::to_writer_pretty(&mut *out, &issues).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// What was found, by this rule and by others.
fn said(verdict: &Verdict, finding: &Finding) -> String {
    std::iter::once(finding.message.clone()).chain(also(verdict, finding)).collect::<Vec<_>>().join("; ")
}

/// What failed is worse than what was found: nobody knows what is behind it.
fn failures(verdict: &Verdict) -> Vec<Issue<'_>> {
    let issue = |check_name, place: &str, description: &str, path: String| Issue {
        description: escape(description),
        check_name,
        fingerprint: fingerprint(&format!("failed:{path}:{place}")),
        severity: "blocker",
        location: at(path),
    };
    let rules = verdict.rules.iter().filter_map(|rule| match &rule.status {
        RuleStatus::Failed(error) => Some(issue(
            rule.id.as_str(),
            "",
            &format!("{} could not run: {error}", rule.id),
            rule_file(&rule.text.area, &rule.id),
        )),
        _ => None,
    });
    let gaps = verdict.gaps.iter().filter(|missed| missed.is_failure);
    let gaps = gaps.map(|missed| {
        let name = missed.facet.name();
        let words = format!("{} → {}", gap(verdict, missed), missed.remedy);
        issue(name, &facet(verdict, missed), &words, format!("sql/{name}.sql"))
    });
    rules.chain(gaps).collect()
}

fn at(path: String) -> Location {
    Location { path, lines: Lines { begin: 1 } }
}
