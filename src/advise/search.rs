//! The search: explore each statement, choose for all, ask the planner about the choice, look around it,
//! choose again, until nothing moves.

use super::candidate::{Candidate, Id, Pool};
use super::choose::{Bounds, Chooser};
use super::explore::explore;
use super::oracle::{Memory, Question, WhatIf};
use super::workload::Query;
use std::collections::BTreeSet;

/// Configurations of each statement whose indexes are merged with chosen ones.
const PROMISING: usize = 6;

/// A choice is bettered by its true costs this many times at most.
const SETTLED: usize = 6;

/// Choices are refined this many times at most.
const ROUNDS: usize = 12;

/// What a search is given.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The statements.
    pub queries: &'a [Query],
    /// What each one is worth.
    pub weights: &'a [f64],
    /// Worth is of the whole statement: of its measured time a plan that costs half saves half. Else it is of a
    /// unit of cost.
    pub is_of_whole: bool,
    /// What writes pay for each candidate, in the unit of the worth.
    pub prices: &'a dyn Fn(&Pool) -> Vec<f64>,
    /// Bounds of the choice.
    pub bounds: Bounds,
    /// EXPLAINs at most, or questions where nobody is asked for any.
    pub max_calls: usize,
    /// Find what other sizes would save, too.
    pub with_curve: bool,
}

/// What a set of some size would save.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Indexes.
    pub indexes: usize,
    /// Bytes of all of them.
    pub bytes: i64,
    /// Share of the workload's cost that they save, what writes pay taken off.
    pub saved_share: f64,
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// The chosen indexes.
    pub chosen: BTreeSet<Id>,
    /// Cost of each statement without them and with them, and which of them it uses; none where the planner
    /// refused it.
    pub costs: Vec<Option<(f64, f64, Vec<Id>)>>,
    /// EXPLAINs that the planner was asked for.
    pub calls: usize,
    /// What sets of other sizes would save, the smallest first; empty where it was not asked for.
    pub curve: Vec<Point>,
}

/// Searches. The pool holds all candidates afterwards.
pub fn search(task: Task<'_>, pool: &mut Pool, oracle: &mut dyn WhatIf) -> Found {
    let mut memory = Memory::new(oracle, task.queries.len());
    explore(task.queries, pool, &mut memory);
    let bases = ask_all(&task, &BTreeSet::new(), pool, &mut memory);
    let costs: Vec<f64> = bases.iter().map(|answer| answer.as_ref().map_or(0.0, |(cost, _)| *cost)).collect();
    let per_cost = |(weight, cost): (&f64, &f64)| if task.is_of_whole { weight / cost.max(1.0) } else { *weight };
    let weights: Vec<f64> = task.weights.iter().zip(&costs).map(per_cost).collect();
    let task = Task { weights: &weights, ..task };
    let mut chosen = BTreeSet::new();
    let mut seen: Vec<BTreeSet<Id>> = Vec::new();
    for _ in 0..ROUNDS {
        let next = settle(&task, &costs, seen.last().filter(|_| seen.len() > 1), pool, &mut memory);
        if seen.contains(&next) {
            chosen = next;
            break;
        }
        seen.push(next.clone());
        chosen = next;
        if memory.effort() >= task.max_calls {
            break;
        }
        look_around(&task, &chosen, pool, &mut memory);
    }
    let curve = if task.with_curve { curve(&task, &costs, pool, &mut memory) } else { Vec::new() };
    let after = ask_all(&task, &chosen, pool, &mut memory);
    let costs =
        bases.into_iter().zip(after).map(|(base, after)| Some((base?.0, after.as_ref()?.0, after?.1))).collect();
    Found { chosen, costs, calls: memory.calls, curve }
}

/// What sets of several sizes save, by the planner's answer about each.
fn curve(task: &Task<'_>, bases: &[f64], pool: &mut Pool, memory: &mut Memory<'_>) -> Vec<Point> {
    memory.learn_sizes(pool);
    let prices = (task.prices)(pool);
    let sets = Chooser::new(pool, task.bounds, task.weights, bases, &prices, memory).by_price();
    let before: f64 = task.weights.iter().zip(bases).map(|(weight, base)| weight * base).sum();
    let mut points: Vec<Point> = Vec::new();
    for set in sets {
        let answers = ask_all(task, &set, pool, memory);
        let costs = answers.iter().zip(bases).map(|(answer, base)| answer.as_ref().map_or(*base, |(cost, _)| *cost));
        let after: f64 = task.weights.iter().zip(costs).map(|(weight, cost)| weight * cost).sum();
        let written: f64 = set.iter().filter_map(|id| prices.get(*id as usize)).sum();
        let bytes = set.iter().map(|id| pool.bytes(*id)).sum();
        let saved_share = if before > 0.0 { 1.0 - (after + written) / before } else { 0.0 };
        points.push(Point { indexes: set.len(), bytes, saved_share });
    }
    points.sort_by_key(|point| point.bytes);
    let mut curve: Vec<Point> = Vec::new();
    for point in points {
        // Room that saves nothing is not worth a line.
        if point.saved_share > curve.last().map_or(0.0, |last| last.saved_share) {
            curve.push(point);
        }
    }
    curve
}

