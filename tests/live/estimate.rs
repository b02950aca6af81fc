//! The built-in estimate beside the planner: every question that the search asks of HypoPG for the table of cases
//! is asked of both; and by itself it finds what each case wants.

use crate::advice::{Stage, consultation, file};
use crate::support::{CORNER, Yard, advised, cases, matches};
use pgassay::advise::{
    Answer, Bounds, Candidate, Estimate, Pool, Question, Task, WhatIf, Workload, estimate, existing, search, workload,
};
use pgassay::collect::ColumnTypes;
use pgassay::model::snapshot::{RelationName, Snapshot};
use pgassay::whatif::{Hypopg, Question as Statement, Told};
use std::collections::HashMap;
use tokio::runtime::Handle;

/// Cases whose advice the estimate does not find, and why.
const NOT_FOUND: [(&str, &str); 3] = [
    (
        "a field of jsonb, whose name a view tells",
        "plans of snapshots have no literals, nor has what indexes are made of",
    ),
    ("a pattern that a view tells", "the same"),
    (
        "LIKE of fixed length, which trigrams do not serve; its pattern is taken to begin with text",
        "the estimate takes nothing for granted that the workload does not tell",
    ),
];

/// What both said of one question, and what the planner says of the statement without any index.
struct Pair {
    index: String,
    base: f64,
    planned: f64,
    estimated: f64,
}

impl Pair {
    fn ratio(&self) -> f64 {
        // Below a page's cost nothing is decided.
        (self.estimated + 1.0) / (self.planned + 1.0)
    }

    /// An index that saves a fifth by the one saves a tenth by the other.
    fn agrees(&self) -> bool {
        let saves = |cost: f64, share: f64| cost < (1.0 - share) * self.base;
        let follows = |one: f64, other: f64| !saves(one, 0.2) || saves(other, 0.1);
        follows(self.planned, self.estimated) && follows(self.estimated, self.planned)
    }
}

/// Asks both, and goes by the planner.
struct Both {
    planner: Hypopg,
    estimate: Estimate,
    bases: HashMap<usize, f64>,
    pairs: Vec<Pair>,
}

impl WhatIf for Both {
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        let planned = self.planner.ask(pool, questions);
        let estimated = self.estimate.ask(pool, questions);
        for (question, (planned, estimated)) in questions.iter().zip(planned.iter().zip(&estimated)) {
            let (Some(planned), Some(estimated)) = (planned, estimated) else { continue };
            if question.alive.is_empty() {
                self.bases.insert(question.query, planned.cost);
            }
            if let [one] = question.alive.as_slice() {
                let base = self.bases.get(&question.query).copied().unwrap_or(planned.cost);
                let candidate = pool.get(*one);
                let rows = candidate.predicate.as_deref().unwrap_or("all");
                let index = format!("{} {} of {rows}", candidate.table.name, candidate.using());
                self.pairs.push(Pair { index, base, planned: planned.cost, estimated: estimated.cost });
            }
        }
        planned
    }

    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        self.planner.measure(candidates)
    }
}

async fn pairs(stage: &Stage, snapshot: &Snapshot) -> Vec<Pair> {
    let types = ColumnTypes::new(&snapshot.columns, CORNER);
    let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
    let workload: Workload = workload(snapshot);
    let mut probes = Vec::new();
    for query in &workload.queries {
        let question = Statement {
            database: CORNER,
            fingerprint: &query.fingerprint,
            text: &query.text,
            search_path: &query.search_path,
        };
        let repaired = Hypopg::repaired(&stage.reader, 15, question, &column_type).await;
        let (probe, repaired, _) = repaired.unwrap_or_else(|words| panic!("{}: {words:?}", query.text));
        let tables = query.tables.keys().cloned().collect();
        probes.push(Told { probe, repaired, tables, rows_per_call: query.rows_per_call });
    }
    let (probes, _) = Hypopg::typical(&stage.reader, probes, &column_type).await.expect("values");
    let planner = Hypopg::connect(&stage.reader, 1, "public", probes, Handle::current()).await.expect("sessions");
    let estimate = Estimate::new(snapshot, &workload.queries);
    assert_eq!(estimate.understood(), workload.queries.len(), "{:?}", workload.queries);
    let mut both = Both { planner, estimate, bases: HashMap::new(), pairs: Vec::new() };
    let weights = vec![1.0; workload.queries.len()];
    let task = Task {
        queries: &workload.queries,
        weights: &weights,
        is_of_whole: false,
        prices: &|_| Vec::new(),
        bounds: Bounds { budget_bytes: None, max_per_table: 10, least_gain: 0.01, least_statement_gain: 0.1 },
        max_calls: 2_000,
        with_curve: false,
        with_spread: false,
    };
    let mut pool = Pool::new(existing(snapshot));
    tokio::task::block_in_place(|| search(task, &mut pool, &mut both));
    both.pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_estimate_is_near_the_planner() {
    let yard = Yard::open();
    let Some(stage) = Stage::set(&yard).await else { return };
    let (mut all, mut near, mut agree) = (0, 0, 0);
    let mut differs = Vec::new();
    for case in cases(&file("cases.sql")) {
        let snapshot = stage.snapshot(&case).await;
        let estimated = advised(&estimate(&snapshot, consultation(&case)));
        let is_known = NOT_FOUND.iter().any(|(name, _)| *name == case.name);
        if case.is_wanted && matches(&case.wants, &estimated) == is_known {
            differs.push(format!("{}: {estimated:?}, wanted {}", case.name, case.words));
        }
        for pair in pairs(&stage, &snapshot).await {
            all += 1;
            let is_near = (0.5..=2.0).contains(&pair.ratio());
            near += usize::from(is_near);
            agree += usize::from(pair.agrees());
            if !is_near || !pair.agrees() {
                let Pair { index, base, planned, estimated } = pair;
                println!("{}, with {index}: {base} to {planned} by the planner, {estimated:.2} by us", case.name);
            }
        }
    }
    println!("{all} questions, {near} within a factor 2, {agree} decided alike");
    assert!(differs.is_empty(), "{differs:?}");
    // A pattern has the planner's default share here, and that of a value where the planner is asked.
    assert!(all > 250 && near * 100 >= all * 95 && agree * 100 >= all * 97, "{all} {near} {agree}");
}
