//! From a plan as EXPLAIN prints it to what can be costed anew.

use super::assemble::{edge, equalities, laterals_of, region, take_laterals, united};
use super::catalog::Catalog;
use super::costs::Cost;
use super::join::{Keeping, Leaf, Region, Residual, Sided};
use super::path::OrderKey;
use super::restriction::{Restrictions, Subject};
use super::scan::Scan;
use super::upper::{Kind, Node, Upper};
use crate::advise::catalog::Catalog as Types;
use crate::advise::key::Key;
use crate::advise::reading::{CONDITIONS, NAMING, all_texts, children, text, texts};
use crate::model::plan::Name;
use crate::statement::{Operand, PlanColumn, conditions, extreme, needs_row, output_columns, sort_key};
use serde_json::Value;
use std::collections::BTreeSet;

/// Times that the other half of a recursion is assumed to run (`cost_recursive_union`).
const RECURSIONS: f64 = 10.0;

/// Nodes through which an order goes, and the names of columns with it.
const TRANSPARENT: [&str; 8] =
    ["Limit", "LockRows", "Result", "Unique", "Gather", "Gather Merge", "Append", "Merge Append"];

/// Inputs of a join that are there for its sake.
const PREPARED: [&str; 3] = ["Hash", "Materialize", "Memoize"];

/// Reads plans.
pub(super) struct Reading<'a> {
    catalog: &'a Catalog,
    types: &'a Types<'a>,
    /// The only alias: EXPLAIN leaves it out.
    only: Option<String>,
}

/// Where in a plan a node is.
#[derive(Clone, Copy)]
struct Place<'a> {
    above: Option<&'a Value>,
    /// Only some of the rows are wanted.
    is_limited: bool,
    /// Workers that share it, the leader's part counted.
    workers: f64,
}

fn number(node: &Value, key: &str) -> f64 {
    node.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

fn cost(node: &Value) -> Cost {
    Cost { startup: number(node, "Startup Cost"), total: number(node, "Total Cost") }
}

fn kind(node: &Value) -> &str {
    text(node, "Node Type").unwrap_or_default()
}

fn relation<'p>(node: &'p Value, wanted: &[&str]) -> impl Iterator<Item = &'p Value> {
    let wanted: Vec<String> = wanted.iter().map(|one| (*one).to_owned()).collect();
    children(node)
        .filter(move |child| text(child, "Parent Relationship").is_some_and(|own| wanted.iter().any(|one| one == own)))
}

fn inputs(node: &Value) -> impl Iterator<Item = &Value> {
    relation(node, &["Outer", "Inner", "Subquery", "Member"])
}

/// What is run for each row, and what once.
#[derive(Default)]
struct SubPlans {
    each: Vec<Node>,
    once: Vec<Node>,
}

impl<'a> Reading<'a> {
    /// None where the plan is of a form that is not known.
    pub(super) fn read(catalog: &'a Catalog, types: &'a Types<'a>, plan: &Value) -> Option<Node> {
        let mut aliases = BTreeSet::new();
        named(plan, &mut aliases);
        let only = aliases.first().filter(|_| aliases.len() == 1).cloned();
        let reading = Self { catalog, types, only };
        let mut node = reading.node(plan, Place { above: None, is_limited: false, workers: 1.0 })?;
        settle(&mut node);
        Some(node)
    }

    fn node(&self, node: &Value, place: Place<'_>) -> Option<Node> {
        match kind(node) {
            "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan"
                if text(node, "Relation Name").is_some() =>
            {
                self.table(node, place)
            }
            "Nested Loop" | "Hash Join" | "Merge Join" => self.join(node, place),
            _ => self.upper(node, place),
        }
    }

    /// Sub-plans of a node.
    fn sub_plans(&self, node: &Value) -> Option<SubPlans> {
        let mut found = SubPlans::default();
        let place = Place { above: None, is_limited: false, workers: 1.0 };
        for plan in relation(node, &["InitPlan"]) {
            found.once.push(self.node(plan, place)?);
        }
        let is_hashed = all_texts(node.get("Filter").unwrap_or(&Value::Null))
            .into_iter()
            .chain(texts(node, "Output"))
            .chain(text(node, "Join Filter"))
            .any(|condition| condition.contains("hashed SubPlan"));
        for plan in relation(node, &["SubPlan"]) {
            let read = self.node(plan, place)?;
            if is_hashed { found.once.push(read) } else { found.each.push(read) }
        }
        Some(found)
    }

