//! What changed between BASE and HEAD, as tables of typed fields: statements, indexes, tables, settings.

mod catalog;
mod settings;
mod statements;

use super::common::common;
use crate::compare::{Comparison, Meeting};
use crate::model::table::Facts;

/// The facets of a comparison; all others are of one snapshot.
pub const CHANGES: [&str; 5] =
    ["index_changes", "new_statements", "relation_changes", "setting_changes", "statement_changes"];

/// Hands over the facets of a comparison, ready to be judged.
pub fn with_changes<T>(comparison: &Comparison, meeting: &Meeting<'_>, judge: impl FnOnce(Facts<'_>) -> T) -> T {
    let workload = statements::Workload::of(comparison, meeting);
    judge(Facts {
        common: common(&comparison.head),
        tables: vec![
            statements::changes(&workload),
            statements::news(&workload),
            catalog::indexes(comparison),
            catalog::relations(comparison),
            settings::table(comparison),
        ],
    })
}

/// Statements on both sides whose plans are on both sides.
#[must_use]
pub fn planned(comparison: &Comparison, meeting: &Meeting<'_>) -> usize {
    statements::Workload::of(comparison, meeting).planned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facets_are_those_of_the_list() {
        let comparison = Comparison::empty();
        with_changes(&comparison, &comparison.meeting(), |facts| {
            let mut names: Vec<&str> = facts.tables.iter().map(|table| table.name.as_str()).collect();
            names.sort_unstable();
            assert_eq!(names, CHANGES);
            for table in &facts.tables {
                for field in &table.fields {
                    assert!(![&field.unit, &field.source, &field.doc].iter().any(|text| text.is_empty()), "{field:?}");
                    assert!(!facts.common.fields.iter().any(|common| common.name == field.name), "{field:?}");
                }
            }
        });
    }
}
