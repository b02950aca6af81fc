//! Many targets audited in one run: which of them are one worker's share, and how each ended.

use super::finding::{Finding, Severity, hash};
use super::history::Run;
use super::snapshot::Tool;
use super::verdict::Verdict;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Version of the overview's form.
pub const OVERVIEW_VERSION: u32 = 1;

/// One of several parts of the targets, as in 3/16; each target is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    index: u16,
    /// Of how many.
    count: u16,
}

impl Shard {
    /// The target of this name is in it. Of a shard more, only what moves there moves.
    #[must_use]
    pub fn takes(self, name: &str) -> bool {
        bucket(hash(name), self.count) + 1 == i64::from(self.index)
    }
}

/// Jump consistent hash: Lamping, Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "below 2^31, as in the paper")]
fn bucket(mut key: u64, count: u16) -> i64 {
    let (mut bucket, mut next) = (0_i64, 0_i64);
    while next < i64::from(count) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
    }
    bucket
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let (index, count) = parts.ok_or_else(|| "write it as 3/16".to_owned())?;
        if !(1..=count).contains(&index) {
            return Err(format!("there is no shard {index} of {count}: they count from 1 to {count}"));
        }
        Ok(Self { index, count })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// How a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Read and judged.
    Audited,
    /// Read and judged, but a facet or a rule failed.
    Incomplete,
    /// Not read, or what was found could not be written or kept.
    Failed,
    /// Not read within the time for one target.
    TimedOut,
    /// Its turn never came, as the run was interrupted.
    NotReached,
}

impl Ending {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Audited => "audited",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::NotReached => "not_reached",
        }
    }
}

/// A finding in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Headline {
    /// How bad.
    pub severity: Severity,
    /// The rule's id.
    pub rule: String,
    /// What it is about.
    pub object: String,
}

/// A target, and how its audit ended.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Audited {
    /// Its name in the config.
    pub name: String,
    /// How it ended.
    pub ending: Ending,
    /// Why it was not read, or what could not be written or kept; null where all went well.
    pub error: Option<String>,
    /// What was read, and what was found; null where nothing was.
    pub run: Option<Run>,
    /// The first of its open findings; null without any.
    pub worst: Option<Headline>,
}

impl Audited {
    /// Open findings at one severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let tally = self.run.as_ref().and_then(|run| run.findings);
        tally.map_or(0, |tally| match severity {
            Severity::Critical => tally.critical,
            Severity::Warning => tally.warning,
            Severity::Info => tally.info,
        })
    }

    /// Findings of it reached the gate.
    fn gates(&self) -> bool {
        self.run.as_ref().and_then(|run| run.findings).is_some_and(|tally| tally.exit_code == 1)
    }
}

/// A rule, and how much of the fleet it found something in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spread {
    /// The rule's id.
    pub rule: String,
    /// The highest severity among its open findings.
    pub severity: Severity,
    /// Targets with an open finding of it.
    pub targets: usize,
    /// Its open findings.
    pub findings: usize,
}

/// Counts over all targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Targets of the shard.
    pub targets: usize,
    /// Read and judged; incomplete ones too.
    pub audited: usize,
    /// Of those, such of which a facet or a rule failed.
    pub incomplete: usize,
    /// Failed or timed out.
    pub failed: usize,
    /// Those whose turn never came.
    pub not_reached: usize,
    /// Open critical findings.
    pub critical: usize,
    /// Open warnings.
    pub warning: usize,
    /// Open findings for information.
    pub info: usize,
    /// Of the whole run.
    pub exit_code: u8,
}

/// All targets of a run. Version 1 of the JSON overview.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Overview {
    /// Version of this form, [`OVERVIEW_VERSION`].
    pub overview_version: u32,
    /// The program that read and judged.
    pub tool: Tool,
    /// The shard, as in 3/16; null where all targets were wanted.
    pub shard: Option<String>,
    /// Targets that were named; without `shard` as many as there are in `targets`.
    pub named: usize,
    /// Counts.
    pub summary: Summary,
    /// The targets of the shard, by name.
    pub targets: Vec<Audited>,
    /// Rules with open findings: the most severe first, then those of most targets.
    pub rules: Vec<Spread>,
    /// Names that lead to one database of one server; its findings are counted for each.
    pub same: Vec<Vec<String>>,
}

