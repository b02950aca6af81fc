//! The indexes that are there, in the form of candidates: what they serve needs no other.

use super::candidate::Candidate;
use super::key::Key;
use crate::model::advice::Method;
use crate::model::plan::Name;
use crate::model::snapshot::{Index, Snapshot};
use crate::statement::index_parts;
use std::collections::BTreeSet;

/// The valid indexes of a snapshot.
#[must_use]
pub fn existing(snapshot: &Snapshot) -> BTreeSet<Candidate> {
    snapshot.indexes.iter().filter(|index| index.is_valid).filter_map(candidate).collect()
}

/// Those of them that nothing else than speed depends on.
#[must_use]
pub fn replaceable(snapshot: &Snapshot) -> BTreeSet<Candidate> {
    let is_bound = |index: &Index| {
        index.is_unique
            || index.is_exclusion
            || index.is_clustered
            || index.is_partition
            || index.is_partitioned
            || index.is_extension_member
    };
    let is_free = |index: &&Index| index.is_valid && index.method == "btree" && !is_bound(index);
    snapshot.indexes.iter().filter(is_free).filter_map(candidate).collect()
}

pub(super) fn candidate(index: &Index) -> Option<Candidate> {
    let parts = index_parts(&index.definition)?;
    let keys = parts.keys.into_iter().enumerate().map(|(at, key)| {
        let class = index.operator_classes.get(at).filter(|_| key.has_class);
        let class = class.map(|class| class.strip_prefix("pg_catalog.").unwrap_or(class));
        let collation = index.collations.get(at).filter(|_| key.has_collation);
        // Of a collation of its own that compares bytes it serves what the class that does so serves.
        let is_by_bytes = collation.is_some_and(|name| matches!(name.as_str(), "pg_catalog.C" | "pg_catalog.POSIX"));
        let class = class.or(is_by_bytes.then_some("text_pattern_ops")).map(str::to_owned);
        let order = index.orders.get(at).copied().unwrap_or_default();
        Key { class, column: key.text, is_expression: key.is_expression, ..Key::default() }.in_order(order)
    });
    Some(Candidate {
        table: Name::new(&index.schema, &index.table),
        method: Method::of(&index.method)?,
        keys: keys.collect(),
        include: index.included_columns.clone(),
        predicate: parts.predicate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advise::candidate::Pool;

    #[test]
    fn keys_are_turned_so_that_an_index_can_go() {
        let btree = |columns: &[&str]| {
            Candidate::btree(&Name::new("s", "t"), columns.iter().map(|column| Key::ascending(column)).collect())
        };
        let pool = Pool::default().replacing([btree(&["b"]), btree(&["c", "b"]), btree(&["d"])].into());
        let turned = |columns: &[&str]| pool.turned(&btree(columns)).map(|candidate| candidate.using());
        assert_eq!(turned(&["a", "b"]).as_deref(), Some("btree (b, a)"));
        assert_eq!(turned(&["a", "b", "c"]).as_deref(), Some("btree (c, b, a)"), "the one that does more");
        assert_eq!(turned(&["d", "a"]), None, "it can go as it is");
        assert_eq!(turned(&["a"]), None);
    }

    #[test]
    fn an_index_is_told_as_a_candidate() {
        let index = Index {
            schema: "s".into(),
            table: "t".into(),
            method: "btree".into(),
            definition:
                "CREATE INDEX i ON s.t USING btree (lower(a), b DESC, c text_pattern_ops, f COLLATE \"C\") INCLUDE (d) WHERE (e IS NULL)"
                    .into(),
            operator_classes: vec![
                "pg_catalog.text_ops".into(),
                "pg_catalog.int4_ops".into(),
                "pg_catalog.text_pattern_ops".into(),
                "pg_catalog.text_ops".into(),
            ],
            collations: ["pg_catalog.default", "", "pg_catalog.default", "pg_catalog.C"].map(String::from).into(),
            included_columns: vec!["d".into()],
            orders: vec![0, 3, 0, 0],
            ..Index::default()
        };
        let told = candidate(&index).expect("a candidate");
        assert_eq!(told.using(), "btree (lower(a), b DESC, c text_pattern_ops, f text_pattern_ops) INCLUDE (d)");
        assert_eq!(told.predicate.as_deref(), Some("e IS NULL"));
        assert_eq!(candidate(&Index { method: "hash".into(), ..index }), None);
    }
}
