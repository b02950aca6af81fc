//! Every format on one verdict: golden texts, what other programs read out of them, and whether they
//! agree with the exit code.

use super::{settings, shop, text, verdict_of};
use pgassay::audit::Settings;
use pgassay::model::finding::{Severity, Teller};
use pgassay::model::snapshot::{Facet, Gap, Index, Snapshot, Tool};
use pgassay::model::verdict::{FailOn, RuleStatus, Verdict};
use pgassay::report::Format;
use pgassay::rules::Selection;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;
use std::path::PathBuf;

const FORMATS: [Format; 10] = [
    Format::Table,
    Format::Json,
    Format::Markdown,
    Format::Sarif,
    Format::Junit,
    Format::Github,
    Format::Gitlab,
    Format::Csv,
    Format::Prometheus,
    Format::Html,
];

pub(super) fn rendered(verdict: &Verdict, format: Format) -> String {
    text(verdict, format, 100, false)
}

fn gap(is_failure: bool) -> Gap {
    Gap {
        facet: Facet::Sequences,
        database: None,
        partial: true,
        reason: "2 of 12 sequences cannot be read by this role".to_owned(),
        sqlstate: None,
        remedy: "grant select on all sequences in schema … to auditor;".to_owned(),
        is_failure,
    }
}

/// Some of each: critical, warning and info, statements, one waived, one failed rule, a gap; all but
/// one known to the baseline, and one there that is gone.
pub(super) fn sample() -> Verdict {
    let only = ["sequence_exhaustion", "no_primary_key", "deep_offset", "stats_reset_recently", "cache_hit_low"];
    let settings = Settings {
        selection: Selection { only: only.map(str::to_owned).to_vec(), ..Selection::default() },
        ..settings()
    };
    let mut snapshot = shop();
    snapshot.gaps.push(gap(false));
    let mut verdict = verdict_of(&snapshot, &settings);
    let mut before = verdict.clone();
    before.findings.retain(|finding| finding.rule != "sequence_exhaustion");
    let mut gone = before.findings[0].clone();
    gone.object.name = "was_mended".to_owned();
    before.findings.push(gone);
    super::baseline::of(&before).mark(&mut verdict, true).expect("marked");
    let failed = verdict.rules.iter_mut().find(|rule| rule.id == "cache_hit_low").expect("a rule");
    failed.status = RuleStatus::Failed("on shop: division by zero".to_owned());
    verdict
}

#[test]
fn the_table_marks_what_is_new() {
    insta::assert_snapshot!(rendered(&sample(), Format::Table));
}

#[test]
fn one_fix_of_several_objects_is_told_once() {
    let mut verdict = sample();
    let one = verdict.findings.iter().find(|finding| finding.rule == "sequence_exhaustion").expect("found").clone();
    let named = |name: &str| {
        let mut other = one.clone();
        other.object.name = name.to_owned();
        other
    };
    verdict.findings = ["first", "second", "third"].map(named).to_vec();
    let fix = "for each of these 3: ";
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let report = rendered(&verdict, format);
        assert_eq!(report.matches(fix).count(), 1, "{report}");
        assert!(["first", "second", "third"].iter().all(|name| report.contains(name)), "{report}");
    }
    assert!(!rendered(&verdict, Format::Json).contains(fix));
}

#[test]
fn what_another_finding_tells_is_told_there_and_stays_in_json() {
    let mut verdict = sample();
    let open: Vec<usize> = (0..verdict.findings.len()).filter(|at| verdict.findings[*at].is_open()).collect();
    let [teller, other] = [open[0], open[1]].map(|at| verdict.findings[at].clone());
    verdict.findings[open[1]].told_by =
        Some(Teller { rule: teller.rule.clone(), object: teller.object.path(), fingerprint: teller.fingerprint() });
    for at in [open[0], open[1]] {
        verdict.findings[at].wanted_columns = vec!["id".to_owned()];
    }
    let also = format!("{}, too: ", other.rule);
    for format in [Format::Table, Format::Markdown, Format::Html, Format::Sarif, Format::Github, Format::Gitlab] {
        let report = rendered(&verdict, format);
        assert_eq!(report.matches(&also).count(), 1, "{format:?}: {report}");
        assert!(!report.contains(&format!("{}  {}", other.rule, other.object.path())), "{format:?}");
    }
    let json = json(&verdict, Format::Json);
    assert_eq!(json["summary"]["told_elsewhere"], 1);
    assert_eq!(json["findings"].as_array().expect("findings").len(), verdict.findings.len());
    assert_eq!(json["findings"][open[1]]["told_by"]["fingerprint"], teller.fingerprint());
    assert_eq!(verdict.open().count(), open.len() - 1);
}

