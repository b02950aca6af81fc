//! What a server has logged, with `log_line_prefix = '%a|%p|'`.

use pgassay::demo::{Cluster, Setup};
use std::collections::BTreeSet;

/// One entry: who, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) application: String,
    pub(crate) process: u32,
    /// `LOG`, `ERROR`, …
    pub(crate) level: String,
    pub(crate) text: String,
}

/// A setup that logs every statement and connection so.
pub(crate) fn logging(setup: Setup) -> Setup {
    let logged = setup.with("log_line_prefix", "%a|%p|").with("log_statement", "all");
    logged.with("log_connections", "on").with("log_disconnections", "on")
}

/// All entries so far.
pub(crate) fn entries(cluster: &Cluster) -> Vec<Entry> {
    let log = std::fs::read_to_string(cluster.socket().join("log")).expect("the log");
    let mut entries: Vec<Entry> = Vec::new();
    for line in log.lines() {
        match (line.strip_prefix('\t'), entries.last_mut()) {
            (Some(more), Some(last)) => last.text.push_str(&format!("\n{more}")),
            _ => entries.extend(entry(line)),
        }
    }
    entries
}

/// Statements of our sessions, in their order.
pub(crate) fn ours(entries: &[Entry]) -> Vec<Entry> {
    let is_statement = |entry: &&Entry| entry.text.starts_with("statement: ") || entry.text.starts_with("execute ");
    entries.iter().filter(|entry| entry.application.starts_with("pgassay/")).filter(is_statement).cloned().collect()
}

/// Most sessions of a role at a time.
pub(crate) fn peak(entries: &[Entry], role: &str) -> usize {
    let (mut open, mut peak) = (BTreeSet::new(), 0);
    for entry in entries.iter().filter(|entry| entry.text.contains(&format!("user={role} "))) {
        if entry.text.starts_with("connection authorized") {
            open.insert(entry.process);
        } else if entry.text.starts_with("disconnection") {
            open.remove(&entry.process);
        }
        peak = peak.max(open.len());
    }
    peak
}

/// Most transactions of our sessions at a time.
pub(crate) fn busy(entries: &[Entry]) -> usize {
    let (mut open, mut peak) = (BTreeSet::new(), 0);
    for entry in ours(entries) {
        if entry.text.ends_with("commit") || entry.text.ends_with("rollback") {
            open.remove(&entry.process);
        } else {
            open.insert(entry.process);
        }
        peak = peak.max(open.len());
    }
    peak
}

fn entry(line: &str) -> Option<Entry> {
    let mut parts = line.splitn(3, '|');
    let (application, process, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (level, text) = rest.split_once(":  ")?;
    Some(Entry {
        application: application.to_owned(),
        process: process.parse().ok()?,
        level: level.to_owned(),
        text: text.to_owned(),
    })
}
