//! What is new since an earlier report, and when that fails the run.

use super::formats::rendered;
use super::{settings, shop, verdict_of};
use pgassay::audit::Settings;
use pgassay::compare::Baseline;
use pgassay::model::finding::{Severity, Teller, Waived};
use pgassay::model::verdict::{FailOn, Verdict};
use pgassay::report::Format;
use serde_json::Value;

/// The verdict as a baseline, by way of its report.
pub(super) fn of(verdict: &Verdict) -> Baseline {
    Baseline::parse(rendered(verdict, Format::Json).as_bytes()).expect("a baseline")
}

fn today() -> Verdict {
    verdict_of(&shop(), &settings())
}

fn new(verdict: &Verdict) -> Vec<String> {
    let new = verdict.findings.iter().filter(|finding| finding.new == Some(true));
    new.map(|finding| format!("{} {}", finding.rule, finding.object.path())).collect()
}

fn compared(before: &Verdict, mut now: Verdict) -> Verdict {
    of(before).mark(&mut now, true).expect("comparable");
    now
}

#[test]
fn the_same_again_is_nothing_new() {
    let now = compared(&today(), today());
    assert_eq!((new(&now), now.new_count(), now.baseline.expect("compared").gone), (vec![], Some(0), 0));
    assert_eq!((today().exit_code(), now.exit_code()), (1, 0));
    assert!(today().findings.iter().all(|finding| finding.new.is_none()), "nothing is known without a baseline");
}

#[test]
fn one_more_is_new_and_gates() {
    let mut before = today();
    let removed = before.findings.remove(0);
    let now = compared(&before, today());
    assert_eq!(new(&now), [format!("{} {}", removed.rule, removed.object.path())]);
    assert_eq!(now.exit_code(), 1);
    let mut now = today();
    of(&before).mark(&mut now, false).expect("comparable");
    assert_eq!(now.findings.iter().filter(|finding| now.gates(finding)).count(), now.count(Severity::Critical));
    let mut before = today();
    before.findings.retain(|finding| finding.severity != Severity::Info);
    let now = compared(&before, today());
    assert!(!new(&now).is_empty());
    assert_eq!(now.exit_code(), 0, "new, and below the gate");
}

#[test]
fn what_is_new_is_told_by_itself_where_what_tells_it_was_known() {
    let told = |mut verdict: Verdict| {
        let teller = &verdict.findings[1];
        let (rule, object, fingerprint) = (teller.rule.clone(), teller.object.path(), teller.fingerprint());
        verdict.findings[0].told_by = Some(Teller { rule, object, fingerprint });
        verdict
    };
    let mut before = today();
    before.findings.remove(0);
    let now = compared(&before, told(today()));
    assert_eq!((now.findings[0].told_by.is_none(), now.new_count(), now.exit_code()), (true, Some(1), 1));
    let now = compared(&today(), told(today()));
    assert!(now.findings[0].told_by.is_some(), "both were known");
    before.findings.remove(0);
    let now = compared(&before, told(today()));
    assert!(now.findings[0].told_by.is_some(), "both are new");
}

#[test]
fn what_got_worse_is_new_and_what_got_better_is_not() {
    let mut before = today();
    before.findings[0].severity = Severity::Warning;
    assert_eq!(new(&compared(&before, today())).len(), 1);
    let mut now = today();
    now.findings[0].severity = Severity::Info;
    assert_eq!(new(&compared(&today(), now)).len(), 0);
}

#[test]
fn what_a_waiver_accepted_is_new_when_the_waiver_ends() {
    let mut before = today();
    let waived = Waived { reason: "for now".to_owned(), until: None, owner: None };
    before.findings[0].waived = Some(waived.clone());
    assert_eq!(new(&compared(&before, today())).len(), 1);
    let mut now = today();
    now.findings[0].waived = Some(waived);
    assert_eq!(new(&compared(&before, now.clone())).len(), 0);
    before.findings.remove(0);
    let now = compared(&before, now);
    assert_eq!((new(&now).len(), now.new_count(), now.exit_code()), (1, Some(0), 0), "new and accepted");
}

