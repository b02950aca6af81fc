//! What each statement is known to cost with which indexes, and what it might cost with others.

use super::candidate::{Id, Pool};
use super::oracle::{Memory, Record, is_subset};
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
    let used: BTreeSet<Id> = best.flat_map(|(ids, _)| ids.iter().copied()).collect();
    let with_hopes = |(query, mut own): (usize, Vec<Configuration>)| {
        own.extend(hopes(&own, memory.records(query), &used, pool));
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

/// For each wider index the cheapest known configuration, of each size, that has a narrower one in its place.
fn hopes(known: &[Configuration], records: &[Record], used: &BTreeSet<Id>, pool: &Pool) -> Vec<Configuration> {
    let mut hopes = Vec::new();
    for wide in used {
        let with_it: Vec<&Record> = records.iter().filter(|record| record.was_asked_with(*wide)).collect();
        let mut sizes = BTreeSet::new();
        for (ids, cost) in known.iter().filter(|(ids, _)| !ids.contains(wide)) {
            let is_covered = |id: &Id| pool.get(*id).is_covered_by(pool.get(*wide));
            if !ids.iter().any(is_covered) || !sizes.insert(ids.len()) {
                continue;
            }
            let rest = ids.iter().copied().filter(|id| !is_covered(id));
            let set: Vec<Id> = rest.chain([*wide]).collect::<BTreeSet<Id>>().into_iter().collect();
            // With more there it cost that much.
            let asked = with_it.iter().filter(|record| record.was_asked_with_all(&set));
            let cost = asked.map(|record| record.cost).fold(*cost, f64::max);
            hopes.push((set, cost));
        }
    }
    hopes
}
