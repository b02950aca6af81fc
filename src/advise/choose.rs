//! Which of the candidates together: the greatest saving within the budget, by what is known of each
//! statement's configurations. No planner here: thousands of sets are weighed in a moment.
//!
//! A knapsack whose items need each other. A price on bytes makes it free of the budget (Lagrange): at the
//! price that just meets the budget a set is grown by single moves. What fits is filled up, what does not is
//! thinned out, and both are changed within the budget, shaken a little, and changed again.

mod set;

use super::candidate::{Id, Pool};
use super::configurations::Configuration;
use crate::model::plan::Name;
use set::Set;
use std::collections::{BTreeMap, BTreeSet};

/// Prices that are tried to meet a budget.
const PRICES: usize = 12;

/// Prices of a byte along the curve of cost against room, each half of the one before.
const CURVE: i32 = 24;

/// Moves of one search at most.
const MOVES: usize = 300;

/// Configurations that are tried in the place of each index, the most promising first.
const SWAPPED: usize = 60;

/// Times that a choice is shaken, and in vain one after another, at most.
const SHAKES: u64 = 40;
const SHAKES_IN_VAIN: u64 = 6;

/// This share of what the workload costs is much.
const AMPLE: f64 = 0.01;

/// Of a statement that costs less there is not much left to save, whatever its share (`parallel_setup_cost`: from here
/// on the planner would start processes for it).
const LARGE: f64 = 1000.0;

/// What the choice is bounded by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Bytes of all indexes.
    pub budget_bytes: Option<i64>,
    /// Indexes of one table.
    pub max_per_table: usize,
    /// A step must save this share of what the workload costs without it, for each index it adds.
    pub least_gain: f64,
    /// And this share of what some statement cost at first; or of what it costs without it, where that is a large cost,
    /// and much of what the whole workload costs without it.
    pub least_statement_gain: f64,
}

/// A statement. Its ways stand in a row, the cheapest first.
struct Statement {
    weight: f64,
    /// The first.
    cheapest: usize,
    /// The last: without any index.
    plain: usize,
}

/// A way to run a statement: the items that it needs, and what it costs.
struct Way {
    statement: usize,
    items: Vec<usize>,
    cost: f64,
}

/// An index that some way needs.
struct Item {
    id: Id,
    bytes: i64,
    /// Number of its table.
    table: usize,
    /// What writes pay for it, in the unit of the total.
    price: f64,
    /// Ways that need it.
    ways: Vec<usize>,
    /// Those that do all its work, or whose work it does: one of them is enough.
    rivals: Vec<usize>,
}

/// Items to be flipped: put in, or taken out.
struct Move {
    items: Vec<usize>,
    /// The total would not be less.
    least_total: f64,
    /// And that much, where it is known already.
    total: Option<f64>,
}

pub(super) struct Chooser {
    bounds: Bounds,
    statements: Vec<Statement>,
    ways: Vec<Way>,
    items: Vec<Item>,
}

impl Chooser {
    pub(super) fn new(
        pool: &Pool,
        bounds: Bounds,
        weights: &[f64],
        bases: &[f64],
        prices: &[f64],
        mut configurations: Vec<Vec<Configuration>>,
    ) -> Self {
        let has_rivals = |ids: &[Id]| ids.iter().any(|one| ids.iter().any(|other| pool.are_rivals(*one, *other)));
        configurations.iter_mut().for_each(|own| own.retain(|(ids, _)| !has_rivals(ids)));
        let ids: BTreeSet<Id> = configurations.iter().flatten().flat_map(|(ids, _)| ids.iter().copied()).collect();
        let number: BTreeMap<Id, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        let mut of_table: BTreeMap<&Name, Vec<Id>> = BTreeMap::new();
        for id in &ids {
            of_table.entry(&pool.get(*id).table).or_default().push(*id);
        }
        let tables: BTreeMap<&Name, usize> = of_table.keys().copied().zip(0..).collect();
        let item = |id: &Id| {
            let table = &pool.get(*id).table;
            let rivals = of_table[table].iter().filter(|other| pool.are_rivals(*id, **other));
            Item {
                id: *id,
                bytes: pool.bytes(*id),
                table: tables[table],
                price: prices.get(*id as usize).copied().unwrap_or(0.0),
                ways: Vec::new(),
                rivals: rivals.map(|other| number[other]).collect(),
            }
        };
        let items = ids.iter().map(item).collect();
        let mut chooser = Self { bounds, statements: Vec::new(), ways: Vec::new(), items };
        for ((own, base), weight) in configurations.into_iter().zip(bases).zip(weights) {
            let numbered = |(ids, cost): Configuration| (ids.iter().map(|id| number[id]).collect(), cost);
            chooser.add(*weight, own.into_iter().map(numbered).chain([(Vec::new(), *base)]));
        }
        chooser
    }

