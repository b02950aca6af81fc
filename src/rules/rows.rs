//! Rules over the rows of one facet: a few rows at a time, large facets on every processor. What is found
//! does not depend on how many there are.

use crate::model::finding::Finding;
use crate::model::table::{Field, Row, Table};
use crate::rules::case::{Case, Common};
use crate::rules::expression::{Names, describe};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Rows that a thread takes at a time, and more than most facets have.
const BATCH: usize = 1000;

/// What a rule found, or why it failed.
pub(super) type Outcome = Result<Vec<Finding>, String>;

/// Rows that are still to be judged, numbered.
type Source<'s, 'a> = Mutex<Box<dyn Iterator<Item = (usize, Row<'a>)> + Send + 's>>;

/// What one thread has of one rule, by the numbers of the rows.
#[derive(Default)]
struct Tally {
    findings: Vec<(usize, Finding)>,
    error: Option<(usize, String)>,
}

/// What all threads look at.
struct Panel<'p> {
    cases: &'p [Case<'p>],
    fields: &'p [Field],
    is_asked: Vec<bool>,
    common: &'p Common,
}

/// The outcome of each rule, over the rows that `takes` lets in.
pub(super) fn judge_rows(
    table: Table<'_>,
    cases: &[Case<'_>],
    common: &Common,
    takes: &(dyn Fn(&Row<'_>) -> bool + Sync),
) -> Vec<Outcome> {
    if cases.is_empty() {
        return Vec::new();
    }
    let Table { fields, rows, .. } = table;
    let is_asked = (0..fields.len()).map(|at| cases.iter().any(|case| case.asks(at))).collect();
    let panel = Panel { cases, fields: &fields, is_asked, common };
    let source: Source<'_, '_> = Mutex::new(Box::new(rows.filter(|row| takes(row)).enumerate()));
    let first = batch(&source);
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = if first.len() < BATCH { 0 } else { processors - 1 };
    let mut tallies = thread::scope(|scope| {
        let start = |_| scope.spawn(|| panel.judge(batch(&source), &source));
        let started: Vec<_> = (0..helpers).map(start).collect();
        let mut tallies = vec![panel.judge(first, &source)];
        tallies.extend(started.into_iter().map(|own| own.join().unwrap_or_else(|panic| resume_unwind(panic))));
        tallies
    });
    (0..cases.len()).map(|at| merged(tallies.iter_mut().map(|own| std::mem::take(&mut own[at])))).collect()
}

fn batch<'a>(source: &Source<'_, 'a>) -> Vec<(usize, Row<'a>)> {
    source.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(BATCH).collect()
}

/// In the order of the rows. The first error counts: no row after it would have been judged by one thread.
fn merged(tallies: impl Iterator<Item = Tally>) -> Outcome {
    let mut all = Tally::default();
    for own in tallies {
        all.findings.extend(own.findings);
        all.error = all.error.into_iter().chain(own.error).min();
    }
    all.findings.sort_by_key(|(number, _)| *number);
    match all.error {
        Some((_, error)) => Err(error),
        None => Ok(all.findings.into_iter().map(|(_, finding)| finding).collect()),
    }
}

impl Panel<'_> {
    /// Judges rows until none are left.
    fn judge<'a>(&self, mut rows: Vec<(usize, Row<'a>)>, source: &Source<'_, 'a>) -> Vec<Tally> {
        let names: Vec<Arc<Names>> = self.cases.iter().map(Case::names).collect();
        let mut tallies: Vec<Tally> = self.cases.iter().map(|_| Tally::default()).collect();
        while !rows.is_empty() {
            for (number, row) in rows {
                self.judge_row(number, &row, &names, &mut tallies);
            }
            rows = batch(source);
        }
        tallies
    }

    fn judge_row(&self, number: usize, row: &Row<'_>, names: &[Arc<Names>], tallies: &mut [Tally]) {
        let cells = Arc::new((row.cells)(&|at| self.is_asked[at]));
        for ((case, names), tally) in self.cases.iter().zip(names).zip(tallies) {
            if tally.error.is_some() {
                continue;
            }
            match case.judge(row, names, &cells, self.fields, self.common) {
                Ok(found) => tally.findings.extend(found.map(|finding| (number, finding))),
                Err(error) => tally.error = Some((number, format!("on {}: {}", row.object.path(), describe(&error)))),
            }
        }
    }
}
