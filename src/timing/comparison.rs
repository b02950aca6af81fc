//! Two sides of a measurement beside each other.

use crate::model::measurement::{Comparison, Outcome, Side};
use crate::statistics::{Ranks, rank_sum};

/// Chance of an error that is taken: of two lots of the same, one pair in twenty is called different.
const LEVEL: f64 = 0.05;

/// How two sides came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// Execution by execution, in turn.
    Taken,
    /// One after the other, on different days perhaps.
    Apart,
}

/// Compares the rounds of two sides; none where one has none.
#[must_use]
pub fn comparison(first: &Side, second: &Side, turns: Turns) -> Option<Comparison> {
    let ranks = rank_sum(&first.rounds_ms, &second.rounds_ms)?;
    let base = first.figures.median;
    Some(Comparison {
        outcome: outcome(&ranks, turns == Turns::Apart && is_same_work(first, second)),
        difference_ms: ranks.difference,
        interval_ms: ranks.interval,
        ratio: (base > 0.0).then(|| second.figures.median / base),
        u: ranks.u,
        p: ranks.p,
        notes: notes(first, second, turns),
    })
}

/// Blocks of the same work differ by this share at most.
const SAME_BLOCKS: f64 = 0.1;

/// Nothing but the times tells the sides apart. Where blocks were not looked at, nothing does.
fn is_same_work(first: &Side, second: &Side) -> bool {
    if first.statement != second.statement || first.rows != second.rows {
        return false;
    }
    let (Some(one), Some(other)) = (first.blocks, second.blocks) else { return true };
    #[allow(clippy::cast_precision_loss, reason = "counts of blocks")]
    let [one_all, other_all] = [one, other].map(|seen| (seen.shared_hit + seen.shared_read) as f64);
    let is_close = (one_all - other_all).abs() <= SAME_BLOCKS * one_all.max(other_all);
    first.plan == second.plan && is_close && (one.temp_read, one.temp_written) == (other.temp_read, other.temp_written)
}

fn outcome(ranks: &Ranks, may_be_machine: bool) -> Outcome {
    match ranks {
        Ranks { least_p, .. } if *least_p > LEVEL => Outcome::TooFew,
        Ranks { p, .. } if *p >= LEVEL => Outcome::NoDifference,
        _ if may_be_machine => Outcome::Doubtful,
        Ranks { difference, .. } if *difference < 0.0 => Outcome::Faster,
        _ => Outcome::Slower,
    }
}

fn notes(first: &Side, second: &Side, turns: Turns) -> Vec<String> {
    let mut notes = Vec::new();
    if turns == Turns::Apart {
        notes.push(format!(
            "the first was measured by itself, on {}: what else the machines did then and now is part of the difference",
            first.captured_at.format("%F %H:%M UTC")
        ));
    }
    if first.fingerprint != second.fingerprint {
        notes.push("the statements differ".to_owned());
    } else if first.statement != second.statement {
        notes.push("the statements differ in literals or layout".to_owned());
    }
    if first.rows != second.rows {
        notes.push("they return different numbers of rows".to_owned());
    }
    if first.blocks.is_some() && second.blocks.is_some() && first.plan != second.plan {
        notes.push("the plans differ".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::measurement::Blocks;
    use crate::timing::figures;

    fn side(times: &[f64]) -> Side {
        Side {
            target: crate::model::snapshot::TargetInfo::default(),
            server_version: "18.1".to_owned(),
            captured_at: chrono::DateTime::UNIX_EPOCH,
            statement: "select 1".to_owned(),
            fingerprint: "a".to_owned(),
            clients: 1,
            warmup: 0,
            iterations: 9,
            stopped: None,
            times_ms: times.to_vec(),
            rounds_ms: times.to_vec(),
            figures: figures(times),
            per_second: 1.0,
            rows: Default::default(),
            blocks: Some(Default::default()),
            plan: vec!["Result".to_owned()],
        }
    }

    #[test]
    fn a_side_is_faster_slower_or_neither() {
        let base = side(&[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]);
        for (times, wanted) in [
            (vec![2.0, 2.1, 2.2, 2.3, 2.4, 2.5], Outcome::Slower),
            (vec![0.5, 0.6, 0.7, 0.55, 0.65], Outcome::Faster),
            (vec![1.05, 1.15, 1.25, 1.35, 1.45], Outcome::NoDifference),
            (vec![9.0], Outcome::TooFew),
            // One slow execution is no difference.
            (vec![1.05, 1.15, 1.25, 1.35, 900.0], Outcome::NoDifference),
        ] {
            assert_eq!(comparison(&base, &side(&times), Turns::Taken).expect("times").outcome, wanted, "{times:?}");
        }
        assert_eq!(comparison(&base, &side(&[]), Turns::Taken), None);
    }

    #[test]
    fn apart_the_same_work_may_be_slower_by_the_machine() {
        let base = side(&[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]);
        let slower = side(&[2.0, 2.1, 2.2, 2.3, 2.4, 2.5]);
        let outcome = |second: &Side| comparison(&base, second, Turns::Apart).expect("times").outcome;
        assert_eq!(outcome(&slower), Outcome::Doubtful);
        assert_eq!(outcome(&Side { blocks: None, ..slower.clone() }), Outcome::Doubtful);
        let blocks = Some(Blocks { shared_hit: 9, ..Blocks::default() });
        assert_eq!(outcome(&Side { blocks, ..slower.clone() }), Outcome::Slower);
        assert_eq!(outcome(&Side { plan: vec!["Append".to_owned()], ..slower.clone() }), Outcome::Slower);
        assert_eq!(outcome(&Side { statement: "select 2".to_owned(), ..slower }), Outcome::Slower);
        assert_eq!(outcome(&base), Outcome::NoDifference);
    }

    #[test]
    fn what_differs_besides_is_said() {
        let base = side(&[1.0]);
        let other = Side { fingerprint: "b".to_owned(), plan: vec!["Append".to_owned()], ..base.clone() };
        assert_eq!(comparison(&base, &base, Turns::Taken).expect("times").notes, [""; 0]);
        let notes = comparison(&base, &other, Turns::Apart).expect("times").notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("1970-01-01 00:00 UTC"));
    }
}