    /// A statement, by its ways.
    fn add(&mut self, weight: f64, ways: impl Iterator<Item = (Vec<usize>, f64)>) {
        let (statement, cheapest) = (self.statements.len(), self.ways.len());
        for (items, cost) in ways {
            items.iter().for_each(|item| self.items[*item].ways.push(self.ways.len()));
            self.ways.push(Way { statement, items, cost });
        }
        self.statements.push(Statement { weight, cheapest, plain: self.ways.len() - 1 });
    }

    /// The best set found: from prices, unless a set that was good before is to be bettered.
    pub(super) fn choose(&self, known: Option<&BTreeSet<Id>>) -> BTreeSet<Id> {
        let starts = match known {
            Some(known) => vec![self.of(known)],
            None => self.priced(),
        };
        let improved = starts.into_iter().map(|start| self.improve(start, 0.0, self.bounds.budget_bytes));
        let best = improved.min_by(|a, b| a.total.total_cmp(&b.total)).unwrap_or_else(|| Set::empty(self));
        self.ids(&self.pruned(best))
    }

    /// A better set than this one, where shaking finds one.
    pub(super) fn shake(&self, known: &BTreeSet<Id>) -> BTreeSet<Id> {
        self.ids(&self.pruned(self.shaken(self.of(known))))
    }

    /// Sets by the price of a byte, from the dearest to the cheapest: no set of the same size is known to save more
    /// (but for what single moves miss).
    pub(super) fn by_price(&self) -> Vec<BTreeSet<Id>> {
        let bytes: i64 = self.items.iter().map(|item| item.bytes).max().unwrap_or(0);
        let empty = Set::empty(self);
        #[allow(clippy::cast_precision_loss, reason = "a price")]
        let dearest = empty.total / bytes.max(1) as f64;
        let mut sets: Vec<BTreeSet<Id>> = Vec::new();
        for step in 0..CURVE {
            let set = self.ids(&self.improve(empty.clone(), dearest * 0.5_f64.powi(step), None));
            if !set.is_empty() && sets.last() != Some(&set) {
                sets.push(set);
            }
        }
        sets
    }

    fn ids(&self, set: &Set) -> BTreeSet<Id> {
        set.items().iter().map(|item| self.items[*item].id).collect()
    }

    fn of(&self, ids: &BTreeSet<Id>) -> Set {
        let mut set = Set::empty(self);
        for item in (0..self.items.len()).filter(|item| ids.contains(&self.items[*item].id)) {
            set.flip(self, item);
        }
        set
    }

    /// Sets about as large as the budget: the price of a byte is found by halving.
    fn priced(&self) -> Vec<Set> {
        let empty = Set::empty(self);
        let Some(budget) = self.bounds.budget_bytes else { return vec![self.improve(empty, 0.0, None)] };
        #[allow(clippy::cast_precision_loss, reason = "a price")]
        let (mut low, mut high) = (0.0, empty.total / budget.max(1) as f64);
        let (mut below, mut above) = (empty.clone(), None);
        for _ in 0..PRICES {
            let price = if low > 0.0 { f64::sqrt(low * high) } else { high / 64.0 };
            let set = self.improve(empty.clone(), price, None);
            if set.bytes <= budget {
                (high, below) = (price, set);
            } else {
                (low, above) = (price, Some(set));
            }
        }
        let thinned = above.map(|set| self.thinned(set, budget));
        [below, empty].into_iter().chain(thinned).collect()
    }

    /// Indexes taken out, those first that save least for their bytes, until the rest fits.
    fn thinned(&self, mut set: Set, budget: i64) -> Set {
        while set.bytes > budget {
            #[allow(clippy::cast_precision_loss, reason = "a rank")]
            let dear = |(loss, item): (f64, usize)| (loss / self.items[item].bytes.max(1) as f64, item);
            let ranked = self.losses(&mut set).into_iter().map(dear);
            let Some((_, least)) = ranked.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            set.flip(self, least);
        }
        set
    }

    /// What the workload would cost more without each item.
    fn losses(&self, set: &mut Set) -> Vec<(f64, usize)> {
        let items = set.items().to_vec();
        items.into_iter().map(|item| (set.total_after(self, &[item]) - set.total, item)).collect()
    }

    fn bytes_after(&self, set: &Set, items: &[usize]) -> i64 {
        let change = |item: &usize| if set.has(*item) { -self.items[*item].bytes } else { self.items[*item].bytes };
        set.bytes + items.iter().map(change).sum::<i64>()
    }