    fn table(&self, node: &Value, place: Place<'_>) -> Option<Node> {
        let name = Name::new(text(node, "Schema")?, text(node, "Relation Name")?);
        let alias = text(node, "Alias").unwrap_or(&name.name).to_owned();
        let table = self.catalog.table(&name)?.clone();
        let conditions = CONDITIONS.iter().filter_map(|key| text(node, key)).flat_map(conditions).collect();
        let subject = Subject { name: &name, alias: &alias, table: &table, types: self.types };
        let mut restrictions = Restrictions::of(conditions, subject);
        if restrictions.laterals.is_empty() {
            restrictions.calibrate(rows(node, place.workers), table.rows);
        }
        let SubPlans { each, once } = self.sub_plans(node)?;
        let is_in_order = kind(node).starts_with("Index")
            && (place.is_limited || (node.get("Index Cond").is_none() && kind(node) == "Index Scan"));
        let implied = if is_in_order { self.index_order(node, &alias, &name) } else { Vec::new() };
        let scan = Scan {
            needed: self.needed(node, place.above, &alias),
            width: number(node, "Plan Width"),
            sub_plans: each,
            alias,
            table,
            restrictions,
        };
        Some(Node::Region(Region { implied, once, ..Region::of(Leaf::Table(Box::new(scan))) }))
    }

    /// The order that the plan's index gives.
    fn index_order(&self, node: &Value, alias: &str, name: &Name) -> Vec<OrderKey> {
        let is_backward = text(node, "Scan Direction") == Some("Backward");
        let keys = self.catalog.order(name, text(node, "Index Name").unwrap_or_default());
        let key = |key: Key| Key {
            is_descending: key.is_descending != is_backward,
            nulls_first: key.nulls_first != is_backward,
            ..key
        };
        keys.into_iter().map(|one| OrderKey { alias: alias.to_owned(), key: key(one) }).collect()
    }

    /// Columns that are read; none where it is the row itself. Below some nodes a scan puts out whole rows, as
    /// that is the least work: what those nodes name says what is needed.
    fn needed(&self, scan: &Value, above: Option<&Value>, alias: &str) -> Option<BTreeSet<String>> {
        if texts(scan, "Output").any(needs_row) {
            return None;
        }
        let namer = above.filter(|node| NAMING.contains(&kind(node)));
        let conditions = |node| CONDITIONS.iter().filter_map(move |key| text(node, key));
        let mut all: Vec<&str> = texts(namer.unwrap_or(scan), "Output").chain(conditions(scan)).collect();
        if let Some(node) = namer {
            all.extend(conditions(node));
            all.extend(texts(node, "Group Key").chain(node.get("Grouping Sets").map(all_texts).unwrap_or_default()));
        }
        let found = all.into_iter().flat_map(|one| output_columns(one, self.only.as_deref()));
        Some(found.filter(|column| column.alias == alias).map(|column| column.column).collect())
    }

    /// An input of a join, without what is there for the join's sake.
    fn input(&self, node: &Value, join: &Value, place: Place<'_>) -> Option<Node> {
        let is_for_merge = kind(join) == "Merge Join" && kind(node).ends_with("Sort");
        let is_gather = kind(node).starts_with("Gather");
        if PREPARED.contains(&kind(node)) || is_for_merge {
            return self.input(inputs(node).next()?, join, place);
        }
        if is_gather {
            let place = Place { workers: workers(node), ..place };
            return self.input(inputs(node).next()?, join, place);
        }
        self.node(node, Place { above: Some(join), ..place })
    }

    fn join(&self, node: &Value, place: Place<'_>) -> Option<Node> {
        let mut sides = inputs(node);
        let (first, second) = (sides.next()?, sides.next()?);
        let is_loop = kind(node) == "Nested Loop";
        let outer = self.input(first, node, Place { is_limited: place.is_limited && is_loop, ..place })?;
        let inner = self.input(second, node, Place { is_limited: false, ..place })?;
        let plans = self.sub_plans(node)?;
        match text(node, "Join Type")? {
            "Inner" => Some(Node::Region(self.inner_join(node, place, outer, inner, plans))),
            "Left" => Some(self.sided(Keeping::Outer, node, place, (outer, inner), plans)),
            "Right" => Some(self.sided(Keeping::Outer, node, place, (inner, outer), plans)),
            "Full" => Some(self.sided(Keeping::Full, node, place, (outer, inner), plans)),
            "Semi" => Some(self.sided(Keeping::Semi, node, place, (outer, inner), plans)),
            "Right Semi" => Some(self.sided(Keeping::Semi, node, place, (inner, outer), plans)),
            "Anti" => Some(self.sided(Keeping::Anti, node, place, (outer, inner), plans)),
            "Right Anti" => Some(self.sided(Keeping::Anti, node, place, (inner, outer), plans)),
            _ => None,
        }
    }

