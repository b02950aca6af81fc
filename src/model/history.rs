//! A run that is kept: what is known of it without reading its snapshot.

use super::finding::{Severity, fingerprint};
use super::snapshot::{Snapshot, TargetInfo, Tool};
use super::verdict::Verdict;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the form of runs and of `history list --format json`.
pub const HISTORY_VERSION: u32 = 1;

/// Longest part of a name that says the target, in characters.
const SLUG: usize = 40;

/// One run: which server, when, and what was found then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Version of this form, [`HISTORY_VERSION`].
    pub history_version: u32,
    /// The program that read the server.
    pub tool: Tool,
    /// When it was read, by its clock.
    pub captured_at: DateTime<Utc>,
    /// Where.
    pub target: TargetInfo,
    /// The databases that were read.
    pub databases: Vec<String>,
    /// The server's version, `16.4`.
    pub server_version: String,
    /// Identifies the cluster; none when the role might not read it.
    pub system_identifier: Option<String>,
    /// It was a standby in recovery.
    pub is_standby: bool,
    /// The statement counters are known to count from here.
    pub counters_since: DateTime<Utc>,
    /// What was not read, in facets or parts of them.
    pub gaps: usize,
    /// What the audit found; none of a run that judged nothing.
    pub findings: Option<Tally>,
}

/// What an audit found, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Critical findings that no waiver accepts.
    pub critical: usize,
    /// Warnings that no waiver accepts.
    pub warning: usize,
    /// Findings for information that no waiver accepts.
    pub info: usize,
    /// Findings that a waiver accepts.
    pub waived: usize,
    /// The run's exit code.
    pub exit_code: u8,
}

impl Tally {
    /// Counts a verdict's findings.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        Self {
            critical: verdict.count(Severity::Critical),
            warning: verdict.count(Severity::Warning),
            info: verdict.count(Severity::Info),
            waived: verdict.waived().count(),
            exit_code: verdict.exit_code(),
        }
    }
}

impl Run {
    /// Of a snapshot whose statement counters count from `counters_since`.
    #[must_use]
    pub fn of(snapshot: &Snapshot, counters_since: DateTime<Utc>, findings: Option<Tally>) -> Self {
        Self {
            history_version: HISTORY_VERSION,
            tool: snapshot.tool.clone(),
            captured_at: snapshot.captured_at,
            target: snapshot.target.clone(),
            databases: snapshot.audited.clone(),
            server_version: snapshot.server.version.clone(),
            system_identifier: snapshot.server.system_identifier.clone(),
            is_standby: snapshot.server.is_standby,
            counters_since,
            gaps: snapshot.gaps.len(),
            findings,
        }
    }

    /// Names the run, and so that names sort by time: `20261120T073000Z_shop_0a1b2c3d`. The end tells runs of one
    /// second, of servers and targets of one name, apart.
    #[must_use]
    pub fn name(&self) -> String {
        let micros = self.captured_at.timestamp_micros();
        let whole = format!("{}\n{}\n{micros}", self.place(), self.target.database);
        let digest: String = fingerprint(&whole).chars().take(8).collect();
        format!("{}_{}_{digest}", self.captured_at.format("%Y%m%dT%H%M%SZ"), slug(&self.target.name))
    }

    /// The target by name and server, `shop@db1:5432`: runs of one place follow each other.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}@{}:{}", self.target.name, self.target.host, self.target.port)
    }

    /// It is of the target that was asked for: by its name, or by name and server.
    #[must_use]
    pub fn is_of(&self, target: &str) -> bool {
        self.target.name == target || self.place() == target
    }
}

/// A name of letters, digits and hyphens.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(plain).take(SLUG).collect();
    if slug.is_empty() { "target".to_owned() } else { slug }
}

/// The text could be the name of a run.
#[must_use]
pub fn is_run_name(text: &str) -> bool {
    let mut parts = text.split('_');
    let (time, slug, digest) = (parts.next(), parts.next(), parts.next());
    let is_time = |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").is_ok();
    let is_slug = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_digest = |text: &str| text.len() == 8 && text.chars().all(|c| c.is_ascii_hexdigit());
    time.is_some_and(is_time) && slug.is_some_and(is_slug) && digest.is_some_and(is_digest) && parts.next().is_none()
}

