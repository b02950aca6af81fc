//! The shape of a plan: node types, relations and indexes, without rows, costs and conditions, so that two plans
//! of one shape do the same work in the same way. Partitions count as their table: months come and go.

use crate::model::finding::fingerprint;
use crate::model::snapshot::{Plan, Relation, Snapshot};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Deeper than any plan; a damaged snapshot may hold anything.
const DEEPEST: usize = 200;

/// What a plan looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// 16 hexadecimal digits over node types, relations and indexes.
    pub hash: String,
    /// Its scans, as in `Index Scan on public.orders using orders_pkey`.
    pub scans: Vec<String>,
    /// Tables read whole, by schema and name, with the bytes of all their parts that are.
    pub whole: BTreeMap<(String, String), i64>,
    /// Tables whose rows are filtered and not found by an index, though sequential scans are the last resort; none
    /// where the planner was not asked that.
    pub unserved: Option<BTreeSet<(String, String)>>,
}

/// A table by database, schema and name.
type Key<'a> = (&'a str, &'a str, &'a str);

/// What shapes are told by: the tables that partitions belong to, and sizes.
#[derive(Debug)]
pub struct Shapes<'a> {
    roots: HashMap<Key<'a>, (&'a str, &'a str)>,
    bytes: HashMap<Key<'a>, i64>,
}

fn key(row: &Relation) -> Key<'_> {
    (&row.database, &row.schema, &row.name)
}

impl<'a> Shapes<'a> {
    /// Those of a snapshot's plans.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let known: HashMap<_, &Relation> = snapshot.relations.iter().map(|row| (key(row), row)).collect();
        let root = |row: &'a Relation| {
            let root = row.root(|schema, name| known.get(&(row.database.as_str(), schema, name)).copied());
            (root.schema.as_str(), root.name.as_str())
        };
        Self {
            roots: snapshot.relations.iter().map(|row| (key(row), root(row))).collect(),
            bytes: snapshot.relations.iter().map(|row| (key(row), row.bytes)).collect(),
        }
    }

    /// The shape of a plan; none where there is no plan.
    #[must_use]
    pub fn shape(&self, plan: &Plan) -> Option<Shape> {
        let root = plan.plan.as_ref()?;
        let tables = Tables { shapes: self, database: &plan.database };
        let mut found = Shape::default();
        let mut scans = BTreeSet::new();
        let text = Outline { tables, scans: &mut scans, whole: &mut found.whole }.of(root, false, 0);
        found.unserved = unserved(plan, tables);
        found.hash = fingerprint(&text);
        found.scans = scans.into_iter().collect();
        Some(found)
    }
}

/// The tables of one database.
#[derive(Clone, Copy)]
struct Tables<'a> {
    shapes: &'a Shapes<'a>,
    database: &'a str,
}

impl<'a> Tables<'a> {
    /// The table at the top that a relation is a part of.
    fn root(&self, (schema, name): (&'a str, &'a str)) -> (&'a str, &'a str) {
        self.shapes.roots.get(&(self.database, schema, name)).copied().unwrap_or((schema, name))
    }

    fn bytes(&self, (schema, name): (&'a str, &'a str)) -> i64 {
        self.shapes.bytes.get(&(self.database, schema, name)).copied().unwrap_or(0)
    }
}

/// Conditions by which an access method finds rows.
const FINDS: [&str; 3] = ["Index Cond", "Recheck Cond", "TID Cond"];

fn unserved<'a>(plan: &'a Plan, tables: Tables<'a>) -> Option<BTreeSet<(String, String)>> {
    let own = filtered(plan.plan.as_ref()?, tables, 0);
    match &plan.without_seq_scan {
        Some(root) => Some(filtered(root, tables, 0)),
        // What needs no other plan has no table that is read whole.
        None if own.is_empty() => Some(own),
        None => None,
    }
}

/// Tables whose rows are filtered and not found.
fn filtered<'a>(node: &'a Value, tables: Tables<'a>, depth: usize) -> BTreeSet<(String, String)> {
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    let is_found = FINDS.iter().any(|key| node.get(key).is_some());
    let relation = text("Schema").zip(text("Relation Name")).filter(|_| !is_found && text("Filter").is_some());
    let root = relation.map(|relation| tables.root(relation));
    let own = root.map(|(schema, name)| (schema.to_owned(), name.to_owned()));
    let below = node.get("Plans").and_then(Value::as_array).into_iter().flatten().filter(|_| depth < DEEPEST);
    own.into_iter().chain(below.flat_map(|node| filtered(node, tables, depth + 1))).collect()
}

/// What is gathered on the way through a plan.
struct Outline<'a, 'o> {
    tables: Tables<'a>,
    scans: &'o mut BTreeSet<String>,
    whole: &'o mut BTreeMap<(String, String), i64>,
}

