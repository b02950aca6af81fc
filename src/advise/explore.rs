//! What could serve each statement by itself: its atomic configurations, small sets of indexes with the
//! planner's own cost (INUM, Papadomanolakis, Dash, Ailamaki, VLDB 2007).

use super::candidate::{Candidate, Id, MAX_WIDTH, Pool};
use super::key::Key;
use super::oracle::{Answer, Memory, Question};
use super::workload::{Query, Uses};
use crate::model::advice::Method;
use crate::model::plan::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Hypothetical indexes alive at a time: with many the planner takes several times as long.
const ALIVE: usize = 30;

/// Indexes of one table that are widened, at each width.
const SEEDS: usize = 3;

/// Sets that are asked for after the planner's first choices are taken away.
const ROUNDS: usize = 5;

/// An index that saves less of a statement's cost by itself is no seed.
const LEAST_GAIN: f64 = 0.001;

/// Asks about each statement by itself.
pub(super) fn explore(queries: &[Query], pool: &mut Pool, memory: &mut Memory<'_>) {
    let bases: Vec<Question> = (0..queries.len()).map(|query| Question { query, alive: Vec::new() }).collect();
    let costs = memory.ask(pool, &bases);
    let mut explorers: Vec<Explorer<'_>> = (queries.iter().enumerate().zip(costs))
        .filter_map(|((number, query), base)| Some(Explorer::new(number, query, base?.cost)))
        .collect();
    for width in 1..=3 {
        // All statements' questions at once: sessions share them.
        let plans: Vec<Vec<Vec<Id>>> = explorers.iter_mut().map(|one| one.next(width, pool)).collect();
        run(&mut explorers, &plans, pool, memory);
        // Narrow ones together, before wider ones hide them: a tight budget wants these.
        let plans: Vec<Vec<Vec<Id>>> = explorers.iter().map(|one| one.rest(0)).collect();
        run(&mut explorers, &plans, pool, memory);
    }
    for round in 1..ROUNDS {
        let plans: Vec<Vec<Vec<Id>>> = explorers.iter().map(|one| one.rest(round)).collect();
        run(&mut explorers, &plans, pool, memory);
    }
}

/// Asks each explorer's sets and tells it the answers.
fn run(explorers: &mut [Explorer<'_>], plans: &[Vec<Vec<Id>>], pool: &mut Pool, memory: &mut Memory<'_>) {
    let mut questions = Vec::new();
    for (explorer, sets) in explorers.iter().zip(plans) {
        questions.extend(sets.iter().map(|alive| Question { query: explorer.query, alive: alive.clone() }));
    }
    let mut answers = memory.ask(pool, &questions).into_iter();
    for (explorer, sets) in explorers.iter_mut().zip(plans) {
        for set in sets {
            if let Some(Some(answer)) = answers.next() {
                explorer.hear(set, &answer);
            }
        }
    }
}

struct Explorer<'a> {
    query: usize,
    tables: &'a BTreeMap<Name, Uses>,
    base: f64,
    /// Cost with one index alone.
    alone: BTreeMap<Id, f64>,
    /// What existing indexes do already.
    served: Vec<Candidate>,
    /// Indexes that some plan used.
    used: BTreeSet<Id>,
    /// Of the last sets with several indexes: what the plan used.
    choices: Vec<(Vec<Id>, Vec<Id>)>,
}

fn sorted(ids: impl IntoIterator<Item = Id>) -> Vec<Id> {
    ids.into_iter().collect::<BTreeSet<Id>>().into_iter().collect()
}

impl<'a> Explorer<'a> {
    fn new(query: usize, asked: &'a Query, base: f64) -> Self {
        let tables = &asked.tables;
        Self {
            query,
            tables,
            base,
            alone: BTreeMap::new(),
            served: Vec::new(),
            used: BTreeSet::new(),
            choices: Vec::new(),
        }
    }

    fn hear(&mut self, set: &[Id], answer: &Answer) {
        self.used.extend(&answer.used);
        match set {
            [one] => {
                self.alone.insert(*one, answer.cost);
            }
            several => self.choices.push((several.to_vec(), answer.used.clone())),
        }
    }

    /// Sets to be asked at this width: all new ones together in portions, then each alone.
    fn next(&mut self, width: usize, pool: &mut Pool) -> Vec<Vec<Id>> {
        let new = if width == 1 { self.singles(pool) } else { self.wider(width, pool) };
        let mut sets: Vec<Vec<Id>> = new.chunks(ALIVE).map(|chunk| sorted(chunk.iter().copied())).collect();
        sets.extend(new.iter().map(|id| vec![*id]));
        sets
    }

