//! Which of the candidates together: the greatest saving within the budget, by what is known of each
//! statement's configurations. No planner here: thousands of sets are weighed in a moment.
//!
//! A knapsack whose items need each other. A price on bytes makes it free of the budget (Lagrange): at the
//! price that just meets the budget a set is grown by single moves. What fits is filled up, what does not is
//! thinned out, and both are changed within the budget, shaken a little, and changed again.

use super::candidate::{Id, Pool};
use super::configurations::Configuration;
use crate::model::plan::Name;
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
const SHAKES_IN_VAIN: u64 = 12;

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

/// A statement's configurations, the cheapest first: the items each needs, and the cost with them.
struct Options {
    weight: f64,
    base: f64,
    configs: Vec<(Vec<usize>, f64)>,
}

/// An index that some configuration needs.
struct Item {
    id: Id,
    bytes: i64,
    /// Number of its table.
    table: usize,
    /// What writes pay for it, in the unit of the total.
    price: f64,
    /// Statements that it serves, and which of their configurations need it, the cheapest first.
    serves: Vec<(usize, Vec<usize>)>,
    /// Those that do all its work, or whose work it does: one of them is enough.
    rivals: Vec<usize>,
}

/// A set under change.
#[derive(Clone)]
struct Choice {
    has: Vec<bool>,
    bytes: i64,
    /// The configuration of each statement; one past the last: none.
    configs: Vec<usize>,
    /// Weighted cost of all statements, and what writes pay.
    total: f64,
}

/// What a set would be after a move.
struct Tried {
    total: f64,
    bytes: i64,
    /// The greatest share of what a statement cost at first by which it changes.
    of_first: f64,
    /// And of the greater of its costs before and after, where that is large.
    of_now: f64,
}

