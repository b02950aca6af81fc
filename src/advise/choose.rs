//! Which of the candidates together: the greatest saving within the budget, by what is known of each
//! statement's configurations. No planner here: thousands of sets are weighed in a moment.

use super::candidate::{Id, Pool};
use super::oracle::Memory;
use std::collections::{BTreeMap, BTreeSet};

/// Moves of a search that have come to nothing end it; so does this many.
const MOVES: usize = 400;

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

/// A statement's configurations: the indexes each needs, and the cost with them.
struct Options {
    weight: f64,
    base: f64,
    configs: Vec<(Vec<Id>, f64)>,
}

/// A set under change, with the cost of each statement.
#[derive(Clone)]
struct Choice {
    set: BTreeSet<Id>,
    bytes: i64,
    costs: Vec<f64>,
    total: f64,
}

pub(super) struct Chooser<'a> {
    pool: &'a Pool,
    bounds: Bounds,
    /// What each index costs writes, in the unit of the total.
    writes: &'a [f64],
    options: Vec<Options>,
    /// Statements by the indexes that serve them.
    serves: BTreeMap<Id, Vec<usize>>,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(
        pool: &'a Pool,
        bounds: Bounds,
        weights: &[f64],
        bases: &[f64],
        memory: &Memory<'_>,
        writes: &'a [f64],
    ) -> Self {
        let mut options = Vec::new();
        let mut serves: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (query, (weight, base)) in weights.iter().zip(bases).enumerate() {
            let mut best: BTreeMap<Vec<Id>, f64> = BTreeMap::new();
            for record in memory.records(query).iter().filter(|record| record.cost < *base) {
                let known = best.entry(record.used.clone()).or_insert(record.cost);
                *known = known.min(record.cost);
            }
            let mut configs: Vec<(Vec<Id>, f64)> = best.into_iter().collect();
            configs.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.len().cmp(&b.0.len())));
            for id in configs.iter().flat_map(|(ids, _)| ids).collect::<BTreeSet<_>>() {
                serves.entry(*id).or_default().push(query);
            }
            options.push(Options { weight: *weight, base: *base, configs });
        }
        Self { pool, bounds, writes, options, serves }
    }

    /// The best set found from several beginnings.
    pub(super) fn choose(&self, known: &[BTreeSet<Id>]) -> (BTreeSet<Id>, f64) {
        let powers = [1.0, 0.7, 0.4, 0.0];
        let grown = powers.iter().map(|power| self.grow(self.empty(), *power));
        let kept = known.iter().map(|set| self.of(set));
        let mut best: Option<Choice> = None;
        for choice in grown.chain(kept) {
            let choice = self.improve(choice);
            if best.as_ref().is_none_or(|best| choice.total < best.total - 1e-9) {
                best = Some(choice);
            }
        }
        best.map_or((BTreeSet::new(), 0.0), |best| (best.set, best.total))
    }

    fn empty(&self) -> Choice {
        let costs: Vec<f64> = self.options.iter().map(|option| option.base).collect();
        let total = self.options.iter().map(|option| option.weight * option.base).sum();
        Choice { set: BTreeSet::new(), bytes: 0, costs, total }
    }

    fn of(&self, set: &BTreeSet<Id>) -> Choice {
        let mut choice = self.empty();
        for id in set {
            self.change(&mut choice, None, Some(*id));
        }
        choice
    }

    fn cost(&self, query: usize, set: &BTreeSet<Id>) -> f64 {
        let option = &self.options[query];
        let fits = option.configs.iter().find(|(ids, _)| ids.iter().all(|id| set.contains(id)));
        fits.map_or(option.base, |(_, cost)| *cost)
    }

    fn write(&self, id: Id) -> f64 {
        self.writes.get(id as usize).copied().unwrap_or(0.0)
    }

    /// Takes one index out and puts another in.
    fn change(&self, choice: &mut Choice, out: Option<Id>, into: Option<Id>) {
        if let Some(id) = out {
            choice.set.remove(&id);
            choice.bytes -= self.pool.bytes(id);
            choice.total -= self.write(id);
        }
        if let Some(id) = into {
            choice.set.insert(id);
            choice.bytes += self.pool.bytes(id);
            choice.total += self.write(id);
        }
        for id in out.into_iter().chain(into) {
            for query in self.serves.get(&id).into_iter().flatten() {
                let cost = self.cost(*query, &choice.set);
                choice.total += self.options[*query].weight * (cost - choice.costs[*query]);
                choice.costs[*query] = cost;
            }
        }
    }

    fn fits(&self, choice: &Choice) -> bool {
        let has_room = self.bounds.budget_bytes.is_none_or(|budget| choice.bytes <= budget);
        let mut tables: BTreeMap<&crate::model::plan::Name, usize> = BTreeMap::new();
        for id in &choice.set {
            *tables.entry(&self.pool.get(*id).table).or_default() += 1;
        }
        has_room && tables.values().all(|count| *count <= self.bounds.max_per_table)
    }

    /// Adds configurations as long as one is worth it; bytes count to this power.
    fn grow(&self, mut choice: Choice, power: f64) -> Choice {
        let base = self.empty().total.max(f64::MIN_POSITIVE);
        loop {
            let mut best: Option<(f64, Choice)> = None;
            for option in &self.options {
                for (ids, _) in &option.configs {
                    let mut next = choice.clone();
                    for id in ids.iter().filter(|id| !choice.set.contains(id)) {
                        self.change(&mut next, None, Some(*id));
                    }
                    let gain = choice.total - next.total;
                    let is_worth = gain > self.bounds.least_gain * base && self.fits(&next);
                    #[allow(clippy::cast_precision_loss, reason = "a rank")]
                    let rank = gain / ((next.bytes - choice.bytes).max(1) as f64).powf(power);
                    if is_worth && best.as_ref().is_none_or(|(other, _)| rank > *other) {
                        best = Some((rank, next));
                    }
                }
            }
            match best {
                Some((_, next)) => choice = next,
                None => return choice,
            }
        }
    }

    /// Adds, drops and swaps single indexes, and takes one out to grow anew, until nothing is gained.
    fn improve(&self, mut choice: Choice) -> Choice {
        for _ in 0..MOVES {
            let Some(next) = self.step(&choice).or_else(|| self.regrow(&choice)) else { break };
            choice = next;
        }
        choice
    }

    fn step(&self, choice: &Choice) -> Option<Choice> {
        let outs: Vec<Option<Id>> = std::iter::once(None).chain(choice.set.iter().copied().map(Some)).collect();
        let ins: Vec<Option<Id>> = std::iter::once(None)
            .chain(self.serves.keys().filter(|id| !choice.set.contains(id)).copied().map(Some))
            .collect();
        let mut best: Option<Choice> = None;
        for out in &outs {
            for into in &ins {
                let mut next = choice.clone();
                self.change(&mut next, *out, *into);
                let limit = best.as_ref().map_or(choice.total, |best| best.total);
                if next.total < limit - self.bounds.least_gain * 1e-6 - 1e-9 && self.fits(&next) {
                    best = Some(next);
                }
            }
        }
        best
    }

    fn regrow(&self, choice: &Choice) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        for out in &choice.set {
            let mut next = choice.clone();
            self.change(&mut next, Some(*out), None);
            for power in [1.0, 0.4] {
                let grown = self.grow(next.clone(), power);
                let limit = best.as_ref().map_or(choice.total, |best| best.total);
                if grown.total < limit - 1e-9 {
                    best = Some(grown);
                }
            }
        }
        best
    }
}
