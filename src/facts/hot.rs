//! Which UPDATEs of the workload an index keeps from being HOT.
//!
//! A statement that sets a column may leave its value as it was, which blocks nothing: what follows here is
//! a reason for a low share of HOT updates, no count of them.

use super::lookup::{Key, Lookup};
use crate::model::snapshot::{Index, Statement, StatementKind};
use std::collections::{BTreeSet, HashMap};

/// UPDATEs of the workload, by their table. One that names several tables is left out, as any of them may
/// be the one that it updates.
pub(super) struct Updates<'a> {
    by_table: HashMap<Key<'a>, Vec<&'a Statement>>,
    major: i32,
}

/// What an index blocks.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Blocked {
    /// Share of the rows updated.
    pub(super) pct: f64,
    /// Columns that are set and it depends on.
    pub(super) columns: Vec<String>,
    /// Names of indexes that block some of the same.
    pub(super) also_by: Vec<String>,
}

/// Such an index stays, whatever it costs.
fn must_stay(index: &Index) -> bool {
    index.is_unique || index.is_exclusion || index.constraint_name.is_some()
}

impl<'a> Updates<'a> {
    pub(super) fn of(lookup: &Lookup<'a>) -> Self {
        let mut by_table: HashMap<Key<'a>, Vec<&'a Statement>> = HashMap::new();
        for statement in lookup.snapshot.statements.iter().filter(|row| row.kind == StatementKind::Update) {
            if let [only] = statement.relations.as_slice()
                && let Some(relation) = lookup.named(only)
            {
                by_table.entry((&relation.schema, &relation.name)).or_default().push(statement);
            }
        }
        Self { by_table, major: lookup.snapshot.server.major() }
    }

    /// What `index` blocks of the UPDATEs of its table, `siblings` being all of the table's indexes.
    #[allow(clippy::cast_precision_loss, reason = "counters")]
    pub(super) fn blocked(&self, table: Key<'_>, index: &Index, siblings: &[&Index]) -> Blocked {
        let updates = self.by_table.get(&table).map_or(&[][..], Vec::as_slice);
        let ends = |index: &Index, statement: &Statement| {
            index.is_ready && statement.set_columns.iter().any(|column| index.ends_hot(column, self.major))
        };
        let is_lost = |statement: &Statement| siblings.iter().any(|other| must_stay(other) && ends(other, statement));
        let blocked: Vec<&Statement> =
            updates.iter().copied().filter(|statement| ends(index, statement) && !is_lost(statement)).collect();
        let rows =
            |statements: &[&Statement]| statements.iter().map(|row| row.counters.rows.max(0)).sum::<i64>() as f64;
        let columns: BTreeSet<&String> = blocked.iter().flat_map(|statement| &statement.set_columns).collect();
        let also = |other: &&&Index| other.name != index.name && blocked.iter().any(|statement| ends(other, statement));
        Blocked {
            pct: 100.0 * rows(&blocked) / rows(updates).max(1.0),
            columns: columns.into_iter().filter(|column| index.ends_hot(column, self.major)).cloned().collect(),
            also_by: siblings.iter().filter(also).map(|other| other.name.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Relation, RelationName, Snapshot, StatementCounters, Tool};
    use chrono::DateTime;

    fn update(set: &[&str], rows: i64, also_names: Option<&str>) -> Statement {
        let name = |name: &str| RelationName { schema: None, name: name.to_owned() };
        Statement {
            kind: StatementKind::Update,
            set_columns: set.iter().map(|column| (*column).to_owned()).collect(),
            relations: std::iter::once("t").chain(also_names).map(name).collect(),
            counters: StatementCounters { rows, ..StatementCounters::default() },
            ..Statement::default()
        }
    }

    fn index(name: &str, columns: &[&str], is_unique: bool) -> Index {
        Index {
            name: name.to_owned(),
            key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            is_unique,
            is_ready: true,
            ..Index::default()
        }
    }

    #[test]
    fn a_unique_index_that_blocks_anyway_leaves_nothing_to_gain() {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        snapshot.relations = vec![Relation { schema: "s".into(), name: "t".into(), ..Relation::default() }];
        snapshot.statements = vec![
            update(&["at", "n"], 60, None),
            update(&["at", "code"], 30, None),
            update(&["n"], 10, None),
            update(&["at"], 1000, Some("other")),
        ];
        let lookup = Lookup::of(&snapshot);
        let (at, both, code) =
            (index("at", &["at"], false), index("both", &["id", "at"], false), index("code", &["code"], true));
        let found = Updates::of(&lookup).blocked(("s", "t"), &at, &[&at, &both, &code]);
        let expected = Blocked { pct: 60.0, columns: vec!["at".into()], also_by: vec!["both".into()] };
        assert_eq!(found, expected);
    }
}
