//! What stands in the way of cutting a table by a column, as far as a snapshot tells.

use super::allowances;
use crate::model::partition_advice::Obstacle;
use crate::model::plan::Name;
use crate::model::snapshot::{Index, Snapshot};
use crate::partition::demand::Demand;

/// The obstacles, the gravest first.
pub(in crate::partition) fn foreseen(
    snapshot: &Snapshot,
    table: &Name,
    key: &str,
    demands: &[Demand<'_>],
) -> Vec<Obstacle> {
    let keys = incoming(snapshot, table);
    let (without, conflicts) = (unique_without(snapshot, table, key), conflicts(key, demands));
    let primary = without.iter().find(|index| index.is_primary);
    let unique: Vec<&str> = without
        .iter()
        .filter(|index| !index.is_primary && !index.is_exclusion)
        .map(|index| index.name.as_str())
        .collect();
    let exclusion: Vec<&str> =
        without.iter().filter(|index| index.is_exclusion).map(|index| index.name.as_str()).collect();
    let triggers = relation_triggers(snapshot, table);
    let found = [
        (!keys.is_empty()).then(|| {
            let text = format!("foreign keys refer to it ({}): they would have to hold {key} too", keys.join(", "));
            ("foreign_keys", text)
        }),
        primary.map(|index| {
            let columns = index.key_columns.join(", ");
            (
                "primary_key",
                format!(
                    "the primary key ({columns}) must take {key} in: ({columns}) alone is then unique by month only"
                ),
            )
        }),
        (!unique.is_empty()).then(|| {
            ("unique", format!("unique without {key}: {}; over all months that cannot be held", unique.join(", ")))
        }),
        (!exclusion.is_empty()).then(|| {
            ("exclusion", format!("exclusion constraints hold by month only, and from 17 on: {}", exclusion.join(", ")))
        }),
        (conflicts > 0).then(|| {
            let statements = if conflicts == 1 { "one statement says" } else { "several statements say" };
            ("on_conflict", format!("{statements} ON CONFLICT of a key without {key}: it must name {key} too"))
        }),
        is_nullable(snapshot, table, key).then(|| {
            ("nullable_key", format!("{key} may be NULL, though no row is known to be: it must become NOT NULL"))
        }),
        (triggers > 0).then(|| {
            let what = if triggers == 1 { "a trigger is".to_owned() } else { format!("{triggers} triggers are") };
            ("triggers", format!("{what} on it: one that sets {key} before an INSERT would have rows refused"))
        }),
    ];
    let obstacle = |(code, text): (&str, String)| Obstacle {
        code: code.to_owned(),
        may_be_allowed: allowances().contains(&code),
        text,
    };
    found.into_iter().flatten().map(obstacle).collect()
}

fn incoming(snapshot: &Snapshot, table: &Name) -> Vec<String> {
    let refers = snapshot
        .foreign_keys
        .iter()
        .filter(|key| !key.is_inherited && key.referenced_schema == table.schema && key.referenced_table == table.name);
    refers.map(|key| format!("{} of {}", key.name, Name::new(&key.schema, &key.table))).collect()
}

fn unique_without<'a>(snapshot: &'a Snapshot, table: &Name, key: &str) -> Vec<&'a Index> {
    let own = snapshot.indexes.iter().filter(|index| index.schema == table.schema && index.table == table.name);
    own.filter(|index| (index.is_unique || index.is_exclusion) && !index.key_columns.iter().any(|column| column == key))
        .collect()
}

/// Statements whose ON CONFLICT names a key without the column, or a constraint.
fn conflicts(key: &str, demands: &[Demand<'_>]) -> usize {
    let lacks = |columns: &Vec<String>| !columns.iter().any(|column| column == key);
    demands.iter().filter(|demand| demand.conflict.as_ref().is_some_and(lacks)).count()
}

fn is_nullable(snapshot: &Snapshot, table: &Name, key: &str) -> bool {
    snapshot.columns.iter().any(|column| {
        column.schema == table.schema && column.relation == table.name && column.name == key && !column.is_not_null
    })
}

fn relation_triggers(snapshot: &Snapshot, table: &Name) -> i64 {
    let own = snapshot.relations.iter().find(|row| row.schema == table.schema && row.name == table.name);
    own.and_then(|row| row.trigger_count).unwrap_or(0)
}
