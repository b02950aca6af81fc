//! The SQL of a fresh partitioned table. Nobody reads or writes it yet: its months are made as its partitions at once.

use super::partition::{alike, bound, kept_as, replica_identity};
use super::quote::{literal, qualified, quoted};
use crate::model::blueprint::Blueprint;
use crate::model::escape::escape;
use crate::model::partition::Likeness;
use std::fmt::Write;

/// The statements, with what is to be known of them as comments.
#[must_use]
pub fn fresh(blueprint: &Blueprint) -> String {
    let (table, key) = (qualified(&blueprint.table), quoted(&blueprint.key));
    let mut text = String::new();
    for remark in &blueprint.remarks {
        // On one line: no name can end it.
        let _ = writeln!(text, "-- {}", escape(&remark.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let parts: Vec<String> = blueprint.parts.iter().map(|part| format!("\n  {part}")).collect();
    let _ = writeln!(text, "CREATE TABLE {table} ({}\n) PARTITION BY RANGE ({key});", parts.join(","));
    let mut say = |sql: String| {
        let _ = writeln!(text, "{sql};");
    };
    for index in &blueprint.indexes {
        let unique = if index.is_unique { "UNIQUE " } else { "" };
        let name = index.name.as_deref().map(|name| format!("{} ", quoted(name))).unwrap_or_default();
        say(format!("CREATE {unique}INDEX {name}ON {table} USING {}", index.using));
    }
    for (column, what, how) in &blueprint.stored {
        say(format!("ALTER TABLE {table} ALTER COLUMN {} SET {what} {how}", quoted(column)));
    }
    blueprint.comment.iter().for_each(|comment| say(format!("COMMENT ON TABLE {table} IS {}", literal(comment))));
    for (column, comment) in &blueprint.comments {
        say(format!("COMMENT ON COLUMN {table}.{} IS {}", quoted(column), literal(comment)));
    }
    alike(&blueprint.table, &blueprint.likeness).into_iter().for_each(&mut say);
    // Rows are reached through the table: what it grants is enough.
    let owned = Likeness { owner: blueprint.likeness.owner.clone(), ..Likeness::default() };
    for (name, range) in &blueprint.partitions {
        let (unlogged, storage) = kept_as(&blueprint.likeness);
        say(format!("CREATE {unlogged}TABLE {} PARTITION OF {table} {}{storage}", qualified(name), bound(range)));
        alike(name, &owned).into_iter().for_each(&mut say);
        replica_identity(name, &blueprint.likeness).into_iter().for_each(&mut say);
    }
    text
}