/// Chooses, asks for the true costs of the choice, and betters it while they change it.
fn settle(
    task: &Task<'_>,
    bases: &[f64],
    known: Option<&BTreeSet<Id>>,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> BTreeSet<Id> {
    let mut tried: Vec<BTreeSet<Id>> = Vec::new();
    let mut start = known.cloned();
    loop {
        memory.learn_sizes(pool);
        let next =
            Chooser::new(pool, task.bounds, task.weights, bases, &(task.prices)(pool), memory).choose(start.as_ref());
        if tried.contains(&next) || tried.len() >= SETTLED {
            return next;
        }
        ask_all(task, &next, pool, memory);
        start = Some(next.clone());
        tried.push(next);
    }
}

/// The part of a set that is on a statement's tables.
fn relevant(query: &Query, set: &BTreeSet<Id>, pool: &Pool) -> Vec<Id> {
    set.iter().copied().filter(|id| query.tables.contains_key(&pool.get(*id).table)).collect()
}

fn ask_all(
    task: &Task<'_>,
    set: &BTreeSet<Id>,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> Vec<Option<(f64, Vec<Id>)>> {
    let questions: Vec<Question> = (task.queries.iter().enumerate())
        .map(|(number, query)| Question { query: number, alive: relevant(query, set, pool) })
        .collect();
    memory.ask(pool, &questions).into_iter().map(|answer| answer.map(|answer| (answer.cost, answer.used))).collect()
}

/// Asks about indexes like the chosen ones: wider, narrower, in another order, and merged with others of the
/// same leading column, each in the place of the one it is like.
fn look_around(task: &Task<'_>, chosen: &BTreeSet<Id>, pool: &mut Pool, memory: &mut Memory<'_>) {
    let answers = ask_all(task, chosen, pool, memory);
    let good = promising(task, memory);
    let mut questions: BTreeSet<(usize, Vec<Id>)> = BTreeSet::new();
    for id in chosen {
        let users: Vec<usize> = (answers.iter().enumerate())
            .filter(|(_, answer)| answer.as_ref().is_some_and(|(_, used)| used.contains(id)))
            .map(|(query, _)| query)
            .collect();
        for candidate in neighbours(*id, &users, task, &good, pool) {
            let Some(new) = pool.add(candidate) else { continue };
            for query in profiting(new, task, pool, memory) {
                let mut alive: BTreeSet<Id> = relevant(&task.queries[query], chosen, pool).into_iter().collect();
                alive.remove(id);
                alive.insert(new);
                questions.insert((query, alive.into_iter().collect()));
            }
        }
    }
    let room = task.max_calls.saturating_sub(memory.effort());
    let questions: Vec<Question> =
        questions.into_iter().take(room).map(|(query, alive)| Question { query, alive }).collect();
    memory.ask(pool, &questions);
}

/// Indexes of each statement's cheapest configurations.
fn promising(task: &Task<'_>, memory: &Memory<'_>) -> BTreeSet<Id> {
    let mut good = BTreeSet::new();
    for query in 0..task.queries.len() {
        let mut records: Vec<_> = memory.records(query).iter().collect();
        records.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        good.extend(records.iter().take(PROMISING).flat_map(|record| record.used.iter().copied()));
    }
    good
}

fn neighbours(id: Id, users: &[usize], task: &Task<'_>, good: &BTreeSet<Id>, pool: &Pool) -> BTreeSet<Candidate> {
    let own = pool.get(id);
    let mut found = narrower(own);
    for at in 1..own.keys.len() {
        let mut turned = own.clone();
        turned.keys.swap(at - 1, at);
        found.insert(turned);
    }
    let wanted = users.iter().filter_map(|query| task.queries[*query].tables.get(&own.table));
    for uses in wanted {
        found.extend(uses.relevant().iter().filter_map(|key| own.widened(key)));
        found.extend(uses.carried().and_then(|columns| own.carrying(columns)));
    }
    for other in good.iter().map(|id| pool.get(*id)).filter(|other| *other != own && other.leads_with(own)) {
        found.extend(merged(own, other).into_iter().chain(merged(other, own)));
    }
    found
}

/// The same without its last key, or without what it carries along.
fn narrower(own: &Candidate) -> BTreeSet<Candidate> {
    let mut found = BTreeSet::new();
    if own.keys.len() > 1 {
        let keys = own.keys[..own.keys.len() - 1].to_vec();
        found.insert(Candidate { keys, ..own.clone() });
    }
    if !own.include.is_empty() {
        found.insert(Candidate { include: Vec::new(), ..own.clone() });
    }
    found
}

/// All keys of the one, then those of the other; what either carries along; the rows of both.
fn merged(one: &Candidate, other: &Candidate) -> Option<Candidate> {
    let mut all = one.clone();
    for key in &other.keys {
        if !all.keys.iter().any(|own| own.is_on(key)) {
            all = all.widened(key)?;
        }
    }
    all = all.carrying(&other.include).unwrap_or(all);
    if one.predicate != other.predicate {
        all.predicate = None;
    }
    (all != *one).then_some(all)
}

/// Statements that some plan served by an index of the same table and leading column.
fn profiting(id: Id, task: &Task<'_>, pool: &Pool, memory: &Memory<'_>) -> Vec<usize> {
    let own = pool.get(id);
    let is_alike = |other: &Id| pool.get(*other).leads_with(own);
    let profits = |query: &usize| memory.records(*query).iter().any(|record| record.used.iter().any(is_alike));
    (0..task.queries.len()).filter(profits).collect()
}