    fn inner_join(&self, node: &Value, place: Place<'_>, outer: Node, inner: Node, plans: SubPlans) -> Region {
        let (first, second) = (region(outer), region(inner));
        let known = (first.rows(first.all(), 0), second.rows(second.all(), 0));
        let mut all = united(first, second, kind(node) != "Hash Join");
        let edges = all.edges.len();
        for (left, right) in equalities(node) {
            let ends = [&left, &right].map(|column| {
                let at = all.leaves.iter().position(|leaf| leaf.has(&column.alias))?;
                Some((at, column.clone()))
            });
            if let [Some(left), Some(right)] = ends {
                all.edges.push(edge(&all, left, right));
            }
        }
        take_laterals(&mut all);
        if !plans.each.is_empty() || all.edges.len() == edges && text(node, "Join Filter").is_some() {
            let leaves = all.all();
            all.residuals.push(Residual { leaves, share: 1.0, sub_plans: plans.each });
        }
        all.once.extend(plans.once);
        // The rows that the plan expects decide.
        let expected = rows(node, place.workers) / (known.0 * known.1);
        let new: f64 = all.edges[edges..].iter().map(|edge| edge.share).product();
        let factor = expected / new;
        match (all.edges.get_mut(edges), all.residuals.last_mut()) {
            (Some(edge), _) => edge.share = (edge.share * factor).clamp(1e-15, 1.0),
            (None, Some(residual)) => residual.share = expected.clamp(1e-15, 1.0),
            _ => {}
        }
        all
    }

    fn sided(
        &self,
        keeping: Keeping,
        node: &Value,
        place: Place<'_>,
        (outer, mut inner): (Node, Node),
        plans: SubPlans,
    ) -> Node {
        let mut edges = Vec::new();
        let mut add = |own: &Operand, other: &Operand, inner: &Node| {
            let parts = inner.parts().unwrap_or_default();
            let values = parts.iter().map(|scan| scan.table.statistics(other).distinct).reduce(f64::max);
            let share = 1.0 / values.unwrap_or(1.0);
            edges.push((own.clone(), other.clone(), share));
        };
        for (left, right) in equalities(node) {
            match (outer.has(&left.alias), inner.has(&right.alias)) {
                (true, true) => add(&left, &right, &inner),
                _ if outer.has(&right.alias) && inner.has(&left.alias) => add(&right, &left, &inner),
                _ => {}
            }
        }
        for lateral in laterals_of(&mut inner, &|alias| outer.has(alias)) {
            add(&lateral.with, &lateral.own, &inner);
        }
        Node::Sided(Box::new(Sided {
            keeping,
            edges,
            rows: rows(node, place.workers).max(1.0),
            width: number(node, "Plan Width"),
            sub_plans: plans.each,
            once: plans.once,
            outer,
            inner,
        }))
    }

    fn upper(&self, node: &Value, place: Place<'_>) -> Option<Node> {
        let workers = if kind(node).starts_with("Gather") { workers(node) } else { place.workers };
        let name = kind(node);
        let is_limited = name == "Limit" || place.is_limited && !name.ends_with("Sort") && name != "Aggregate";
        let mut below = Vec::new();
        let mut own = cost(node);
        let first = inputs(node).next().map(cost).unwrap_or_default();
        for (at, input) in inputs(node).enumerate() {
            let times = if name == "Recursive Union" && at > 0 { RECURSIONS } else { 1.0 };
            own.total -= times * cost(input).total;
            below.push((self.node(input, Place { above: Some(node), is_limited, workers })?, times));
        }
        let (kind, startup) = self.kind(node, workers, below.first().map(|(node, _)| node));
        own.startup -= match startup {
            Startup::AfterAll => first.total,
            Startup::AfterFirst => first.startup,
        };
        let SubPlans { each, once } = self.sub_plans(node)?;
        for (plan, read) in relation(node, &["InitPlan"]).zip(once) {
            own.total -= cost(plan).total;
            own.startup -= cost(plan).total;
            below.push((read, 1.0));
        }
        for (plan, read) in relation(node, &["SubPlan"]).zip(each) {
            let times = number(node, "Plan Rows").min(own.total.max(0.0) / cost(plan).total.max(1e-9));
            own.total -= times * cost(plan).total;
            below.push((read, times));
        }
        let own = Cost { startup: own.startup.max(0.0), total: own.total.max(0.0) };
        let keeps_names = TRANSPARENT.contains(&name);
        let alias = text(node, "Alias").map(str::to_owned);
        Some(Node::Upper(Upper {
            kind,
            alias,
            own,
            rows: rows(node, workers).max(1.0),
            width: number(node, "Plan Width"),
            below,
            keeps_names,
        }))
    }

