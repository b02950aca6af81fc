//! Reads from a plan what its statement asks of each table: the server has resolved names, views, row security
//! and inheritance already.

use super::catalog::Catalog;
use super::existing::candidate;
use super::key::Key;
use super::operators::by_prefix;
use super::workload::Uses;
use crate::model::advice::Method;
use crate::model::plan::Name;
use crate::model::snapshot::Index;
use crate::statement::{
    Operated, Ordered, Searched, columns, comparisons, constants, extreme, needs_row, operation, operations,
    output_columns, partitioned_alias, sort_key,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan asks of its tables.
pub(super) fn asked(root: &Value, catalog: &Catalog<'_>) -> BTreeMap<Name, Uses> {
    let mut reading = Reading { catalog, aliases: BTreeMap::new(), tables: BTreeMap::new(), held: BTreeMap::new() };
    reading.name(root);
    reading.read(root, None, false);
    reading.hold();
    for (table, uses) in &mut reading.tables {
        if !catalog.is_carried(table, &uses.needed) {
            uses.needed.clear();
        }
    }
    // What is only inserted into asks for nothing.
    reading.tables.retain(|_, uses| *uses != Uses::default());
    reading.tables
}

/// Conditions of a plan node.
pub(super) const CONDITIONS: [&str; 6] =
    ["Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "Merge Cond"];

/// Nodes that make rows of their own: what they compare or sort is not in the table.
const GROUPING: [&str; 3] = ["Aggregate", "Group", "WindowAgg"];

/// Rows are grouped in a plan or below it.
fn groups(node: &Value) -> bool {
    text(node, "Node Type").is_some_and(|kind| GROUPING.contains(&kind)) || children(node).any(groups)
}

/// Nodes that name all they need of a scan below them.
pub(super) const NAMING: [&str; 6] = ["Aggregate", "Group", "WindowAgg", "Nested Loop", "Hash Join", "Merge Join"];

/// The plan reads the whole of a sub-plan into a hash table.
fn is_hashed(node: &Value, child: &Value) -> bool {
    let Some(name) = text(child, "Subplan Name").filter(|name| name.starts_with("SubPlan ")) else { return false };
    let mention = format!("hashed {name})");
    let said = CONDITIONS.iter().filter_map(|key| text(node, key)).chain(texts(node, "Output"));
    said.into_iter().any(|text| text.contains(&mention))
}

/// Rows that the planner expects of a statement, where that says something of its values: not of groups, nor under
/// a limit.
#[must_use]
pub fn expected_rows(node: &Value) -> Option<f64> {
    const THROUGH: [&str; 4] = ["ModifyTable", "LockRows", "Result", "Subquery Scan"];
    const SAYING_NOTHING: [&str; 5] = ["Limit", "Aggregate", "Group", "Unique", "SetOp"];
    let kind = node.get("Node Type")?.as_str()?;
    let child = node.get("Plans").and_then(|plans| plans.get(0));
    if SAYING_NOTHING.contains(&kind) {
        return None;
    }
    if THROUGH.contains(&kind) || kind.contains("Sort") || kind.starts_with("Gather") {
        return expected_rows(child?);
    }
    node.get("Plan Rows")?.as_f64()
}

struct Reading<'a> {
    catalog: &'a Catalog<'a>,
    aliases: BTreeMap<String, Name>,
    tables: BTreeMap<Name, Uses>,
    /// What holds of all rows of a scan, by its alias.
    held: BTreeMap<String, BTreeSet<String>>,
}

pub(super) fn text<'p>(node: &'p Value, key: &str) -> Option<&'p str> {
    node.get(key).and_then(Value::as_str)
}

pub(super) fn texts<'p>(node: &'p Value, key: &str) -> impl Iterator<Item = &'p str> {
    node.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

pub(super) fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node.get("Plans").and_then(Value::as_array).into_iter().flatten()
}

