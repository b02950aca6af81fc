//! The statements to be advised on, and what each asks of its tables: read from the plans that the server
//! made, so that names, views, row security and inheritance are resolved already.

use crate::ddl::quoted;
use crate::model::plan::Name;
use crate::model::snapshot::{Index, Plan, Relation, Snapshot, Statement};
use crate::statement::{Ordered, Searched, columns, comparisons, extreme, needs_row, output_columns, sort_key};
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
    /// Columns compared by `=`, with values or with other tables, or by `IS NULL`; boolean ones for themselves.
    pub equal: BTreeSet<String>,
    /// Columns compared by `<` and the like, or by `IS NOT NULL`.
    pub range: BTreeSet<String>,
    /// Columns in other conditions, or grouped by.
    pub other: BTreeSet<String>,
    /// Orders that are wanted.
    pub orders: BTreeSet<Vec<Key>>,
    /// Columns that are read at all; where it takes the rows themselves, as for writing, those in conditions.
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

/// The table at the top that a partition belongs to, as far as it is known.
pub(super) fn root<'a>(row: &'a Relation, by_name: &HashMap<(&'a str, &'a str), &'a Relation>) -> &'a Relation {
    let mut row = row;
    while let (true, Some(schema), Some(name)) = (row.is_partition, &row.parent_schema, &row.parent_name) {
        let Some(parent) = by_name.get(&(schema.as_str(), name.as_str())) else { break };
        row = parent;
    }
    row
}

/// Relations and indexes by their names.
struct Catalog<'a> {
    relations: HashMap<(&'a str, &'a str), &'a Relation>,
    indexes: HashMap<(&'a str, &'a str), &'a Index>,
}

impl<'a> Catalog<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let relations = snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row));
        let indexes = snapshot.indexes.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row));
        Self { relations: relations.collect(), indexes: indexes.collect() }
    }

    /// The table, or the one at the top that it is a partition of: an index is made there.
    fn table(&self, schema: &str, name: &str) -> Option<Name> {
        let row = root(self.relations.get(&(schema, name))?, &self.relations);
        Some(Name::new(&row.schema, &row.name))
    }
}

fn query(plan: &Plan, root: &Value, statement: &Statement, catalog: &Catalog<'_>) -> Query {
    let mut reading = Reading { catalog, aliases: BTreeMap::new(), tables: BTreeMap::new() };
    reading.name(root);
    reading.read(root, None, false);
    // What is only inserted into asks for nothing.
    reading.tables.retain(|_, uses| *uses != Uses::default());
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

/// Nodes that name all they need of a scan below them.
const NAMING: [&str; 6] = ["Aggregate", "Group", "WindowAgg", "Nested Loop", "Hash Join", "Merge Join"];

struct Reading<'a> {
    catalog: &'a Catalog<'a>,
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

/// All texts below a value.
fn all_texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(all_texts).collect(),
        Value::Object(map) => map.values().flat_map(all_texts).collect(),
        _ => Vec::new(),
    }
}

/// The alias of a table whose partition is scanned as `alias_1`.
fn of_partitions(alias: &str) -> Option<&str> {
    let (parent, number) = alias.rsplit_once('_')?;
    number.parse::<u32>().is_ok().then_some(parent)
}