    /// No table gets more indexes than it may have.
    fn has_room(&self, set: &Set, items: &[usize]) -> bool {
        let adds = items.iter().filter(|item| !set.has(**item));
        adds.map(|item| self.items[*item].table).all(|table| {
            let on = |item: &usize| self.items[*item].table == table;
            let stays = set.items().iter().filter(|item| on(item) && !items.contains(item)).count();
            stays + items.iter().filter(|item| !set.has(**item) && on(item)).count() <= self.bounds.max_per_table
        })
    }

    /// Some statement feels it when these are flipped.
    fn is_felt(&self, set: &Set, items: &[usize]) -> bool {
        let mut flipped = set.clone();
        items.iter().for_each(|item| flipped.flip(self, *item));
        let is_ample = (flipped.total - set.total).abs() >= AMPLE * set.total.max(flipped.total);
        let cost = |way: usize| self.ways[way].cost;
        let mut changes = set.ways().iter().zip(flipped.ways()).zip(&self.statements);
        changes.any(|((now, then), statement)| {
            if now == then {
                return false;
            }
            let (now, then) = (cost(*now), cost(*then));
            let is_much = |of: f64| (now - then).abs() >= self.bounds.least_statement_gain * of;
            is_much(cost(statement.plain)) || is_ample && is_much(now.max(then).max(LARGE))
        })
    }

    /// The best move at a time, until nothing is gained.
    fn improve(&self, mut set: Set, price: f64, budget: Option<i64>) -> Set {
        for _ in 0..MOVES {
            let Some(items) = self.best_move(&mut set, price, budget) else { break };
            items.iter().for_each(|item| set.flip(self, *item));
        }
        set
    }

    #[allow(clippy::cast_precision_loss, reason = "prices and ranks")]
    fn best_move(&self, set: &mut Set, price: f64, budget: Option<i64>) -> Option<Vec<usize>> {
        let mut best: Option<(f64, Vec<usize>)> = None;
        for Move { items, least_total, total } in self.moves(set) {
            let bytes = self.bytes_after(set, &items);
            if budget.is_some_and(|budget| bytes > budget) {
                continue;
            }
            let adds = items.iter().filter(|item| !set.has(**item)).count();
            let added = adds.saturating_sub(items.len() - adds);
            let least = (self.bounds.least_gain * added as f64).max(1e-9) * set.total;
            let extra = (bytes - set.bytes) as f64;
            // Within a budget what saves most for its bytes comes first.
            let rank = |gain: f64| if budget.is_some() && extra > 0.0 { gain / extra } else { gain };
            let now = set.total;
            let is_better = |total: f64| {
                let gain = now - total - price * extra;
                gain > least && best.as_ref().is_none_or(|(other, _)| rank(gain) > *other)
            };
            if !is_better(least_total) {
                continue;
            }
            let total = total.unwrap_or_else(|| set.total_after(self, &items));
            let is_worth = || added == 0 || self.is_felt(set, &items);
            if is_better(total) && is_worth() && self.has_room(set, &items) {
                best = Some((rank(now - total - price * extra), items));
            }
        }
        best.map(|(_, items)| items)
    }

    /// Items taken out, ways made possible, their rivals taken out, and the most promising of the latter in the place
    /// of each of the former.
    fn moves(&self, set: &mut Set) -> Vec<Move> {
        let mut missing: BTreeSet<Vec<usize>> = BTreeSet::new();
        for (statement, now) in self.statements.iter().zip(set.ways()) {
            for way in &self.ways[statement.cheapest..*now] {
                let new: Vec<usize> = way.items.iter().copied().filter(|item| !set.has(*item)).collect();
                let rivals = new.iter().flat_map(|item| &self.items[*item].rivals).copied();
                let gone: BTreeSet<usize> = rivals.filter(|item| set.has(*item)).collect();
                missing.insert(new.into_iter().chain(gone).collect());
            }
        }
        let mut ranked: Vec<(f64, Vec<usize>)> =
            missing.into_iter().map(|items| (set.total_after(self, &items), items)).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        // Without an item no statement costs less; what writes pay for it is saved.
        let without = |out: usize, total: f64| total - self.items[out].price;
        let out = |out: &usize| Move { items: vec![*out], least_total: without(*out, set.total), total: None };
        let mut moves: Vec<Move> = set.items().iter().map(out).collect();
        for (at, (total, items)) in ranked.into_iter().enumerate() {
            // Where room is no matter, only what is on the same table makes another needless.
            let gives_way = |out: &&usize| self.bounds.budget_bytes.is_some() || self.is_beside(**out, &items);
            let outs = set.items().iter().filter(|out| at < SWAPPED && !items.contains(out)).filter(gives_way);
            moves.extend(outs.map(|out| Move {
                items: items.iter().chain([out]).copied().collect(),
                least_total: without(*out, total),
                total: None,
            }));
            moves.push(Move { items, least_total: total, total: Some(total) });
        }
        moves
    }

