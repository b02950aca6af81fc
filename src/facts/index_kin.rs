//! Which indexes say the same twice: duplicates, and those whose work a wider one does.
//!
//! An index is its definition: table, method, key columns with operator class, collation and order,
//! INCLUDE, predicate, uniqueness. Names do not count.

use crate::model::snapshot::Index;

/// What an index has to do with the others of its table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kin {
    /// Names an identical index that should stay instead.
    pub(super) duplicate_of: Option<String>,
    /// Names a wider index that answers every query this one does.
    pub(super) covered_by: Option<String>,
    /// Another index is found needless because of this one: it must stay.
    pub(super) is_kept_for_another: bool,
}

/// Judges the indexes of one table together, so that of two that cover each other one stays.
pub(super) fn kin(indexes: &[&Index]) -> Vec<Kin> {
    let mut order: Vec<usize> = (0..indexes.len()).collect();
    order.sort_by(|a, b| worth(indexes[*b]).cmp(&worth(indexes[*a])).then(indexes[*a].name.cmp(&indexes[*b].name)));
    let mut kin = vec![Kin::default(); indexes.len()];
    for (rank, &loser) in order.iter().enumerate() {
        if !is_droppable(indexes[loser]) {
            continue;
        }
        let better = order[..rank].iter().copied();
        let twin = better
            .filter(|&keeper| kin[keeper].duplicate_of.is_none())
            .find(|&keeper| same(indexes[keeper], indexes[loser]));
        if let Some(keeper) = twin {
            kin[loser].duplicate_of = Some(indexes[keeper].name.clone());
            kin[keeper].is_kept_for_another = true;
        }
    }
    let is_twin = |at: usize| kin[at].duplicate_of.is_some();
    let is_narrow = |at: usize| is_droppable(indexes[at]) && !indexes[at].is_unique && !is_twin(at);
    let widers = |at: usize| {
        (0..indexes.len()).filter(move |&wide| wide != at && !is_twin(wide) && covers(indexes[wide], indexes[at]))
    };
    let covered: Vec<bool> = (0..indexes.len()).map(|at| is_narrow(at) && widers(at).next().is_some()).collect();
    let mut pairs = Vec::new();
    for loser in (0..indexes.len()).filter(|&at| covered[at]) {
        // Of a chain the widest stays: it is the one that nothing covers.
        let lasting = widers(loser).filter(|&wide| !covered[wide]);
        pairs.extend(
            lasting.min_by_key(|&wide| (indexes[wide].bytes, &indexes[wide].name)).map(|keeper| (loser, keeper)),
        );
    }
    for (loser, keeper) in pairs {
        kin[loser].covered_by = Some(indexes[keeper].name.clone());
        kin[keeper].is_kept_for_another = true;
    }
    kin
}

fn is_usable(index: &Index) -> bool {
    index.is_valid && index.is_ready && index.is_live
}

/// Nothing but queries depends on it.
fn is_droppable(index: &Index) -> bool {
    let is_bound = index.is_primary
        || index.is_exclusion
        || index.constraint_name.is_some()
        || index.is_foreign_key_target
        || index.is_replica_identity
        || index.is_partition
        || index.is_extension_member;
    is_usable(index) && !is_bound
}

/// The more an index carries, the rather it stays.
fn worth(index: &Index) -> (bool, bool, bool, bool, i64) {
    (!is_droppable(index), index.is_unique, index.is_clustered, index.is_partitioned, index.scans)
}

/// Same method, keys and predicate; `keeper` refuses at least the duplicates that `loser` refuses.
fn same(keeper: &Index, loser: &Index) -> bool {
    let unique = !loser.is_unique || (keeper.is_unique && keeper.nulls_not_distinct == loser.nulls_not_distinct);
    let (mut kept, mut lost) = (keeper.included_columns.clone(), loser.included_columns.clone());
    kept.sort();
    lost.sort();
    is_usable(keeper)
        && keeper.method == loser.method
        && keeper.key_columns == loser.key_columns
        && keeper.operator_classes == loser.operator_classes
        && keeper.collations == loser.collations
        && keeper.orders == loser.orders
        && keeper.expressions == loser.expressions
        && keeper.predicate == loser.predicate
        && kept == lost
        && unique
}