impl Reading<'_> {
    /// Aliases first: a join's condition stands above the scans that it names.
    fn name(&mut self, node: &Value) {
        let named = text(node, "Schema").zip(text(node, "Relation Name"));
        if let Some((relation, name)) = named.and_then(|(schema, name)| Some((name, self.catalog.table(schema, name)?)))
        {
            let alias = text(node, "Alias").unwrap_or(relation);
            if let Some(parent) = of_partitions(alias).filter(|_| name.name != relation) {
                self.aliases.entry(parent.to_owned()).or_insert_with(|| name.clone());
            }
            self.tables.entry(name.clone()).or_default();
            self.aliases.insert(alias.to_owned(), name);
        }
        children(node).for_each(|child| self.name(child));
    }

    fn read(&mut self, node: &Value, above: Option<&Value>, is_limited: bool) {
        let kind = text(node, "Node Type").unwrap_or_default();
        for condition in CONDITIONS.iter().filter_map(|key| text(node, key)) {
            self.condition(condition);
        }
        let keys: Vec<Option<Ordered>> = texts(node, "Sort Key").map(sort_key).collect();
        self.order(&keys);
        let sets = node.get("Grouping Sets").map(all_texts).unwrap_or_default();
        for grouped in texts(node, "Group Key").chain(sets).flat_map(columns) {
            if let Some(uses) = self.uses(&grouped.alias) {
                uses.other.insert(grouped.column.clone());
                uses.needed.insert(grouped.column);
            }
        }
        if kind == "Aggregate" && text(node, "Strategy") == Some("Plain") {
            let only = self.only();
            for column in texts(node, "Output").filter_map(|output| extreme(output, only.as_deref())) {
                self.order(&[Some(Ordered { column, is_descending: false, nulls_first: false })]);
            }
        }
        if kind != "ModifyTable" && node.get("Relation Name").is_some() {
            self.output(node, above);
            if kind.starts_with("Index") && (is_limited || node.get("Index Cond").is_none()) {
                self.index_order(node);
            }
        }
        let is_limited = kind == "Limit" || (is_limited && !matches!(kind, "Sort" | "Aggregate"));
        for child in children(node) {
            let is_apart = matches!(text(child, "Parent Relationship"), Some("InitPlan" | "SubPlan"));
            self.read(child, Some(node).filter(|_| !is_apart), is_limited);
        }
    }

    /// The alias, where there is one.
    fn only(&self) -> Option<String> {
        let mut all = self.aliases.keys();
        all.next().filter(|_| all.next().is_none()).cloned()
    }

    /// What is read of the table. Below some nodes a scan puts out whole rows, as that is the least work: what
    /// those nodes name says what is needed.
    fn output(&mut self, scan: &Value, above: Option<&Value>) {
        if texts(scan, "Output").any(needs_row) {
            return;
        }
        let alias = text(scan, "Alias").unwrap_or_default();
        let namer = above.filter(|node| text(node, "Node Type").is_some_and(|kind| NAMING.contains(&kind)));
        let mut named: Vec<&str> = texts(namer.unwrap_or(scan), "Output").collect();
        if let Some(node) = namer {
            named.extend(CONDITIONS.iter().filter_map(|key| text(node, key)));
            named.extend(texts(node, "Group Key").chain(node.get("Grouping Sets").map(all_texts).unwrap_or_default()));
        }
        let only = self.only();
        for column in named.into_iter().flat_map(|output| output_columns(output, only.as_deref())) {
            if let Some(uses) = self.uses(alias).filter(|_| column.alias == alias) {
                uses.needed.insert(column.column);
            }
        }
    }

    /// The order that an existing index is read for: no sort above it says so.
    fn index_order(&mut self, scan: &Value) {
        let names = text(scan, "Schema").zip(text(scan, "Index Name"));
        let Some(index) = names.and_then(|names| self.catalog.indexes.get(&names)) else { return };
        let Some(alias) = text(scan, "Alias") else { return };
        let order: Vec<Key> = (index.key_columns.iter().zip(&index.orders))
            .take_while(|(column, _)| index.method == "btree" && !column.is_empty())
            .map(|(column, order)| Key {
                column: column.clone(),
                is_descending: order & 1 != 0,
                nulls_first: order & 2 != 0,
            })
            .collect();
        if let Some(uses) = self.uses(alias).filter(|_| !order.is_empty()) {
            uses.orders.insert(forward(order));
        }
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
        let partition = |name: &str, parent: &str| Relation {
            is_partition: true,
            parent_schema: Some("s".into()),
            parent_name: Some(parent.into()),
            ..relation(name)
        };
        snapshot.relations = vec![relation("orders"), relation("users"), relation("logs")];
        snapshot.relations.extend([partition("logs_24", "logs"), partition("logs_24_1", "logs_24")]);
        snapshot.indexes = vec![Index {
            schema: "s".into(),
            name: "orders_at".into(),
            method: "btree".into(),
            key_columns: vec!["at".into(), "id".into()],
            orders: vec![3, 3],
            ..Index::default()
        }];
        let counters = StatementCounters { calls: 3, ..StatementCounters::default() };
        snapshot.statements = vec![Statement { fingerprint: "f".into(), counters, ..Statement::default() }];
        snapshot.plans = vec![
            Plan { fingerprint: "f".into(), plan: Some(plan), ..Plan::default() },
            Plan { fingerprint: "g".into(), unplannable: Some("no_relation".into()), ..Plan::default() },
        ];
        snapshot
    }

    /// What a plan asks of a table of the schema.
    fn asked(plan: Value, table: &str) -> Uses {
        workload(&snapshot(plan)).queries[0].tables.get(&Name::new("s", table)).cloned().unwrap_or_default()
    }

    fn scan(relation: &str, alias: &str, filter: &str) -> Value {
        json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation, "Alias": alias, "Filter": filter,
            "Output": ["id"]})
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn partitions_stand_for_their_table() {
        let plan = json!({"Node Type": "Sort", "Sort Key": ["l.at"], "Plans": [{"Node Type": "Append",
            "Plans": [scan("logs_24_1", "l_1", "(l_1.kind = $1)")]}]});
        let read = workload(&snapshot(plan.clone()));
        assert_eq!(read.queries[0].tables.keys().collect::<Vec<_>>(), [&Name::new("s", "logs")]);
        let logs = asked(plan, "logs");
        assert_eq!((logs.equal, logs.orders), (set(&["kind"]), BTreeSet::from([vec![Key::ascending("at")]])));
    }

    #[test]
    fn an_alias_with_a_number_is_no_partition() {
        let plan = json!({"Node Type": "Append", "Plans": [
            scan("orders", "o", "(o.n = $1)"), scan("users", "o_1", "(o_1.m = $2)")]});
        assert_eq!((asked(plan.clone(), "orders").equal, asked(plan, "users").equal), (set(&["n"]), set(&["m"])));
    }

    #[test]
    fn the_order_an_index_gives_is_wanted_under_a_limit() {
        let scan = |condition: Value| {
            let mut scan = json!({"Node Type": "Index Scan", "Schema": "s", "Relation Name": "orders", "Alias": "o",
                "Index Name": "orders_at", "Filter": "(o.state = $1)"});
            if !condition.is_null() {
                scan["Index Cond"] = condition;
            }
            scan
        };
        let order = BTreeSet::from([vec![Key::ascending("at"), Key::ascending("id")]]);
        let limit = |below: Value| json!({"Node Type": "Limit", "Plans": [below]});
        assert_eq!(asked(limit(scan(Value::Null)), "orders").orders, order);
        assert_eq!(asked(limit(scan(json!("(o.at > $2)"))), "orders").orders, order);
        // Only looked up in.
        assert_eq!(asked(scan(json!("(o.at > $2)")), "orders").orders, BTreeSet::new());
        let sorted = json!({"Node Type": "Sort", "Sort Key": ["(sum(o.n))"], "Plans": [scan(json!("(o.at > $2)"))]});
        assert_eq!(asked(limit(sorted), "orders").orders, BTreeSet::new());
    }

    #[test]
    fn least_and_greatest_want_an_order() {
        let plan = |strategy: &str| {
            json!({"Node Type": "Aggregate", "Strategy": strategy, "Output": ["max(at)"],
                "Plans": [scan("orders", "o", "(o.n = $1)")]})
        };
        assert_eq!(asked(plan("Plain"), "orders").orders, BTreeSet::from([vec![Key::ascending("at")]]));
        assert_eq!(asked(plan("Hashed"), "orders").orders, BTreeSet::new());
    }

    #[test]
    fn what_writes_or_locks_rows_reads_them_all() {
        let mut below = scan("orders", "o", "(o.n = (InitPlan $1).col1)");
        below["Output"] = json!(["$1", "o.ctid", "o.total"]);
        let plan = json!({"Node Type": "ModifyTable", "Schema": "s", "Relation Name": "orders", "Alias": "o",
            "Output": ["o.id"], "Plans": [below]});
        assert_eq!(asked(plan, "orders").needed, set(&["n"]));
    }

    #[test]
    fn whole_rows_below_an_aggregate_are_not_needed() {
        let mut below = scan("orders", "o", "(o.n = $1)");
        below["Output"] = json!(["o.id", "o.n", "o.total", "o.pad"]);
        let plan = |kind: &str| json!({"Node Type": kind, "Output": ["o.k", "sum(o.total)"], "Plans": [below.clone()]});
        assert_eq!(asked(plan("Aggregate"), "orders").needed, set(&["k", "n", "total"]));
        assert_eq!(asked(plan("Sort"), "orders").needed, set(&["id", "n", "pad", "total"]));
    }

    #[test]
    fn grouping_sets_are_read() {
        let plan = json!({"Node Type": "Aggregate", "Strategy": "Hashed",
            "Grouping Sets": [{"Hash Keys": [["o.n", "o.m"]]}, {"Group Keys": [[]]}],
            "Plans": [scan("orders", "o", "(o.k > $1)")]});
        assert_eq!(asked(plan, "orders").other, set(&["m", "n"]));
    }

    #[test]
    fn a_plan_says_what_a_statement_asks() {
        let scan = |relation: &str, alias: &str, output: Value| {
            json!({"Node Type": "Seq Scan", "Schema": "s", "Relation Name": relation, "Alias": alias, "Output": output,
                "Filter": format!("(({alias}.state = $1) AND ({alias}.at > $2))")})
        };
        let plan = json!({"Node Type": "Sort", "Sort Key": ["o.at DESC", "o.id DESC"], "Plans": [
            {"Node Type": "Hash Join", "Hash Cond": "(o.user_id = u.id)", "Output": ["o.total", "u.name"],
             "Plans": [scan("orders", "o", json!(["o.id", "o.total"])), scan("users", "u", json!(["u.name"]))]}]});
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
