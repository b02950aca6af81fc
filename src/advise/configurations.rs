//! What each statement is known to cost with which indexes, and what it might cost with others.

use super::candidate::{Id, Pool};
use super::oracle::{Memory, Record, is_subset};
use crate::model::plan::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes, and what a statement costs with them.
pub(super) type Configuration = (Vec<Id>, f64);

/// Configurations of each statement, the cheapest, whose indexes might serve others, too.
const HOPEFUL: usize = 15;

/// The configurations of each statement, the cheapest first, but for what smaller ones do as well.
pub(super) fn known(bases: &[f64], memory: &Memory<'_>) -> Vec<Vec<Configuration>> {
    bases.iter().enumerate().map(|(query, base)| of_records(*base, memory.records(query))).collect()
}

/// The same, and more: where a narrow index served, a wider one that does much for some other statement is taken to
/// serve as well, until the planner has said otherwise. Of what is chosen in that hope it is asked, and what it says
/// ends the hope.
pub(super) fn hopeful(bases: &[f64], pool: &Pool, memory: &Memory<'_>) -> Vec<Vec<Configuration>> {
    let known = known(bases, memory);
    let best = known.iter().flat_map(|own| own.iter().take(HOPEFUL));
    let mut used: BTreeMap<&Name, BTreeSet<Id>> = BTreeMap::new();
    for id in best.flat_map(|(ids, _)| ids) {
        used.entry(&pool.get(*id).table).or_default().insert(*id);
    }
    let with_hopes = |(query, mut own): (usize, Vec<Configuration>)| {
        let tables: BTreeSet<&Name> = own.iter().flat_map(|(ids, _)| ids).map(|id| &pool.get(*id).table).collect();
        let wide = tables.into_iter().filter_map(|table| used.get(table)).flatten();
        let records = memory.records(query);
        let hopes: Vec<Configuration> = wide.flat_map(|wide| hopes(*wide, &own, records, pool)).collect();
        own.extend(hopes.into_iter().filter(|(_, cost)| *cost < bases[query]));
        undominated(own)
    };
    known.into_iter().enumerate().map(with_hopes).collect()
}

fn of_records(base: f64, records: &[Record]) -> Vec<Configuration> {
    let mut best: BTreeMap<&[Id], f64> = BTreeMap::new();
    for record in records.iter().filter(|record| record.cost < base) {
        let known = best.entry(&record.used).or_insert(record.cost);
        *known = known.min(record.cost);
    }
    undominated(best.into_iter().map(|(ids, cost)| (ids.to_vec(), cost)).collect())
}

fn undominated(mut all: Vec<Configuration>) -> Vec<Configuration> {
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.len().cmp(&b.0.len())).then(a.0.cmp(&b.0)));
    let dominated: Vec<bool> = (all.iter().enumerate())
        .map(|(at, (ids, _))| all[..at].iter().any(|(other, _)| is_subset(other, ids)))
        .collect();
    all.into_iter().zip(dominated).filter(|(_, is_dominated)| !is_dominated).map(|(config, _)| config).collect()
}

/// The cheapest known configuration, of each size, that has narrower indexes in the place of a wide one.
fn hopes(wide: Id, known: &[Configuration], records: &[Record], pool: &Pool) -> Vec<Configuration> {
    let is_covered = |id: &Id| pool.get(*id).is_covered_by(pool.get(wide));
    let narrow = known.iter().filter(|(ids, _)| !ids.contains(&wide) && ids.iter().any(is_covered));
    let mut sizes = BTreeSet::new();
    let hope = |(ids, cost): &Configuration| {
        let rest = ids.iter().copied().filter(|id| !is_covered(id));
        let set: Vec<Id> = rest.chain([wide]).collect::<BTreeSet<Id>>().into_iter().collect();
        // With more there it cost that much.
        let asked = records.iter().filter(|record| record.was_asked_with(&set));
        let cost = asked.map(|record| record.cost).fold(*cost, f64::max);
        (set, cost)
    };
    narrow.filter(|(ids, _)| sizes.insert(ids.len())).map(hope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::oracle::{Answer, Question, WhatIf};
    use crate::advise::{Candidate, Key};

    /// The first statement costs 10 with an index on (a) and no less with others, the second 20 with any.
    struct Planner;

    impl WhatIf for Planner {
        fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
            let serves = |query: usize, id: &Id| query == 1 || pool.get(*id).keys.len() == 1;
            let answer = |question: &Question| {
                let used: Vec<Id> = question.alive.iter().copied().filter(|id| serves(question.query, id)).collect();
                let cost = if used.is_empty() { 1000.0 } else { [10.0, 20.0][question.query] };
                Some(Answer { cost, used })
            };
            questions.iter().map(answer).collect()
        }

        fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
            vec![1; candidates.len()]
        }
    }

    #[test]
    fn a_wide_index_of_one_statement_is_hoped_to_serve_another_until_the_planner_is_asked() {
        let mut pool = Pool::default();
        let index = |columns: &[&str]| {
            Candidate::btree(&Name::new("s", "t"), columns.iter().map(|column| Key::ascending(column)).collect())
        };
        let [a, wide, other] = [&["a"][..], &["a", "b"], &["b"]].map(|columns| pool.add(index(columns)).unwrap());
        let mut planner = Planner;
        let mut memory = Memory::new(&mut planner, 2);
        let ask = |memory: &mut Memory<'_>, pool: &mut Pool, query, alive| {
            memory.ask(pool, &[Question { query, alive: vec![alive] }]);
        };
        ask(&mut memory, &mut pool, 0, a);
        ask(&mut memory, &mut pool, 1, wide);
        ask(&mut memory, &mut pool, 1, other);
        let bases = [1000.0, 1000.0];
        assert_eq!(known(&bases, &memory)[0], [(vec![a], 10.0)]);
        assert_eq!(hopeful(&bases, &pool, &memory)[0], [(vec![a], 10.0), (vec![wide], 10.0)]);
        ask(&mut memory, &mut pool, 0, wide);
        assert_eq!(hopeful(&bases, &pool, &memory)[0], [(vec![a], 10.0)]);
    }
}