    /// It is on the table of one of these.
    fn is_beside(&self, item: usize, others: &[usize]) -> bool {
        others.iter().any(|other| self.items[*other].table == self.items[item].table)
    }

    /// Without what came in with others and does not pay for itself, the least worth it first.
    fn pruned(&self, mut set: Set) -> Set {
        loop {
            let least = self.bounds.least_gain * set.total;
            let losses = self.losses(&mut set);
            let idle = losses.into_iter().filter(|(loss, item)| *loss < least || !self.is_felt(&set, &[*item]));
            match idle.min_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, item)) => set.flip(self, item),
                None => return set,
            }
        }
    }

    /// Some items taken out and the room filled anew; kept when that is better. The same each time: what is
    /// taken out follows from the number of the attempt.
    fn shaken(&self, mut best: Set) -> Set {
        if self.bounds.budget_bytes.is_none() {
            return best;
        }
        let mut gained = 0;
        for shake in 0..SHAKES {
            let there = best.items().to_vec();
            if there.len() < 3 || shake - gained >= SHAKES_IN_VAIN {
                break;
            }
            let mut next = best.clone();
            for place in 0..2 + shake % 2 {
                let drawn = (shake * 2 + place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
                let at = usize::try_from(drawn).unwrap_or(0) % there.len();
                if next.has(there[at]) {
                    next.flip(self, there[at]);
                }
            }
            let next = self.improve(next, 0.0, self.bounds.budget_bytes);
            if next.total < best.total * (1.0 - 1e-9) {
                (best, gained) = (next, shake + 1);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::{Candidate, Key};

    const BOUNDS: Bounds = Bounds { budget_bytes: None, max_per_table: 9, least_gain: 0.01, least_statement_gain: 0.1 };

    /// What is chosen of indexes on these columns, by each statement's first cost and its costs with one of them.
    fn chosen(indexes: &[&[&str]], statements: &[(f64, &[(usize, f64)])]) -> Vec<usize> {
        let mut pool = Pool::default();
        let index = |columns: &[&str]| {
            Candidate::btree(&Name::new("s", "t"), columns.iter().map(|column| Key::ascending(column)).collect())
        };
        let ids: Vec<Id> = indexes.iter().map(|columns| pool.add(index(columns)).unwrap()).collect();
        pool.learn_sizes(vec![1; ids.len()]);
        let bases: Vec<f64> = statements.iter().map(|(base, _)| *base).collect();
        let own = |configs: &[(usize, f64)]| configs.iter().map(|(at, cost)| (vec![ids[*at]], *cost)).collect();
        let configurations = statements.iter().map(|(_, configs)| own(configs)).collect();
        let weights = vec![1.0; bases.len()];
        let set = Chooser::new(&pool, BOUNDS, &weights, &bases, &[], configurations).choose(None);
        (0..ids.len()).filter(|at| set.contains(&ids[*at])).collect()
    }

    #[test]
    fn of_two_that_do_the_same_work_one_is_chosen() {
        let narrow_and_wide: [&[&str]; 2] = [&["a"], &["a", "b"]];
        assert_eq!(chosen(&narrow_and_wide, &[(100.0, &[(0, 10.0)]), (200.0, &[(1, 10.0)])]), [1]);
        assert_eq!(chosen(&narrow_and_wide, &[(200.0, &[(0, 10.0)]), (100.0, &[(1, 10.0)])]), [0]);
        let others: [&[&str]; 2] = [&["a"], &["b", "a"]];
        assert_eq!(chosen(&others, &[(100.0, &[(0, 10.0)]), (200.0, &[(1, 10.0)])]), [0, 1]);
    }

    #[test]
    fn what_is_little_of_a_giants_first_cost_may_be_much_of_what_is_left() {
        let indexes: [&[&str]; 2] = [&["a"], &["b"]];
        let giant: (f64, &[(usize, f64)]) = (1_000_000.0, &[(1, 20.0), (0, 2_000.0)]);
        assert_eq!(chosen(&indexes, &[giant, (3_000.0, &[(0, 10.0)])]), [0, 1]);
        let large: (f64, &[(usize, f64)]) = (300_000.0, &[]);
        assert_eq!(chosen(&indexes, &[giant, (3_000.0, &[(0, 10.0)]), large]), [0]);
        let refused: (f64, &[(usize, f64)]) = (0.0, &[]);
        assert_eq!(chosen(&indexes, &[giant, (3_000.0, &[(0, 10.0)]), large, refused]), [0]);
    }
}
