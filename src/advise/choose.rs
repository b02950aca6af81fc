//! Which of the candidates together: the greatest saving within the budget, by what is known of each
//! statement's configurations. No planner here: thousands of sets are weighed in a moment.
//!
//! A knapsack whose items need each other. A price on bytes makes it free of the budget (Lagrange): from
//! several prices a set is grown and changed by single moves; what fits is then filled up and changed
//! within the budget.

use super::candidate::{Id, Pool};
use super::oracle::{Memory, is_subset};
use crate::model::plan::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Prices that are tried to meet a budget.
const PRICES: usize = 14;

/// Configurations that are tried in the place of each index, the most promising first.
const SWAPPED: usize = 80;

/// Moves of one search at most.
const MOVES: usize = 300;

/// What the choice is bounded by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Bytes of all indexes.
    pub budget_bytes: Option<i64>,
    /// Indexes of one table.
    pub max_per_table: usize,
    /// An index must save this share of the workload's cost.
    pub least_gain: f64,
}

/// A statement's configurations, the cheapest first: the indexes each needs, and the cost with them.
struct Options {
    weight: f64,
    base: f64,
    configs: Vec<(Vec<Id>, f64)>,
}

/// A set under change, with the cost of each statement.
#[derive(Clone)]
struct Choice {
    has: Vec<bool>,
    bytes: i64,
    costs: Vec<f64>,
    /// Weighted cost of all statements, and of writes.
    total: f64,
}

/// What a set is worth: its total and the price of its bytes.
#[allow(clippy::cast_precision_loss, reason = "a price")]
fn worth(total: f64, bytes: i64, price: f64) -> f64 {
    total + price * bytes as f64
}

