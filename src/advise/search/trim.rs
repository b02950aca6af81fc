//! What does as well as the choice, and is less.

use super::{LEAST_GAIN, Task, ask_all, narrower, relevant};
use crate::advise::candidate::{Id, Pool};
use crate::advise::oracle::{Memory, Question};
use std::collections::BTreeSet;

/// Costs whose ratio is below this are the same (`STD_FUZZ_FACTOR`, pathnode.c).
const ALIKE: f64 = 1.01;

/// The choice with keys in another order, where that costs no statement more and makes an existing index needless.
pub(super) fn replacing(
    task: &Task<'_>,
    mut chosen: BTreeSet<Id>,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> BTreeSet<Id> {
    for old in chosen.clone() {
        let Some(new) = pool.turned(pool.get(old)).and_then(|candidate| pool.add(candidate)) else { continue };
        let Some(turned) = instead(&chosen, old, new, pool) else { continue };
        if is_no_worse(task, &chosen, &turned, ALIKE, pool, memory) && pool.bytes(new) <= pool.bytes(old) {
            chosen = turned;
        }
    }
    chosen
}

/// The choice without last keys and carried columns that save nothing.
pub(super) fn narrowed(
    task: &Task<'_>,
    mut chosen: BTreeSet<Id>,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> BTreeSet<Id> {
    for wide in chosen.clone() {
        let mut left = wide;
        while let Some((new, rest)) = narrower(pool.get(left)).into_iter().find_map(|candidate| {
            let new = pool.add(candidate)?;
            let rest = instead(&chosen, left, new, pool)?;
            is_no_worse(task, &chosen, &rest, 1.0 + LEAST_GAIN, pool, memory).then_some((new, rest))
        }) {
            (left, chosen) = (new, rest);
        }
    }
    chosen
}

/// The choice with one in the place of another; none where it has one that does the same work.
fn instead(chosen: &BTreeSet<Id>, old: Id, new: Id, pool: &Pool) -> Option<BTreeSet<Id>> {
    let others: BTreeSet<Id> = chosen.iter().copied().filter(|other| *other != old).collect();
    let is_new = !others.iter().any(|other| *other == new || pool.are_rivals(*other, new));
    is_new.then(|| others.into_iter().chain([new]).collect())
}

/// No statement costs more by a larger factor with the other set; those are asked that use what it lacks.
fn is_no_worse(
    task: &Task<'_>,
    chosen: &BTreeSet<Id>,
    other: &BTreeSet<Id>,
    factor: f64,
    pool: &mut Pool,
    memory: &mut Memory<'_>,
) -> bool {
    let now = ask_all(task, chosen, pool, memory);
    let loses = |answer: &Option<(f64, Vec<Id>)>| {
        answer.as_ref().is_some_and(|(_, used)| used.iter().any(|id| !other.contains(id)))
    };
    let users: Vec<(usize, f64)> = (now.iter().enumerate().filter(|(_, answer)| loses(answer)))
        .filter_map(|(query, answer)| Some((query, answer.as_ref()?.0)))
        .collect();
    let question =
        |(query, _): &(usize, f64)| Question { query: *query, alive: relevant(&task.queries[*query], other, pool) };
    let questions: Vec<Question> = users.iter().map(question).collect();
    let then = memory.ask(pool, &questions);
    users.iter().zip(then).all(|((_, now), then)| then.is_some_and(|then| then.cost <= now * factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::choose::Bounds;
    use crate::advise::oracle::{Answer, WhatIf};
    use crate::advise::workload::{Query, Uses};
    use crate::advise::{Candidate, Key};
    use crate::model::plan::Name;
    use std::collections::BTreeMap;

    /// Costs 10 with an index on (a), and this much with one on (a, b).
    struct Planner(f64);

    impl WhatIf for Planner {
        fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
            let cost = |id: &Id| if pool.get(*id).keys.len() == 1 { 10.0 } else { self.0 };
            let answer =
                |question: &Question| {
                    let best = question.alive.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
                    Some(best.map_or(Answer { cost: 1000.0, used: Vec::new() }, |id| Answer {
                        cost: cost(id),
                        used: vec![*id],
                    }))
                };
            questions.iter().map(answer).collect()
        }

        fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
            vec![1; candidates.len()]
        }
    }

    /// Keys of what is left of an index on (a, b).
    fn keys_left(cost_of_both: f64) -> usize {
        let table = Name::new("s", "t");
        let mut pool = Pool::default();
        let both = Candidate::btree(&table, vec![Key::ascending("a"), Key::ascending("b")]);
        let id = pool.add(both).expect("a candidate");
        let query = Query {
            fingerprint: String::new(),
            text: String::new(),
            search_path: String::new(),
            calls: 1,
            total_ms: 1.0,
            rows_per_call: 1.0,
            tables: BTreeMap::from([(table, Uses::default())]),
            names_views: false,
        };
        let bounds = Bounds { budget_bytes: None, max_per_table: 9, least_gain: 0.01, least_statement_gain: 0.1 };
        let task = Task {
            queries: &[query],
            weights: &[1.0],
            is_of_whole: false,
            prices: &|_| Vec::new(),
            bounds,
            max_calls: 100,
            with_curve: false,
            with_spread: false,
        };
        let mut planner = Planner(cost_of_both);
        let left = narrowed(&task, BTreeSet::from([id]), &mut pool, &mut Memory::new(&mut planner, 1));
        left.iter().map(|id| pool.get(*id).keys.len()).sum()
    }

    #[test]
    fn a_last_key_that_saves_nothing_goes() {
        assert_eq!(keys_left(10.0), 1);
        assert_eq!(keys_left(9.0), 2);
    }
}
