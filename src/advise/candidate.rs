//! Candidate indexes: B-trees that a statement could use, each known once and by a number.

use super::workload::Key;
use crate::model::advice::Proposal;
use crate::model::plan::Name;
use std::collections::{BTreeSet, HashMap};

/// Number of a candidate in its pool.
pub type Id = u32;

/// Key columns at most: wider ones are seldom worth their writes.
pub const MAX_WIDTH: usize = 5;

/// Stands for a size that nobody could tell: larger than any, and sums of it do not overflow.
pub const UNKNOWN_BYTES: i64 = i64::MAX / 4096;

/// An index that might be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// Its table.
    pub table: Name,
    /// Its key columns in order.
    pub keys: Vec<Key>,
}

impl Candidate {
    /// The same with one more column behind; none when it has it already, or is too wide.
    #[must_use]
    pub fn widened(&self, column: &str) -> Option<Self> {
        let has = self.keys.iter().any(|key| key.column == column);
        let is_wide = self.keys.len() >= MAX_WIDTH;
        (!has && !is_wide).then(|| {
            let keys = self.keys.iter().cloned().chain([Key::ascending(column)]).collect();
            Self { table: self.table.clone(), keys }
        })
    }

    /// The leading column.
    #[must_use]
    pub fn leading(&self) -> &str {
        self.keys.first().map_or("", |key| key.column.as_str())
    }
}

impl From<&Proposal> for Candidate {
    fn from(proposal: &Proposal) -> Self {
        let keys = proposal.keys.iter().map(|key| Key {
            column: key.column.clone(),
            is_descending: key.is_descending,
            nulls_first: key.nulls_first,
        });
        Self { table: proposal.table.clone(), keys: keys.collect() }
    }
}

/// All candidates of a run.
#[derive(Debug, Default)]
pub struct Pool {
    all: Vec<Candidate>,
    ids: HashMap<Candidate, Id>,
    bytes: Vec<i64>,
    /// Definitions of existing indexes: what is there is no candidate.
    existing: BTreeSet<Candidate>,
}

impl Pool {
    /// A pool that leaves out what an index of the server does already.
    #[must_use]
    pub fn new(existing: BTreeSet<Candidate>) -> Self {
        Self { existing, ..Self::default() }
    }

    /// The candidate's number; none when an existing index begins with its keys.
    pub fn add(&mut self, candidate: Candidate) -> Option<Id> {
        if let Some(id) = self.ids.get(&candidate) {
            return Some(*id);
        }
        let covers = |index: &Candidate| index.table == candidate.table && index.keys.starts_with(&candidate.keys);
        if self.existing.iter().any(covers) {
            return None;
        }
        let id = Id::try_from(self.all.len()).ok()?;
        self.ids.insert(candidate.clone(), id);
        self.all.push(candidate);
        Some(id)
    }

    /// A candidate.
    #[must_use]
    pub fn get(&self, id: Id) -> &Candidate {
        &self.all[id as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Candidates whose size is not known yet.
    pub fn unsized_ids(&self) -> impl Iterator<Item = Id> {
        (self.bytes.len()..self.all.len()).filter_map(|id| Id::try_from(id).ok())
    }

    /// Takes the sizes of the candidates that had none, in their order.
    pub fn learn_sizes(&mut self, bytes: impl IntoIterator<Item = i64>) {
        self.bytes.extend(bytes);
    }

    /// Size of a candidate, in bytes.
    #[must_use]
    pub fn bytes(&self, id: Id) -> i64 {
        self.bytes.get(id as usize).copied().unwrap_or(UNKNOWN_BYTES)
    }
}
