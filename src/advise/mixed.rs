//! Two oracles as one: the planner for what it can be shown, the built-in estimate for the rest.

use super::candidate::{Candidate, Id, Pool};
use super::estimate::Estimate;
use super::oracle::{Answer, Question, WhatIf};
use super::workload::Query;
use crate::model::advice::Method;

/// A planner, and an estimate for access methods that it cannot be shown.
#[derive(Debug)]
pub struct Mixed<'a, P> {
    planner: P,
    estimate: Estimate,
    queries: &'a [Query],
}

impl Candidate {
    /// HypoPG knows indexes of this kind.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self.method, Method::Btree | Method::Brin)
    }

    /// HypoPG can show it to the planner of this statement. Where a view is read it has brought servers down by partial
    /// ones (HypoPG #116), and does not recognise expressions.
    #[must_use]
    pub fn is_shown(&self, query: &Query) -> bool {
        let is_plain = self.predicate.is_none() && !self.keys.iter().any(|key| key.is_expression);
        self.is_simulated() && (is_plain || !query.names_views)
    }
}

impl<'a, P: WhatIf> Mixed<'a, P> {
    /// Both know the same statements by the same numbers.
    #[must_use]
    pub fn new(planner: P, estimate: Estimate, queries: &'a [Query]) -> Self {
        Self { planner, estimate, queries }
    }

    /// The planner's answer without what it cannot be shown, and how much less that would leave by the estimate.
    fn corrected(&mut self, pool: &Pool, question: &Question, shown: &Question, planned: Answer) -> Answer {
        let questions = [question.clone(), shown.clone()];
        let [Some(with), Some(without)] = &self.estimate.ask(pool, &questions)[..] else { return planned };
        let query = &self.queries[question.query];
        let gains = with.used.iter().any(|id| !pool.get(*id).is_shown(query));
        if !gains || with.cost >= without.cost || without.cost <= 0.0 {
            return planned;
        }
        Answer { cost: planned.cost * with.cost / without.cost, used: with.used.clone() }
    }
}

impl<P: WhatIf> WhatIf for Mixed<'_, P> {
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        let shown = |question: &Question| {
            let is_shown = |id: &Id| pool.get(*id).is_shown(&self.queries[question.query]);
            Question { alive: question.alive.iter().copied().filter(is_shown).collect(), ..*question }
        };
        let shown: Vec<Question> = questions.iter().map(shown).collect();
        let planned = self.planner.ask(pool, &shown);
        let all = questions.iter().zip(&shown).zip(planned);
        all.map(|((question, shown), planned)| {
            let planned = planned?;
            Some(if shown == question { planned } else { self.corrected(pool, question, shown, planned) })
        })
        .collect()
    }

    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        let (shown, rest): (Vec<&Candidate>, Vec<&Candidate>) =
            candidates.iter().partition(|candidate| candidate.is_simulated());
        let mut shown = self.planner.measure(&shown).into_iter();
        let mut rest = self.estimate.measure(&rest).into_iter();
        let next = |candidate: &&Candidate| if candidate.is_simulated() { shown.next() } else { rest.next() };
        candidates.iter().filter_map(next).collect()
    }
}