#[test]
fn what_is_gone_is_counted_where_it_was_looked_for() {
    let mut now = today();
    let rule = now.findings.remove(0).rule;
    let gone = |now: Verdict| compared(&today(), now).baseline.expect("compared").gone;
    assert_eq!(gone(now.clone()), 1);
    let position = now.rules.iter().position(|outcome| outcome.id == rule).expect("a rule");
    now.rules.remove(position);
    assert_eq!(gone(now), 0, "its rule did not run");
    let hiding = Settings { min_severity: Severity::Critical, ..settings() };
    assert_eq!(gone(verdict_of(&shop(), &hiding)), 0, "hidden is not gone");
}

#[test]
fn what_is_in_a_database_that_was_not_read_is_not_gone() {
    let mut before = today();
    before.databases = vec!["shop".to_owned(), "crm".to_owned()];
    let mut elsewhere = before.findings[0].clone();
    elsewhere.object.database = Some("crm".to_owned());
    before.findings.push(elsewhere);
    let text = rendered(&before, Format::Table);
    assert!(text.contains("shop.invoices_id_seq in crm") && text.contains("shop.invoices_id_seq in shop"), "{text}");
    let now = compared(&before, today());
    assert_eq!((new(&now).len(), now.baseline.expect("compared").gone), (0, 0));
    let mut both = today();
    both.databases = before.databases.clone();
    assert_eq!(compared(&before, both.clone()).baseline.expect("compared").gone, 1);
    let told = "it is of database shop, this run of crm: compare like with like";
    assert_eq!(of(&today()).mark(&mut both, true), Err(told.to_owned()), "all of it would seem new");
}

#[test]
fn the_wrong_report_is_refused() {
    let baseline = of(&today());
    let refused = |now: &mut Verdict| baseline.mark(now, true).expect_err("refused");
    let mut now = today();
    now.databases.push("crm".to_owned());
    assert_eq!(refused(&mut now), "it is of database shop, this run of crm: compare like with like");
    assert_eq!(now.new_count(), None, "nothing is marked");
    let narrow = of(&verdict_of(&shop(), &Settings { min_severity: Severity::Warning, ..settings() }));
    let told = "it shows findings from warning up, this run from info up: give both the same --min-severity";
    assert_eq!(narrow.mark(&mut today(), true), Err(told.to_owned()));
}

/// As in CI, where each run has a server made anew.
#[test]
fn a_baseline_of_another_cluster_is_taken_and_said() {
    let is_other = |identifier: Option<&str>| {
        let mut now = today();
        now.server.system_identifier = identifier.map(str::to_owned);
        let now = compared(&today(), now);
        assert_eq!((new(&now), now.exit_code()), (vec![], 0));
        let report: Value = serde_json::from_str(&rendered(&now, Format::Json)).expect("JSON");
        let is_other = report["summary"]["other_cluster"].as_bool().expect("known");
        for format in [Format::Table, Format::Markdown] {
            assert_eq!(rendered(&now, format).contains(" UTC, of another cluster: 0 new, 0 gone"), is_other);
        }
        is_other
    };
    let own = today().server.system_identifier;
    assert!(is_other(Some("1")));
    assert!(!is_other(own.as_deref()));
    assert!(!is_other(None), "a role that may not ask is no other cluster");
}

#[test]
fn the_json_report_counts_and_marks() {
    let mut before = today();
    before.findings.remove(0);
    let mut now = today();
    now.findings.pop();
    now.fail_on = FailOn::Never;
    let report: Value = serde_json::from_str(&rendered(&compared(&before, now), Format::Json)).expect("JSON");
    assert_eq!(report["summary"]["new"], 1);
    assert_eq!(report["summary"]["gone"], 1);
    assert_eq!(report["findings"][0]["new"], true);
    assert_eq!(report["findings"][1]["new"], false);
    let report: Value = serde_json::from_str(&rendered(&today(), Format::Json)).expect("JSON");
    assert!(report["summary"]["new"].is_null() && report["summary"]["gone"].is_null());
    assert!(report["summary"]["other_cluster"].is_null());
}
