//! What stands in the way of cutting a table into months: what a server tells is refused, or allowed by name, with the way
//! round; what a snapshot tells is foreseen, by the same names.

mod foreseen;

pub(super) use foreseen::foreseen;

use crate::model::adoption::SeenObstacle;

/// What a kind of obstacle means.
struct Kind {
    name: &'static str,
    /// It may be allowed: what that costs.
    price: Option<&'static str>,
    /// What is wrong with it.
    says: &'static str,
    /// The way round.
    next: &'static str,
}

const fn refused(name: &'static str, says: &'static str, next: &'static str) -> Kind {
    Kind { name, price: None, says, next }
}

const fn allowed(name: &'static str, says: &'static str, price: &'static str, next: &'static str) -> Kind {
    Kind { name, price: Some(price), says, next }
}

/// All of them, those first that no other word is needed beside.
const KINDS: &[Kind] = &[
    refused("kind", "it is", "name a plain table"),
    refused("extension", "it belongs to the extension", "leave it to that"),
    refused("typed", "it is a table of the type", "ALTER TABLE … NOT OF"),
    refused("inheritance", "it inherits from, or is inherited by", "ALTER TABLE … NO INHERIT"),
    refused("generated_key", "its key is a generated column:", "choose a column that is stored as it is written"),
    refused(
        "foreign_keys",
        "a foreign key refers to it, and to refer to a partitioned table that would need the partition key too:",
        "ALTER TABLE … DROP CONSTRAINT, and look for orphans by a query from time to time",
    ),
    refused("invalid_index", "an index is invalid:", "REINDEX INDEX CONCURRENTLY, or drop it"),
    refused(
        "not_validated",
        "a constraint is not validated, and a partition's must be:",
        "ALTER TABLE … VALIDATE CONSTRAINT",
    ),
    refused("no_inherit", "a constraint is NO INHERIT, and a partitioned table's cannot be:", "make it again without"),
    refused("rule", "it has a rule, which would stay with the old table:", "DROP RULE, and a trigger in its place"),
    refused(
        "transition_tables",
        "a row trigger has transition tables, and a partition's cannot:",
        "make it a statement trigger",
    ),
    refused(
        "replica_identity",
        "its replica identity is the primary key by name, which gives way:",
        "ALTER TABLE … REPLICA IDENTITY DEFAULT",
    ),
    refused(
        "publication_part",
        "a publication has a row filter or a list of columns for it:",
        "ALTER PUBLICATION … DROP TABLE, and add the successor afterwards",
    ),
    refused("subscription", "it is filled by", "convert on the publisher, or end the subscription"),
    refused(
        "row_type",
        "its row type is used, which would stay the old table's:",
        "drop that, and make it again afterwards",
    ),
    refused(
        "dependent",
        "something is bound to the table itself, and would stay with the old one:",
        "drop that, and make it again afterwards",
    ),
    refused("view_by_key", "a view groups by its primary key, which gives way:", "name all columns in GROUP BY"),
    allowed(
        "primary_key",
        "the primary key lacks the partition key:",
        "two rows may then share what was unique by itself, and ON CONFLICT on the old columns alone is refused",
        "see that ids come from a sequence, or are UUIDs, and that no statement names the old columns in ON CONFLICT",
    ),
    allowed(
        "unique",
        "unique without the partition key:",
        "new months are without it, and only the old rows keep it",
        "add the key to it, or drop it",
    ),
    allowed(
        "exclusion",
        "an exclusion constraint:",
        "new months are without it, and only the old rows keep it",
        "drop it, or keep the table as it is",
    ),
    allowed(
        "nullable_key",
        "its key may be NULL:",
        "it becomes NOT NULL, and a row without it stops the preparation",
        "ALTER TABLE … SET NOT NULL beforehand, by way of a validated CHECK",
    ),
    allowed(
        "before_trigger",
        "a trigger before each row may change the key, which then does not fit its partition:",
        "rows that it moves to another month are refused",
        "see that it leaves the key alone",
    ),
    allowed(
        "publication",
        "a publication tells of partitions by their own names, which subscribers do not have:",
        "subscribers lose sight of the rows until they have tables of these names",
        "ALTER PUBLICATION … SET (publish_via_partition_root = true)",
    ),
];

/// The names by which something may be allowed.
#[must_use]
pub fn allowances() -> Vec<&'static str> {
    KINDS.iter().filter(|kind| kind.price.is_some()).map(|kind| kind.name).collect()
}

/// What is refused, a line each; and what is allowed, with its price.
#[must_use]
pub(super) fn judged(found: &[SeenObstacle], allow: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut refusals, mut prices) = (Vec::new(), Vec::new());
    for kind in KINDS {
        let objects: Vec<&str> =
            found.iter().filter(|one| one.kind == kind.name).map(|one| one.object.as_str()).collect();
        if objects.is_empty() {
            continue;
        }
        let (objects, Kind { name, says, next, .. }) = (objects.join(", "), kind);
        match kind.price {
            Some(price) if allow.iter().any(|allowed| allowed == name) => {
                prices.push(format!("{says} {objects}: {price}"));
            }
            Some(price) => refusals.push(format!("{says} {objects}; next: {next}; or --allow {name}: {price}")),
            None => refusals.push(format!("{says} {objects}; next: {next}")),
        }
    }
    (refusals, prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_by_name_is_not_refused_and_has_a_price() {
        let one = |kind: &str| SeenObstacle { kind: kind.to_owned(), object: "t_pkey".to_owned() };
        let found = [one("primary_key"), one("foreign_keys")];
        let (refusals, prices) = judged(&found, &[]);
        assert_eq!((refusals.len(), prices.len()), (2, 0));
        assert!(refusals[1].contains("--allow primary_key") && !refusals[0].contains("--allow"), "{refusals:?}");
        let allow = ["primary_key".to_owned(), "foreign_keys".to_owned()];
        let (refusals, prices) = judged(&found, &allow);
        assert_eq!((refusals.len(), prices.len()), (1, 1), "some things cannot be allowed: {refusals:?}");
        assert_eq!(judged(&[], &allow), (vec![], vec![]));
    }
}
