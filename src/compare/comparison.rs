//! BASE beside HEAD: the workload of each, on the same or on different servers, and why some pairs of snapshots
//! say nothing of each other.

use super::course::{Course, course, moment};
use super::meeting::{Meeting, meet};
use super::since::{Delta, difference, since};
use crate::model::snapshot::{Facet, Snapshot, StatementKind, Tool};
use crate::model::verdict::Window;
use chrono::DateTime;
use std::collections::BTreeSet;

/// Of so many statements of the smaller side one at least must be in both, or they are different applications.
const COMMON: usize = 10;

/// One side: a snapshot, and where its window begins when that is not its counters' own beginning.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// An earlier one of the same server.
    pub since: Option<&'a Snapshot>,
}

/// Two workloads, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// BASE, its counters being those of its window.
    pub base: Snapshot,
    /// HEAD, likewise.
    pub head: Snapshot,
    /// The time BASE's counters cover.
    pub base_window: Window,
    /// The time HEAD's counters cover.
    pub head_window: Window,
    /// What a reader should know of the two.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Takes the window of each side. HEAD of the same server is taken from BASE on, as its counters hold BASE's.
    /// Refused with the reason where nothing can be said.
    pub fn of(base: Side<'_>, head: Side<'_>) -> Result<Self, String> {
        for (name, side) in [("BASE", base), ("HEAD", head)] {
            has_statements(name, side.snapshot)?;
        }
        let mut notes = Vec::new();
        let (base_part, base_window) = windowed("BASE", base, &mut notes)?;
        let (head_part, head_window) = match head.since {
            Some(_) => windowed("HEAD", head, &mut notes)?,
            None => match course(base.snapshot, head.snapshot).map_err(|reason| format!("BASE and HEAD: {reason}"))? {
                Course::On(said) => {
                    let delta = difference(base.snapshot, head.snapshot, said);
                    notes.extend(delta.notes);
                    let window = between(base.snapshot, head.snapshot);
                    (delta.snapshot, window)
                }
                Course::Anew(reason) => {
                    notes.push(format!("BASE and HEAD count apart: {reason}"));
                    windowed("HEAD", head, &mut notes)?
                }
            },
        };
        let mut comparison = Self { base: base_part, head: head_part, base_window, head_window, notes };
        comparison.under_one_name()?;
        comparison.is_of_something()?;
        comparison.note();
        Ok(comparison)
    }

    /// Nothing beside nothing.
    #[must_use]
    pub fn empty() -> Self {
        let nothing = || Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        Self {
            base: nothing(),
            head: nothing(),
            base_window: Window::default(),
            head_window: Window::default(),
            notes: Vec::new(),
        }
    }

    /// Which statements are the same, which are new, which are gone.
    #[must_use]
    pub fn meeting(&self) -> Meeting<'_> {
        meet(&self.base, &self.head)
    }

    /// Both ran on the same major, so that plans and WAL can be compared closely.
    #[must_use]
    pub fn is_of_one_major(&self) -> bool {
        self.base.server.major() == self.head.server.major()
    }

    /// One database each: they are compared whatever they are called. Several: by name.
    fn under_one_name(&mut self) -> Result<(), String> {
        if let ([base], [head]) = (self.base.audited.as_slice(), self.head.audited.as_slice()) {
            if base != head {
                self.notes.push(format!("database {base} is compared with {head}"));
                let (from, to) = (base.clone(), head.clone());
                rename(&mut self.base, &from, &to);
            }
            return Ok(());
        }
        let of_both = |name: &String| self.base.audited.contains(name) && self.head.audited.contains(name);
        let all = self.base.audited.iter().chain(&self.head.audited);
        let (both, apart): (BTreeSet<String>, BTreeSet<String>) = all.cloned().partition(of_both);
        if both.is_empty() {
            return Err(format!(
                "BASE is of database {}, HEAD of {}: compare like with like",
                self.base.audited.join(", "),
                self.head.audited.join(", ")
            ));
        }
        if !apart.is_empty() {
            let names: Vec<&str> = apart.iter().map(String::as_str).collect();
            self.notes.push(format!("not compared, as one side lacks it: database {}", names.join(", ")));
            self.base.statements.retain(|row| both.contains(&row.database));
            self.head.statements.retain(|row| both.contains(&row.database));
        }
        Ok(())
    }

    fn is_of_something(&self) -> Result<(), String> {
        if self.base.server.block_bytes != self.head.server.block_bytes {
            return Err(
                "BASE and HEAD have blocks of different sizes: their counts of blocks cannot be compared".to_owned()
            );
        }
        for (name, snapshot, window) in
            [("BASE", &self.base, &self.base_window), ("HEAD", &self.head, &self.head_window)]
        {
            if !snapshot.statements.iter().any(|row| row.kind != StatementKind::Utility && row.counters.calls > 0) {
                return Err(format!(
                    "the window of {name} is empty: no statement was called between {} and {}; run the workload, then take the snapshot",
                    moment(window.from),
                    moment(window.to)
                ));
            }
        }
        let met = self.meeting();
        let (pairs, base, head) = (met.pairs.len(), met.pairs.len() + met.gone.len(), met.pairs.len() + met.new.len());
        if pairs == 0 || pairs * COMMON < base.min(head) {
            return Err(format!(
                "BASE and HEAD have {pairs} statements in common, of {base} and {head}: are they of the same application?"
            ));
        }
        Ok(())
    }

    fn note(&mut self) {
        if !self.is_of_one_major() {
            self.notes.push(format!(
                "BASE ran on PostgreSQL {}, HEAD on {}: statements are matched by their texts, plans are not compared",
                self.base.server.version, self.head.server.version
            ));
        }
        for (name, snapshot) in [("BASE", &self.base), ("HEAD", &self.head)] {
            let unread: i64 =
                snapshot.statements_info.iter().map(|info| info.below_top + info.hidden + info.unparsed).sum();
            if unread > 0 {
                self.notes.push(format!("{unread} entries of pg_stat_statements in {name} were not read or not understood: what seems new may be old"));
            }
        }
    }
}