#[test]
fn markdown() {
    insta::assert_snapshot!(rendered(&sample(), Format::Markdown));
}

#[test]
fn junit() {
    insta::assert_snapshot!(rendered(&sample(), Format::Junit));
}

#[test]
fn github() {
    insta::assert_snapshot!(rendered(&sample(), Format::Github));
}

#[test]
fn gitlab() {
    insta::assert_snapshot!(rendered(&sample(), Format::Gitlab));
}

#[test]
fn csv_rows() {
    insta::assert_snapshot!(rendered(&sample(), Format::Csv));
}

#[test]
fn sarif_in_part() {
    let mut log = json(&sample(), Format::Sarif);
    let run = &mut log["runs"][0];
    let keep = |list: &mut Value, most| list.as_array_mut().expect("a list").truncate(most);
    keep(&mut run["tool"]["driver"]["rules"], 1);
    keep(&mut run["invocations"][0]["toolExecutionNotifications"], 4);
    let results = run["results"].as_array_mut().expect("a list");
    results.retain({
        let mut seen = Vec::new();
        move |result| {
            let rule = result["ruleId"].to_string();
            let first = !seen.contains(&rule);
            seen.push(rule);
            first || result["suppressions"] != Value::Array(Vec::new())
        }
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).expect("JSON"));
}

fn json(verdict: &Verdict, format: Format) -> Value {
    serde_json::from_str(&rendered(verdict, format)).expect("JSON")
}

fn scenes() -> Vec<(&'static str, Verdict)> {
    let judged = |snapshot: &Snapshot, fail_on| verdict_of(snapshot, &Settings { fail_on, ..settings() });
    let empty = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    let mut missing = empty.clone();
    missing.gaps = vec![gap(true)];
    let mut both = shop();
    both.gaps = vec![gap(true)];
    let mut quieted = judged(&shop(), FailOn::Severity(Severity::Info));
    let same = super::baseline::of(&quieted);
    same.mark(&mut quieted, true).expect("marked");
    vec![
        ("found", judged(&shop(), FailOn::Severity(Severity::Critical))),
        ("compared", super::diff::verdict()),
        ("found, and never failing", judged(&shop(), FailOn::Never)),
        ("empty", judged(&empty, FailOn::Severity(Severity::Critical))),
        ("incomplete", judged(&missing, FailOn::Severity(Severity::Critical))),
        ("both", judged(&both, FailOn::Severity(Severity::Critical))),
        ("all known", quieted),
        ("sample", sample()),
        ("hostile", hostile()),
    ]
}

#[test]
fn all_formats_agree_with_the_exit_code() {
    let codes: Vec<u8> = scenes().iter().map(|(_, verdict)| verdict.exit_code()).collect();
    assert_eq!(codes, [1, 1, 0, 0, 3, 1, 0, 1, 0]);
    for (name, verdict) in scenes() {
        let code = verdict.exit_code();
        assert_eq!(json(&verdict, Format::Json)["summary"]["exit_code"], code, "{name}");
        let sarif = json(&verdict, Format::Sarif);
        assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], code, "{name}");
        let junit = Report::deserialize(rendered(&verdict, Format::Junit).as_bytes()).expect("JUnit");
        assert_eq!(junit.failures > 0, code == 1, "{name}: {} failures", junit.failures);
        assert_eq!(junit.errors > 0, verdict.is_incomplete(), "{name}: {} errors", junit.errors);
        let markdown = rendered(&verdict, Format::Markdown);
        let ending = ["**Passed: ", "**Failed: ", "", "**Incomplete: "][usize::from(code)];
        assert!(markdown.contains(ending), "{name}: {markdown}");
        let page = rendered(&verdict, Format::Html);
        let outcome = ["passed", "failed", "", "incomplete"][usize::from(code)];
        assert!(page.contains(&format!("<p class=\"ending {outcome}\">")), "{name}");
        let github = rendered(&verdict, Format::Github);
        let level = if code == 0 { "::notice title=pgassay" } else { "::error title=pgassay" };
        assert!(github.starts_with(level), "{name}: {github}");
    }
}

