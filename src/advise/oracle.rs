//! What is asked of the planner, and what is remembered of its answers, so that it is asked seldom.

use super::candidate::{Candidate, Id, Pool};
use crate::model::advice::{ParameterValues, ValuesCost};
use std::collections::{HashMap, HashSet};

/// The planner.
pub trait WhatIf {
    /// Cost of each question, and which of the indexes the plan uses; none where the server refused.
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>>;
    /// Size of each index, in bytes.
    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64>;
    /// What each question's statement costs without and with the indexes, by the values that its parameters may have.
    fn spread(&mut self, _: &Pool, questions: &[Question]) -> Vec<Spread> {
        vec![Spread::default(); questions.len()]
    }
}

/// What a statement costs by the values of its parameters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spread {
    /// Those that answers are given with; none: it has no parameters.
    pub values: Option<ParameterValues>,
    /// The others, where their costs are known.
    pub others: Vec<ValuesCost>,
    /// EXPLAINs that it took.
    pub questions: usize,
}

/// How would this statement be run if these indexes were there?
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Number of the statement.
    pub query: usize,
    /// The indexes, sorted.
    pub alive: Vec<Id>,
}

/// A plan's cost in the planner's units, and the indexes it uses, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Total cost.
    pub cost: f64,
    /// Those of the asked indexes that it uses.
    pub used: Vec<Id>,
}

/// One answer, kept.
#[derive(Debug, Clone)]
pub(super) struct Record {
    alive: Vec<Id>,
    pub(super) used: Vec<Id>,
    pub(super) cost: f64,
}

impl Record {
    /// All of these were there.
    pub(super) fn was_asked_with(&self, set: &[Id]) -> bool {
        is_subset(set, &self.alive)
    }
}

/// The planner with a memory.
pub(super) struct Memory<'a> {
    oracle: &'a mut dyn WhatIf,
    /// By statement.
    records: Vec<Vec<Record>>,
    exact: HashMap<Question, Option<Answer>>,
    /// Questions so far: EXPLAINs, where a planner answers.
    pub(super) questions: usize,
}

pub(super) fn is_subset(small: &[Id], large: &[Id]) -> bool {
    let mut rest = large.iter();
    small.iter().all(|id| rest.any(|other| other == id))
}

impl<'a> Memory<'a> {
    pub(super) fn new(oracle: &'a mut dyn WhatIf, queries: usize) -> Self {
        Self { oracle, records: vec![Vec::new(); queries], exact: HashMap::new(), questions: 0 }
    }

    /// Answers of one statement.
    pub(super) fn records(&self, query: usize) -> &[Record] {
        &self.records[query]
    }

    /// Sizes of all new candidates.
    pub(super) fn learn_sizes(&mut self, pool: &mut Pool) {
        let new: Vec<Id> = pool.unsized_ids().collect();
        let candidates: Vec<&Candidate> = new.iter().map(|id| pool.get(*id)).collect();
        let bytes = self.oracle.measure(&candidates);
        pool.learn_sizes(bytes);
    }

    /// Answers to all questions; those whose answer follows from an earlier one are not asked.
    pub(super) fn ask(&mut self, pool: &mut Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        self.learn_sizes(pool);
        let sound = |question: &Question| Question {
            alive: question.alive.iter().copied().filter(|id| !pool.is_refused(*id)).collect(),
            ..*question
        };
        let questions: Vec<Question> = questions.iter().map(sound).collect();
        let mut seen: HashSet<&Question> = HashSet::new();
        let mut new = Vec::new();
        for question in &questions {
            if seen.insert(question) && self.known(question).is_none() {
                new.push(question.clone());
            }
        }
        self.questions += new.len();
        let answers = self.oracle.ask(pool, &new);
        for (question, answer) in new.into_iter().zip(answers) {
            if let Some(answer) = &answer {
                self.records[question.query].push(Record {
                    alive: question.alive.clone(),
                    used: answer.used.clone(),
                    cost: answer.cost,
                });
            }
            self.exact.insert(question, answer);
        }
        questions.iter().map(|question| self.known(question).flatten()).collect()
    }

    /// Costs by values of the questions' statements.
    pub(super) fn spread(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Spread> {
        let told = self.oracle.spread(pool, questions);
        self.questions += told.iter().map(|spread| spread.questions).sum::<usize>();
        told
    }

    /// The outer none: not known. With all of A alive the plan used U: with any set between the two it
    /// would be the same plan.
    fn known(&self, question: &Question) -> Option<Option<Answer>> {
        if let Some(answer) = self.exact.get(question) {
            return Some(answer.clone());
        }
        let between =
            |record: &&Record| is_subset(&record.used, &question.alive) && is_subset(&question.alive, &record.alive);
        let record = self.records[question.query].iter().find(between)?;
        Some(Some(Answer { cost: record.cost, used: record.used.clone() }))
    }
}