    fn kind(&self, node: &Value, workers: f64, below: Option<&Node>) -> (Kind, Startup) {
        match (kind(node), text(node, "Strategy")) {
            ("Sort" | "Incremental Sort", _) => {
                (Kind::Sort(ordered(texts(node, "Sort Key"), self.only.as_deref())), Startup::AfterAll)
            }
            ("Limit", _) => {
                let (own, input) = (cost(node), inputs(node).next().map(cost).unwrap_or_default());
                let below = inputs(node).next().map_or(1.0, |input| number(input, "Plan Rows")).max(1.0);
                // What is skipped shows in the cost alone; costs are printed with two decimals.
                let skipped = if input.run() > 1.0 { (own.startup - input.startup) / input.run() } else { 0.0 };
                let skipped = skipped.clamp(0.0, 1.0);
                (Kind::Limit(skipped, (skipped + number(node, "Plan Rows") / below).min(1.0), 1.0), Startup::AfterFirst)
            }
            ("Gather" | "Gather Merge", _) => (Kind::Gather(workers), Startup::AfterFirst),
            ("Aggregate", Some("Sorted")) | ("Group", _) => {
                let keys = ordered(texts(node, "Group Key"), self.only.as_deref()).unwrap_or_default();
                let has_sort = inputs(node).any(kind_ends_sorted);
                (Kind::Streaming(if has_sort { Vec::new() } else { keys }), Startup::AfterFirst)
            }
            ("Aggregate", Some("Plain")) => {
                let found = match texts(node, "Output").collect::<Vec<_>>().as_slice() {
                    [output] => extreme(output, self.only.as_deref()),
                    _ => None,
                };
                let key = found.filter(|_| below.is_some_and(|node| node.only_table().is_some()));
                let order = |column: PlanColumn| OrderKey { key: Key::ascending(&column.column), alias: column.alias };
                (key.map_or(Kind::Blocking, |column| Kind::Extreme(order(column))), Startup::AfterAll)
            }
            ("Append" | "Merge Append", _) => (Kind::Append, Startup::AfterFirst),
            ("Aggregate" | "SetOp", _) => (Kind::Blocking, Startup::AfterAll),
            _ => (Kind::Streaming(Vec::new()), Startup::AfterFirst),
        }
    }
}

/// When a node gives its first row.
enum Startup {
    AfterAll,
    AfterFirst,
}

fn kind_ends_sorted(node: &Value) -> bool {
    kind(node).ends_with("Sort") || kind(node) == "Gather Merge"
}

/// The leader does what is left of its time (`get_parallel_divisor`).
pub(in crate::advise) fn workers(gather: &Value) -> f64 {
    let planned = number(gather, "Workers Planned");
    planned + (1.0 - 0.3 * planned).max(0.0)
}

/// Rows of all workers together.
fn rows(node: &Value, workers: f64) -> f64 {
    number(node, "Plan Rows") * if is_shared(node) { workers } else { 1.0 }
}

/// Each worker has a part of the rows.
fn is_shared(node: &Value) -> bool {
    let own = node.get("Parallel Aware").and_then(Value::as_bool).unwrap_or(false);
    own || (!kind(node).starts_with("Gather") && inputs(node).next().is_some_and(is_shared))
}

fn named(node: &Value, aliases: &mut BTreeSet<String>) {
    aliases.extend(text(node, "Alias").map(str::to_owned));
    children(node).for_each(|child| named(child, aliases));
}

/// The order of these keys; none where one of them is of several relations.
fn ordered<'p>(keys: impl Iterator<Item = &'p str>, only: Option<&str>) -> Option<Vec<OrderKey>> {
    let mut found = Vec::new();
    for text in keys {
        let one = sort_key(text).or_else(|| sort_key(&format!("{}.{text}", only?)))?;
        let (is_expression, is_descending, nulls_first) = (one.is_expression, one.is_descending, one.nulls_first);
        let PlanColumn { alias, column } = one.column;
        found.push(OrderKey { alias, key: Key { column, is_expression, class: None, is_descending, nulls_first } });
    }
    (!found.is_empty()).then_some(found)
}

/// What is still compared with something outside gets its value from there.
fn settle(node: &mut Node) {
    match node {
        Node::Region(region) => {
            for leaf in &mut region.leaves {
                match leaf {
                    Leaf::Table(scan) => {
                        let table = scan.table.clone();
                        scan.restrictions.settle(&table);
                        scan.sub_plans.iter_mut().for_each(settle);
                    }
                    Leaf::Part(part) => settle(part),
                }
            }
            region.residuals.iter_mut().flat_map(|one| &mut one.sub_plans).for_each(settle);
            region.once.iter_mut().for_each(settle);
        }
        Node::Sided(sided) => {
            settle(&mut sided.outer);
            settle(&mut sided.inner);
            sided.sub_plans.iter_mut().for_each(settle);
            sided.once.iter_mut().for_each(settle);
        }
        Node::Upper(upper) => upper.below.iter_mut().for_each(|(part, _)| settle(part)),
    }
}
