//! The form of a rule file, as `docs/writing-rules.md` describes it.

use crate::model::finding::{Fix, Severity};
use crate::rules::library::Origin;
use crate::rules::params::ParamForm;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a rule is about: the folder it lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Area {
    Query,
    Index,
    Table,
    Partition,
    Connection,
    Server,
    Regression,
}

impl Area {
    /// The name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Index => "index",
            Self::Table => "table",
            Self::Partition => "partition",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Regression => "regression",
        }
    }
}

/// Whether a rule needs a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Holds on an empty database too.
    Static,
    /// Needs statistics of a real workload.
    Runtime,
}

/// What must hold for a rule to run; otherwise it is skipped and says so.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Requires {
    /// Least server major, written `">=14"`.
    pub postgres: Option<String>,
    /// Facets that must have been read, besides the one it is over.
    pub facets: Vec<String>,
    /// Least time the counters must cover, in days. Also a parameter of the rule, by this name.
    pub min_stats_age_days: Option<f64>,
}

/// The facet of a rule.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Over {
    /// One that every snapshot has.
    Facet(String),
    /// The pack's own.
    Own(OwnFacet),
}

/// By hand, as an untagged enum would lose where in the file a mistake stands.
impl<'de> Deserialize<'de> for Over {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Over;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a facet, or {sql: FILE} for a SELECT in a file beside the rule")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Over, E> {
                Ok(Over::Facet(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Over, A::Error> {
                OwnFacet::deserialize(MapAccessDeserializer::new(map)).map(Over::Own)
            }
        }
        from.deserialize_any(Either)
    }
}

/// A SELECT that a pack brings along.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnFacet {
    /// The file beside the rule.
    pub sql: String,
}

impl Over {
    /// The facet's name; of a pack's own the name of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Facet(name) => name,
            Self::Own(own) => &own.sql,
        }
    }
}

/// What orders findings within a severity.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpactForm {
    /// An expression that gives a number.
    pub value: String,
    /// Its unit.
    pub unit: String,
}

/// What makes a finding more or less sure than medium.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfidenceForm {
    /// Condition for low; wins over `high_when`.
    pub low_when: Option<String>,
    /// Condition for high.
    pub high_when: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixForm {
    /// The change `plan` would make, or `none`.
    pub action: String,
    /// In words; a template like `message`.
    pub text: String,
}

impl FixForm {
    pub(crate) fn rendered(&self, text: String) -> Fix {
        Fix { action: self.action.clone(), text }
    }
}

/// A rule file.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleForm {
    /// The file's stem; names the problem, never reused.
    pub id: String,
    /// The problem in a few words.
    pub title: String,
    /// Ids it had before.
    #[serde(default)]
    pub was: Vec<String>,
    /// The folder it lives in.
    pub area: Area,
    /// How much it matters.
    pub severity: Severity,
    /// Whether it needs a workload.
    pub kind: Kind,
    /// The facet it looks at, one row at a time: a name, or `{sql: FILE}` for a SELECT beside the rule.
    pub over: Over,
    /// What must hold for it to run.
    #[serde(default)]
    pub requires: Requires,
    /// Thresholds by name.
    #[serde(default)]
    pub params: BTreeMap<String, ParamForm>,
    /// Condition for a finding.
    pub when: String,
    /// Condition for the finding to be critical.
    #[serde(default)]
    pub critical_when: Option<String>,
    /// What orders its findings.
    pub impact: ImpactForm,
    /// What makes it more or less sure.
    #[serde(default)]
    pub confidence: ConfidenceForm,
    /// What was found, with numbers and their window; a template.
    pub message: String,
    /// Fields to show.
    pub evidence: Vec<String>,
    /// The field that says which columns the index it wants begins with: findings that want the same are told once.
    #[serde(default)]
    pub wanted_columns: Option<String>,
    /// What it costs.
    pub why: String,
    /// What to do.
    pub fix: FixForm,
    /// When a DBA may ignore it.
    pub quiet_when: String,
    /// Where to read on.
    #[serde(default)]
    pub references: Vec<String>,
    /// Words to select it by.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A rule that has been loaded and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What the file says.
    pub form: RuleForm,
    /// Where the file is.
    pub origin: Origin,
}

impl Rule {
    /// The rule has this id, or had it before.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        self.form.id == id || self.form.was.iter().any(|old| old == id)
    }

    /// The rule answers to this id, area or tag.
    #[must_use]
    pub fn answers_to(&self, word: &str) -> bool {
        self.is_called(word) || self.form.area.name() == word || self.form.tags.iter().any(|tag| tag == word)
    }

    /// Least server major, where it names one.
    #[must_use]
    pub fn min_major(&self) -> Option<i32> {
        self.form.requires.postgres.as_deref().and_then(parse_major)
    }
}

/// Reads `>=14`.
pub(crate) fn parse_major(text: &str) -> Option<i32> {
    text.trim().strip_prefix(">=")?.trim().parse().ok()
}
