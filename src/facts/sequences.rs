//! Sequences, and how near each is to its end.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Sequence, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct SequenceRow<'a> {
    #[serde(flatten)]
    sequence: &'a Sequence,
    /// Last value that fits both the sequence and its column. {number | pg_sequence.seqmax, format_type()}
    effective_limit: i64,
    /// Share of the values already handed out; none when unused or not readable. {pct | last_value, effective_limit}
    used_pct: Option<f64>,
    /// Values left; none when unused or not readable. {values | last_value, effective_limit}
    remaining: Option<i64>,
}

/// The end that an ascending sequence runs into, or the start of a descending one.
fn effective_limit(sequence: &Sequence) -> i64 {
    let (low, high) = match sequence.column_type.as_deref() {
        Some("smallint") => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Some("integer") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    if sequence.increment >= 0 { sequence.max_value.min(high) } else { sequence.min_value.max(low) }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a share, and values clamped to i64")]
fn row(sequence: &Sequence) -> SequenceRow<'_> {
    let limit = effective_limit(sequence);
    let origin = if sequence.increment >= 0 { sequence.min_value } else { sequence.max_value };
    let span = (i128::from(limit) - i128::from(origin)).abs();
    let used = sequence.last_value.map(|last| (i128::from(last) - i128::from(origin)).abs());
    let step = i128::from(sequence.increment.max(1).max(sequence.increment.saturating_abs()));
    let left = sequence.last_value.map(|last| (i128::from(limit) - i128::from(last)).abs() / step);
    SequenceRow {
        sequence,
        effective_limit: limit,
        used_pct: used.filter(|_| span > 0).map(|used| 100.0 * used as f64 / span as f64),
        remaining: left.map(|left| left.min(i128::from(i64::MAX)) as i64),
    }
}

pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "sequences",
        snapshot.sequences.iter().map(|sequence| {
            let object = Object::in_schema(ObjectKind::Sequence, &sequence.database, &sequence.schema, &sequence.name);
            (
                Object { table: sequence.table_name.clone(), column: sequence.column_name.clone(), ..object },
                row(sequence),
            )
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_may_be_narrower_than_the_sequence() {
        let sequence = Sequence {
            last_value: Some(2_000_000_000),
            min_value: 1,
            max_value: i64::MAX,
            increment: 1,
            column_type: Some("integer".to_owned()),
            ..Sequence::default()
        };
        let row = row(&sequence);
        assert_eq!(row.effective_limit, i64::from(i32::MAX));
        assert!(row.used_pct.is_some_and(|pct| (93.0..94.0).contains(&pct)));
        assert_eq!(row.remaining, Some(147_483_647));
    }

    #[test]
    fn descending_sequences_run_to_their_minimum() {
        let sequence = Sequence {
            last_value: Some(-90),
            start_value: -1,
            min_value: -100,
            max_value: -1,
            increment: -1,
            ..Sequence::default()
        };
        assert!(row(&sequence).used_pct.is_some_and(|pct| (89.0..91.0).contains(&pct)));
    }
}
