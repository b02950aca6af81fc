//! The statements to be advised on, and what each asks of its tables: read from the plans that the server
//! made, so that names, views, row security and inheritance are resolved already.

use crate::ddl::quoted;
use crate::model::plan::Name;
use crate::model::snapshot::{Plan, Relation, Snapshot, Statement};
use crate::statement::{Ordered, Searched, columns, comparisons, sort_key};
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

/// A key column of an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its name.
    pub column: String,
    /// DESC.
    pub is_descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

impl Key {
    /// A column in ascending order.
    #[must_use]
    pub fn ascending(column: &str) -> Self {
        Self { column: column.to_owned(), is_descending: false, nulls_first: false }
    }

    /// As `CREATE INDEX` takes it and `pg_get_indexdef()` prints it.
    #[must_use]
    pub fn sql(&self) -> String {
        let order = match (self.is_descending, self.nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        };
        format!("{}{order}", quoted(&self.column))
    }
}

/// What a statement asks of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Columns compared by `=`, with values or with other tables.
    pub equal: BTreeSet<String>,
    /// Columns compared by `<` and the like.
    pub range: BTreeSet<String>,
    /// Columns in other conditions, or grouped by.
    pub other: BTreeSet<String>,
    /// Orders that are wanted.
    pub orders: BTreeSet<Vec<Key>>,
    /// Columns that are read at all.
    pub needed: BTreeSet<String>,
}

impl Uses {
    /// Columns that an index could be searched or ordered by, those compared by `=` first.
    #[must_use]
    pub fn relevant(&self) -> Vec<&str> {
        let ordered = self.orders.iter().flatten().map(|key| &key.column);
        let all = self.equal.iter().chain(&self.range).chain(ordered).chain(&self.other);
        let mut seen = BTreeSet::new();
        all.filter(|column| seen.insert(*column)).map(String::as_str).collect()
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
    /// What it asks of its tables.
    pub tables: BTreeMap<Name, Uses>,
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
    let relations: HashMap<(&str, &str), &Relation> =
        snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect();
    let mut workload = Workload::default();
    for plan in &snapshot.plans {
        match (&plan.plan, statements.get(plan.fingerprint.as_str())) {
            (Some(root), Some(statement)) => {
                let query = query(plan, root, statement, &relations);
                // What reads catalogs only is none of ours.
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

fn query(plan: &Plan, root: &Value, statement: &Statement, relations: &HashMap<(&str, &str), &Relation>) -> Query {
    let mut reading = Reading { relations, aliases: BTreeMap::new(), tables: BTreeMap::new() };
    reading.name(root);
    reading.read(root, None);
    Query {
        fingerprint: plan.fingerprint.clone(),
        text: statement.text.clone(),
        search_path: plan.search_path.clone(),
        calls: statement.counters.calls,
        total_ms: statement.counters.total_exec_time_ms,
        tables: reading.tables,
    }
}

/// Conditions of a plan node.
const CONDITIONS: [&str; 6] = ["Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond"];

struct Reading<'a> {
    relations: &'a HashMap<(&'a str, &'a str), &'a Relation>,
    aliases: BTreeMap<String, Name>,
    tables: BTreeMap<Name, Uses>,
}

fn text<'p>(node: &'p Value, key: &str) -> Option<&'p str> {
    node.get(key).and_then(Value::as_str)
}

fn texts<'p>(node: &'p Value, key: &str) -> impl Iterator<Item = &'p str> {
    node.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node.get("Plans").and_then(Value::as_array).into_iter().flatten()
}

