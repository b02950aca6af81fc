//! Columns of one table that a statement compares by `=` and that depend on each other: the planner multiplies their
//! shares (`clauselist_selectivity`), and more rows come than even the most common values could give that way.

use super::indexes::distinct;
use super::lookup::Lookup;
use super::plans::{Scan, text};
use crate::advise::expected_rows;
use crate::model::snapshot::Relation;
use crate::statement::{Clause, Condition, TestedBy, conditions};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a plan says of such columns.
pub(super) struct Correlation<'a> {
    pub(super) relation: &'a Relation,
    pub(super) columns: BTreeSet<String>,
    /// Rows that the planner expects of a call.
    pub(super) expected: f64,
    /// Rows of the most common value of each, were they independent.
    pub(super) most: f64,
}

/// Where the rows of a scan are told by its own conditions.
const CONDITIONS: [&str; 3] = ["Filter", "Index Cond", "Recheck Cond"];

/// Of a statement that reads one table and compares nothing but columns of it with values, by `=`. Partitions have
/// statistics of their own and are left out.
pub(super) fn correlation<'a>(lookup: &Lookup<'a>, root: &Value, scans: &[Scan<'_>]) -> Option<Correlation<'a>> {
    let [scan] = scans else { return None };
    let expected = expected_rows(root)?;
    let relation = lookup.exact(scan.schema, scan.relation).filter(|relation| !relation.is_partition)?;
    let alias = text(scan.node, "Alias").unwrap_or(scan.relation);
    let texts = CONDITIONS.iter().filter_map(|key| text(scan.node, key));
    let columns: Option<BTreeSet<String>> =
        texts.flat_map(conditions).map(|condition| compared(condition, alias)).collect();
    let columns = columns.filter(|columns| columns.len() > 1)?;
    let known = lookup.columns((&relation.schema, &relation.name));
    let rows = relation.estimated_rows.filter(|rows| *rows > 0)?;
    let mut share = 1.0;
    for name in &columns {
        let column = known.iter().find(|column| column.name == *name)?;
        let even = || Some(1.0 / distinct(column.distinct?, rows)?.max(1.0));
        share *= column.most_common_fraction.or_else(even)?;
    }
    #[allow(clippy::cast_precision_loss, reason = "rows")]
    let most = share * rows as f64;
    Some(Correlation { relation, columns, expected, most })
}

/// The column of the table that is compared with a value by `=`.
fn compared(condition: Condition, alias: &str) -> Option<String> {
    let Clause::Test(test) = condition.clause else { return None };
    let is_plain = test.by == TestedBy::Equal && test.with.is_none();
    let own = test.operand.filter(|operand| is_plain && !operand.is_expression)?;
    (own.alias == alias || own.alias.is_empty()).then_some(own.text)
}