pub(super) struct Chooser {
    bounds: Bounds,
    options: Vec<Options>,
    items: Vec<Item>,
    base: f64,
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
        let mut items: Vec<Item> = (ids.iter())
            .map(|id| Item {
                id: *id,
                bytes: pool.bytes(*id),
                table: tables[&pool.get(*id).table],
                price: prices.get(*id as usize).copied().unwrap_or(0.0),
                serves: Vec::new(),
                rivals: of_table[&pool.get(*id).table]
                    .iter()
                    .filter(|other| pool.are_rivals(*id, **other))
                    .map(|other| number[other])
                    .collect(),
            })
            .collect();
        let mut options = Vec::new();
        for (query, own) in configurations.into_iter().enumerate() {
            let numbered = |(ids, cost): Configuration| (ids.iter().map(|id| number[id]).collect(), cost);
            let configs: Vec<(Vec<usize>, f64)> = own.into_iter().map(numbered).collect();
            for (at, (needed, _)) in configs.iter().enumerate() {
                for item in needed {
                    match items[*item].serves.last_mut().filter(|(last, _)| *last == query) {
                        Some((_, own)) => own.push(at),
                        None => items[*item].serves.push((query, vec![at])),
                    }
                }
            }
            options.push(Options { weight: weights[query], base: bases[query], configs });
        }
        let base = options.iter().map(|option| option.weight * option.base).sum();
        Self { bounds, options, items, base }
    }

    /// The best set found: from prices, unless a set that was good before is to be bettered.
    pub(super) fn choose(&self, known: Option<&BTreeSet<Id>>) -> BTreeSet<Id> {
        let starts = match known {
            Some(known) => vec![self.of(known)],
            None => self.priced(),
        };
        let improved = starts.into_iter().map(|start| self.improve(start, 0.0, self.bounds.budget_bytes));
        let best = improved.min_by(|a, b| a.total.total_cmp(&b.total)).unwrap_or_else(|| self.empty());
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
        #[allow(clippy::cast_precision_loss, reason = "a price")]
        let dearest = self.base / bytes.max(1) as f64;
        let mut sets: Vec<BTreeSet<Id>> = Vec::new();
        for step in 0..CURVE {
            let choice = self.improve(self.empty(), dearest * 0.5_f64.powi(step), None);
            let set = self.ids(&choice);
            if !set.is_empty() && sets.last() != Some(&set) {
                sets.push(set);
            }
        }
        sets
    }

    fn ids(&self, choice: &Choice) -> BTreeSet<Id> {
        self.items.iter().zip(&choice.has).filter(|(_, has)| **has).map(|(item, _)| item.id).collect()
    }

    /// Sets about as large as the budget: the price of a byte is found by halving.
    fn priced(&self) -> Vec<Choice> {
        let Some(budget) = self.bounds.budget_bytes else {
            return vec![self.improve(self.empty(), 0.0, None)];
        };
        #[allow(clippy::cast_precision_loss, reason = "a price")]
        let (mut low, mut high) = (0.0, self.base / budget.max(1) as f64);
        let (mut below, mut above) = (self.empty(), None);
        for _ in 0..PRICES {
            let price = if low > 0.0 { f64::sqrt(low * high) } else { high / 64.0 };
            let choice = self.improve(self.empty(), price, None);
            if choice.bytes <= budget {
                (high, below) = (price, choice);
            } else {
                (low, above) = (price, Some(choice));
            }
        }
        let thinned = above.map(|choice| self.thinned(choice, budget));
        [below, self.empty()].into_iter().chain(thinned).collect()
    }

    /// Indexes taken out, those first that save least for their bytes, until the rest fits.
    fn thinned(&self, mut choice: Choice, budget: i64) -> Choice {
        while choice.bytes > budget {
            let there: Vec<usize> = self.there(&choice).collect();
            let loss = |choice: &mut Choice, item: usize| {
                #[allow(clippy::cast_precision_loss, reason = "a rank")]
                let bytes = self.items[item].bytes.max(1) as f64;
                (self.tried(choice, &[item]).total - choice.total) / bytes
            };
            let ranked = there.into_iter().map(|item| (loss(&mut choice, item), item));
            let Some((_, least)) = ranked.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            self.flip(&mut choice, least);
        }
        choice
    }

    fn empty(&self) -> Choice {
        Choice {
            has: vec![false; self.items.len()],
            bytes: 0,
            configs: self.options.iter().map(|option| option.configs.len()).collect(),
            total: self.base,
        }
    }

    fn of(&self, set: &BTreeSet<Id>) -> Choice {
        let mut choice = self.empty();
        for item in (0..self.items.len()).filter(|item| set.contains(&self.items[*item].id)) {
            self.flip(&mut choice, item);
        }
        choice
    }

    fn there<'c>(&self, choice: &'c Choice) -> impl Iterator<Item = usize> + use<'c> {
        choice.has.iter().enumerate().filter(|(_, has)| **has).map(|(item, _)| item)
    }

    fn cost(&self, query: usize, config: usize) -> f64 {
        let option = &self.options[query];
        option.configs.get(config).map_or(option.base, |(_, cost)| *cost)
    }

    /// The cheapest configuration of a statement that a set allows, one of whose indexes has just come or gone: what
    /// held before still does, unless it needs what has gone; what holds anew needs what has come.
    fn config(&self, query: usize, has: &[bool], now: usize, item: usize, needing: &[usize]) -> usize {
        let configs = &self.options[query].configs;
        let holds = |at: &usize| configs[*at].0.iter().all(|item| has[*item]);
        if has[item] {
            return needing.iter().copied().take_while(|at| *at < now).find(holds).unwrap_or(now);
        }
        if needing.binary_search(&now).is_err() {
            return now;
        }
        (now + 1..configs.len()).find(holds).unwrap_or(configs.len())
    }

    /// Puts an index in, or takes it out.
    fn flip(&self, choice: &mut Choice, item: usize) {
        let own = &self.items[item];
        choice.has[item] = !choice.has[item];
        choice.bytes += if choice.has[item] { own.bytes } else { -own.bytes };
        choice.total += if choice.has[item] { own.price } else { -own.price };
        for (query, needing) in &own.serves {
            let now = choice.configs[*query];
            let next = self.config(*query, &choice.has, now, item, needing);
            choice.total += self.options[*query].weight * (self.cost(*query, next) - self.cost(*query, now));
            choice.configs[*query] = next;
        }
    }

    /// What would be after flipping these.
    fn tried(&self, choice: &mut Choice, items: &[usize]) -> Tried {
        let (total, bytes) = (choice.total, choice.bytes);
        let queries = items.iter().flat_map(|item| &self.items[*item].serves).map(|(query, _)| *query);
        let before: Vec<(usize, usize)> = queries.map(|query| (query, choice.configs[query])).collect();
        items.iter().for_each(|item| self.flip(choice, *item));
        let mut tried = Tried { total: choice.total, bytes: choice.bytes, of_first: 0.0, of_now: 0.0 };
        for (query, config) in &before {
            let (now, then) = (self.cost(*query, *config), self.cost(*query, choice.configs[*query]));
            let change = (now - then).abs();
            tried.of_first = tried.of_first.max(change / self.options[*query].base.max(f64::MIN_POSITIVE));
            tried.of_now = tried.of_now.max(change / now.max(then).max(LARGE));
        }
        items.iter().for_each(|item| choice.has[*item] = !choice.has[*item]);
        before.into_iter().for_each(|(query, config)| choice.configs[query] = config);
        (choice.total, choice.bytes) = (total, bytes);
        tried
    }

    fn fits(&self, choice: &Choice, items: &[usize], bytes: i64, budget: Option<i64>) -> bool {
        if budget.is_some_and(|budget| bytes > budget) {
            return false;
        }
        let adds = items.iter().filter(|item| !choice.has[**item]);
        adds.map(|item| self.items[*item].table).all(|table| {
            let on = |item: &usize| self.items[*item].table == table;
            let stays = self.there(choice).filter(|item| on(item) && !items.contains(item)).count();
            stays + items.iter().filter(|item| !choice.has[**item] && on(item)).count() <= self.bounds.max_per_table
        })
    }

    /// Some statement feels the change.
    fn is_felt(&self, tried: &Tried, now: f64) -> bool {
        let least = self.bounds.least_statement_gain;
        tried.of_first >= least || tried.of_now >= least && (tried.total - now).abs() >= AMPLE * now.max(tried.total)
    }

    /// The best move at a time, until nothing is gained.
    fn improve(&self, mut choice: Choice, price: f64, budget: Option<i64>) -> Choice {
        for _ in 0..MOVES {
            let Some(items) = self.best_move(&mut choice, price, budget) else { break };
            items.iter().for_each(|item| self.flip(&mut choice, *item));
        }
        choice
    }

    #[allow(clippy::cast_precision_loss, reason = "prices and ranks")]
    fn best_move(&self, choice: &mut Choice, price: f64, budget: Option<i64>) -> Option<Vec<usize>> {
        let mut best: Option<(f64, Vec<usize>)> = None;
        for (items, tried) in self.moves(choice) {
            let tried = tried.unwrap_or_else(|| self.tried(choice, &items));
            let is_felt = self.is_felt(&tried, choice.total);
            let Tried { total, bytes, .. } = tried;
            let adds = items.iter().filter(|item| !choice.has[**item]).count();
            let added = adds.saturating_sub(items.len() - adds);
            let least = (self.bounds.least_gain * choice.total * added as f64).max(1e-9 * choice.total);
            let extra = bytes - choice.bytes;
            let gain = choice.total - total - price * extra as f64;
            let is_worth = added == 0 || is_felt;
            if gain <= least || !is_worth {
                continue;
            }
            // Within a budget what saves most for its bytes comes first.
            let rank = if budget.is_some() && extra > 0 { gain / extra as f64 } else { gain };
            let is_best = best.as_ref().is_none_or(|(other, _)| rank > *other);
            if is_best && self.fits(choice, &items, bytes, budget) {
                best = Some((rank, items));
            }
        }
        best.map(|(_, items)| items)
    }

    /// Indexes taken out, configurations put in, their rivals taken out, and the most promising of the latter in the
    /// place of each of the former; and what would be then, where that is known already.
    fn moves(&self, choice: &mut Choice) -> Vec<(Vec<usize>, Option<Tried>)> {
        let mut missing: BTreeSet<Vec<usize>> = BTreeSet::new();
        for (option, now) in self.options.iter().zip(&choice.configs) {
            for (items, _) in &option.configs[..*now] {
                let new: Vec<usize> = items.iter().copied().filter(|item| !choice.has[*item]).collect();
                let rivals = new.iter().flat_map(|item| &self.items[*item].rivals).copied();
                let gone: BTreeSet<usize> = rivals.filter(|item| choice.has[*item]).collect();
                missing.insert(new.into_iter().chain(gone).collect());
            }
        }
        let mut ranked: Vec<(f64, Vec<usize>, Tried)> = Vec::with_capacity(missing.len());
        for items in missing {
            let tried = self.tried(choice, &items);
            ranked.push((choice.total - tried.total, items, tried));
        }
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let there: Vec<usize> = self.there(choice).collect();
        let mut moves: Vec<(Vec<usize>, Option<Tried>)> = there.iter().map(|item| (vec![*item], None)).collect();
        for (at, (_, items, tried)) in ranked.into_iter().enumerate() {
            // Where room is no matter, only what serves the same statements makes another needless.
            let gives_way = |out: &&usize| self.bounds.budget_bytes.is_some() || self.is_beside(**out, &items);
            let outs = there.iter().filter(|out| at < SWAPPED && !items.contains(out)).filter(gives_way);
            moves.extend(outs.map(|out| ([items.clone(), vec![*out]].concat(), None)));
            moves.push((items, Some(tried)));
        }
        moves
    }

    /// It is on the table of one of these.
    fn is_beside(&self, item: usize, others: &[usize]) -> bool {
        others.iter().any(|other| self.items[*other].table == self.items[item].table)
    }

    /// Without what came in with others and does not pay for itself, the least worth it first.
    fn pruned(&self, mut choice: Choice) -> Choice {
        loop {
            let there: Vec<usize> = self.there(&choice).collect();
            let mut least: Option<(f64, usize)> = None;
            for item in there {
                let tried = self.tried(&mut choice, &[item]);
                let loss = tried.total - choice.total;
                let pays = loss >= self.bounds.least_gain * choice.total && self.is_felt(&tried, choice.total);
                if !pays && least.is_none_or(|(other, _)| loss < other) {
                    least = Some((loss, item));
                }
            }
            match least {
                Some((_, item)) => self.flip(&mut choice, item),
                None => return choice,
            }
        }
    }

    /// Some indexes taken out and the room filled anew; kept when that is better. The same each time: what is
    /// taken out follows from the number of the attempt.
    fn shaken(&self, mut best: Choice) -> Choice {
        if self.bounds.budget_bytes.is_none() {
            return best;
        }
        let mut gained = 0;
        for shake in 0..SHAKES {
            let there: Vec<usize> = self.there(&best).collect();
            if there.len() < 3 || shake - gained >= SHAKES_IN_VAIN {
                break;
            }
            let mut next = best.clone();
            for place in 0..2 + shake % 2 {
                let drawn = (shake * 2 + place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
                let at = usize::try_from(drawn).unwrap_or(0) % there.len();
                if next.has[there[at]] {
                    self.flip(&mut next, there[at]);
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
    }
}
