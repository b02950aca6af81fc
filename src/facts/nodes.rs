//! Use of tables and indexes on all nodes that were read, as one: reads go where the application sends
//! them, and an index that only a standby scans is not unused.

use super::lookup::Key;
use crate::model::snapshot::{IndexUse, Node, RelationUse, Snapshot};
use std::borrow::Cow;
use std::collections::HashMap;

/// The snapshot with the other nodes' scans added to this server's.
pub(super) fn with_nodes(snapshot: &Snapshot) -> Cow<'_, Snapshot> {
    if snapshot.nodes.is_empty() {
        return Cow::Borrowed(snapshot);
    }
    let (indexes, relations) = (index_uses(snapshot), relation_uses(snapshot));
    let mut sum = snapshot.clone();
    for index in &mut sum.indexes {
        for used in indexes.get(&(index.schema.as_str(), index.name.as_str())).into_iter().flatten() {
            index.scans += used.scans;
            index.last_scan = index.last_scan.max(used.last_scan);
        }
    }
    for relation in &mut sum.relations {
        for used in relations.get(&(relation.schema.as_str(), relation.name.as_str())).into_iter().flatten() {
            relation.seq_scans += used.seq_scans;
            relation.seq_tuples_read += used.seq_tuples_read;
            relation.index_scans += used.index_scans;
        }
    }
    Cow::Owned(sum)
}

fn index_uses(snapshot: &Snapshot) -> HashMap<Key<'_>, Vec<&IndexUse>> {
    let mut uses: HashMap<Key<'_>, Vec<&IndexUse>> = HashMap::new();
    let all = snapshot.nodes.iter().flat_map(|node| &node.indexes);
    for used in all.filter(|used| used.database == snapshot.target.database) {
        uses.entry((&used.schema, &used.name)).or_default().push(used);
    }
    uses
}

fn relation_uses(snapshot: &Snapshot) -> HashMap<Key<'_>, Vec<&RelationUse>> {
    let mut uses: HashMap<Key<'_>, Vec<&RelationUse>> = HashMap::new();
    let all = snapshot.nodes.iter().flat_map(|node| &node.relations);
    for used in all.filter(|used| used.database == snapshot.target.database) {
        uses.entry((&used.schema, &used.name)).or_default().push(used);
    }
    uses
}

/// Scans of each index of the audited database on the other nodes.
pub(super) struct Elsewhere<'a>(Vec<(&'a str, HashMap<Key<'a>, i64>)>);

impl<'a> Elsewhere<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let scans = |node: &'a Node| {
            let mut scans: HashMap<Key<'_>, i64> = HashMap::new();
            for used in node.indexes.iter().filter(|used| used.database == snapshot.target.database) {
                *scans.entry((&used.schema, &used.name)).or_default() += used.scans;
            }
            (node.name.as_str(), scans)
        };
        Self(snapshot.nodes.iter().map(scans).collect())
    }

    /// Scans of an index on each node, this server's first: `here 0`, `db2:5432 17`. Empty when no other
    /// node was read.
    pub(super) fn scans_by_node(&self, index: Key<'_>, total: i64) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let there = self.0.iter().map(|(node, scans)| (*node, scans.get(&index).copied().unwrap_or(0)));
        let here = total - there.clone().map(|(_, scans)| scans).sum::<i64>();
        std::iter::once(("here", here)).chain(there).map(|(node, scans)| format!("{node} {scans}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Index, Tool};
    use chrono::DateTime;

    #[test]
    fn scans_add_up_and_each_node_keeps_its_own() {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        snapshot.target.database = "shop".into();
        snapshot.indexes = vec![Index { schema: "s".into(), name: "i".into(), scans: 2, ..Index::default() }];
        let used =
            IndexUse { database: "shop".into(), schema: "s".into(), name: "i".into(), scans: 5, last_scan: None };
        snapshot.nodes = vec![Node { name: "db2".into(), indexes: vec![used], ..Node::default() }];
        let sum = with_nodes(&snapshot);
        assert_eq!(sum.indexes[0].scans, 7);
        assert_eq!(Elsewhere::of(&snapshot).scans_by_node(("s", "i"), 7), ["here 2", "db2 5"]);
    }
}