impl<'a> Outline<'a, '_> {
    /// A node and those below it as one text. An index of a partition has a name of its own, which says nothing.
    fn of(&mut self, node: &'a Value, is_in_partition: bool, depth: usize) -> String {
        let text = |key: &str| node.get(key).and_then(Value::as_str);
        let kind = text("Node Type").unwrap_or_default();
        let relation = text("Schema").zip(text("Relation Name"));
        let root = relation.map(|relation| self.tables.root(relation));
        let is_partition = if relation.is_some() { root != relation } else { is_in_partition };
        let on = root.map(|(schema, name)| format!(" on {schema}.{name}")).unwrap_or_default();
        let index = text("Index Name").filter(|_| !is_partition);
        let using = index.map(|index| format!(" using {index}")).unwrap_or_default();
        let own = format!("{kind}{on}{using}");
        if let (Some(relation), Some((schema, name))) = (relation, root) {
            self.scans.insert(own.clone());
            if kind == "Seq Scan" {
                let bytes = self.tables.bytes(relation);
                *self.whole.entry((schema.to_owned(), name.to_owned())).or_default() += bytes;
            }
        }
        let join = text("Join Type").map(|join| format!(" {join}")).unwrap_or_default();
        let below = node.get("Plans").and_then(Value::as_array).into_iter().flatten().filter(|_| depth < DEEPEST);
        let mut parts: Vec<String> = below.map(|node| self.of(node, is_partition, depth + 1)).collect();
        if matches!(kind, "Append" | "Merge Append") {
            parts.sort();
            parts.dedup();
        }
        if parts.is_empty() { format!("{own}{join}") } else { format!("{own}{join} ({})", parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use chrono::DateTime;
    use serde_json::json;

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let relation = |name: &str, parent: Option<&str>| Relation {
            schema: "s".into(),
            name: name.into(),
            bytes: 8192,
            is_partition: parent.is_some(),
            parent_schema: parent.map(|_| "s".to_owned()),
            parent_name: parent.map(str::to_owned),
            ..Relation::default()
        };
        snapshot.relations = vec![
            relation("t", None),
            relation("m", None),
            relation("m1", Some("m")),
            relation("m2", Some("m")),
            relation("m3", Some("m")),
        ];
        snapshot
    }

    fn of(root: Value) -> Shape {
        Shapes::of(&snapshot()).shape(&Plan { plan: Some(root), ..Plan::default() }).expect("a shape")
    }

    fn scan(kind: &str, name: &str, index: Option<&str>) -> Value {
        json!({"Node Type": kind, "Schema": "s", "Relation Name": name, "Index Name": index, "Plan Rows": name.len()})
    }

    #[test]
    fn rows_do_not_count_and_indexes_do() {
        let by = |index| of(scan("Index Scan", "t", Some(index)));
        assert_eq!(by("t_pkey"), by("t_pkey"));
        assert_ne!(by("t_pkey").hash, by("t_x_idx").hash);
        assert_eq!(by("t_pkey").scans, ["Index Scan on s.t using t_pkey"]);
        assert!(by("t_pkey").whole.is_empty());
    }

    #[test]
    fn an_index_can_serve_or_not() {
        let filtered = |kind: &str, cond: Option<&str>| {
            let mut node = scan(kind, "t", None);
            node["Filter"] = json!("(a = $1)");
            if let Some(cond) = cond {
                node[cond] = json!("(b = $2)");
            }
            node
        };
        let unserved = |plan: Value, without: Option<Value>| {
            let plan = Plan { plan: Some(plan), without_seq_scan: without, ..Plan::default() };
            Shapes::of(&snapshot()).shape(&plan).expect("a shape").unserved.map(|tables| tables.len())
        };
        let seq = || filtered("Seq Scan", None);
        assert_eq!(unserved(seq(), Some(seq())), Some(1), "nothing serves");
        assert_eq!(unserved(seq(), Some(filtered("Index Scan", None))), Some(1), "an index read whole serves nobody");
        assert_eq!(unserved(seq(), Some(filtered("Index Scan", Some("Index Cond")))), Some(0), "an index could");
        assert_eq!(unserved(filtered("Index Scan", Some("Index Cond")), None), Some(0), "an index does");
        assert_eq!(unserved(seq(), None), None, "nobody asked");
    }

    #[test]
    fn one_partition_more_is_the_same_shape() {
        let append = |names: &[&str]| {
            of(
                json!({"Node Type": "Append", "Plans": names.iter().map(|name| scan("Seq Scan", name, None)).collect::<Vec<_>>()}),
            )
        };
        let (two, three) = (append(&["m1", "m2"]), append(&["m1", "m2", "m3"]));
        assert_eq!(two.hash, three.hash);
        assert_eq!(three.whole, [(("s".to_owned(), "m".to_owned()), 3 * 8192)].into());
    }
}
