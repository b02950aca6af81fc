//! The outcome of one audit: every format and the exit code are made from it.

use crate::model::finding::{Finding, Severity};
use crate::model::plan::Plan;
use crate::model::snapshot::{Gap, Server, TargetInfo, Tool};
use crate::model::trend::Trends;
use crate::model::vitals::Vitals;
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
pub const DESELECTED: &str = "left out by --only, --skip or --profile";

/// What a rule says of itself, for formats that list rules beside findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// The area it belongs to.
    pub area: String,
    /// The problem in a few words.
    pub title: String,
    /// Its severity where nothing raises or fixes it.
    pub severity: Severity,
    /// What the problem costs.
    pub why: String,
    /// When a DBA may ignore it.
    pub quiet_when: String,
    /// Where to read on.
    pub references: Vec<String>,
    /// Words to select it by.
    pub tags: Vec<String>,
    /// Part of this program, so that it has a page in its documentation.
    pub is_built_in: bool,
}

/// One rule and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The rule's id.
    pub id: String,
    /// What it says of itself.
    pub text: RuleText,
    /// How it ended.
    pub status: RuleStatus,
    /// What it found, waived ones included.
    pub findings: usize,
}

/// The time the counters cover.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// Counters are known to count from here; they may count from earlier where nothing was reset.
    pub from: DateTime<Utc>,
    /// When they were read.
    pub to: DateTime<Utc>,
    /// `from` is a reset that the server recorded; else it is the server's start.
    pub from_is_reset: bool,
    /// `from` is an earlier snapshot: what was counted in between.
    pub is_delta: bool,
    /// Every recorded reset: of what, and when.
    pub resets: Vec<(String, DateTime<Utc>)>,
    /// What happened in it that a reader should know: restarts, evictions, other servers.
    pub notes: Vec<String>,
}

impl Window {
    /// Length in seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        (self.to - self.from).num_seconds().max(0)
    }

    /// The same, told to begin with an earlier snapshot.
    #[must_use]
    pub fn of_two_snapshots(self, notes: Vec<String>) -> Self {
        Self { from_is_reset: false, is_delta: true, resets: Vec::new(), notes, ..self }
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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing reached the gate.
    Passed,
    /// A finding reached the gate.
    Failed,
    /// A facet or a rule failed, and nothing reached the gate.
    Incomplete,
}

/// When a run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// At this severity or above.
    Severity(Severity),
    /// Never.
    Never,
}

/// Version of the JSON report, which is what a baseline is.
pub const REPORT_VERSION: u32 = 1;

/// What comparing with a baseline said, beside the mark on each finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// When the server was read for the baseline.
    pub captured_at: DateTime<Utc>,
    /// The baseline's server has another system identifier, as one that is made anew for each run of CI.
    pub is_of_other_cluster: bool,
    /// Findings of the baseline that are not there any more, of rules that ran.
    pub gone: usize,
    /// Only new findings count for the gate.
    pub gates_new_only: bool,
}

/// What HEAD was compared with, and how much of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// Where BASE was read.
    pub base: TargetInfo,
    /// The version of its server.
    pub base_version: String,
    /// The time its counters cover; HEAD's is the verdict's own.
    pub base_window: Window,
    /// Which changes were judged: work, time or plan.
    pub gate: &'static str,
    /// Statements on both sides.
    pub matched: usize,
    /// Of those, statements that took over from another text.
    pub rewritten: usize,
    /// Statements of HEAD alone.
    pub new: usize,
    /// Statements of BASE alone.
    pub gone: usize,
    /// Statements on both sides whose plans were compared.
    pub planned: usize,
}

/// The outcome of one audit, or of one comparison.
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
    /// The least severity asked for.
    pub min_severity: Severity,
    /// Findings below it: judged, not shown, and no part of the gate.
    pub hidden: Vec<Finding>,
    /// All rules, by id.
    pub rules: Vec<RuleOutcome>,
    /// What was not read.
    pub gaps: Vec<Gap>,
    /// Figures of the server beside what was found.
    pub vitals: Vitals,
    /// When this run fails.
    pub fail_on: FailOn,
    /// Set when it was compared with a baseline.
    pub baseline: Option<Compared>,
    /// Set when two snapshots were compared.
    pub diff: Option<Diff>,
    /// What would mend the findings, a plan for each database; empty unless the format shows it.
    pub changes: Vec<Plan>,
    /// What became of the server over earlier runs; none unless there are some and the format shows it.
    pub trends: Option<Trends>,
}

impl Verdict {
    /// Open findings of one severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.open().filter(|finding| finding.severity == severity).count()
    }

    /// Findings that no waiver accepts, each need once.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_open())
    }

    /// Findings that no waiver accepts, also those that another one tells.
    pub fn unwaived(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }

    /// Findings that are told by themselves, waived ones too.
    pub fn told(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.told_by.is_none())
    }

    /// Findings that another one tells.
    pub fn told_elsewhere(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.told_by.is_some())
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

    /// Open findings that the baseline lacks; none without a baseline.
    #[must_use]
    pub fn new_count(&self) -> Option<usize> {
        self.baseline.map(|_| self.open().filter(|finding| finding.new == Some(true)).count())
    }

    /// The finding by itself makes the run fail.
    #[must_use]
    pub fn gates(&self, finding: &Finding) -> bool {
        let counts = !self.baseline.is_some_and(|baseline| baseline.gates_new_only) || finding.new == Some(true);
        let is_bad_enough = match self.fail_on {
            FailOn::Never => false,
            FailOn::Severity(least) => finding.severity >= least,
        };
        counts && is_bad_enough && finding.is_open()
    }

    /// How the run ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.findings.iter().any(|finding| self.gates(finding)), self.is_incomplete()) {
            (true, _) => Outcome::Failed,
            (false, true) => Outcome::Incomplete,
            (false, false) => Outcome::Passed,
        }
    }

    /// The exit code, which some formats hold, too.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.outcome() {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::Incomplete => 3,
        }
    }
}
