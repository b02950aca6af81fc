//! Candidate indexes: those that a statement could use, each known once and by a number.

use super::key::Key;
use crate::ddl::quoted;
use crate::model::advice::{Method, Proposal};
use crate::model::plan::Name;
use std::collections::{BTreeSet, HashMap};

/// Number of a candidate in its pool.
pub type Id = u32;

/// Key columns at most: wider ones are seldom worth their writes.
pub const MAX_WIDTH: usize = 5;

/// Columns at most, those that are only carried along counted.
pub const MAX_COLUMNS: usize = 8;

/// Stands for a size that nobody could tell: larger than any, and sums of it do not overflow.
pub const UNKNOWN_BYTES: i64 = i64::MAX / 4096;

/// An index that might be.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// Its table.
    pub table: Name,
    /// Its access method.
    pub method: Method,
    /// Its keys in order.
    pub keys: Vec<Key>,
    /// Columns that are carried along, in order.
    pub include: Vec<String>,
    /// What rows it holds, as `WHERE` takes it; none: all.
    pub predicate: Option<String>,
}

impl Candidate {
    /// A B-tree of all rows.
    #[must_use]
    pub fn btree(table: &Name, keys: Vec<Key>) -> Self {
        Self { table: table.clone(), keys, ..Self::default() }
    }

    /// The same with one more key behind; none when it has it already, or is too wide.
    #[must_use]
    pub fn widened(&self, key: &Key) -> Option<Self> {
        let is_same = |own: &Key| (&own.column, own.is_expression) == (&key.column, key.is_expression);
        let has = self.keys.iter().any(is_same);
        let fits = self.method == Method::Btree && self.keys.len() < MAX_WIDTH && self.columns() < MAX_COLUMNS;
        (!has && fits).then(|| {
            let mut wide = self.clone();
            wide.include.retain(|column| key.is_expression || *column != key.column);
            wide.keys.push(key.clone());
            wide
        })
    }

    /// The same carrying more columns along; none when it has them all, or is too wide.
    #[must_use]
    pub fn carrying<'c>(&self, columns: impl IntoIterator<Item = &'c String>) -> Option<Self> {
        let mut wide = self.clone();
        for column in columns {
            if !wide.has(column) {
                wide.include.push(column.clone());
            }
        }
        wide.include.sort_unstable();
        (self.method == Method::Btree && wide != *self && wide.columns() <= MAX_COLUMNS).then_some(wide)
    }

    /// The column is a key, or carried along.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.keys.iter().any(|key| !key.is_expression && key.column == column)
            || self.include.iter().any(|own| own == column)
    }

    /// Keys, and columns carried along.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.keys.len() + self.include.len()
    }

    /// The leading key.
    #[must_use]
    pub fn leads_with(&self, other: &Self) -> bool {
        self.method == other.method
            && self.table == other.table
            && matches!((self.keys.first(), other.keys.first()), (Some(own), Some(key)) if own.is_on(key))
    }

    /// A change of the column would change its entries.
    #[must_use]
    pub fn depends_on(&self, column: &str) -> bool {
        let names = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == column);
        let in_key = |key: &Key| if key.is_expression { names(&key.column) } else { key.column == column };
        self.keys.iter().any(in_key)
            || self.include.iter().any(|own| own == column)
            || self.predicate.as_deref().is_some_and(names)
    }

    /// What this index serves, the other does as well.
    #[must_use]
    pub fn is_covered_by(&self, other: &Self) -> bool {
        self.table == other.table
            && self.method == other.method
            && other.keys.starts_with(&self.keys)
            && self.include.iter().all(|column| other.has(column))
            && other.predicate.as_ref().is_none_or(|predicate| self.predicate.as_ref() == Some(predicate))
    }

    /// What stands behind USING, up to WHERE, as `pg_get_indexdef()` prints it.
    #[must_use]
    pub fn using(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(Key::sql).collect();
        let carried: Vec<String> = self.include.iter().map(|column| quoted(column)).collect();
        let carried = if carried.is_empty() { String::new() } else { format!(" INCLUDE ({})", carried.join(", ")) };
        format!("{} ({}){carried}", self.method.name(), keys.join(", "))
    }
}

impl From<&Proposal> for Candidate {
    fn from(proposal: &Proposal) -> Self {
        Self {
            table: proposal.table.clone(),
            method: proposal.method,
            keys: proposal.keys.iter().map(Key::from).collect(),
            include: proposal.include.clone(),
            predicate: proposal.predicate.clone(),
        }
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
    /// Those of them that could go, were a wider one there.
    replaceable: BTreeSet<Candidate>,
}

impl Pool {
    /// A pool that leaves out what an index of the server does already.
    #[must_use]
    pub fn new(existing: BTreeSet<Candidate>) -> Self {
        Self { existing, ..Self::default() }
    }

    /// The same, knowing which of these could go.
    #[must_use]
    pub fn replacing(self, replaceable: BTreeSet<Candidate>) -> Self {
        Self { replaceable, ..self }
    }

    /// A partial index does the work of this candidate for who reads only rows of which all this holds.
    pub(super) fn is_served(&self, candidate: &Candidate, constants: &BTreeSet<String>) -> bool {
        let serves = |index: &Candidate| {
            let of_same_rows = Candidate { predicate: index.predicate.clone(), ..candidate.clone() };
            index.predicate.as_ref().is_some_and(|rows| constants.contains(rows)) && of_same_rows.is_covered_by(index)
        };
        self.existing.iter().any(serves)
    }

    /// One does what the other does, for the same rows: nobody would have both.
    pub(super) fn are_rivals(&self, one: Id, other: Id) -> bool {
        let (a, b) = (self.get(one), self.get(other));
        one != other && a.predicate == b.predicate && (a.is_covered_by(b) || b.is_covered_by(a))
    }

    /// The candidate with its keys in such an order that it does the work of an index that could go then.
    pub(super) fn turned(&self, candidate: &Candidate) -> Option<Candidate> {
        let fits = |index: &&Candidate| {
            (&index.table, index.method, &index.predicate) == (&candidate.table, candidate.method, &candidate.predicate)
                && index.keys.iter().all(|key| candidate.keys.contains(key))
                && index.include.iter().all(|column| candidate.has(column))
                && !candidate.keys.starts_with(&index.keys)
        };
        let index = self.replaceable.iter().filter(fits).max_by_key(|index| index.keys.len())?;
        let rest = candidate.keys.iter().filter(|key| !index.keys.contains(key));
        let keys = index.keys.iter().chain(rest).cloned().collect();
        Some(Candidate { keys, ..candidate.clone() })
    }

    /// The candidate's number; none when an existing index does its work.
    pub fn add(&mut self, candidate: Candidate) -> Option<Id> {
        if let Some(id) = self.ids.get(&candidate) {
            return Some(*id);
        }
        if self.existing.iter().any(|index| candidate.is_covered_by(index)) {
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

    /// The server refuses such an index: its size was asked for and could not be told.
    #[must_use]
    pub fn is_refused(&self, id: Id) -> bool {
        self.bytes.get(id as usize) == Some(&UNKNOWN_BYTES)
    }
}
