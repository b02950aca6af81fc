//! JUnit XML, through `quick-junit`: a suite an area, a case for each rule and object, and for each
//! rule without findings. It has failures exactly when the gate is reached, and errors exactly when
//! the run is incomplete.

use super::escape;
use super::words::{ending, facet, gap, lines, object, server, target, waiver};
use crate::model::finding::Finding;
use crate::model::verdict::{RuleOutcome, RuleStatus, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The suite of what was not read.
const FACETS: &str = "facets";

pub(super) fn write(verdict: &Verdict, out: &mut dyn Write) -> io::Result<()> {
    let mut suites: BTreeMap<&str, Vec<TestCase>> = BTreeMap::new();
    for rule in &verdict.rules {
        suites.entry(&rule.text.area).or_default().extend(of_rule(verdict, rule));
    }
    for missed in &verdict.gaps {
        let mut status = unseen(missed.is_failure);
        status.set_message(escape(&gap(verdict, missed))).set_description(escape(&missed.remedy));
        suites.entry(FACETS).or_default().push(case(FACETS, &facet(verdict, missed), status));
    }
    let mut report = Report::new("pgassay");
    for (area, cases) in suites {
        let mut suite = TestSuite::new(area);
        suite.set_timestamp(verdict.captured_at);
        suite.add_property(Property::new("target", escape(&target(verdict))));
        suite.add_property(Property::new("server", escape(&server(verdict))));
        suite.add_property(Property::new("outcome", escape(&ending(verdict))));
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    // As text first: quick-junit wraps an error of the stream so that a closed pipe is not known any more.
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

/// A case for each object that the rule found, and one for the rule where it found none to show.
fn of_rule(verdict: &Verdict, rule: &RuleOutcome) -> Vec<TestCase> {
    let found: Vec<&Finding> = verdict.findings.iter().filter(|finding| finding.rule == rule.id).collect();
    if !found.is_empty() {
        return found.into_iter().map(|finding| of_finding(verdict, finding)).collect();
    }
    let status = match &rule.status {
        RuleStatus::Skipped(reason) | RuleStatus::Failed(reason) => {
            let mut status = unseen(matches!(rule.status, RuleStatus::Failed(_)));
            status.set_message(escape(reason));
            status
        }
        RuleStatus::Passed | RuleStatus::Found | RuleStatus::Waived => TestCaseStatus::success(),
    };
    vec![case(&rule.text.area, &rule.id, status)]
}

fn of_finding(verdict: &Verdict, finding: &Finding) -> TestCase {
    let name = format!("{} {}", finding.rule, object(verdict, finding));
    let text = lines(verdict, finding).iter().map(|line| escape(line)).collect::<Vec<_>>().join("\n");
    if let Some(waived) = &finding.waived {
        let mut status = TestCaseStatus::skipped();
        status.set_message(escape(&format!("waived: {}", waiver(waived)))).set_description(text);
        return case(&finding.area, &name, status);
    }
    if let Some(teller) = &finding.told_by {
        let mut status = TestCaseStatus::skipped();
        status.set_message(escape(&format!("told by {} {}", teller.rule, teller.object))).set_description(text);
        return case(&finding.area, &name, status);
    }
    let new = if finding.new == Some(true) { "new: " } else { "" };
    if verdict.gates(finding) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(escape(&format!("{new}{}", finding.message))).set_type(finding.severity.name());
        status.set_description(text);
        return case(&finding.area, &name, status);
    }
    // Below the gate: a passing case that says what it saw.
    let mut case = case(&finding.area, &name, TestCaseStatus::success());
    case.set_system_out(format!("{}: {new}{text}", finding.severity.name()));
    case
}

/// An error where something failed, skipped where it could not run here.
fn unseen(is_failure: bool) -> TestCaseStatus {
    if is_failure { TestCaseStatus::non_success(NonSuccessKind::Error) } else { TestCaseStatus::skipped() }
}

fn case(area: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(escape(name), status);
    case.set_classname(format!("pgassay.{area}"));
    case
}