pub(super) struct Chooser<'a> {
    pool: &'a Pool,
    bounds: Bounds,
    options: Vec<Options>,
    /// Candidates that some configuration needs.
    ids: Vec<Id>,
    /// Statements by the indexes that serve them.
    serves: BTreeMap<Id, Vec<usize>>,
    base: f64,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(pool: &'a Pool, bounds: Bounds, weights: &[f64], bases: &[f64], memory: &Memory<'_>) -> Self {
        let mut options = Vec::new();
        let mut serves: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (query, (weight, base)) in weights.iter().zip(bases).enumerate() {
            let configs = configs(query, *base, memory);
            for id in configs.iter().flat_map(|(ids, _)| ids).collect::<BTreeSet<_>>() {
                serves.entry(*id).or_default().push(query);
            }
            options.push(Options { weight: *weight, base: *base, configs });
        }
        let base = options.iter().map(|option| option.weight * option.base).sum();
        Self { pool, bounds, options, ids: serves.keys().copied().collect(), serves, base }
    }

    /// The best set found, from several beginnings and from sets that were good before.
    pub(super) fn choose(&self, known: &[BTreeSet<Id>]) -> BTreeSet<Id> {
        let mut best: Option<Choice> = None;
        let mut consider = |choice: Choice| {
            let choice = self.improve(choice, 0.0, self.bounds.budget_bytes);
            if best.as_ref().is_none_or(|best| choice.total < best.total - 1e-9) {
                best = Some(choice);
            }
        };
        for start in self.priced() {
            consider(start);
        }
        for set in known {
            consider(self.of(set));
        }
        best.map(|best| self.ids.iter().copied().filter(|id| best.has[*id as usize]).collect()).unwrap_or_default()
    }

    /// Sets at several prices of a byte: that of the budget is found by halving.
    fn priced(&self) -> Vec<Choice> {
        let Some(budget) = self.bounds.budget_bytes else {
            return vec![self.improve(self.empty(), 0.0, None)];
        };
        #[allow(clippy::cast_precision_loss, reason = "a price")]
        let (mut low, mut high) = (0.0, self.base / budget.max(1) as f64);
        let mut fitting = vec![self.empty()];
        for _ in 0..PRICES {
            let price = if low > 0.0 { f64::sqrt(low * high) } else { high / 16.0 };
            let choice = self.improve(self.empty(), price, None);
            if choice.bytes <= budget {
                high = price;
                fitting.push(choice);
            } else {
                low = price;
            }
        }
        // The dearest are far from the budget.
        fitting.split_off(fitting.len().saturating_sub(4))
    }

    fn empty(&self) -> Choice {
        Choice {
            has: vec![false; self.pool.len()],
            bytes: 0,
            costs: self.options.iter().map(|option| option.base).collect(),
            total: self.base,
        }
    }

    fn of(&self, set: &BTreeSet<Id>) -> Choice {
        let mut choice = self.empty();
        for id in set {
            self.flip(&mut choice, *id);
        }
        choice
    }

    fn cost(&self, query: usize, has: &[bool]) -> f64 {
        let option = &self.options[query];
        let fits = option.configs.iter().find(|(ids, _)| ids.iter().all(|id| has[*id as usize]));
        fits.map_or(option.base, |(_, cost)| *cost)
    }

    /// Puts an index in, or takes it out.
    fn flip(&self, choice: &mut Choice, id: Id) {
        let is_in = !choice.has[id as usize];
        choice.has[id as usize] = is_in;
        choice.bytes += if is_in { self.pool.bytes(id) } else { -self.pool.bytes(id) };
        for query in self.serves.get(&id).into_iter().flatten() {
            let cost = self.cost(*query, &choice.has);
            choice.total += self.options[*query].weight * (cost - choice.costs[*query]);
            choice.costs[*query] = cost;
        }
    }

    /// What the total and the bytes would be after flipping these.
    fn tried(&self, choice: &mut Choice, ids: &[Id]) -> (f64, i64) {
        for id in ids {
            choice.has[*id as usize] = !choice.has[*id as usize];
        }
        let mut total = choice.total;
        let queries: BTreeSet<usize> = ids.iter().filter_map(|id| self.serves.get(id)).flatten().copied().collect();
        for query in queries {
            total += self.options[query].weight * (self.cost(query, &choice.has) - choice.costs[query]);
        }
        let mut bytes = choice.bytes;
        for id in ids {
            bytes += if choice.has[*id as usize] { self.pool.bytes(*id) } else { -self.pool.bytes(*id) };
            choice.has[*id as usize] = !choice.has[*id as usize];
        }
        (total, bytes)
    }

    fn fits(&self, choice: &Choice, ids: &[Id], bytes: i64, budget: Option<i64>) -> bool {
        if budget.is_some_and(|budget| bytes > budget) {
            return false;
        }
        if self.bounds.max_per_table >= self.pool.len() {
            return true;
        }
        let adds = |table: &Name| {
            ids.iter().filter(|id| !choice.has[**id as usize] && self.pool.get(**id).table == *table).count()
        };
        ids.iter().filter(|id| !choice.has[**id as usize]).all(|id| {
            let table = &self.pool.get(*id).table;
            let there = self.ids.iter().filter(|other| {
                choice.has[**other as usize] && !ids.contains(other) && self.pool.get(**other).table == *table
            });
            there.count() + adds(table) <= self.bounds.max_per_table
        })
    }

    /// The best move at a time: a configuration put in, an index taken out, one for another; then one taken
    /// out and the room filled anew. Until nothing is gained.
    fn improve(&self, mut choice: Choice, price: f64, budget: Option<i64>) -> Choice {
        for _ in 0..MOVES {
            if let Some(ids) = self.best_move(&mut choice, price, budget) {
                ids.iter().for_each(|id| self.flip(&mut choice, *id));
            } else if let Some(next) = self.refilled(&choice, price, budget) {
                choice = next;
            } else {
                break;
            }
        }
        choice
    }

    fn best_move(&self, choice: &mut Choice, price: f64, budget: Option<i64>) -> Option<Vec<Id>> {
        let now = worth(choice.total, choice.bytes, price);
        let mut best: Option<(f64, Vec<Id>)> = None;
        for ids in self.moves(choice) {
            let (total, bytes) = self.tried(choice, &ids);
            let adds = ids.iter().filter(|id| !choice.has[**id as usize]).count();
            // What an index saves must be worth having it, measured by what is left to save.
            #[allow(clippy::cast_precision_loss, reason = "a few")]
            let least = (self.bounds.least_gain * choice.total * adds as f64).max(1e-9 * choice.total);
            let gain = now - worth(total, bytes, price);
            if gain <= least || !self.fits(choice, &ids, bytes, budget) {
                continue;
            }
            // Within a budget what saves most for its bytes comes first.
            let extra = bytes - choice.bytes;
            #[allow(clippy::cast_precision_loss, reason = "a rank")]
            let rank = if budget.is_some() && extra > 0 { gain / extra as f64 } else { gain };
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                best = Some((rank, ids));
            }
        }
        best.map(|(_, ids)| ids)
    }

    /// Configurations put in, indexes taken out, and the most promising of the former for each of the latter.
    fn moves(&self, choice: &mut Choice) -> Vec<Vec<Id>> {
        let there: Vec<Id> = self.ids.iter().copied().filter(|id| choice.has[*id as usize]).collect();
        let mut missing: BTreeSet<Vec<Id>> = BTreeSet::new();
        for (option, cost) in self.options.iter().zip(&choice.costs) {
            for (ids, _) in option.configs.iter().take_while(|(_, better)| better < cost) {
                missing.insert(ids.iter().copied().filter(|id| !choice.has[*id as usize]).collect());
            }
        }
        let mut ranked: Vec<(f64, Vec<Id>)> =
            missing.into_iter().map(|ids| (choice.total - self.tried(choice, &ids).0, ids)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut moves: Vec<Vec<Id>> = there.iter().map(|id| vec![*id]).collect();
        for (at, (_, ids)) in ranked.into_iter().enumerate() {
            let outs = there.iter().filter(|_| at < SWAPPED);
            moves.extend(outs.map(|out| [ids.clone(), vec![*out]].concat()));
            moves.push(ids);
        }
        moves
    }

    fn refilled(&self, choice: &Choice, price: f64, budget: Option<i64>) -> Option<Choice> {
        budget?;
        let now = worth(choice.total, choice.bytes, price);
        let mut best: Option<(f64, Choice)> = None;
        for out in self.ids.iter().filter(|id| choice.has[**id as usize]) {
            let mut next = choice.clone();
            self.flip(&mut next, *out);
            while let Some(ids) = self.best_move(&mut next, price, budget) {
                ids.iter().for_each(|id| self.flip(&mut next, *id));
            }
            let then = worth(next.total, next.bytes, price);
            if then < now - 1e-9 * self.base && best.as_ref().is_none_or(|(other, _)| then < *other) {
                best = Some((then, next));
            }
        }
        best.map(|(_, next)| next)
    }
}

/// What is known of a statement, but for what a smaller set does as well.
fn configs(query: usize, base: f64, memory: &Memory<'_>) -> Vec<(Vec<Id>, f64)> {
    let mut best: BTreeMap<&[Id], f64> = BTreeMap::new();
    for record in memory.records(query).iter().filter(|record| record.cost < base) {
        let known = best.entry(&record.used).or_insert(record.cost);
        *known = known.min(record.cost);
    }
    let mut all: Vec<(Vec<Id>, f64)> = best.into_iter().map(|(ids, cost)| (ids.to_vec(), cost)).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.len().cmp(&b.0.len())).then(a.0.cmp(&b.0)));
    let dominated: Vec<bool> = (all.iter().enumerate())
        .map(|(at, (ids, _))| all[..at].iter().any(|(other, _)| is_subset(other, ids)))
        .collect();
    all.into_iter().zip(dominated).filter(|(_, is_dominated)| !is_dominated).map(|(config, _)| config).collect()
}
