//! The built-in estimate: what a statement would cost with indexes that are not there, by PostgreSQL's own cost
//! formulas over what the catalog and ANALYZE know. It answers where no planner can be asked.
//!
//! The server's plan of the statement is the anchor: its conditions, its rows, and what its upper nodes cost. Ways to
//! read its tables and to join them are costed anew, with the candidates and without them. What the formulas make of the
//! plan as it is differs from what the planner made of it: the factor between the two is applied to an answer, the less
//! of it the less of the plan is left.

mod assemble;
mod bitmap;
mod catalog;
mod costs;
mod join;
mod path;
mod read;
mod restriction;
mod scan;
mod size;
mod upper;

use super::candidate::{Candidate, Id, Pool, UNKNOWN_BYTES};
use super::catalog::Catalog as Types;
use super::oracle::{Answer, Question, Spread, WhatIf};
use super::reading::expected_rows;
use super::workload::Query;
use crate::model::advice::{ParameterValues, ValuesCost};
use crate::model::plan::Name;
use crate::model::snapshot::Snapshot;
use catalog::{Catalog, Known, Table};
use costs::Costs;
use path::{Alive, Path, Question as Asked, Wish};
use read::Reading;
pub(super) use read::workers;
use restriction::{GENERIC, SETS, Shares, USUAL};
use serde_json::Value;
use size::tree;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use upper::{Kind, Node, Upper};

/// The built-in estimate.
#[derive(Debug)]
pub struct Estimate {
    costs: Costs,
    catalog: Catalog,
    /// By statement; none where its plan is of an unknown form.
    models: Vec<Option<Model>>,
    /// Share of its table's rows that a predicate lets through, by table and text.
    shares: HashMap<(Name, String), f64>,
    /// What an index may be on, or hold rows by, beside columns: by table and text.
    immutable: HashSet<(Name, String)>,
    /// Candidates as indexes of a table, by the table's number.
    known: HashMap<(usize, Id), Arc<Known>>,
}

/// A statement.
#[derive(Debug)]
struct Model {
    root: Node,
    tables: Vec<Arc<Table>>,
    all_pages: f64,
    /// Cost by the server's plan.
    planned: f64,
    /// Cost by the formulas, by the values of parameters.
    base: Shares,
    /// The values that decide.
    set: usize,
}

impl Estimate {
    /// For statements whose plans and tables are in the snapshot.
    #[must_use]
    pub fn new(snapshot: &Snapshot, queries: &[Query]) -> Self {
        let costs = Costs::of(snapshot);
        let catalog = Catalog::of(snapshot, &costs);
        let types = Types::of(snapshot);
        let plans: HashMap<&str, &Value> =
            snapshot.plans.iter().filter_map(|row| Some((row.fingerprint.as_str(), row.plan.as_ref()?))).collect();
        let model = |query: &Query| {
            let plan = types.sifted(plans.get(query.fingerprint.as_str())?, &query.search_path);
            Model::of(query, &plan, &catalog, &types, &costs)
        };
        let models: Vec<Option<Model>> = queries.iter().map(model).collect();
        let mut shares = HashMap::new();
        for model in models.iter().flatten() {
            model.root.each_table(&mut |scan| {
                for one in &scan.restrictions.own {
                    let constant =
                        one.constant.iter().map(|text| ((scan.table.root.clone(), text.clone()), one.shares[0]));
                    shares.extend(constant);
                }
            });
        }
        Self { immutable: immutable(queries, &types), costs, catalog, models, shares, known: HashMap::new() }
    }

    /// Statements whose plans are of a form that it knows.
    #[must_use]
    pub fn understood(&self) -> usize {
        self.models.iter().flatten().count()
    }

    /// The server would make it.
    fn is_taken(&self, candidate: &Candidate) -> bool {
        let expressions = candidate.keys.iter().filter(|key| key.is_expression).map(|key| &key.column);
        let mut all = expressions.chain(&candidate.predicate);
        all.all(|text| self.immutable.contains(&(candidate.table.clone(), text.clone())))
    }

    fn share(&self, candidate: &Candidate) -> f64 {
        let text = candidate.predicate.clone();
        text.and_then(|text| self.shares.get(&(candidate.table.clone(), text)).copied()).unwrap_or(1.0)
    }

    /// The candidates as indexes of the tables of a statement.
    fn alive(&mut self, pool: &Pool, question: &Question) -> Alive {
        let mut alive = Alive::new();
        let Some(Some(model)) = self.models.get(question.query) else { return alive };
        for table in &model.tables {
            for id in &question.alive {
                let candidate = pool.get(*id);
                if candidate.table != table.root {
                    continue;
                }
                let share = self.share(candidate);
                let make = || Arc::new(table.hypothetical(*id, candidate, share, &self.costs));
                let known = self.known.entry((table.number, *id)).or_insert_with(make);
                alive.entry(table.number).or_default().push(known.clone());
            }
        }
        alive
    }

