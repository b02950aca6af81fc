//! Ways to get the rows of a part of a plan.

use super::catalog::{Known, Table};
use super::costs::{Cost, Costs, Heap};
use crate::advise::candidate::Id;
use crate::advise::key::Key;
use crate::statement::Operand;
use std::collections::HashMap;
use std::sync::Arc;

/// Ways whose costs differ by less than this share are alike (`STD_FUZZ_FACTOR`, pathnode.c).
const ALIKE: f64 = 1.01;

/// One way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) cost: Cost,
    /// Leading keys of the wanted order that its rows come in.
    pub(super) order: usize,
    /// Candidates that it uses, sorted.
    pub(super) used: Vec<Id>,
}

/// A key of a wanted order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderKey {
    pub(super) alias: String,
    pub(super) key: Key,
}

impl OrderKey {
    pub(super) fn operand(&self) -> Operand {
        let Key { column, is_expression, .. } = self.key.clone();
        Operand { alias: self.alias.clone(), text: column, is_expression }
    }
}

/// What is wanted of a part of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The order that would save a sort.
    pub(super) order: &'a [OrderKey],
    /// It must come in that order.
    pub(super) is_required: bool,
    /// Share of the rows that will be asked for.
    pub(super) share: f64,
}

impl Wish<'_> {
    /// All rows in any order.
    pub(super) const ALL: Wish<'static> = Wish { order: &[], is_required: false, share: 1.0 };
}

/// Candidates that are there, by the number of the table that they would be on.
pub(super) type Alive = HashMap<usize, Vec<Arc<Known>>>;

/// What all parts of a question share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) costs: &'a Costs,
    /// Candidates that are there, by table.
    pub(super) alive: &'a Alive,
    /// Pages of all tables of the statement.
    pub(super) all_pages: f64,
    /// Which of the parameters' values.
    pub(super) set: usize,
    /// Workers that share the work, the leader's part counted; none: no part of the plan is parallel.
    pub(super) workers: Option<f64>,
}

impl Question<'_> {
    pub(super) fn heap(&self, table: &Table) -> Heap {
        Heap { rows: table.rows, pages: table.pages, visible: table.visible, all_pages: self.all_pages }
    }

    pub(super) fn indexes<'i>(&'i self, table: &'i Table) -> impl Iterator<Item = &'i Known> {
        let alive = self.alive.get(&table.number).into_iter().flatten();
        table.indexes.iter().chain(alive.map(Arc::as_ref))
    }

    pub(super) fn divisor(&self) -> f64 {
        self.workers.unwrap_or(1.0)
    }
}

/// Adds a way unless another is as good in all respects, and drops those that it outdoes.
pub(super) fn add(paths: &mut Vec<Path>, new: Path) {
    let outdoes = |one: &Path, other: &Path| {
        one.order >= other.order
            && one.cost.total <= other.cost.total * ALIKE
            && one.cost.startup <= other.cost.startup * ALIKE
    };
    if paths.iter().any(|old| outdoes(old, &new) && (!outdoes(&new, old) || old.cost.total <= new.cost.total)) {
        return;
    }
    paths.retain(|old| !outdoes(&new, old));
    paths.push(new);
}

/// The cheapest way to so large a share of the rows, in at least so many keys of the order.
pub(super) fn cheapest(paths: &[Path], share: f64, order: usize) -> Option<&Path> {
    let fit = paths.iter().filter(|path| path.order >= order);
    fit.min_by(|a, b| a.cost.until(share).total_cmp(&b.cost.until(share)))
}

/// Both sets, sorted.
pub(super) fn united(one: &[Id], other: &[Id]) -> Vec<Id> {
    // Mostly one is empty, and this is done for each way to join.
    if one.is_empty() || other.is_empty() {
        return if one.is_empty() { other.to_vec() } else { one.to_vec() };
    }
    let mut all = [one, other].concat();
    all.sort_unstable();
    all.dedup();
    all
}