fn has_statements(name: &str, snapshot: &Snapshot) -> Result<(), String> {
    match snapshot.gap(Facet::Statements) {
        Some(gap) => Err(format!("{name} has no statements: {}; {}", gap.reason, gap.remedy)),
        None if snapshot.statements_info.is_empty() => Err(format!("{name} has no statements: take it anew")),
        None => Ok(()),
    }
}

/// A side by its own window: since the named snapshot, else all it counted.
fn windowed(name: &str, side: Side<'_>, notes: &mut Vec<String>) -> Result<(Snapshot, Window), String> {
    let Some(earlier) = side.since else { return Ok((side.snapshot.clone(), lifetime(side.snapshot))) };
    has_statements(&format!("the snapshot that {name} begins with"), earlier)?;
    let Delta { snapshot, notes: said } =
        since(earlier, side.snapshot).map_err(|reason| format!("the window of {name} cannot be taken: {reason}"))?;
    notes.extend(said.into_iter().map(|note| format!("{name}: {note}")));
    Ok((snapshot, between(earlier, side.snapshot)))
}

fn between(earlier: &Snapshot, later: &Snapshot) -> Window {
    Window { from: earlier.captured_at, to: later.captured_at, ..lifetime(later) }.of_two_snapshots(Vec::new())
}

fn lifetime(snapshot: &Snapshot) -> Window {
    let reset = snapshot.statements_info.iter().find_map(|info| info.stats_reset);
    Window {
        from: reset.unwrap_or(snapshot.server.started_at),
        to: snapshot.captured_at,
        from_is_reset: reset.is_some(),
        is_delta: false,
        resets: Vec::new(),
        notes: Vec::new(),
    }
}

fn rename(snapshot: &mut Snapshot, from: &str, to: &str) {
    let databases = (snapshot.statements.iter_mut().map(|row| &mut row.database))
        .chain(snapshot.statements_info.iter_mut().map(|row| &mut row.database))
        .chain(snapshot.plans.iter_mut().map(|row| &mut row.database))
        .chain(snapshot.relations.iter_mut().map(|row| &mut row.database))
        .chain(snapshot.indexes.iter_mut().map(|row| &mut row.database))
        .chain(&mut snapshot.audited);
    for database in databases.filter(|database| *database == from) {
        to.clone_into(database);
    }
}
