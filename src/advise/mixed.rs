//! Two oracles as one: the planner for what it can be shown, the built-in estimate for the rest.

use super::candidate::{Candidate, Id, Pool};
use super::estimate::Estimate;
use super::oracle::{Answer, Question, Spread, WhatIf};
use super::workload::Query;
use crate::model::advice::{Method, ParameterValues, ValuesCost};

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

    /// The planner alone.
    pub fn planner(&self) -> &P {
        &self.planner
    }

    /// With what the planner can be shown.
    fn shown(&self, pool: &Pool, question: &Question) -> Question {
        let is_shown = |id: &Id| pool.get(*id).is_shown(&self.queries[question.query]);
        Question { alive: question.alive.iter().copied().filter(is_shown).collect(), ..*question }
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

/// Costs by values as far as the planner was shown, made so much less as the estimate says of the rest.
fn lowered(planned: Spread, with: &Spread, without: &Spread) -> Spread {
    let after = |spread: &Spread, values: ParameterValues| {
        spread.others.iter().find(|cost| cost.values == values).map(|cost| cost.cost_after)
    };
    let rest = |values| match (after(with, values), after(without, values)) {
        (Some(with), Some(without)) if without > 0.0 => (with / without).min(1.0),
        _ => 1.0,
    };
    let others = planned.others.into_iter();
    let others = others.map(|cost| ValuesCost { cost_after: cost.cost_after * rest(cost.values), ..cost }).collect();
    Spread { others, ..planned }
}

impl<P: WhatIf> WhatIf for Mixed<'_, P> {
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        let shown: Vec<Question> = questions.iter().map(|question| self.shown(pool, question)).collect();
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

    fn spread(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Spread> {
        let shown: Vec<Question> = questions.iter().map(|question| self.shown(pool, question)).collect();
        let planned = self.planner.spread(pool, &shown);
        let (with, without) = (self.estimate.spread(pool, questions), self.estimate.spread(pool, &shown));
        let estimated = with.iter().zip(&without);
        planned.into_iter().zip(estimated).map(|(planned, (with, without))| lowered(planned, with, without)).collect()
    }
}
