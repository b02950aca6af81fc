//! A baseline: the JSON report of an earlier run. What it knows is not new.

use crate::model::finding::{Finding, Severity};
use crate::model::verdict::{Compared, REPORT_VERSION, RuleStatus, Verdict};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What an earlier report found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    captured_at: DateTime<Utc>,
    databases: BTreeSet<String>,
    system_identifier: Option<String>,
    min_severity: Severity,
    known: BTreeMap<String, Known>,
}

/// A finding of the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    rule: String,
    database: Option<String>,
    severity: Severity,
    is_waived: bool,
}

/// The parts of the JSON report that comparing needs; what else it has may change.
#[derive(Deserialize)]
struct Report {
    captured_at: DateTime<Utc>,
    target: Target,
    summary: Summary,
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Target {
    database: String,
    databases: Vec<String>,
    system_identifier: Option<String>,
}

#[derive(Deserialize)]
struct Summary {
    min_severity: Severity,
}

#[derive(Deserialize)]
struct Found {
    rule: String,
    severity: Severity,
    object: Object,
    fingerprint: String,
    waived: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Object {
    database: Option<String>,
}

impl Baseline {
    /// Reads a JSON report. The error says what is wrong and what to do.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let version: Version = serde_json::from_slice(json).map_err(|error| {
            format!("no JSON report of pgassay ({error}); `pgassay audit --output json=FILE` writes one")
        })?;
        if version.schema_version != REPORT_VERSION {
            return Err(format!(
                "report version {}, this program compares with {REPORT_VERSION}: make the baseline anew",
                version.schema_version
            ));
        }
        let report: Report = serde_json::from_slice(json).map_err(|error| format!("damaged report: {error}"))?;
        let known = |found: Found| {
            let known = Known {
                rule: found.rule,
                database: found.object.database,
                severity: found.severity,
                is_waived: found.waived.is_some(),
            };
            (found.fingerprint, known)
        };
        Ok(Self {
            captured_at: report.captured_at,
            databases: report.target.databases.into_iter().chain([report.target.database]).collect(),
            system_identifier: report.target.system_identifier,
            min_severity: report.summary.min_severity,
            known: report.findings.into_iter().map(known).collect(),
        })
    }

    /// Marks each finding as new or not, and counts those that are gone. Refuses where comparing would
    /// mislead: another database, or severities that the baseline does not show.
    pub fn mark(&self, verdict: &mut Verdict, gates_new_only: bool) -> Result<(), String> {
        self.fits(verdict)?;
        for finding in verdict.findings.iter_mut().chain(&mut verdict.hidden) {
            finding.new = Some(self.is_new(finding));
        }
        tell_what_is_new(verdict);
        verdict.baseline = Some(Compared {
            captured_at: self.captured_at,
            is_of_other_cluster: self.is_of_other_cluster(verdict),
            gone: self.gone(verdict),
            gates_new_only,
        });
        Ok(())
    }

    fn fits(&self, verdict: &Verdict) -> Result<(), String> {
        let mut here = verdict.databases.iter().chain([&verdict.target.database]);
        if let Some(other) = here.find(|name| !self.databases.contains(*name)) {
            let known: Vec<&str> = self.databases.iter().map(String::as_str).collect();
            return Err(format!("it is of database {}, this run of {other}: compare like with like", known.join(", ")));
        }
        if verdict.min_severity < self.min_severity {
            return Err(format!(
                "it shows findings from {} up, this run from {} up: give both the same --min-severity",
                self.min_severity.name(),
                verdict.min_severity.name()
            ));
        }
        Ok(())
    }

    /// Where both are known; a role may not be allowed to ask.
    fn is_of_other_cluster(&self, verdict: &Verdict) -> bool {
        let here = verdict.server.system_identifier.as_ref();
        self.system_identifier.as_ref().zip(here).is_some_and(|(then, now)| then != now)
    }

    /// Not there, or less there. What a waiver accepted is new once nothing accepts it any more, or
    /// its last day would mean nothing.
    fn is_new(&self, finding: &Finding) -> bool {
        self.known
            .get(&finding.fingerprint())
            .is_none_or(|known| finding.severity > known.severity || (known.is_waived && finding.waived.is_none()))
    }

    /// Only what was looked at, by its rule and in its database, can be gone.
    fn gone(&self, verdict: &Verdict) -> usize {
        let ran = |status: &RuleStatus| !matches!(status, RuleStatus::Skipped(_) | RuleStatus::Failed(_));
        let looked: BTreeSet<&str> =
            verdict.rules.iter().filter(|rule| ran(&rule.status)).map(|rule| rule.id.as_str()).collect();
        let read: Vec<&String> = verdict.databases.iter().chain([&verdict.target.database]).collect();
        let here: BTreeSet<String> = verdict.findings.iter().chain(&verdict.hidden).map(Finding::fingerprint).collect();
        let is_gone = |(fingerprint, known): &(&String, &Known)| {
            let was_read = known.database.as_ref().is_none_or(|database| read.contains(&database));
            was_read && looked.contains(known.rule.as_str()) && !here.contains(*fingerprint)
        };
        self.known.iter().filter(is_gone).count()
    }
}

/// What is new is told by itself, where what would tell it was known already: a gate on what is new would miss it.
fn tell_what_is_new(verdict: &mut Verdict) {
    let all = || verdict.findings.iter().chain(&verdict.hidden);
    let known: HashSet<String> = all().filter(|finding| finding.new == Some(false)).map(Finding::fingerprint).collect();
    for finding in verdict.findings.iter_mut().chain(&mut verdict.hidden) {
        let is_by_known = finding.told_by.as_ref().is_some_and(|teller| known.contains(&teller.fingerprint));
        if finding.new == Some(true) && is_by_known {
            finding.told_by = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutants;
    use proptest::prelude::*;

    const REPORT: &str = r#"{"schema_version": 1, "captured_at": "2026-06-15T12:00:00Z",
        "target": {"database": "shop", "databases": ["shop", "crm"], "system_identifier": "7312345678901234567"},
        "summary": {"min_severity": "info"}, "findings": [{"rule": "unused_index", "severity": "warning",
        "object": {"database": "shop"}, "fingerprint": "0f", "waived": {"reason": "r", "until": null}}]}"#;

    fn refused(json: &str) -> String {
        Baseline::parse(json.as_bytes()).expect_err("refused")
    }

    #[test]
    fn other_files_are_refused() {
        assert!(refused("hello").starts_with("no JSON report of pgassay ("));
        assert!(refused(r#"{"format_version": 1}"#).contains("missing field `schema_version`"));
        assert!(refused(r#"{"schema_version": 2}"#).starts_with("report version 2, this program compares with 1"));
        assert!(refused(r#"{"schema_version": 1}"#).starts_with("damaged report: missing field"));
        assert!(refused("[]").starts_with("no JSON report"));
        assert!(Baseline::parse(REPORT.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Baseline::parse(&bytes);
        }

        #[test]
        fn no_report_makes_it_panic(text in mutants(vec![REPORT.to_owned()])) {
            let _ = Baseline::parse(text.as_bytes());
        }
    }
}
