//! How a workload looks for the rows of each table: by which columns, and what it deletes by age. By the text of a
//! statement; what is behind the views that it names, by its plan.

use crate::advise::workload;
use crate::model::plan::Name;
use crate::model::snapshot::{RelationName, Snapshot, Statement, StatementKind};
use crate::statement::{Access, Bound, access};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What one statement does with one table.
#[derive(Debug, Clone)]
pub(super) struct Demand<'a> {
    pub(super) statement: &'a Statement,
    /// Columns that are compared with values.
    pub(super) filtered: BTreeSet<String>,
    /// Those of them that are compared by a range.
    pub(super) ranged: BTreeSet<String>,
    /// Columns that a DELETE of its rows bounds from above.
    pub(super) aged: BTreeSet<String>,
    /// ON CONFLICT of an INSERT into it names these columns, or a constraint.
    pub(super) conflict: Option<Vec<String>>,
    /// Columns that it sets of rows that are there.
    pub(super) sets: BTreeSet<String>,
    /// It writes to this table, and reads others at most.
    pub(super) is_target: bool,
}

impl<'a> Demand<'a> {
    fn behind_view(statement: &'a Statement, compared: &Compared) -> Self {
        let (aged, sets) = (BTreeSet::new(), BTreeSet::new());
        let (filtered, ranged) = (&compared.equal | &compared.range, compared.range.clone());
        Self { statement, filtered, ranged, aged, conflict: None, sets, is_target: false }
    }
}

/// Columns that a plan compares with values.
struct Compared {
    equal: BTreeSet<String>,
    range: BTreeSet<String>,
}

/// What the statements of a snapshot do with each table.
pub(super) fn demands(snapshot: &Snapshot) -> HashMap<Name, Vec<Demand<'_>>> {
    let names = Names::of(snapshot);
    let planned: HashMap<String, BTreeMap<Name, Compared>> = workload(snapshot)
        .queries
        .into_iter()
        .map(|query| {
            let tables = query.tables.into_iter();
            let tables = tables.map(|(name, uses)| (name, Compared { equal: uses.equal, range: uses.range }));
            (query.fingerprint, tables.collect())
        })
        .collect();
    let mut all: HashMap<Name, Vec<Demand<'_>>> = HashMap::new();
    for statement in snapshot.statements.iter().filter(|row| row.kind != StatementKind::Utility) {
        let Some(access) = access(&statement.text) else { continue };
        let plan = planned.get(&statement.fingerprint);
        let named: BTreeSet<Name> = statement.relations.iter().filter_map(|name| names.table(name)).collect();
        for table in &named {
            all.entry(table.clone()).or_default().push(names.demand(statement, &access, table, &named));
        }
        for (table, columns) in plan.into_iter().flatten().filter(|(table, _)| !named.contains(*table)) {
            all.entry(table.clone()).or_default().push(Demand::behind_view(statement, columns));
        }
    }
    all
}

/// Tables and their columns by name.
struct Names<'a> {
    schemas: HashMap<&'a str, Vec<&'a str>>,
    columns: HashSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> Names<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut schemas: HashMap<&str, Vec<&str>> = HashMap::new();
        for relation in &snapshot.relations {
            schemas.entry(&relation.name).or_default().push(&relation.schema);
        }
        let columns = snapshot.columns.iter();
        Self {
            schemas,
            columns: columns.map(|row| (row.schema.as_str(), row.relation.as_str(), row.name.as_str())).collect(),
        }
    }

    /// The table that a text means; none where several could be meant.
    fn table(&self, name: &RelationName) -> Option<Name> {
        let schemas = self.schemas.get(name.name.as_str())?;
        let schema = match (&name.schema, schemas.as_slice()) {
            (Some(schema), known) => known.iter().find(|known| *known == schema),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        schema.map(|schema| Name::new(schema, &name.name))
    }

    fn has(&self, table: &Name, column: &str) -> bool {
        self.columns.contains(&(table.schema.as_str(), table.name.as_str(), column))
    }

    fn demand(&self, statement: &'a Statement, access: &Access, table: &Name, tables: &BTreeSet<Name>) -> Demand<'a> {
        let is_own = |relation: Option<&RelationName>, column: &str| match relation {
            Some(relation) => self.table(relation).as_ref() == Some(table),
            None => self.has(table, column) && tables.iter().filter(|one| self.has(one, column)).count() == 1,
        };
        let own = || access.compared.iter().filter(|one| is_own(one.relation.as_ref(), &one.column));
        let is_target = access.target.as_ref().and_then(|name| self.table(name)).as_ref() == Some(table);
        let deletes = is_target && statement.kind == StatementKind::Delete;
        let below = own().filter(|one| deletes && matches!(one.by, Bound::Below | Bound::Between));
        Demand {
            statement,
            aged: below.map(|one| one.column.clone()).collect(),
            filtered: own().map(|one| one.column.clone()).collect(),
            ranged: own().filter(|one| one.by != Bound::Equal).map(|one| one.column.clone()).collect(),
            sets: statement.set_columns.iter().chain(&access.updates).filter(|_| is_target).cloned().collect(),
            conflict: access.conflict.clone().filter(|_| is_target),
            is_target,
        }
    }
}
