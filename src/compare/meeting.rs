//! Which statements of two workloads are the same: those with one fingerprint, and those that one took over from
//! another, as when a column is added to what a query selects.

use crate::model::snapshot::{RelationName, Snapshot, Statement, StatementKind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Calls by which one statement is taken for the successor of another differ by this factor at most.
const KINDRED: f64 = 2.0;

/// Transactions that must have been counted on both sides to compare by them.
const TRANSACTIONS: i64 = 30;

/// Statements that must be on both sides for the median of their calls to mean anything.
const MEDIAN_OF: usize = 3;

/// A statement of BASE and its like in HEAD.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// In BASE.
    pub base: &'a Statement,
    /// In HEAD.
    pub head: &'a Statement,
}

impl Pair<'_> {
    /// The text is another: HEAD's took over from BASE's.
    #[must_use]
    pub fn is_rewritten(&self) -> bool {
        self.base.fingerprint != self.head.fingerprint
    }
}

/// By what calls of two workloads of different length are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// How much HEAD worked for each unit of BASE's work.
    pub factor: f64,
    /// What was counted for it.
    pub by: &'static str,
}

/// The statements of two workloads, utility statements left out.
#[derive(Debug, Clone, Default)]
pub struct Meeting<'a> {
    /// In both.
    pub pairs: Vec<Pair<'a>>,
    /// In HEAD alone.
    pub new: Vec<&'a Statement>,
    /// In BASE alone.
    pub gone: Vec<&'a Statement>,
    /// None where too little is on both sides to tell.
    pub pace: Option<Pace>,
}

pub(super) fn meet<'a>(base: &'a Snapshot, head: &'a Snapshot) -> Meeting<'a> {
    let key = |row: &'a Statement| (row.database.as_str(), row.fingerprint.as_str());
    let is_work = |row: &&Statement| row.kind != StatementKind::Utility && row.counters.calls > 0;
    let known: HashMap<_, &Statement> = base.statements.iter().filter(is_work).map(|row| (key(row), row)).collect();
    let mut met = Meeting::default();
    for head in head.statements.iter().filter(is_work) {
        match known.get(&key(head)) {
            Some(base) => met.pairs.push(Pair { base, head }),
            None => met.new.push(head),
        }
    }
    let kept: HashSet<_> = met.pairs.iter().map(|pair| key(pair.base)).collect();
    met.gone = base.statements.iter().filter(is_work).filter(|row| !kept.contains(&key(row))).collect();
    met.pace = pace(base, head, &met.pairs);
    succeed(&mut met);
    met
}

/// By transactions, counted where the calls are counted; else by the median statement.
#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
fn pace(base: &Snapshot, head: &Snapshot, pairs: &[Pair<'_>]) -> Option<Pace> {
    let (before, now) = (commits(base), commits(head));
    if before >= TRANSACTIONS && now >= TRANSACTIONS {
        return Some(Pace { factor: now as f64 / before as f64, by: "transactions committed" });
    }
    let mut ratios: Vec<f64> =
        pairs.iter().map(|pair| pair.head.counters.calls as f64 / pair.base.counters.calls as f64).collect();
    ratios.sort_by(f64::total_cmp);
    // Of an even number the larger: the smaller would let more calls seem too many.
    let median = ratios.get(ratios.len() / 2).filter(|_| ratios.len() >= MEDIAN_OF)?;
    Some(Pace { factor: *median, by: "calls of the median statement" })
}

fn commits(snapshot: &Snapshot) -> i64 {
    let is_commit = |row: &&Statement| {
        let first = row.text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        row.kind == StatementKind::Utility
            && (first.eq_ignore_ascii_case("commit") || first.eq_ignore_ascii_case("end"))
    };
    snapshot.statements.iter().filter(is_commit).map(|row| row.counters.calls).sum()
}

/// What a statement is about: a successor is about the same.
type Concern<'a> = (&'a str, StatementRank, Vec<&'a RelationName>);

/// The sort of a statement, in an order.
type StatementRank = u8;

fn concern(row: &Statement) -> Concern<'_> {
    let mut relations: Vec<&RelationName> = row.relations.iter().collect();
    relations.sort();
    (row.database.as_str(), row.kind as StatementRank, relations)
}