    fn answer(&mut self, pool: &Pool, question: &Question) -> Option<Answer> {
        let alive = self.alive(pool, question);
        let model = self.models.get(question.query)?.as_ref()?;
        let path = model.path(&self.costs, &alive, model.set);
        Some(Answer { cost: model.calibrated(path.cost.total, model.set), used: path.used })
    }

    fn spread_of(&mut self, pool: &Pool, question: &Question) -> Spread {
        let alive = self.alive(pool, question);
        let Some(Some(model)) = self.models.get(question.query) else { return Spread::default() };
        let cost = |set: usize, alive: &Alive| model.calibrated(model.path(&self.costs, alive, set).cost.total, set);
        let costs = ParameterValues::ALL.into_iter().zip(SETS).filter(|(_, set)| *set != model.set);
        let others = costs.map(|(values, set)| ValuesCost {
            values,
            cost_before: cost(set, &Alive::new()),
            cost_after: cost(set, &alive),
        });
        Spread { values: ParameterValues::ALL.get(model.set).copied(), others: others.collect(), questions: 0 }
    }
}

impl Model {
    fn of(query: &Query, plan: &Value, catalog: &Catalog, types: &Types<'_>, costs: &Costs) -> Option<Self> {
        let mut root = Reading::read(catalog, types, plan)?;
        // Of a limit at the top as many rows are wanted as came; of one further down one row.
        if let Node::Upper(Upper { kind: Kind::Limit(.., rows), .. }) = &mut root {
            *rows = query.rows_per_call.max(1.0).ceil();
        }
        let mut tables: BTreeMap<usize, Arc<Table>> = BTreeMap::new();
        root.each_table(&mut |scan| {
            tables.insert(scan.table.number, scan.table.clone());
        });
        let all_pages = tables.values().map(|table| table.pages).sum();
        let planned = plan.get("Total Cost").and_then(Value::as_f64)?;
        let set = expected_rows(plan).map_or(USUAL, |_| explaining(&root, query.rows_per_call));
        let tables = tables.into_values().collect();
        let mut model = Self { root, tables, all_pages, planned, base: SETS.map(|_| 1.0), set };
        let none = Alive::new();
        model.base = SETS.map(|set| model.path(costs, &none, set).cost.total.max(f64::MIN_POSITIVE));
        Some(model)
    }

    fn path(&self, costs: &Costs, alive: &Alive, set: usize) -> Path {
        let ask = Asked { costs, alive, all_pages: self.all_pages, set, workers: None };
        self.root.best(&ask, Wish::ALL)
    }

    /// The cost as the planner would have it: its own where nothing changes, ours where nothing is left.
    fn calibrated(&self, cost: f64, set: usize) -> f64 {
        let left = (cost / self.base[set]).min(1.0);
        let factor = self.planned / self.base[GENERIC];
        left * self.base[set] * factor.powf(left)
    }
}

/// Expressions and predicates that statements ask for, and that never change their result.
fn immutable(queries: &[Query], types: &Types<'_>) -> HashSet<(Name, String)> {
    let mut found = HashSet::new();
    for query in queries {
        for (table, uses) in &query.tables {
            let is_immutable = |text: &String| types.is_immutable(table, text, &query.search_path);
            found.extend(uses.computed().filter(is_immutable).map(|text| (table.clone(), text)));
        }
    }
    found
}

/// The values with which about as many rows would come as came.
fn explaining(root: &Node, rows_per_call: f64) -> usize {
    let off = |set: &usize| ((root.rows(*set) + 1.0) / (rows_per_call + 1.0)).ln().abs();
    SETS.into_iter().skip(USUAL).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(USUAL)
}

impl WhatIf for Estimate {
    fn spread(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Spread> {
        questions.iter().map(|question| self.spread_of(pool, question)).collect()
    }

    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        questions.iter().map(|question| self.answer(pool, question)).collect()
    }

    #[allow(clippy::cast_possible_truncation, reason = "bytes")]
    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        let bytes = |candidate: &&Candidate| {
            if !self.is_taken(candidate) {
                return UNKNOWN_BYTES;
            }
            let share = self.share(candidate);
            let pages: f64 = self
                .catalog
                .below(&candidate.table)
                .map(|table| tree(table, candidate, share, &self.costs).pages)
                .sum();
            (pages * self.costs.page_bytes) as i64
        };
        candidates.iter().map(bytes).collect()
    }
}

#[cfg(test)]
mod tests;
