//! What the workload's plans look for in columns by reading tables whole: rows that a filter keeps, and rows
//! nearest to a value.

use super::indexes::distinct;
use super::lookup::{Key, Lookup};
use super::plans::{FullScan, full_scans, scans, text};
use crate::advise::cast;
use crate::model::snapshot::{Relation, Statement};
use crate::statement::{Clause, Fate, Operated, Part, TestedBy, conditions, is_alias_of, operation, sifted};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What one statement reads whole for the sake of one column, partitions added up.
pub(super) struct Search<'a> {
    pub(super) statement: &'a Statement,
    /// The filter, or the sort key.
    pub(super) by: String,
    /// The filter compares the column by `=`.
    pub(super) is_by_equality: bool,
    pub(super) bytes: i64,
    /// Rows read.
    pub(super) rows: f64,
    /// Rows kept, by the planner's estimate.
    pub(super) kept: f64,
}

/// A column of a table.
type Place<'a> = (Key<'a>, String);

/// What all plans look for, the costliest statement first.
type Searches<'a> = HashMap<Place<'a>, Vec<Search<'a>>>;

/// What one plan looks for.
type Found<'a> = BTreeMap<Place<'a>, Search<'a>>;

/// What all plans look for in columns.
#[derive(Default)]
pub(super) struct Asked<'a> {
    filtered: Searches<'a>,
    nearest: Searches<'a>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(lookup: &'a Lookup<'a>) -> Self {
        let statements: HashMap<&str, &Statement> =
            lookup.snapshot.statements.iter().map(|statement| (statement.fingerprint.as_str(), statement)).collect();
        let mut asked = Self::default();
        for plan in &lookup.snapshot.plans {
            let (Some(root), Some(statement)) = (&plan.plan, statements.get(plan.fingerprint.as_str())) else {
                continue;
            };
            collect(&mut asked.filtered, filtered(lookup, statement, root));
            let mut nearest = Found::new();
            sorted(lookup, statement, root, false, &mut nearest);
            collect(&mut asked.nearest, nearest);
        }
        for searches in asked.filtered.values_mut().chain(asked.nearest.values_mut()) {
            searches.sort_by(|a, b| {
                let (one, other) = (&a.statement.counters, &b.statement.counters);
                let by_time = other.total_exec_time_ms.total_cmp(&one.total_exec_time_ms);
                by_time.then_with(|| a.statement.fingerprint.cmp(&b.statement.fingerprint))
            });
        }
        asked
    }

    /// Statements that an index of this column would find the rows of best.
    pub(super) fn filtered(&self, table: Key<'a>, column: &str) -> &[Search<'a>] {
        self.filtered.get(&(table, column.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Statements that want the rows whose values in this column are nearest to one.
    pub(super) fn nearest(&self, table: Key<'a>, column: &str) -> &[Search<'a>] {
        self.nearest.get(&(table, column.to_owned())).map_or(&[], Vec::as_slice)
    }
}

fn collect<'a>(searches: &mut Searches<'a>, found: Found<'a>) {
    for (place, search) in found {
        searches.entry(place).or_default().push(search);
    }
}

/// Adds a scan to what the plan looks for in a column.
fn add<'a>(
    lookup: &Lookup<'a>,
    statement: &'a Statement,
    scan: &FullScan<'a, '_>,
    (column, by, is_by_equality): (String, &str, bool),
    found: &mut Found<'a>,
) {
    let FullScan { relation, .. } = scan;
    // Where this partition alone has an index, the planner had the choice.
    if relation.is_partition && leads_index(lookup, (&relation.schema, &relation.name), &column) {
        return;
    }
    let table = root(lookup, relation);
    let place = ((table.schema.as_str(), table.name.as_str()), column);
    let new = || Search { statement, by: by.to_owned(), is_by_equality, bytes: 0, rows: 0.0, kept: 0.0 };
    let search = found.entry(place).or_insert_with(new);
    search.bytes += relation.bytes;
    search.rows += scan.rows;
    search.kept += scan.kept;
}

/// The table that a partition is part of, however deep; any other table is itself.
fn root<'a>(lookup: &Lookup<'a>, relation: &'a Relation) -> &'a Relation {
    relation.root(|schema, name| lookup.exact(schema, name))
}

/// Whether a valid index finds rows by this column first.
pub(super) fn leads_index(lookup: &Lookup<'_>, table: Key<'_>, column: &str) -> bool {
    let leads = |first: Option<&String>| first.is_some_and(|first| first == column);
    lookup.indexes(table).iter().any(|index| index.is_valid && index.is_live && leads(index.key_columns.first()))
}