/// What is kept of each target while a run goes on: words and counts, so that memory does not grow with what was read.
#[derive(Debug, Default)]
pub struct Ledger {
    targets: Vec<Audited>,
    rules: BTreeMap<String, Spread>,
    /// Names by database, its server's start and its cluster.
    names: BTreeMap<(String, DateTime<Utc>, Option<String>), BTreeSet<String>>,
}

impl Ledger {
    /// A target that was read and judged; `error` is what could not be written or kept.
    pub fn add(&mut self, verdict: &Verdict, run: Run, error: Option<String>) {
        let headline = |finding: &Finding| Headline {
            severity: finding.severity,
            rule: finding.rule.clone(),
            object: finding.object.path(),
        };
        let ending = match error {
            Some(_) => Ending::Failed,
            None if verdict.is_incomplete() => Ending::Incomplete,
            None => Ending::Audited,
        };
        let (name, server) = (verdict.target.name.clone(), &verdict.server);
        for database in &verdict.databases {
            let place = (database.clone(), server.started_at, server.system_identifier.clone());
            self.names.entry(place).or_default().insert(name.clone());
        }
        self.spread(verdict);
        let worst = verdict.open().next().map(headline);
        self.targets.push(Audited { name, ending, error, run: Some(run), worst });
    }

    /// A target that was not read, and why.
    pub fn miss(&mut self, name: &str, ending: Ending, error: &str) {
        let (name, error) = (name.to_owned(), Some(error.to_owned()));
        self.targets.push(Audited { name, ending, error, run: None, worst: None });
    }

    /// It has this target.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.name == name)
    }

    fn spread(&mut self, verdict: &Verdict) {
        let mut counts: BTreeMap<&str, (Severity, usize)> = BTreeMap::new();
        for finding in verdict.open() {
            let (severity, count) = counts.entry(&finding.rule).or_insert((finding.severity, 0));
            *severity = (*severity).max(finding.severity);
            *count += 1;
        }
        for (rule, (severity, count)) in counts {
            let blank = Spread { rule: rule.to_owned(), severity, targets: 0, findings: 0 };
            let known = self.rules.entry(rule.to_owned()).or_insert(blank);
            known.severity = known.severity.max(severity);
            known.targets += 1;
            known.findings += count;
        }
    }

    /// The overview of all that was added, of `named` targets or of a shard of them.
    #[must_use]
    pub fn close(self, tool: Tool, shard: Option<Shard>, named: usize) -> Overview {
        let Self { mut targets, rules, names } = self;
        targets.sort_by(|a, b| a.name.cmp(&b.name));
        let mut rules: Vec<Spread> = rules.into_values().collect();
        rules.sort_by(|a, b| (b.severity, b.targets, &a.rule).cmp(&(a.severity, a.targets, &b.rule)));
        let same: BTreeSet<Vec<String>> =
            names.into_values().filter(|names| names.len() > 1).map(|names| names.into_iter().collect()).collect();
        Overview {
            overview_version: OVERVIEW_VERSION,
            tool,
            shard: shard.map(|shard| shard.to_string()),
            named,
            summary: summary(&targets),
            targets,
            rules,
            same: same.into_iter().collect(),
        }
    }
}