#[test]
fn sarif_keeps_the_official_schema() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/schema/sarif-2.1.0.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("read")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for (name, verdict) in scenes() {
        let log = json(&verdict, Format::Sarif);
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let run = &log["runs"][0];
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results.len(), verdict.told().count(), "{name}: what is waived or known stays");
        for (result, finding) in results.iter().zip(verdict.told()) {
            let place = &result["locations"][0]["physicalLocation"];
            let file = format!("rules/{}/{}.yaml", finding.area, finding.rule);
            assert_eq!(place["artifactLocation"]["uri"], file);
            assert!(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file).exists());
            let index = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("an index");
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
            assert_eq!(result["partialFingerprints"]["pgassay/v1"], finding.fingerprint());
            assert_eq!(result["suppressions"].as_array().expect("a list").len(), usize::from(finding.waived.is_some()));
        }
    }
    let states: Vec<Value> = json(&sample(), Format::Sarif)["runs"][0]["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|result| result["baselineState"].clone())
        .collect();
    assert!(states.contains(&"new".into()) && states.contains(&"unchanged".into()), "{states:?}");
}

#[test]
fn junit_is_read_back_with_a_case_for_each_rule_and_object() {
    let verdict = sample();
    let report = Report::deserialize(rendered(&verdict, Format::Junit).as_bytes()).expect("JUnit");
    let cases: Vec<_> = report.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
    for finding in &verdict.findings {
        let name = format!("{} {}", finding.rule, finding.object.path());
        let case = cases.iter().find(|case| case.name.as_str() == name).unwrap_or_else(|| panic!("no {name}"));
        let fits = match &case.status {
            TestCaseStatus::NonSuccess { kind, .. } => *kind == NonSuccessKind::Failure && verdict.gates(finding),
            TestCaseStatus::Skipped { .. } => finding.waived.is_some(),
            TestCaseStatus::Success { .. } => !verdict.gates(finding) && finding.waived.is_none(),
        };
        assert!(fits, "{name}: {:?}", case.status);
    }
    for rule in verdict.rules.iter().filter(|rule| rule.findings == 0) {
        let case = cases.iter().find(|case| case.name.as_str() == rule.id).unwrap_or_else(|| panic!("no {}", rule.id));
        let fits = match &case.status {
            TestCaseStatus::NonSuccess { kind, .. } => *kind == NonSuccessKind::Error && rule.status.name() == "failed",
            TestCaseStatus::Skipped { .. } => rule.status.name() == "skipped",
            TestCaseStatus::Success { .. } => rule.status.name() == "passed",
        };
        assert!(fits, "{}: {:?}", rule.id, case.status);
    }
    let mut names: Vec<_> = cases.iter().map(|case| (case.classname.clone(), case.name.as_str())).collect();
    let count = names.len();
    names.sort_by_key(|(class, name)| (class.as_ref().map(|class| class.as_str().to_owned()), *name));
    names.dedup();
    assert_eq!(names.len(), count, "no two cases share a name");
}

#[test]
fn csv_is_read_back() {
    for (name, verdict) in scenes() {
        let text = rendered(&verdict, Format::Csv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        assert_eq!(header.len(), 15);
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), verdict.findings.len(), "{name}");
        assert_eq!(text.matches("\r\n").count(), rows.len() + 1, "{name}");
        for (row, finding) in rows.iter().zip(&verdict.findings) {
            assert_eq!(row.get(1), Some(finding.rule.as_str()));
            assert_eq!(row.get(11), Some(finding.fingerprint().as_str()));
            assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{row:?}");
        }
    }
}