/// All texts below a value.
pub(super) fn all_texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(all_texts).collect(),
        Value::Object(map) => map.values().flat_map(all_texts).collect(),
        _ => Vec::new(),
    }
}

impl<'a> Reading<'a> {
    /// Aliases first: a join's condition stands above the scans that it names.
    fn name(&mut self, node: &Value) {
        let named = text(node, "Schema").zip(text(node, "Relation Name"));
        if let Some((relation, name)) = named.and_then(|(schema, name)| Some((name, self.catalog.table(schema, name)?)))
        {
            let alias = text(node, "Alias").unwrap_or(relation);
            if let Some(parent) = partitioned_alias(alias).filter(|_| name.name != relation) {
                self.aliases.entry(parent.to_owned()).or_insert_with(|| name.clone());
            }
            self.tables.entry(name.clone()).or_default();
            self.held.entry(alias.to_owned()).or_default();
            self.aliases.insert(alias.to_owned(), name);
        }
        children(node).for_each(|child| self.name(child));
    }

    fn read(&mut self, node: &Value, above: Option<&Value>, is_limited: bool) {
        let kind = text(node, "Node Type").unwrap_or_default();
        let is_of_rows = !GROUPING.contains(&kind);
        for condition in CONDITIONS.iter().filter_map(|key| text(node, key)) {
            self.condition(condition);
            if is_of_rows {
                operations(condition).into_iter().for_each(|part| self.operated(part));
                self.always(condition);
            }
        }
        self.sorted(node, is_limited);
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
                self.order(&[Some(Ordered { column, ..Ordered::default() })]);
            }
        }
        if kind != "ModifyTable" && node.get("Relation Name").is_some() {
            self.output(node, above);
            self.index_rows(node);
            if kind.starts_with("Index") && (is_limited || node.get("Index Cond").is_none()) {
                self.index_order(node);
            }
        }
        let is_limited = kind == "Limit" || (is_limited && !matches!(kind, "Sort" | "Aggregate"));
        for child in children(node) {
            let is_apart = matches!(text(child, "Parent Relationship"), Some("InitPlan" | "SubPlan"));
            if is_hashed(node, child) {
                self.looked_up(child);
            }
            self.read(child, Some(node).filter(|_| !is_apart), is_limited);
        }
    }

    /// What a hashed sub-plan puts out is compared with the row above by `=`, and with an index it could be looked
    /// up for each row instead: no condition says so.
    fn looked_up(&mut self, sub_plan: &Value) {
        for column in texts(sub_plan, "Output").flat_map(columns) {
            if let Some(uses) = self.uses(&column.alias) {
                uses.equal.insert(column.column.clone());
                uses.needed.insert(column.column);
            }
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

    fn index(&self, scan: &Value) -> Option<&'a Index> {
        let names = text(scan, "Schema").zip(text(scan, "Index Name"))?;
        self.catalog.indexes.get(&names).copied()
    }

    /// What a partial index says holds of all rows that are read by it, and no condition of the plan says it again.
    fn index_rows(&mut self, scan: &Value) {
        let Some((alias, index)) = text(scan, "Alias").zip(self.index(scan)) else { return };
        let predicate = candidate(index).and_then(|told| told.predicate);
        if let Some(held) = self.held.get_mut(alias) {
            held.extend(predicate);
        }
    }

    /// The order that an existing index is read for: no sort above it says so.
    fn index_order(&mut self, scan: &Value) {
        let Some((alias, index)) = text(scan, "Alias").zip(self.index(scan)) else { return };
        let order: Vec<Key> = (index.key_columns.iter().zip(&index.orders))
            .take_while(|(column, _)| index.method == "btree" && !column.is_empty())
            .map(|(column, order)| Key::ascending(column).in_order(*order))
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

    /// Operators that B-trees on columns do not serve.
    fn operated(&mut self, part: Operated) {
        let Operated { operand, operator, has_prefix } = part;
        let Some(table) = self.aliases.get(&operand.alias).cloned() else { return };
        let is_comparison = matches!(operator.as_str(), "=" | "<" | "<=" | ">" | ">=");
        let is_in_order = is_comparison && !operand.is_expression && self.catalog.is_in_order(&table, &operand.text);
        let column = self.catalog.column(&table, &operand.text).filter(|_| !operand.is_expression);
        let is_untold = operator == "~~" && has_prefix.is_none();
        let is_known = column.is_some_and(|column| is_untold && self.catalog.is_by_bytes(&table, &column.name));
        let served = column.filter(|_| !is_known);
        let served =
            served.and_then(|column| self.catalog.operators.serving(&column.name, &column.type_name, &operator));
        let Some(uses) = self.tables.get_mut(&table) else { return };
        if is_comparison && operand.is_expression {
            uses.expressions.insert(operand.text);
        } else if is_in_order && operator != "=" {
            uses.special.insert((Method::Brin, Key::ascending(&operand.text)));
        } else if !is_comparison {
            // Trigrams serve all patterns, so that nobody need guess.
            let is_guess = is_untold && served.is_none();
            let is_prefix = is_guess || has_prefix == Some(true);
            let beginning = column.filter(|_| is_prefix).and_then(by_prefix);
            uses.patterns.extend(column.filter(|_| is_guess).map(|column| column.name.clone()));
            // A B-tree finds a beginning with less, and the planner can be asked about it.
            uses.special.extend(served.filter(|_| beginning.is_none()));
            uses.prefixes.extend(beginning);
        }
    }

    /// Of a table that is scanned more than once holds what holds of all its scans.
    fn hold(&mut self) {
        for (table, uses) in &mut self.tables {
            let own = self.held.iter().filter(|(alias, _)| self.aliases.get(*alias) == Some(table));
            let common = own.map(|(_, held)| held.clone()).reduce(|one, other| &one & &other);
            uses.constants = common.unwrap_or_default();
        }
    }

    /// What holds of all rows of a scan.
    fn always(&mut self, condition: &str) {
        for (alias, predicate) in constants(condition) {
            if let Some(held) = self.held.get_mut(&alias) {
                held.insert(predicate);
            }
        }
    }

    /// The order of a sort. What is sorted by distance under a limit is looked for by nearness.
    fn sorted(&mut self, node: &Value, is_limited: bool) {
        let is_of_rows = !groups(node);
        let keys = texts(node, "Sort Key").map(|key| sort_key(key).filter(|key| is_of_rows || !key.is_expression));
        self.order(&keys.collect::<Vec<_>>());
        let first = texts(node, "Sort Key").next().filter(|_| is_limited && is_of_rows);
        let distance = first.and_then(operation).filter(Operated::is_distance);
        distance.into_iter().for_each(|part| self.operated(part));
    }

    /// The leading part of an order that is of one table.
    fn order(&mut self, keys: &[Option<Ordered>]) {
        let Some(Some(first)) = keys.first() else { return };
        let alias = first.column.alias.clone();
        let own = keys.iter().map_while(|key| key.as_ref().filter(|key| key.column.alias == alias));
        let order: Vec<Key> = own
            .map(|key| Key {
                column: key.column.column.clone(),
                is_expression: key.is_expression,
                is_descending: key.is_descending,
                nulls_first: key.nulls_first,
                class: None,
            })
            .collect();
        if let Some(uses) = self.uses(&alias) {
            uses.needed.extend(order.iter().filter(|key| !key.is_expression).map(|key| key.column.clone()));
            uses.orders.insert(forward(order));
        }
    }
}

/// An order that is the exact reverse of a plain one is read from that backwards.
fn forward(order: Vec<Key>) -> Vec<Key> {
    if order.iter().all(|key| key.is_descending && key.nulls_first) {
        return order.into_iter().map(|key| Key { is_descending: false, nulls_first: false, ..key }).collect();
    }
    order
}
#[cfg(test)]
mod tests;
