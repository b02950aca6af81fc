//! Searches whose planner is a table of costs.

use super::*;
use crate::advise::oracle::Answer;
use crate::model::plan::Name;

/// What any statement costs without an index.
const BASE: f64 = 1000.0;

/// By statement: keys of an index, and the cost with it.
struct Planner(Vec<Vec<(&'static str, f64)>>);

fn keys(candidate: &Candidate) -> String {
    candidate.keys.iter().map(|key| key.column.as_str()).collect::<Vec<_>>().join(",")
}

impl WhatIf for Planner {
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        let cost = |query: usize, id: Id| {
            self.0[query].iter().find(|(index, _)| *index == keys(pool.get(id))).map_or(BASE, |(_, cost)| *cost)
        };
        let answer = |question: &Question| {
            let costs = question.alive.iter().map(|id| (cost(question.query, *id), *id));
            let best = costs.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(cost, _)| *cost < BASE);
            Some(best.map_or(Answer { cost: BASE, used: vec![] }, |(cost, id)| Answer { cost, used: vec![id] }))
        };
        questions.iter().map(answer).collect()
    }

    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        candidates.iter().map(|one| if one.keys.len() == 1 { 100 } else { 150 }).collect()
    }
}

/// A statement that compares these columns of the one table.
fn comparing(columns: &[&str]) -> Query {
    let equal = columns.iter().map(|column| (*column).to_owned()).collect();
    Query {
        fingerprint: String::new(),
        text: String::new(),
        search_path: String::new(),
        calls: 1,
        total_ms: 1.0,
        rows_per_call: 1.0,
        tables: [(Name::new("s", "t"), Uses { equal, ..Uses::default() })].into(),
        names_views: false,
    }
}

/// The choice among what exploring found, with room for one index of two columns.
fn chosen(queries: &[Query], planner: &mut Planner) -> Vec<String> {
    let bounds = Bounds { budget_bytes: Some(150), max_per_table: 10, least_gain: 0.001, least_statement_gain: 0.1 };
    let task = Task {
        queries,
        weights: &vec![1.0; queries.len()],
        is_of_whole: false,
        prices: &|_| Vec::new(),
        bounds,
        max_calls: 0,
        with_curve: false,
        with_spread: false,
    };
    let mut pool = Pool::default();
    let found = search(task, &mut pool, planner);
    found.chosen.iter().map(|id| keys(pool.get(*id))).collect()
}

#[test]
fn a_wide_index_of_one_statement_is_hoped_to_serve_another_too() {
    let queries = [comparing(&["a"]), comparing(&["a", "b"])];
    let mut planner = Planner(vec![vec![("a", 10.0), ("a,b", 10.0)], vec![("a", 900.0), ("a,b", 10.0)]]);
    assert_eq!(chosen(&queries, &mut planner), ["a,b"]);
}

#[test]
fn the_planner_ends_a_hope() {
    let queries = [comparing(&["a"]), comparing(&["a", "b"])];
    let mut planner = Planner(vec![vec![("a", 10.0)], vec![("a", 900.0), ("a,b", 10.0)]]);
    assert_eq!(chosen(&queries, &mut planner), ["a"]);
}
