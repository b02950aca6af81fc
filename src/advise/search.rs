//! The search: explore each statement, choose for all, ask the planner about the choice, look around it,
//! choose again, until nothing moves.

mod trim;

use super::candidate::{Candidate, Id, Pool};
use super::choose::{Bounds, Chooser};
use super::configurations::{hopeful, known};
use super::explore::explore;
use super::oracle::{Memory, Question, Spread, WhatIf};
use super::workload::{Query, Uses};
use std::collections::{BTreeMap, BTreeSet};
use trim::{narrowed, replacing};

/// Configurations of each statement whose indexes are merged with chosen ones.
const PROMISING: usize = 6;

/// What costs a statement less by a smaller share is no gain.
const LEAST_GAIN: f64 = 0.001;

/// A choice is bettered by its true costs this many times at most.
const SETTLED: usize = 6;

/// The search ends when it has chosen so many times without a gain.
const IN_VAIN: usize = 2;

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
    /// Questions at most, or half as many again as exploring took if that is more; 0 to do without what is beyond
    /// exploring.
    pub max_calls: usize,
    /// Find what other sizes would save, too.
    pub with_curve: bool,
    /// Find what the choice would save with other values of parameters, too.
    pub with_spread: bool,
}

impl Task<'_> {
    fn is_bounded(&self) -> bool {
        self.bounds.budget_bytes.is_some()
    }
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
    /// Of the statements that use some of them, by number, where it was asked for: costs with other values.
    pub spreads: BTreeMap<usize, Spread>,
    /// Questions that were asked: EXPLAINs, where a planner answered.
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
    let max_calls = if task.max_calls == 0 { 0 } else { task.max_calls.max(memory.questions * 3 / 2) };
    let task = Task { weights: &weights, max_calls, ..task };
    let plain = Way { bounds: task.bounds, with_hopes: false, start: None };
    let chosen = refined(&task, &costs, plain, pool, &mut memory);
    let chosen = if memory.questions < max_calls { detoured(&task, &costs, chosen, pool, &mut memory) } else { chosen };
    let chosen = replacing(&task, chosen, pool, &mut memory);
    let chosen = narrowed(&task, chosen, pool, &mut memory);
    let curve = if task.with_curve { curve(&task, &costs, pool, &mut memory) } else { Vec::new() };
    let after = ask_all(&task, &chosen, pool, &mut memory);
    let spreads = if task.with_spread { spreads(&task, &chosen, &after, pool, &mut memory) } else { BTreeMap::new() };
    let costs =
        bases.into_iter().zip(after).map(|(base, after)| Some((base?.0, after.as_ref()?.0, after?.1))).collect();
    Found { chosen, costs, spreads, calls: memory.questions, curve }
}

/// Costs by values of the statements whose plans use some of the choice.
fn spreads(
    task: &Task<'_>,
    chosen: &BTreeSet<Id>,
    after: &[Option<(f64, Vec<Id>)>],
    pool: &Pool,
    memory: &mut Memory<'_>,
) -> BTreeMap<usize, Spread> {
    let uses = |answer: &Option<(f64, Vec<Id>)>| answer.as_ref().is_some_and(|(_, used)| !used.is_empty());
    let asked = after.iter().enumerate().filter(|(_, answer)| uses(answer));
    let questions: Vec<Question> =
        asked.map(|(query, _)| Question { query, alive: relevant(&task.queries[query], chosen, pool) }).collect();
    let told = memory.spread(pool, &questions);
    questions.into_iter().map(|question| question.query).zip(told).collect()
}

/// A way of choosing.
#[derive(Clone, Copy)]
struct Way<'a> {
    bounds: Bounds,
    /// Wide indexes are hoped to serve where narrow ones did.
    with_hopes: bool,
    /// What is bettered first; none: nothing.
    start: Option<&'a BTreeSet<Id>>,
}

