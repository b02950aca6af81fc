//! Names for what has to give its own to the successor.

use crate::ddl::MAX_NAME_BYTES;
use crate::model::snapshot::Snapshot;
use std::collections::BTreeSet;

/// Names that are taken in one schema.
#[derive(Debug)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn of(snapshot: &Snapshot, schema: &str) -> Self {
        let relations = snapshot.relations.iter().map(|row| (&row.schema, &row.name));
        let indexes = snapshot.indexes.iter().map(|row| (&row.schema, &row.name));
        let sequences = snapshot.sequences.iter().map(|row| (&row.schema, &row.name));
        let all = relations.chain(indexes).chain(sequences);
        Self(all.filter(|(own, _)| *own == schema).map(|(_, name)| name.clone()).collect())
    }

    /// Whether somebody bears it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// A name that nobody bears, in 63 bytes; nobody gets it again.
    pub(super) fn free(&mut self, base: &str, suffix: &str) -> String {
        let numbers = std::iter::once(String::new()).chain((1..).map(|number: u32| number.to_string()));
        let mut names = numbers.map(|number| fitted(base, &format!("{suffix}{number}")));
        let name = names.find(|name| !self.has(name)).unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

/// The base gives way.
fn fitted(base: &str, suffix: &str) -> String {
    let mut base = base.to_owned();
    while base.len() + suffix.len() > MAX_NAME_BYTES && base.pop().is_some() {}
    base + suffix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_fit_and_differ(base in "\\PC{0,80}") {
            let mut names = Names(BTreeSet::from([base.clone()]));
            let all: Vec<String> = (0..12).map(|_| names.free(&base, "_legacy")).collect();
            prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
            for name in all {
                prop_assert!(name.len() <= MAX_NAME_BYTES && name.contains("_legacy") && name != base, "{}", name);
            }
        }
    }
}
