//! The conditions on one table, and the share of its rows that each lets through: what `selfuncs.c` makes of
//! statistics without values, set right by the rows that the plan expects.

use super::catalog::Table;
use crate::advise::catalog::Catalog as Types;
use crate::advise::key::Key;
use crate::advise::operators::by_prefix;
use crate::model::advice::{Method, ParameterValues};
use crate::model::plan::Name;
use crate::statement::{Clause, Condition, Operand, Test, TestedBy};
use std::collections::BTreeMap;

/// A range bounded on one side, on both, with no value known (`DEFAULT_INEQ_SEL`, `DEFAULT_RANGE_INEQ_SEL`).
const ONE_SIDE: f64 = 1.0 / 3.0;
pub(super) const BOTH_SIDES: f64 = 0.005;

/// The same without values, and with usual, rare and common ones, as `ParameterValues` says.
const ONE_SIDED: Shares = [ONE_SIDE, 0.5, 0.01, 0.9];
const TWO_SIDED: Shares = [BOTH_SIDES, 0.2, 0.01, 0.8];

/// Patterns, containment and the like (`DEFAULT_MATCH_SEL`, `DEFAULT_CONTAIN_SEL`).
const MATCHED: f64 = 0.005;

/// What nothing is known of (`DEFAULT_INEQ_SEL`, as `boolvarsel` and `restriction_selectivity` take for it).
const UNKNOWN: f64 = 1.0 / 3.0;

/// Values of a list whose length is not known (`estimate_array_length`).
const LIST: f64 = 10.0;

/// What a plan expects differs by more than this from what follows from statistics: a constant decides.
const AGREES: f64 = 1.2;

/// Shares by the values of parameters, in the order of `ParameterValues::ALL`.
pub(super) type Shares = [f64; SETS.len()];

/// Places in them.
pub(super) const SETS: [usize; ParameterValues::ALL.len()] = [GENERIC, USUAL, RARE, COMMON];
pub(super) const GENERIC: usize = 0;
pub(super) const USUAL: usize = 1;
const RARE: usize = 2;
const COMMON: usize = 3;

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restriction {
    pub(super) by: By,
    pub(super) shares: Shares,
    /// Operators that are evaluated for a row.
    pub(super) operators: f64,
    /// Its text, where it holds for all rows that are read: what a partial index may be for.
    pub(super) constant: Option<String>,
}

/// What an index could do for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum By {
    /// So many values of a column or expression.
    Point(Operand, f64),
    /// None of its values. Unlike one of them it says nothing of the order behind it, to the planner.
    Null(Operand),
    /// A stretch of its values.
    Range(Operand),
    /// An operator that indexes of these methods and operator classes serve.
    Special(Vec<(Method, Key)>),
    /// Any of these.
    Any(Vec<Vec<Restriction>>),
    /// Nothing.
    Other,
}

/// A comparison with another relation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lateral {
    pub(super) own: Operand,
    pub(super) with: Operand,
    pub(super) is_equal: bool,
}

/// What a table is restricted by, and what of it depends on other relations.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Restrictions {
    pub(super) own: Vec<Restriction>,
    pub(super) laterals: Vec<Lateral>,
}

/// Whose conditions are read.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a Name,
    pub(super) alias: &'a str,
    pub(super) table: &'a Table,
    pub(super) types: &'a Types<'a>,
}

impl Restrictions {
    /// Those of a relation, by the conditions of its plan node.
    pub(super) fn of(conditions: Vec<Condition>, subject: Subject<'_>) -> Self {
        let mut found = Self::default();
        let mut ranges: BTreeMap<Operand, (bool, bool, f64)> = BTreeMap::new();
        for Condition { clause, constant } in conditions {
            match clause {
                Clause::Test(test)
                    if test.aliases.iter().any(|alias| alias != subject.alias) && test.by != TestedBy::Other =>
                {
                    found.laterals.extend(lateral(test, subject.alias));
                }
                Clause::Test(Test { operand: Some(operand), by: by @ (TestedBy::Below | TestedBy::Above), .. })
                    if constant.is_none() =>
                {
                    let range = ranges.entry(operand).or_insert((false, false, 0.0));
                    range.0 |= by == TestedBy::Below;
                    range.1 |= by == TestedBy::Above;
                    range.2 += 1.0;
                }
                other => found.own.push(Restriction { constant, ..restriction(other, subject) }),
            }
        }
        found.own.extend(ranges.into_iter().map(|(operand, (below, above, operators))| {
            Restriction {
                shares: if below && above { TWO_SIDED } else { ONE_SIDED }
                    .map(|share| share * (1.0 - subject.table.statistics(&operand).nulls)),
                by: By::Range(operand),
                operators,
                constant: None,
            }
        }));
        found
    }

    /// A comparison with something outside becomes one with a value.
    pub(super) fn settle(&mut self, table: &Table) {
        for lateral in std::mem::take(&mut self.laterals) {
            let by = if lateral.is_equal { TestedBy::Equal } else { TestedBy::Below };
            self.own.push(compared(lateral.own, &by, table));
        }
    }

    /// Makes the shares agree with the rows that the plan expects: first those that are guesses.
    pub(super) fn calibrate(&mut self, expected: f64, rows: f64) {
        let is_guess = |one: &Restriction| !matches!(one.by, By::Point(..) | By::Null(_));
        let product = |all: &[Restriction], guesses: bool| -> f64 {
            all.iter().filter(|one| is_guess(one) == guesses).map(|one| one.shares[0]).product()
        };
        let (known, guessed) = (product(&self.own, false), product(&self.own, true));
        let share = (expected / rows.max(1.0)).clamp(1e-12, 1.0);
        // Fewer rows than one are planned as one.
        if expected <= 1.0 && known * guessed * rows <= 1.0 {
            return;
        }
        let has_guess = self.own.iter().any(is_guess);
        let (target, now) = if has_guess { ((share / known).min(1.0), guessed) } else { (share, known) };
        if now >= 1.0 || (now / target).max(target / now) < AGREES {
            return;
        }
        let power = target.ln() / now.ln();
        for one in self.own.iter_mut().filter(|one| is_guess(one) == has_guess) {
            one.shares = one.shares.map(|_| one.shares[GENERIC].powf(power));
        }
    }