/// The choice, or a better one that is found in hope, and by steps too small to be felt: those of them that do not pay
/// for themselves are taken back.
fn detoured(
    task: &Task<'_>,
    bases: &[f64],
    chosen: BTreeSet<Id>,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> BTreeSet<Id> {
    let bounds = Bounds { least_gain: 0.0, least_statement_gain: 0.0, ..task.bounds };
    let wide = refined(task, bases, Way { bounds, with_hopes: true, start: Some(&chosen) }, pool, memory);
    let back = Way { bounds: task.bounds, with_hopes: true, start: Some(&wide) };
    let other = settle(task, bases, back, pool, memory);
    let is_better = total(task, bases, &other, pool, memory) < total(task, bases, &chosen, pool, memory);
    if is_better { other } else { chosen }
}

/// Chooses, looks around, and chooses again; the best of the choices by their true costs.
fn refined(task: &Task<'_>, bases: &[f64], way: Way<'_>, pool: &mut Pool, memory: &mut Memory<'_>) -> BTreeSet<Id> {
    let (mut least, mut best) = (f64::INFINITY, BTreeSet::new());
    let mut seen: Vec<BTreeSet<Id>> = Vec::new();
    let mut in_vain = 0;
    while in_vain < IN_VAIN {
        // Once from nothing: what was found around the first choice may want another.
        let start = if seen.is_empty() { way.start } else { seen.last().filter(|_| seen.len() > 1) };
        let next = settle(task, bases, Way { start, ..way }, pool, memory);
        if seen.contains(&next) {
            break;
        }
        let cost = total(task, bases, &next, pool, memory);
        in_vain = if cost < least * (1.0 - LEAST_GAIN) { 0 } else { in_vain + 1 };
        if cost < least {
            (least, best) = (cost, next.clone());
        }
        if memory.questions >= task.max_calls {
            break;
        }
        look_around(task, &next, pool, memory);
        seen.push(next);
    }
    best
}

/// What the workload costs with a set, what writes pay included.
fn total(task: &Task<'_>, bases: &[f64], set: &BTreeSet<Id>, pool: &mut Pool, memory: &mut Memory<'_>) -> f64 {
    let answers = ask_all(task, set, pool, memory);
    let costs = answers.iter().zip(bases).map(|(answer, base)| answer.as_ref().map_or(*base, |(cost, _)| *cost));
    let read: f64 = task.weights.iter().zip(costs).map(|(weight, cost)| weight * cost).sum();
    let prices = (task.prices)(pool);
    read + set.iter().filter_map(|id| prices.get(*id as usize)).sum::<f64>()
}

/// What sets of several sizes save, by the planner's answer about each.
fn curve(task: &Task<'_>, bases: &[f64], pool: &mut Pool, memory: &mut Memory<'_>) -> Vec<Point> {
    memory.learn_sizes(pool);
    let prices = (task.prices)(pool);
    let sets = Chooser::new(pool, task.bounds, task.weights, bases, &prices, known(bases, memory)).by_price();
    let before: f64 = task.weights.iter().zip(bases).map(|(weight, base)| weight * base).sum();
    let mut points: Vec<Point> = Vec::new();
    for set in sets {
        let after = total(task, bases, &set, pool, memory);
        let bytes = set.iter().map(|id| pool.bytes(*id)).sum();
        let saved_share = if before > 0.0 { 1.0 - after / before } else { 0.0 };
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
fn settle(task: &Task<'_>, bases: &[f64], way: Way<'_>, pool: &mut Pool, memory: &mut Memory<'_>) -> BTreeSet<Id> {
    let mut tried: Vec<BTreeSet<Id>> = Vec::new();
    let mut start = way.start.cloned();
    loop {
        memory.learn_sizes(pool);
        let configurations = if way.with_hopes { hopeful(bases, pool, memory) } else { known(bases, memory) };
        let chooser = Chooser::new(pool, way.bounds, task.weights, bases, &(task.prices)(pool), configurations);
        let next = chooser.shake(&chooser.choose(start.as_ref()));
        if tried.contains(&next) || tried.len() >= SETTLED {
            return next;
        }
        ask_all(task, &next, pool, memory);
        start = Some(next.clone());
        tried.push(next);
    }
}

/// The part of a set that a statement could use.
fn relevant(query: &Query, set: &BTreeSet<Id>, pool: &Pool) -> Vec<Id> {
    set.iter().copied().filter(|id| is_relevant(query, *id, pool)).collect()
}

/// It is on a table of the statement; a partial one has the rows that all executions read, not those of the values
/// that happen to be asked for.
fn is_relevant(query: &Query, id: Id, pool: &Pool) -> bool {
    let candidate = pool.get(id);
    let has_rows = |uses: &Uses| candidate.predicate.as_ref().is_none_or(|rows| uses.predicates().contains(rows));
    query.tables.get(&candidate.table).is_some_and(has_rows)
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

/// An index that might stand in the place of a chosen one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    old: Id,
    new: Id,
    /// Statements that use the old one.
    users: Vec<usize>,
}

/// Asks about indexes like the chosen ones: wider, narrower, in another order, and merged with others of the
/// same leading column. First about the statements that use the chosen one or could still gain; where one does, or room
/// is won, about those that would have to do with it.
fn look_around(task: &Task<'_>, chosen: &BTreeSet<Id>, pool: &mut Pool, memory: &mut Memory<'_>) {
    let answers = ask_all(task, chosen, pool, memory);
    let places = places(task, chosen, &answers, pool, memory);
    let costs: Vec<f64> = answers.iter().map(|answer| answer.as_ref().map_or(0.0, |(cost, _)| *cost)).collect();
    let gains = |query: usize, cost: f64| cost < costs[query] * (1.0 - LEAST_GAIN);
    let is_known = |query: usize| memory.records(query).iter().any(|record| gains(query, record.cost));
    // Where room is no matter each has the best that is known of: what could gain shows only when it is asked.
    let hopeful: Vec<bool> = (0..costs.len()).map(|query| !task.is_bounded() || is_known(query)).collect();
    let is_first = |place: &Place, query: usize| hopeful[query] || place.users.contains(&query);
    ask_instead(task, chosen, &places, &is_first, pool, memory);
    let by_it = |query: usize, new: Id| {
        memory.records(query).iter().any(|record| record.used.contains(&new) && gains(query, record.cost))
    };
    let is_won = |place: &Place| {
        pool.bytes(place.new) < pool.bytes(place.old) || (0..costs.len()).any(|query| by_it(query, place.new))
    };
    let places: BTreeSet<Place> = places.into_iter().filter(is_won).collect();
    ask_instead(task, chosen, &places, &|place, query| !is_first(place, query), pool, memory);
}

fn places(
    task: &Task<'_>,
    chosen: &BTreeSet<Id>,
    answers: &[Option<(f64, Vec<Id>)>],
    pool: &mut Pool,
    memory: &Memory<'_>,
) -> BTreeSet<Place> {
    let good = promising(task, memory);
    let mut places = BTreeSet::new();
    for old in chosen.iter().copied() {
        let users: Vec<usize> = (answers.iter().enumerate())
            .filter(|(_, answer)| answer.as_ref().is_some_and(|(_, used)| used.contains(&old)))
            .map(|(query, _)| query)
            .collect();
        for candidate in neighbours(old, &users, task, &good, pool) {
            places.extend(pool.add(candidate).map(|new| Place { old, new, users: users.clone() }));
        }
    }
    places
}

/// Asks about the choice with one index in the place of another; where room is dear, of all others of the same leading
/// column, too: it may do what several do.
fn ask_instead(
    task: &Task<'_>,
    chosen: &BTreeSet<Id>,
    places: &BTreeSet<Place>,
    is_asked: &dyn Fn(&Place, usize) -> bool,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) {
    let mut questions: BTreeSet<(usize, Vec<Id>)> = BTreeSet::new();
    for place in places {
        let goes = |id: &Id| *id == place.old || (task.is_bounded() && pool.get(*id).leads_with(pool.get(place.new)));
        let asked = |query: &usize| {
            is_asked(place, *query)
                && is_relevant(&task.queries[*query], place.new, pool)
                && profits(*query, place.new, pool, memory)
        };
        for query in (0..task.queries.len()).filter(asked) {
            let alive = relevant(&task.queries[query], chosen, pool).into_iter().filter(|id| !goes(id));
            questions.insert((query, alive.chain([place.new]).collect::<BTreeSet<Id>>().into_iter().collect()));
        }
    }
    let room = task.max_calls.saturating_sub(memory.questions);
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

/// Some plan of the statement used an index of the same table and leading column.
fn profits(query: usize, id: Id, pool: &Pool, memory: &Memory<'_>) -> bool {
    let own = pool.get(id);
    let is_alike = |other: &Id| pool.get(*other).leads_with(own);
    memory.records(query).iter().any(|record| record.used.iter().any(is_alike))
}
