//! The outcome of one audit: every format and the exit code are made from it.

use crate::model::finding::{Finding, Severity};
use crate::model::snapshot::{Gap, Server, TargetInfo, Tool};
use chrono::{DateTime, Utc};

/// How a rule ended. Not run is not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleStatus {
    /// Ran over everything, found nothing.
    Passed,
    /// Found something that no waiver accepts.
    Found,
    /// All it found is accepted.
    Waived,
    /// Could not run here, for a reason that is nobody's failure.
    Skipped(String),
    /// Should have run and could not.
    Failed(String),
}

impl RuleStatus {
    /// The name in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Found => "found",
            Self::Waived => "waived",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
        }
    }

    /// Why it was skipped or failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Skipped(reason) | Self::Failed(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why a rule that the user left out is skipped.
pub const DESELECTED: &str = "left out by --only or --skip";

/// One rule and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The rule's id.
    pub id: String,
    /// How it ended.
    pub status: RuleStatus,
    /// What it found, waived ones included.
    pub findings: usize,
}

/// The time the counters cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Counters are known to count from here; they may count from earlier where nothing was reset.
    pub from: DateTime<Utc>,
    /// When they were read.
    pub to: DateTime<Utc>,
    /// `from` is a reset that the server recorded; else it is the server's start.
    pub from_is_reset: bool,
    /// Every recorded reset: of what, and when.
    pub resets: Vec<(String, DateTime<Utc>)>,
}

impl Window {
    /// Length in seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        (self.to - self.from).num_seconds().max(0)
    }
}

/// How much of the workload was judged, in entries of `pg_stat_statements`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// Entries of the audited database.
    pub seen: i64,
    /// Statements whose text was read and parsed, after merging by fingerprint.
    pub judged: i64,
    /// Entries whose text was not read, because none of their totals is among the largest.
    pub below_top: i64,
    /// Entries whose text the parser refused.
    pub unparsed: i64,
}

/// When a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// At this severity or above.
    Severity(Severity),
    /// Never.
    Never,
}

/// The outcome of one audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The program that judged.
    pub tool: Tool,
    /// When the server was read.
    pub captured_at: DateTime<Utc>,
    /// Where.
    pub target: TargetInfo,
    /// The audited databases.
    pub databases: Vec<String>,
    /// The instance.
    pub server: Server,
    /// The time the statement and table counters cover.
    pub window: Window,
    /// How much of the workload was judged.
    pub statements: StatementCounts,
    /// All findings, waived ones included, by severity, impact and object.
    pub findings: Vec<Finding>,
    /// Findings below the least severity asked for: judged, not shown, and no part of the gate.
    pub hidden: usize,
    /// All rules, by id.
    pub rules: Vec<RuleOutcome>,
    /// What was not read.
    pub gaps: Vec<Gap>,
    /// When this run fails.
    pub fail_on: FailOn,
}

impl Verdict {
    /// Findings that no waiver accepts, at one severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.open().filter(|finding| finding.severity == severity).count()
    }

    /// Findings that no waiver accepts.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }

    /// More than one database was audited.
    #[must_use]
    pub fn is_of_several_databases(&self) -> bool {
        self.databases.len() > 1
    }

    /// Findings that a waiver accepts.
    pub fn waived(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_some())
    }

    /// Rules that ended so, by the status' name.
    #[must_use]
    pub fn rules_that(&self, status: &str) -> usize {
        self.rules.iter().filter(|rule| rule.status.name() == status).count()
    }

    /// A facet or a rule failed, so that what is clean is not all that could be.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.rules_that("failed") > 0 || self.gaps.iter().any(|gap| gap.is_failure)
    }

    /// The exit code: 1 when the gate is reached, 3 when incomplete, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let gated = match self.fail_on {
            FailOn::Never => false,
            FailOn::Severity(least) => self.open().any(|finding| finding.severity >= least),
        };
        match (gated, self.is_incomplete()) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }
}
