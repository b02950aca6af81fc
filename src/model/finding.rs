//! One object, one rule: what was found and what to do.

use crate::model::object::Object;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much it matters. Ordered: info < warning < critical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Costs performance, or will.
    Warning,
    /// Costs service, or soon will.
    Critical,
}

impl Severity {
    /// The name in rules and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How sure the rule is, given what could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A typed fact behind a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The field's name.
    pub name: String,
    /// Its value; null when the server did not say.
    pub value: Value,
    /// Its unit.
    pub unit: String,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The change that `plan` would make, such as `drop_index`; `none` where a person must decide.
    pub action: String,
    /// In words.
    pub text: String,
}

/// What it costs, or would save: orders findings within a severity.
#[derive(Debug, Clone, PartialEq)]
pub struct Impact {
    /// The number, in `unit`.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// For people.
    pub text: String,
}

/// An accepted finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waived {
    /// Why it is accepted.
    pub reason: String,
    /// Last day of the waiver.
    pub until: Option<NaiveDate>,
    /// Who answers for it.
    pub owner: Option<String>,
}

/// A finding that tells the need of another one as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Teller {
    /// Its rule.
    pub rule: String,
    /// The path of its object.
    pub object: String,
    /// Its identity.
    pub fingerprint: String,
}

/// One object that one rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// The rule's area.
    pub area: String,
    /// The rule's title.
    pub title: String,
    /// How much it matters.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// What it is about.
    pub object: Object,
    /// What was found, with numbers and their window.
    pub message: String,
    /// The facts behind it.
    pub evidence: Vec<Evidence>,
    /// What it costs.
    pub why: String,
    /// What to do.
    pub fix: Fix,
    /// When a DBA may ignore it.
    pub caveats: Vec<String>,
    /// Where to read on.
    pub references: Vec<String>,
    /// What it costs, as a number.
    pub impact: Impact,
    /// The columns that the index it wants would begin with; empty where it wants none.
    pub wanted_columns: Vec<String>,
    /// Set when another finding wants the same, and tells it.
    pub told_by: Option<Teller>,
    /// Set when a waiver accepts it.
    pub waived: Option<Waived>,
    /// Whether the baseline lacks it, or knows it as less; none without a baseline.
    pub new: Option<bool>,
}

impl Finding {
    /// No waiver accepts it, and no other finding tells it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.waived.is_none() && self.told_by.is_none()
    }

    /// Identity of the finding across runs, machines and server majors: 16 hexadecimal digits over
    /// rule and object (FNV-1a, 64 bits).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&format!("{}:{}", self.rule, self.object.identity()))
    }
}

/// 16 hexadecimal digits over a text (FNV-1a, 64 bits).
#[must_use]
pub fn fingerprint(text: &str) -> String {
    format!("{:016x}", hash(text))
}

/// FNV-1a of the text in UTF-8, 64 bits: the same on every machine and in every version.
#[must_use]
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