#[test]
fn gitlab_has_what_gitlab_wants() {
    for (name, verdict) in scenes() {
        let issues = json(&verdict, Format::Gitlab);
        let issues = issues.as_array().expect("a list");
        let mut prints: Vec<&str> = issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
        for issue in issues {
            assert!(issue["description"].is_string() && issue["check_name"].is_string(), "{name}: {issue}");
            let severity = issue["severity"].as_str().expect("a severity");
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&severity), "{name}: {issue}");
            let path = issue["location"]["path"].as_str().expect("a path");
            assert!(!path.starts_with('/') && !path.starts_with("./"), "{name}: {issue}");
            assert_eq!(issue["location"]["lines"]["begin"], 1);
        }
        prints.sort_unstable();
        prints.dedup();
        assert_eq!(prints.len(), issues.len(), "{name}: fingerprints are unique");
    }
}

#[test]
fn markdown_fits_into_a_comment() {
    let mut verdict = verdict_of(&shop(), &settings());
    let finding = verdict.findings[0].clone();
    for number in 0..1000 {
        let mut more = finding.clone();
        more.object.name = format!("invoices_{number}_id_seq");
        verdict.findings.push(more);
    }
    let text = rendered(&verdict, Format::Markdown);
    assert!(text.len() < 65_000, "{}", text.len());
    assert!(text.contains("more findings: see the JSON report*"));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

/// Names that are markup, code, formulas and commands somewhere.
pub(super) fn hostile() -> Verdict {
    let names = [
        "x\u{202e}\n\"; drop table t; --<script>alert(1)</script>{{ bytes }}",
        "=cmd|' /C calc'!A1",
        "a|b\\|c`d``e```f @everyone #1 [x](https://evil.example) www.evil.example",
        "]]>&amp;\u{1}\u{8}\u{fffe}\u{ffff}\u{85}",
        "%0A::error::owned\r\n::set-output name=x::y",
        "</details></code></summary><img src=x onerror=alert(1)>",
        "\n\n# heading\n\n```\n",
    ];
    let mut snapshot = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
    let index = |name: &str| Index {
        database: "shop".to_owned(),
        schema: "=public\u{1b}[2J".to_owned(),
        name: name.to_owned(),
        table: name.to_owned(),
        is_live: true,
        ..Index::default()
    };
    snapshot.indexes = names.map(index).to_vec();
    snapshot.gaps = vec![Gap { reason: names.concat(), remedy: names.concat(), ..gap(false) }];
    let mut verdict = verdict_of(&snapshot, &Settings { fail_on: FailOn::Never, ..settings() });
    for (finding, name) in verdict.findings.iter_mut().zip(names) {
        finding.object.statement = Some(format!("select '{name}'"));
    }
    assert!(verdict.findings.len() >= names.len());
    verdict
}

#[test]
fn hostile_texts_stay_texts_everywhere() {
    let verdict = hostile();
    for format in FORMATS {
        let text = rendered(&verdict, format);
        let bad: Vec<char> = text
            .chars()
            .filter(|c| {
                (c.is_control() && !matches!(c, '\n' | '\r')) || matches!(c, '\u{202e}' | '\u{fffe}' | '\u{ffff}')
            })
            .filter(|_| format != Format::Json)
            .collect();
        assert!(bad.is_empty(), "{format:?}: {bad:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{1}'), "{format:?}");
    }
    let junit = rendered(&verdict, Format::Junit);
    assert!(Report::deserialize(junit.as_bytes()).is_ok() && !junit.contains("<script>"), "{junit}");
    let github = rendered(&verdict, Format::Github);
    assert!(
        github.lines().all(|line| ["::error ", "::warning ", "::notice "].iter().any(|start| line.starts_with(start)))
    );
    assert!(!github.contains("title=%0A") && !github.contains('\r'), "{github}");
    insta::assert_snapshot!(rendered(&verdict, Format::Markdown));
}
