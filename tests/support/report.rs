//! A JSON report, and questions to it.

use serde_json::Value;

/// What was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) facet: String,
    pub(crate) partial: bool,
    pub(crate) remedy: String,
}

/// The report.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) Value);

/// Gaps that stand whoever asks: sampling and poolers take flags, and I/O statistics a server of 16.
const STANDING: &[(&str, &str)] = &[
    ("session_samples", "--sample 10s"),
    ("pools", "--pgbouncer DSN of its console, where there is one"),
    ("io", "it comes with a later major"),
];

impl Report {
    /// What was not read and might have been.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let gaps = self.0["gaps"].as_array().expect("gaps");
        let text = |gap: &Value, name: &str| gap[name].as_str().unwrap_or_else(|| panic!("{name} of {gap}")).to_owned();
        gaps.iter()
            .map(|gap| Gap {
                facet: text(gap, "facet"),
                partial: gap["partial"].as_bool().expect("a boolean"),
                remedy: text(gap, "remedy"),
            })
            .filter(|gap| !STANDING.contains(&(gap.facet.as_str(), gap.remedy.as_str())))
            .collect()
    }

    /// The facets that have a gap, in their order.
    pub(crate) fn facets_with_gaps(&self) -> Vec<String> {
        self.gaps().into_iter().map(|gap| gap.facet).collect()
    }

    /// How a rule ended.
    pub(crate) fn status(&self, rule: &str) -> String {
        let rules = self.0["rules"].as_array().expect("rules");
        let rule = rules.iter().find(|one| one["id"] == rule).unwrap_or_else(|| panic!("no rule {rule}"));
        rule["status"].as_str().expect("a status").to_owned()
    }

    /// Statements that were judged.
    pub(crate) fn judged(&self) -> i64 {
        self.0["summary"]["statements"]["judged"].as_i64().expect("a count")
    }

    /// No rule failed, and each that was skipped says why.
    pub(crate) fn assert_calm(&self) {
        for rule in self.0["rules"].as_array().expect("rules") {
            assert_ne!(rule["status"], "failed", "{rule}");
            let says_why = rule["reason"].as_str().is_some_and(|reason| !reason.is_empty());
            assert_eq!(rule["status"] == "skipped", says_why, "{rule}");
        }
    }
}
