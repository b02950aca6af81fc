//! The statements to be advised on, and what each asks of its tables.

use super::candidate::MAX_COLUMNS;
use super::catalog::Catalog;
use super::key::Key;
use super::reading::asked;
use crate::model::advice::Method;
use crate::model::plan::Name;
use crate::model::snapshot::{Plan, Snapshot, Statement};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a statement's weight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weigh {
    /// Its measured time: the advice saves milliseconds.
    Time,
    /// Its calls: the advice saves calls × planner cost.
    Calls,
}

/// What a statement asks of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Columns compared by `=`, with values or with other tables, or by `IS NULL`; boolean ones for themselves.
    pub equal: BTreeSet<String>,
    /// Columns compared by `<` and the like, or by `IS NOT NULL`.
    pub range: BTreeSet<String>,
    /// Columns in other conditions, or grouped by.
    pub other: BTreeSet<String>,
    /// Expressions compared by `=` or `<` and the like.
    pub expressions: BTreeSet<String>,
    /// Orders that are wanted.
    pub orders: BTreeSet<Vec<Key>>,
    /// What other indexes than plain B-trees serve.
    pub special: BTreeSet<(Method, Key)>,
    /// What finds texts by how they begin, by a B-tree.
    pub prefixes: BTreeSet<Key>,
    /// Columns compared with patterns that may begin with a wildcard: the workload does not tell.
    pub patterns: BTreeSet<String>,
    /// What holds of every row that is read, without parameters: `deleted_at IS NULL`.
    pub constants: BTreeSet<String>,
    /// Columns that are read at all; where it takes the rows themselves, as for writing, those in conditions. None
    /// where they are most of the row: an index on them would be a second table.
    pub needed: BTreeSet<String>,
}

impl Uses {
    /// What an index could be searched or ordered by, columns compared by `=` first.
    #[must_use]
    pub fn relevant(&self) -> Vec<Key> {
        let ordered =
            self.orders.iter().flatten().map(|key| Key { is_descending: false, nulls_first: false, ..key.clone() });
        let columns =
            |columns: &BTreeSet<String>| columns.iter().map(|column| Key::ascending(column)).collect::<Vec<_>>();
        let expressions = self.expressions.iter().map(|text| Key::expression(text));
        let all = columns(&self.equal).into_iter().chain(expressions).chain(columns(&self.range));
        let mut seen = BTreeSet::new();
        let prefixes = self.prefixes.iter().cloned();
        all.chain(ordered).chain(columns(&self.other)).chain(prefixes).filter(|key| seen.insert(key.clone())).collect()
    }

    /// What a partial index could be of: each of the constants, and all of them.
    #[must_use]
    pub fn predicates(&self) -> Vec<String> {
        let mut found: Vec<String> = self.constants.iter().cloned().collect();
        if found.len() > 1 {
            found.push(format!("({})", found.join(") AND (")));
        }
        found
    }

    /// What an index would have to compute: expressions, and predicates.
    pub(super) fn computed(&self) -> impl Iterator<Item = String> {
        let ordered = self.orders.iter().flatten().filter(|key| key.is_expression).map(|key| key.column.clone());
        self.expressions.iter().cloned().chain(ordered).chain(self.predicates())
    }

    /// Columns that are read, where they are so few that an index could hold them all.
    #[must_use]
    pub fn carried(&self) -> Option<&BTreeSet<String>> {
        Some(&self.needed).filter(|needed| !needed.is_empty() && needed.len() <= MAX_COLUMNS)
    }
}

/// A statement to be advised on.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Its identity.
    pub fingerprint: String,
    /// Its text, as the workload has it.
    pub text: String,
    /// search_path to resolve its names by.
    pub search_path: String,
    /// Executions.
    pub calls: i64,
    /// Time of all executions, in milliseconds.
    pub total_ms: f64,
    /// Rows that a call returned or changed, on average.
    pub rows_per_call: f64,
    /// What it asks of its tables.
    pub tables: BTreeMap<Name, Uses>,
    /// It names a relation that is no table: a view, for all that is known.
    pub names_views: bool,
}

/// The workload, and what of it cannot be advised on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// In the order of their plans.
    pub queries: Vec<Query>,
    /// Statements without a plan, by reason.
    pub unplanned: BTreeMap<String, usize>,
}

/// Reads the workload of a snapshot.
#[must_use]
pub fn workload(snapshot: &Snapshot) -> Workload {
    let statements: HashMap<&str, &Statement> =
        snapshot.statements.iter().map(|row| (row.fingerprint.as_str(), row)).collect();
    let catalog = Catalog::of(snapshot);
    let mut workload = Workload::default();
    for plan in &snapshot.plans {
        match (&plan.plan, statements.get(plan.fingerprint.as_str())) {
            (Some(root), Some(statement)) => {
                let query = query(plan, root, statement, &catalog);
                // What reads catalogs only, or nothing, is none of ours.
                workload.queries.extend((!query.tables.is_empty()).then_some(query));
            }
            _ => {
                let reason = plan.unplannable.clone().unwrap_or_else(|| "other".to_owned());
                *workload.unplanned.entry(reason).or_default() += 1;
            }
        }
    }
    workload
}
fn query(plan: &Plan, root: &Value, statement: &Statement, catalog: &Catalog<'_>) -> Query {
    Query {
        fingerprint: plan.fingerprint.clone(),
        text: statement.text.clone(),
        search_path: plan.search_path.clone(),
        calls: statement.counters.calls,
        total_ms: statement.counters.total_exec_time_ms,
        #[allow(clippy::cast_precision_loss, reason = "an average")]
        rows_per_call: statement.counters.rows as f64 / statement.counters.calls.max(1) as f64,
        tables: asked(&catalog.sifted(root, &plan.search_path), catalog),
        names_views: !statement.relations.iter().all(|name| catalog.is_table(name)),
    }
}