impl Reading<'_> {
    /// Aliases first: a join's condition stands above the scans that it names.
    fn name(&mut self, node: &Value) {
        if let (Some(schema), Some(relation)) = (text(node, "Schema"), text(node, "Relation Name")) {
            let known = self.relations.get(&(schema, relation)).filter(|row| !row.is_partition);
            if let Some(row) = known {
                let name = Name::new(&row.schema, &row.name);
                self.tables.entry(name.clone()).or_default();
                self.aliases.insert(text(node, "Alias").unwrap_or(relation).to_owned(), name);
            }
        }
        children(node).for_each(|child| self.name(child));
    }

    fn read(&mut self, node: &Value, parent: Option<&str>) {
        for condition in CONDITIONS.iter().filter_map(|key| text(node, key)) {
            self.condition(condition);
        }
        let keys: Vec<Option<Ordered>> = texts(node, "Sort Key").map(sort_key).collect();
        self.order(&keys);
        for grouped in texts(node, "Group Key").flat_map(columns) {
            if let Some(uses) = self.uses(&grouped.alias) {
                uses.other.insert(grouped.column.clone());
                uses.needed.insert(grouped.column);
            }
        }
        // A scan below a join or an aggregate may hand up the whole row, as that costs nothing: what is
        // needed of it, its parent says. An Append says nothing.
        let is_scan = node.get("Relation Name").is_some();
        if !is_scan || matches!(parent, None | Some("Append" | "Merge Append" | "ModifyTable" | "LockRows")) {
            for column in texts(node, "Output").flat_map(columns) {
                if let Some(uses) = self.uses(&column.alias) {
                    uses.needed.insert(column.column);
                }
            }
        }
        let kind = text(node, "Node Type");
        children(node).for_each(|child| self.read(child, kind));
    }

    fn uses(&mut self, alias: &str) -> Option<&mut Uses> {
        self.tables.get_mut(self.aliases.get(alias)?)
    }

    fn condition(&mut self, condition: &str) {
        for compared in comparisons(condition) {
            let Some(uses) = self.uses(&compared.column.alias) else { continue };
            let column = compared.column.column;
            uses.needed.insert(column.clone());
            match compared.by {
                Searched::Equal => uses.equal.insert(column),
                Searched::Range => uses.range.insert(column),
                Searched::Other => uses.other.insert(column),
            };
        }
    }

    /// The leading part of an order that is of one table.
    fn order(&mut self, keys: &[Option<Ordered>]) {
        let Some(Some(first)) = keys.first() else { return };
        let alias = first.column.alias.clone();
        let own = keys.iter().map_while(|key| key.as_ref().filter(|key| key.column.alias == alias));
        let order: Vec<Key> = own
            .map(|key| Key {
                column: key.column.column.clone(),
                is_descending: key.is_descending,
                nulls_first: key.nulls_first,
            })
            .collect();
        if let Some(uses) = self.uses(&alias) {
            uses.needed.extend(order.iter().map(|key| key.column.clone()));
            uses.orders.insert(forward(order));
        }
    }
}

/// An order that is the exact reverse of a plain one is read from that backwards.
fn forward(order: Vec<Key>) -> Vec<Key> {
    if order.iter().all(|key| key.is_descending && key.nulls_first) {
        return order.into_iter().map(|key| Key::ascending(&key.column)).collect();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{StatementCounters, Tool};
    use chrono::DateTime;
    use serde_json::json;

    fn snapshot(plan: Value) -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let relation = |name: &str| Relation { schema: "s".into(), name: name.into(), ..Relation::default() };
        snapshot.relations = vec![relation("orders"), relation("users")];
        let counters = StatementCounters { calls: 3, ..StatementCounters::default() };
        snapshot.statements = vec![Statement { fingerprint: "f".into(), counters, ..Statement::default() }];
        snapshot.plans = vec![
            Plan { fingerprint: "f".into(), plan: Some(plan), ..Plan::default() },
            Plan { fingerprint: "g".into(), unplannable: Some("no_relation".into()), ..Plan::default() },
        ];
        snapshot
    }

    #[test]
    fn a_plan_says_what_a_statement_asks() {
        let scan = |relation: &str, alias: &str, output: Value| {
            json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation, "Alias": alias, "Output": output,
                "Filter": format!("(({alias}.state = $1) AND ({alias}.at > $2))")})
        };
        let plan = json!({"Node Type": "Sort", "Sort Key": ["o.at DESC", "o.id DESC"], "Plans": [
            {"Node Type": "Hash Join", "Hash Cond": "(o.user_id = u.id)", "Output": ["o.id", "o.total", "u.name"],
             "Plans": [scan("orders", "o", json!(["o.id", "o.total", "o.note"])), scan("users", "u", json!(["u.name"]))]}]});
        let read = workload(&snapshot(plan));
        assert_eq!(read.unplanned, BTreeMap::from([("no_relation".to_owned(), 1)]));
        let orders = &read.queries[0].tables[&Name::new("s", "orders")];
        assert_eq!(orders.relevant(), ["state", "user_id", "at", "id"]);
        assert_eq!(orders.orders, BTreeSet::from([vec![Key::ascending("at"), Key::ascending("id")]]));
        assert!(orders.needed.contains("total") && !orders.needed.contains("name"));
        assert!(!orders.needed.contains("note"), "the join does not hand it on");
        let users = &read.queries[0].tables[&Name::new("s", "users")];
        assert_eq!(users.equal, BTreeSet::from(["id".to_owned(), "state".to_owned()]));
    }
}