/// `narrow` is a strict prefix of `wide`, column for column, or has the same keys and carries less. Expressions are left
/// alone: their texts cannot be told apart by position.
fn covers(wide: &Index, narrow: &Index) -> bool {
    let width = narrow.key_columns.len();
    let parts = |index: &Index| (index.key_columns.len(), index.included_columns.len());
    let holds = |column: &String| wide.key_columns.contains(column) || wide.included_columns.contains(column);
    is_usable(wide)
        && wide.method == "btree"
        && narrow.method == "btree"
        && narrow.expressions.is_none()
        && parts(wide) > parts(narrow)
        && wide.key_columns.get(..width) == Some(&narrow.key_columns[..])
        && wide.operator_classes.get(..width) == narrow.operator_classes.get(..width)
        && wide.collations.get(..width) == narrow.collations.get(..width)
        && wide.orders.get(..width) == narrow.orders.get(..width)
        && wide.predicate == narrow.predicate
        && wide.is_partitioned == narrow.is_partitioned
        && narrow.included_columns.iter().all(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, columns: &[&str]) -> Index {
        Index {
            name: name.to_owned(),
            method: "btree".to_owned(),
            key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            operator_classes: columns.iter().map(|_| "pg_catalog.int8_ops".to_owned()).collect(),
            collations: columns.iter().map(|_| String::new()).collect(),
            orders: columns.iter().map(|_| 0).collect(),
            is_valid: true,
            is_ready: true,
            is_live: true,
            ..Index::default()
        }
    }

    fn judge(indexes: &[Index]) -> Vec<Kin> {
        kin(&indexes.iter().collect::<Vec<_>>())
    }

    #[test]
    fn of_two_twins_the_one_that_carries_more_stays() {
        let mut key = index("a_key", &["id"]);
        key.is_unique = true;
        key.constraint_name = Some("a_key".to_owned());
        let kin = judge(&[index("a_idx", &["id"]), key]);
        assert_eq!(kin[0].duplicate_of.as_deref(), Some("a_key"));
        assert_eq!(kin[1], Kin { is_kept_for_another: true, ..Kin::default() });
    }

    #[test]
    fn three_of_a_kind_leave_one() {
        let kin = judge(&[index("a", &["id"]), index("b", &["id"]), index("c", &["id"])]);
        let dropped: Vec<bool> = kin.iter().map(|kin| kin.duplicate_of.is_some()).collect();
        assert_eq!(dropped, [false, true, true]);
        assert!(kin.iter().all(|kin| kin.duplicate_of.is_none() || kin.duplicate_of.as_deref() == Some("a")));
    }

    #[test]
    fn a_prefix_is_covered_unless_order_class_or_predicate_differ() {
        let narrow = index("narrow", &["user_id"]);
        let wide = index("wide", &["user_id", "created_at"]);
        assert_eq!(judge(&[narrow.clone(), wide.clone()])[0].covered_by.as_deref(), Some("wide"));
        let mut other = wide.clone();
        other.orders[0] = 1;
        assert_eq!(judge(&[narrow.clone(), other])[0].covered_by, None);
        let mut other = wide.clone();
        other.operator_classes[0] = "pg_catalog.text_pattern_ops".to_owned();
        assert_eq!(judge(&[narrow.clone(), other])[0].covered_by, None);
        let mut other = wide.clone();
        other.predicate = Some("(deleted_at IS NULL)".to_owned());
        assert_eq!(judge(&[narrow.clone(), other])[0].covered_by, None);
        let mut other = wide;
        other.is_valid = false;
        assert_eq!(judge(&[narrow, other])[0].covered_by, None);
    }

    #[test]
    fn an_index_that_carries_more_does_the_work_of_one_with_its_keys() {
        let carrying = |name: &str, included: &[&str]| Index {
            included_columns: included.iter().map(|column| (*column).to_owned()).collect(),
            ..index(name, &["user_id"])
        };
        let covered = |indexes: &[Index]| judge(indexes).into_iter().map(|kin| kin.covered_by).collect::<Vec<_>>();
        let by = |name: &str| Some(name.to_owned());
        let plain = || index("plain", &["user_id"]);
        assert_eq!(covered(&[plain(), carrying("wide", &["total"])]), [by("wide"), None]);
        assert_eq!(covered(&[carrying("one", &["total"]), carrying("two", &["total", "at"])]), [by("two"), None]);
        assert_eq!(covered(&[carrying("one", &["total"]), carrying("other", &["at", "kind"])]), [None, None]);
        assert_eq!(covered(&[carrying("one", &["at"]), index("keys", &["user_id", "at"])]), [by("keys"), None]);
        assert_eq!(covered(&[carrying("one", &["total"]), index("keys", &["user_id", "at"])]), [None, None]);
    }

    #[test]
    fn of_a_chain_the_widest_stays() {
        let kin = judge(&[index("a", &["x"]), index("ab", &["x", "y"]), index("abc", &["x", "y", "z"])]);
        assert_eq!(kin[0].covered_by.as_deref(), Some("abc"));
        assert_eq!(kin[1].covered_by.as_deref(), Some("abc"));
        assert_eq!((kin[1].is_kept_for_another, kin[2].is_kept_for_another), (false, true));
    }

    #[test]
    fn columns_are_compared_as_columns_not_as_text() {
        let kin = judge(&[index("one", &["a"]), index("twelve", &["ab", "c"])]);
        assert_eq!(kin[0].covered_by, None);
    }

    #[test]
    fn unique_and_constraint_backed_indexes_are_never_covered() {
        let mut unique = index("u", &["user_id"]);
        unique.is_unique = true;
        assert_eq!(judge(&[unique, index("wide", &["user_id", "x"])])[0], Kin::default());
    }
}