/// What was found counts before what failed, as in an audit of one target; but a run that read nothing, or was
/// interrupted, could not run.
fn summary(targets: &[Audited]) -> Summary {
    let ended = |endings: &[Ending]| targets.iter().filter(|target| endings.contains(&target.ending)).count();
    let found = |severity| targets.iter().map(|target| target.count(severity)).sum();
    let (incomplete, not_reached) = (ended(&[Ending::Incomplete]), ended(&[Ending::NotReached]));
    let (audited, failed) = (ended(&[Ending::Audited, Ending::Incomplete]), ended(&[Ending::Failed, Ending::TimedOut]));
    let is_all_lost = failed > 0 && targets.iter().all(|target| target.run.is_none());
    Summary {
        targets: targets.len(),
        audited,
        incomplete,
        failed,
        not_reached,
        critical: found(Severity::Critical),
        warning: found(Severity::Warning),
        info: found(Severity::Info),
        exit_code: match () {
            () if not_reached > 0 || is_all_lost => 2,
            () if targets.iter().any(Audited::gates) => 1,
            () if failed + incomplete > 0 => 3,
            () => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::history::Tally;
    use crate::model::snapshot::Snapshot;
    use proptest::prelude::*;

    fn shard(index: u16, count: u16) -> Shard {
        Shard { index, count }
    }

    #[test]
    fn a_shard_is_written_as_a_fraction() {
        for (text, told) in [
            ("3/16", Ok(shard(3, 16))),
            ("1/1", Ok(shard(1, 1))),
            ("0/16", Err("no shard 0 of 16")),
            ("17/16", Err("no shard 17 of 16")),
            ("1/0", Err("no shard 1 of 0")),
            ("3", Err("write it as 3/16")),
            ("a/b", Err("write it as 3/16")),
            ("-1/4", Err("write it as 3/16")),
            ("1/70000", Err("write it as 3/16")),
        ] {
            match (text.parse::<Shard>(), told) {
                (Ok(read), Ok(expected)) => assert_eq!((read, read.to_string()), (expected, text.to_owned())),
                (Err(error), Err(words)) => assert!(error.contains(words), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    /// The values that docs/fleet.md gives, for who computes them elsewhere.
    #[test]
    fn shards_are_the_same_everywhere_and_for_ever() {
        let of = |name, count| bucket(hash(name), count) + 1;
        assert_eq!([of("prod-eu-1", 16), of("prod-eu-2", 16), of("billing", 16), of("billing", 3)], [8, 14, 13, 3]);
    }

    #[test]
    fn shards_are_of_about_one_size() {
        for count in [2, 3, 16] {
            for index in 1..=count {
                let taken = (0..4_000).filter(|number| shard(index, count).takes(&format!("prod-{number}"))).count();
                let fair = 4_000 / usize::from(count);
                assert!((fair * 4 / 5..=fair * 6 / 5).contains(&taken), "{taken} in {index}/{count}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_target_is_in_exactly_one_shard_and_moves_only_to_a_new_one(name in ".*", count in 1_u16..200) {
            let home = |count| (1..=count).filter(|index| shard(*index, count).takes(&name)).collect::<Vec<_>>();
            let (before, after) = (home(count), home(count + 1));
            prop_assert_eq!((before.len(), after.len()), (1, 1));
            prop_assert!(after == before || after == [count + 1]);
        }
    }

    fn audited(ending: Ending, code: Option<u8>) -> Audited {
        let snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let tally = |exit_code| Tally { critical: 1, warning: 2, info: 3, waived: 4, exit_code };
        let run = code.map(|code| Run::of(&snapshot, snapshot.captured_at, Some(tally(code))));
        Audited { name: "shop".to_owned(), ending, error: None, run, worst: None }
    }

    #[test]
    fn what_was_found_counts_before_what_failed() {
        use Ending::{Audited as Done, Failed, Incomplete, NotReached, TimedOut};
        for (targets, code) in [
            (vec![], 0),
            (vec![(Done, Some(0)), (Done, Some(0))], 0),
            (vec![(Done, Some(0)), (Done, Some(1))], 1),
            (vec![(Done, Some(1)), (Failed, None)], 1),
            (vec![(Done, Some(0)), (Failed, None)], 3),
            (vec![(Done, Some(0)), (TimedOut, None)], 3),
            (vec![(Done, Some(0)), (Incomplete, Some(3))], 3),
            (vec![(Failed, None), (TimedOut, None)], 2),
            // Read, but not kept: some of it is known.
            (vec![(Failed, Some(0))], 3),
            (vec![(Done, Some(1)), (NotReached, None)], 2),
        ] {
            let all: Vec<Audited> = targets.iter().map(|(ending, code)| audited(*ending, *code)).collect();
            assert_eq!(summary(&all).exit_code, code, "{targets:?}");
        }
        let counted = summary(&[audited(Done, Some(0)), audited(Incomplete, Some(3)), audited(TimedOut, None)]);
        assert_eq!((counted.targets, counted.audited, counted.incomplete, counted.failed), (3, 2, 1, 1));
        assert_eq!((counted.critical, counted.warning, counted.info), (2, 4, 6));
    }
}
