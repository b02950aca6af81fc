//! Which partitions have no part of an index.

use super::survey::{Place, Tables, by_table, name, place};
use crate::model::plan::Name;
use crate::model::snapshot::{Index, Snapshot};
use std::collections::{HashMap, HashSet};

/// The indexes that are attached to others, and the partitions that should have one.
#[derive(Debug)]
pub struct Parts<'a> {
    tables: Tables<'a>,
    attached: HashMap<Place<'a>, Vec<&'a Index>>,
}

impl<'a> Parts<'a> {
    /// Those of a snapshot that is of one database.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut attached: HashMap<Place<'_>, Vec<&Index>> = HashMap::new();
        for index in &snapshot.indexes {
            if let (Some(schema), Some(name)) = (&index.parent_schema, &index.parent_name) {
                attached.entry((schema, name)).or_default().push(index);
            }
        }
        Self { tables: by_table(snapshot), attached }
    }

    /// Partitions without a part of an index of a partitioned table, by name; of those that are partitioned again, theirs that
    /// have none of its part. A valid index lacks none.
    #[must_use]
    pub fn missing(&self, index: &Index) -> Vec<Name> {
        let mut missing = Vec::new();
        // A damaged snapshot may go in circles.
        let mut seen = HashSet::new();
        let mut open = vec![index];
        while let Some(index) = open.pop() {
            if !index.is_partitioned || index.is_valid || !seen.insert((&index.schema, &index.name)) {
                continue;
            }
            let parts = self.attached.get(&(index.schema.as_str(), index.name.as_str()));
            let parts: HashMap<Place<'_>, &Index> =
                parts.into_iter().flatten().map(|part| ((part.schema.as_str(), part.table.as_str()), *part)).collect();
            let rows = self.tables.get(&(index.schema.as_str(), index.table.as_str())).into_iter().flatten();
            for row in rows.filter(|row| row.name.is_some()) {
                match parts.get(&place(row)) {
                    Some(part) => open.push(part),
                    None => missing.push(name(row)),
                }
            }
        }
        missing.sort();
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::rows;
    use super::*;
    use crate::model::snapshot::{Partition, Tool};
    use chrono::DateTime;

    fn index(name: &str, table: &str, parent: Option<&str>, is_valid: bool) -> Index {
        Index {
            schema: "public".to_owned(),
            name: name.to_owned(),
            table: table.to_owned(),
            parent_schema: parent.map(|_| "public".to_owned()),
            parent_name: parent.map(str::to_owned),
            is_partitioned: !table.ends_with("_p"),
            is_valid,
            ..Index::default()
        }
    }

    #[test]
    fn what_is_partitioned_again_lacks_parts_of_its_own() {
        let months = rows("date", &[("a", "'2026-01-01'", "'2026-02-01'"), ("b", "'2026-02-01'", "'2026-03-01'")]);
        let below = |month: &str| Partition {
            parent_name: month.to_owned(),
            name: Some(format!("{month}_p")),
            ..months[0].clone()
        };
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        snapshot.partitions = [months.clone(), vec![below("a"), below("b")]].concat();
        let missing = |indexes: Vec<Index>| {
            let snapshot = Snapshot { indexes, ..snapshot.clone() };
            let found = Parts::of(&snapshot).missing(&snapshot.indexes[0]);
            found.into_iter().map(|name| name.name).collect::<Vec<_>>()
        };
        let (top, broken) = (|is_valid| index("i", "t", None, is_valid), index("i_a", "a", Some("i"), false));
        assert_eq!(missing(vec![top(false)]), ["a", "b"]);
        assert_eq!(missing(vec![top(false), broken.clone()]), ["a_p", "b"]);
        assert_eq!(missing(vec![top(true), broken.clone()]), [""; 0]);
        let whole = [index("i_a", "a", Some("i"), true), index("i_b", "b", Some("i"), false)];
        assert_eq!(missing([vec![top(false)], whole.to_vec()].concat()), ["b_p"]);
        let circle =
            Index { parent_schema: broken.parent_schema.clone(), parent_name: Some("i_a".to_owned()), ..top(false) };
        assert_eq!(missing(vec![circle, broken]), ["a_p", "b"]);
    }
}