    pub(super) fn share(&self, set: usize) -> f64 {
        self.own.iter().map(|one| one.shares[set]).product()
    }
}

/// Parts that AND joins.
fn parts(clause: Clause) -> Vec<Clause> {
    match clause {
        Clause::And(all) => all.into_iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

fn lateral(test: Test, alias: &str) -> Option<Lateral> {
    let is_equal = test.by == TestedBy::Equal;
    let outside = test.aliases.into_iter().find(|other| other != alias).unwrap_or_default();
    let (own, other) = match (test.operand, test.with) {
        (Some(own), Some(other)) if own.alias == alias => (own, other),
        (Some(other), Some(own)) if own.alias == alias => (own, other),
        (Some(own), None) if own.alias == alias => {
            (own, Operand { alias: outside, text: String::new(), is_expression: true })
        }
        _ => return None,
    };
    Some(Lateral { own, with: other, is_equal })
}

fn restriction(clause: Clause, subject: Subject<'_>) -> Restriction {
    match clause {
        Clause::And(all) => {
            let all: Vec<Restriction> = all.into_iter().map(|part| restriction(part, subject)).collect();
            let operators = all.iter().map(|one| one.operators).sum();
            let share = |set: usize| all.iter().map(|one| one.shares[set]).product();
            Restriction { by: By::Other, shares: SETS.map(share), operators, constant: None }
        }
        Clause::Or(arms) => {
            let arm = |arm| parts(arm).into_iter().map(|part| restriction(part, subject)).collect::<Vec<_>>();
            let arms: Vec<Vec<Restriction>> = arms.into_iter().map(arm).collect();
            let missed = |set: usize| -> f64 {
                arms.iter().map(|arm| 1.0 - arm.iter().map(|one| one.shares[set]).product::<f64>()).product()
            };
            let operators = arms.iter().flatten().map(|one| one.operators).sum();
            let shares = SETS.map(|set| 1.0 - missed(set));
            Restriction { shares, operators, by: By::Any(arms), constant: None }
        }
        Clause::Not(inner) => {
            let is_boolean = matches!(&*inner, Clause::Test(Test { by: TestedBy::True, .. }));
            let one = restriction(*inner, subject);
            // Only of a boolean the opposite is a value too.
            let by = if is_boolean { one.by } else { By::Other };
            Restriction { by, shares: one.shares.map(|share| 1.0 - share), ..one }
        }
        Clause::Test(test) => tested(test, subject),
    }
}

fn tested(test: Test, subject: Subject<'_>) -> Restriction {
    let is_operator = matches!(test.by, TestedBy::Operator(_));
    let other = |share: f64| Restriction { by: By::Other, shares: SETS.map(|_| share), operators: 1.0, constant: None };
    match (test.operand, test.by) {
        (Some(operand), TestedBy::Operator(name)) if name == "<>" => {
            let known = subject.table.statistics(&operand);
            other(1.0 - known.nulls - known.shares[GENERIC])
        }
        (Some(operand), TestedBy::Operator(name)) => {
            let column = subject.types.column(subject.name, &operand.text).filter(|_| !operand.is_expression);
            let served = column.and_then(|row| subject.types.operators.serving(&row.name, &row.type_name, &name));
            let beginning = column.filter(|_| test.has_prefix).and_then(by_prefix).map(|key| (Method::Btree, key));
            let ways: Vec<(Method, Key)> = served.into_iter().chain(beginning).collect();
            let by = if ways.is_empty() { By::Other } else { By::Special(ways) };
            Restriction { by, ..other(MATCHED) }
        }
        (Some(operand), by) => compared(operand, &by, subject.table),
        (None, _) => other(if is_operator { MATCHED } else { UNKNOWN }),
    }
}

#[allow(clippy::cast_precision_loss, reason = "values of a list")]
fn compared(operand: Operand, by: &TestedBy, table: &Table) -> Restriction {
    let known = table.statistics(&operand);
    let rest = 1.0 - known.nulls;
    let make = |by: By, shares: Shares, operators: f64| Restriction { by, shares, operators, constant: None };
    let point = |values: f64, shares: Shares, operators: f64| {
        make(By::Point(operand.clone(), values), shares.map(|share| (share * values).min(1.0)), operators)
    };
    match by {
        TestedBy::Equal => point(1.0, known.shares, 1.0),
        TestedBy::AnyOf(count) => {
            let values = count.map_or(LIST, |count| count as f64);
            // On average half of them are compared (`cost_qual_eval_walker`).
            point(values, known.shares, values / 2.0)
        }
        // Asking for NULL calls no operator.
        TestedBy::Null => make(By::Null(operand), SETS.map(|_| known.nulls), 0.0),
        TestedBy::True => point(1.0, SETS.map(|_| 0.5), 0.0),
        TestedBy::NotNull => make(By::Range(operand), SETS.map(|_| rest), 0.0),
        TestedBy::Below | TestedBy::Above => make(By::Range(operand), ONE_SIDED.map(|share| share * rest), 1.0),
        TestedBy::Operator(_) | TestedBy::Other => make(By::Other, SETS.map(|_| UNKNOWN), 1.0),
    }
}