fn filtered<'a>(lookup: &'a Lookup<'a>, statement: &'a Statement, node: &Value) -> Found<'a> {
    let mut below = Vec::new();
    scans(node, false, &mut below);
    let mut found = Found::new();
    for scan in full_scans(lookup, &below) {
        if let Some(filter) = scan.filter
            && let Some((column, is_by_equality)) = best_column(lookup, &scan, filter)
        {
            add(lookup, statement, &scan, (column, filter, is_by_equality), &mut found);
        }
    }
    found
}

/// The column of a filter whose index would find the rows best, and whether it is compared by `=`. Only what
/// AND joins counts, and only bare columns.
fn best_column(lookup: &Lookup<'_>, scan: &FullScan<'_, '_>, filter: &str) -> Option<(String, bool)> {
    let table = root(lookup, scan.relation);
    let columns = lookup.columns((&table.schema, &table.name));
    let count = |name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        // Shares of the rows are compared by those of the part that is read.
        column.and_then(|column| distinct(column.distinct?, scan.relation.estimated_rows?)).unwrap_or(0.0)
    };
    // An index of the bare column does not serve its text, which another type of value has.
    let fate = |part: Part<'_>| match part {
        Part::Cast { alias, column, to } if alias == scan.alias => {
            columns.iter().find(|one| one.name == column).map_or(Fate::Stays, |column| cast(column, to))
        }
        _ => Fate::Stays,
    };
    let compared = conditions(&sifted(filter, &fate)).into_iter().filter_map(|condition| {
        let Clause::Test(test) = condition.clause else { return None };
        let is_by_equality = match test.by {
            TestedBy::Equal | TestedBy::AnyOf(_) => true,
            TestedBy::Below | TestedBy::Above => false,
            _ => return None,
        };
        let own = test.operand.filter(|operand| operand.alias == scan.alias && !operand.is_expression)?;
        Some((own.text, is_by_equality))
    });
    compared.max_by(|a, b| a.1.cmp(&b.1).then_with(|| count(&a.0).total_cmp(&count(&b.0))).then_with(|| b.0.cmp(&a.0)))
}

/// Scans below a sort by distance of which a LIMIT takes the first rows. The sorts of a parallel plan, or of
/// partitions, stand below what merges them.
fn sorted<'a>(lookup: &'a Lookup<'a>, statement: &'a Statement, node: &Value, is_limited: bool, found: &mut Found<'a>) {
    let kind = text(node, "Node Type").unwrap_or_default();
    let key = node.get("Sort Key").and_then(|keys| keys.get(0)?.as_str()).filter(|_| is_limited && kind == "Sort");
    let distance = key.and_then(operation).filter(Operated::is_distance);
    if let (Some(key), Some(distance)) = (key, distance.filter(|distance| !distance.operand.is_expression)) {
        let mut below = Vec::new();
        scans(node, false, &mut below);
        for scan in full_scans(lookup, &below).iter().filter(|scan| is_alias_of(scan.alias, &distance.operand.alias)) {
            add(lookup, statement, scan, (distance.operand.text.clone(), key, false), found);
        }
    }
    let hands_on = matches!(kind, "Gather Merge" | "Merge Append" | "Result" | "Subquery Scan" | "LockRows");
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        sorted(lookup, statement, child, kind == "Limit" || (is_limited && hands_on), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Plan, Snapshot, Tool};
    use chrono::DateTime;
    use serde_json::json;

    fn relation(name: &str, parent: Option<&str>) -> Relation {
        Relation {
            schema: "s".into(),
            name: name.into(),
            estimated_rows: Some(100),
            bytes: 8192,
            is_partition: parent.is_some(),
            parent_schema: parent.map(|_| "s".to_owned()),
            parent_name: parent.map(str::to_owned),
            ..Relation::default()
        }
    }

    #[test]
    fn partitions_are_their_tables_and_circles_end() {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let scan = |name: &str| {
            let filter = format!("({name}.a = $1)");
            json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": name, "Alias": name, "Filter": filter, "Plan Rows": 1})
        };
        let names = [("t", None), ("t_1", Some("t")), ("t_1_a", Some("t_1")), ("x", Some("y")), ("y", Some("x"))];
        snapshot.relations = names.map(|(name, parent)| relation(name, parent)).into();
        snapshot.statements = vec![Statement { fingerprint: "f".into(), ..Statement::default() }];
        let plan = json!({"Node Type": "Append", "Plans": [scan("t_1_a"), scan("x")]});
        snapshot.plans = vec![Plan { fingerprint: "f".into(), plan: Some(plan), ..Plan::default() }];
        let lookup = Lookup::of(&snapshot);
        let asked = Asked::of(&lookup);
        assert_eq!(asked.filtered(("s", "t"), "a").len(), 1);
        assert_eq!(asked.filtered(("s", "t_1_a"), "a").len(), 0);
    }
}