/// A run and where it lies.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Kept {
    /// Its name: of a file without `.json.zst`, of a row in `pgassay.run`.
    pub name: String,
    /// Bytes it takes, compressed.
    pub bytes: u64,
    /// The run.
    #[serde(flatten)]
    pub run: Run,
}

/// Something in the history that is no run of ours, and is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stranger {
    /// Its name.
    pub name: String,
    /// Why it is not read.
    pub reason: String,
}

/// What a history holds. Version 1 of `history list --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Holdings {
    /// Version of this form, [`HISTORY_VERSION`].
    pub history_version: u32,
    /// The folder or the database.
    pub store: String,
    /// The runs, the oldest first.
    pub runs: Vec<Kept>,
    /// What else is there.
    pub strangers: Vec<Stranger>,
}

impl Holdings {
    /// Of runs and strangers in any order.
    #[must_use]
    pub fn of(store: String, mut runs: Vec<Kept>, mut strangers: Vec<Stranger>) -> Self {
        runs.sort_by(|a, b| (a.run.captured_at, &a.name).cmp(&(b.run.captured_at, &b.name)));
        strangers.sort_by(|a, b| a.name.cmp(&b.name));
        Self { history_version: HISTORY_VERSION, store, runs, strangers }
    }

    /// The runs that are older than `keep` when counted back from the newest of their place, which always stays.
    #[must_use]
    pub fn overdue(&self, keep: TimeDelta) -> Vec<&Kept> {
        // The oldest come first, so that the newest is what remains.
        let newest: BTreeMap<String, DateTime<Utc>> =
            self.runs.iter().map(|kept| (kept.run.place(), kept.run.captured_at)).collect();
        let is_old = |kept: &&Kept| {
            let last = newest.get(&kept.run.place()).copied().unwrap_or_default();
            last - kept.run.captured_at > keep
        };
        self.runs.iter().filter(is_old).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(name: &str, seconds: i64) -> Run {
        let captured_at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut snapshot = Snapshot::empty(Tool::default(), captured_at);
        snapshot.target = TargetInfo { name: name.to_owned(), host: "db1".to_owned(), ..TargetInfo::default() };
        Run::of(&snapshot, captured_at, None)
    }

    fn kept(name: &str, seconds: i64) -> Kept {
        let run = run(name, seconds);
        Kept { name: run.name(), bytes: 1, run }
    }

    #[test]
    fn names_sort_by_time_and_tell_targets_apart() {
        let name = run("shop", 1_795_159_800).name();
        assert!(name.starts_with("20261120T073000Z_shop_"), "{name}");
        let mut other = run("shop", 1_795_159_800);
        other.target.host = "db2".to_owned();
        assert_ne!(other.name(), name, "two servers whose databases are called the same");
        assert!(run("zebra", 59).name() < run("ant", 60).name());
        for text in ["20261120T073000Z_shop_0a1b2c3d_x", "shop", "20261320T073000Z_shop_0a1b2c3d", "a_b_c", ""] {
            assert!(!is_run_name(text), "{text}");
        }
    }

    #[test]
    fn age_counts_from_the_newest_run_of_the_same_target() {
        let runs = vec![kept("a", 0), kept("b", 10), kept("b", 30), kept("a", 25), kept("a", 35)];
        let holdings = Holdings::of(String::new(), runs, Vec::new());
        let overdue = |seconds| {
            let overdue = holdings.overdue(TimeDelta::seconds(seconds));
            overdue
                .iter()
                .map(|kept| (kept.run.target.name.as_str(), kept.run.captured_at.timestamp()))
                .collect::<Vec<_>>()
        };
        assert_eq!(overdue(20), [("a", 0)]);
        assert_eq!(overdue(19), [("a", 0), ("b", 10)]);
        assert_eq!(overdue(35), []);
        assert_eq!(overdue(0), [("a", 0), ("b", 10), ("a", 25)], "the newest of each stays");
    }

    proptest! {
        #[test]
        fn every_name_is_a_file_name_that_is_recognised(target in ".*", seconds in 0i64..4_000_000_000) {
            let name = run(&target, seconds).name();
            prop_assert!(is_run_name(&name), "{name}");
            prop_assert!(name.len() < 80 && name.is_ascii());
        }
    }
}