/// Pairs what is new with what is gone where one took over from the other: same sort, same relations, about as
/// many calls; the nearest first.
#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
fn succeed(met: &mut Meeting<'_>) {
    let factor = met.pace.map_or(1.0, |pace| pace.factor);
    let mut gone: BTreeMap<Concern<'_>, Vec<&Statement>> = BTreeMap::new();
    for row in met.gone.iter().filter(|row| !row.relations.is_empty()) {
        gone.entry(concern(row)).or_default().push(row);
    }
    let mut offers: Vec<(f64, &Statement, &Statement)> = Vec::new();
    for new in &met.new {
        for old in gone.get(&concern(new)).into_iter().flatten() {
            let apart = (new.counters.calls as f64 / (old.counters.calls as f64 * factor)).ln().abs();
            if apart <= KINDRED.ln() {
                offers.push((apart, old, new));
            }
        }
    }
    offers.sort_by(|a, b| {
        let names = (&a.1.fingerprint, &a.2.fingerprint).cmp(&(&b.1.fingerprint, &b.2.fingerprint));
        a.0.total_cmp(&b.0).then(names)
    });
    for (_, base, head) in offers {
        let is_free = |list: &[&Statement], row: &Statement| list.iter().any(|other| std::ptr::eq(*other, row));
        if is_free(&met.gone, base) && is_free(&met.new, head) {
            met.gone.retain(|row| !std::ptr::eq(*row, base));
            met.new.retain(|row| !std::ptr::eq(*row, head));
            met.pairs.push(Pair { base, head });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{StatementCounters, Tool};
    use chrono::DateTime;

    fn statement(fingerprint: &str, relation: &str, calls: i64) -> Statement {
        Statement {
            fingerprint: fingerprint.to_owned(),
            relations: vec![RelationName { schema: None, name: relation.to_owned() }],
            counters: StatementCounters { calls, ..StatementCounters::default() },
            ..Statement::default()
        }
    }

    fn commit(calls: i64) -> Statement {
        Statement { kind: StatementKind::Utility, text: "COMMIT".to_owned(), ..statement("commit", "", calls) }
    }

    fn snapshot(statements: Vec<Statement>) -> Snapshot {
        Snapshot { statements, ..Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH) }
    }

    /// `old>new` of each pair, `+new`, `-gone`.
    fn told(base: Vec<Statement>, head: Vec<Statement>) -> Vec<String> {
        let (base, head) = (snapshot(base), snapshot(head));
        let met = meet(&base, &head);
        let pairs = met.pairs.iter().map(|pair| format!("{}>{}", pair.base.fingerprint, pair.head.fingerprint));
        let new = met.new.iter().map(|row| format!("+{}", row.fingerprint));
        let mut all: Vec<String> =
            pairs.chain(new).chain(met.gone.iter().map(|row| format!("-{}", row.fingerprint))).collect();
        all.sort();
        all
    }

    #[test]
    fn a_new_text_takes_over_from_one_that_is_gone() {
        let kept = || statement("kept", "t", 100);
        let cases = [
            ("as often", statement("new", "t", 110), vec!["kept>kept", "old>new"]),
            ("ten times as often", statement("new", "t", 1000), vec!["+new", "-old", "kept>kept"]),
            ("of another table", statement("new", "u", 100), vec!["+new", "-old", "kept>kept"]),
            (
                "of another sort",
                Statement { kind: StatementKind::Delete, ..statement("new", "t", 100) },
                vec!["+new", "-old", "kept>kept"],
            ),
        ];
        for (what, new, expected) in cases {
            assert_eq!(told(vec![kept(), statement("old", "t", 100)], vec![kept(), new]), expected, "{what}");
        }
        let both = told(
            vec![statement("a", "t", 100), statement("b", "t", 150)],
            vec![statement("c", "t", 148), statement("d", "t", 101)],
        );
        assert_eq!(both, ["a>d", "b>c"], "the nearest first");
    }

    #[test]
    fn the_pace_is_that_of_transactions_else_of_the_median_statement() {
        let of = |base: Vec<Statement>, head: Vec<Statement>| {
            meet(&snapshot(base), &snapshot(head)).pace.map(|pace| pace.factor)
        };
        let rows = |calls: [i64; 3]| {
            ["a", "b", "c"].iter().zip(calls).map(|(name, calls)| statement(name, "t", calls)).collect::<Vec<_>>()
        };
        let with = |mut rows: Vec<Statement>, commits| {
            rows.push(commit(commits));
            rows
        };
        assert_eq!(of(rows([10, 10, 10]), rows([20, 30, 900])), Some(3.0));
        assert_eq!(of(with(rows([10, 10, 10]), 100), with(rows([20, 30, 900]), 50)), Some(0.5));
        assert_eq!(of(with(rows([10, 10, 10]), 29), with(rows([20, 30, 900]), 50)), Some(3.0), "too few transactions");
        assert_eq!(of(rows([10, 10, 10])[..2].to_vec(), rows([20, 30, 900])), None, "too few statements");
    }
}