    fn singles(&mut self, pool: &mut Pool) -> Vec<Id> {
        let mut found = Vec::new();
        for (table, uses) in self.tables {
            let is_special = |order: &&Vec<Key>| order.iter().any(|key| key.is_descending || key.nulls_first);
            let orders = uses.orders.iter().filter(is_special);
            let orders = orders.map(|order| order.iter().take(MAX_WIDTH).cloned().collect());
            let plain = uses.relevant().into_iter().map(|key| vec![key]).chain(orders);
            let plain = plain.map(|keys| Candidate::btree(table, keys));
            let others = uses
                .special
                .iter()
                .map(|(method, key)| Candidate { method: *method, ..Candidate::btree(table, vec![key.clone()]) });
            for candidate in plain.chain(others) {
                let is_served = pool.is_served(&candidate, &uses.constants);
                match pool.add(candidate.clone()).filter(|_| !is_served) {
                    Some(id) => found.push(id),
                    // There already: what it lacks may still be worth having.
                    None => self.served.push(candidate),
                }
            }
        }
        sorted(found)
    }

    /// The best indexes of each table, each with one more key, with all that is read, or of fewer rows.
    fn wider(&self, width: usize, pool: &mut Pool) -> Vec<Id> {
        let mut found = Vec::new();
        for (table, uses) in self.tables {
            for seed in self.seeds(table, width - 1, pool) {
                let relevant = uses.relevant();
                let wider = relevant.iter().filter_map(|key| seed.widened(key));
                let ordered = uses.orders.iter().filter_map(|order| ordered(&seed, order));
                let carrying = uses.carried().and_then(|columns| seed.carrying(columns));
                let all = wider.chain(ordered).chain(carrying).chain(partial(&seed, uses));
                found.extend(all.filter_map(|candidate| pool.add(candidate)));
            }
        }
        sorted(found).into_iter().filter(|id| !self.alone.contains_key(id)).collect()
    }

    fn seeds(&self, table: &Name, width: usize, pool: &Pool) -> Vec<Candidate> {
        let own = |id: &Id| pool.get(*id).table == *table && pool.get(*id).keys.len() == width;
        let is_seed = |id: &Id, cost: f64| self.used.contains(id) || cost < self.base * (1.0 - LEAST_GAIN);
        let mut ranked: Vec<(f64, Id)> = (self.alone.iter())
            .filter(|(id, cost)| own(id) && is_seed(id, **cost))
            .map(|(id, cost)| (*cost, *id))
            .collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let served = self.served.iter().filter(|candidate| candidate.table == *table && candidate.keys.len() == width);
        let best = ranked.into_iter().take(SEEDS).map(|(_, id)| pool.get(id).clone());
        best.chain(served.take(SEEDS).cloned()).collect()
    }

    /// The best found so far together; in later rounds without one of those that a plan chose.
    fn rest(&self, round: usize) -> Vec<Vec<Id>> {
        let best = self.best();
        if best.len() < 2 {
            return Vec::new();
        }
        if round == 0 {
            return vec![sorted(best)];
        }
        let Some((alive, used)) = self.choices.last() else { return Vec::new() };
        // Each of the chosen left out once, and all of them.
        let without = |gone: &[Id]| sorted(alive.iter().copied().filter(|id| !gone.contains(id)));
        let mut sets: Vec<Vec<Id>> = used.iter().map(|id| without(&[*id])).collect();
        sets.push(without(used));
        sets.retain(|set| set.len() > 1);
        sets
    }

    /// Those that a plan used, by their gain alone.
    fn best(&self) -> Vec<Id> {
        let mut ranked: Vec<(f64, Id)> = self.used.iter().filter_map(|id| Some((*self.alone.get(id)?, *id))).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        ranked.into_iter().take(ALIVE).map(|(_, id)| id).collect()
    }
}

/// The seed with a wanted order behind: rows of an equality come in that order.
fn ordered(seed: &Candidate, order: &[Key]) -> Option<Candidate> {
    let mut wide = seed.clone();
    let new = order.iter().filter(|key| !seed.keys.iter().any(|own| own.column == key.column));
    wide.keys.extend(new.cloned());
    (wide.keys.len() > seed.keys.len() && wide.keys.len() <= MAX_WIDTH).then_some(wide)
}

/// The seed with those rows alone that the statement reads, whatever its parameters.
fn partial(seed: &Candidate, uses: &Uses) -> Vec<Candidate> {
    if seed.predicate.is_some() || seed.method != Method::Btree {
        return Vec::new();
    }
    uses.predicates().into_iter().map(|predicate| Candidate { predicate: Some(predicate), ..seed.clone() }).collect()
}
