//! Names for new indexes: in the style of the schema's others, within PostgreSQL's 63 bytes, and
//! taken by nobody.

use crate::model::snapshot::{Index, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// Longest name PostgreSQL keeps whole, in bytes (NAMEDATALEN - 1).
pub const MAX_NAME_BYTES: usize = 63;

/// How a schema calls its indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Style {
    /// `orders_user_id_idx`, PostgreSQL's own.
    TableColumnsIdx,
    /// `idx_orders_user_id`
    IdxTableColumns,
    /// `ix_orders_user_id`, of SQLAlchemy.
    IxTableColumns,
    /// `index_orders_on_user_id`, of Rails.
    IndexTableOnColumns,
    /// `orders_user_id_index`, of Laravel and Ecto.
    TableColumnsIndex,
}

impl Style {
    /// The default first: it wins where styles are equally frequent.
    const ALL: [Self; 5] = [
        Self::TableColumnsIdx,
        Self::IdxTableColumns,
        Self::IxTableColumns,
        Self::IndexTableOnColumns,
        Self::TableColumnsIndex,
    ];

    fn write(self, table: &str, columns: &[&str]) -> String {
        let joined = columns.join("_");
        match self {
            Self::TableColumnsIdx => format!("{table}_{joined}_idx"),
            Self::IdxTableColumns => format!("idx_{table}_{joined}"),
            Self::IxTableColumns => format!("ix_{table}_{joined}"),
            Self::IndexTableOnColumns => format!("index_{table}_on_{}", columns.join("_and_")),
            Self::TableColumnsIndex => format!("{table}_{joined}_index"),
        }
    }
}

/// Names that are taken, and the style of each schema.
#[derive(Debug, Default)]
pub(super) struct NameBook {
    taken: BTreeSet<(String, String)>,
    styles: BTreeMap<String, Style>,
}

impl NameBook {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let relations = snapshot.relations.iter().map(|row| (&row.schema, &row.name));
        let indexes = snapshot.indexes.iter().map(|row| (&row.schema, &row.name));
        let sequences = snapshot.sequences.iter().map(|row| (&row.schema, &row.name));
        let taken = relations.chain(indexes).chain(sequences);
        Self {
            taken: taken.map(|(schema, name)| (schema.clone(), name.clone())).collect(),
            styles: styles(&snapshot.indexes),
        }
    }

    /// A new name for an index on these columns; nobody gets it again.
    pub(super) fn index(&mut self, schema: &str, table: &str, columns: &[String]) -> String {
        let style = self.styles.get(schema).copied().unwrap_or(Style::TableColumnsIdx);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut name = String::new();
        for number in 0.. {
            let suffix = if number == 0 { String::new() } else { number.to_string() };
            name = fitted(style, table, &columns, &suffix);
            if self.taken.insert((schema.to_owned(), name.clone())) {
                break;
            }
        }
        name
    }
}

/// The style most of a schema's plain indexes follow.
fn styles(indexes: &[Index]) -> BTreeMap<String, Style> {
    let mut counts: BTreeMap<(&str, Style), usize> = BTreeMap::new();
    for index in indexes.iter().filter(|index| index.constraint_name.is_none() && index.expressions.is_none()) {
        let columns: Vec<&str> = index.key_columns.iter().map(String::as_str).collect();
        let follows = |style: &&Style| style.write(&index.table, &columns) == index.name;
        if let Some(style) = Style::ALL.iter().find(follows) {
            *counts.entry((index.schema.as_str(), *style)).or_default() += 1;
        }
    }
    let mut best: BTreeMap<String, (usize, Style)> = BTreeMap::new();
    for ((schema, style), count) in counts {
        let known = best.entry(schema.to_owned()).or_insert((count, style));
        if count > known.0 {
            *known = (count, style);
        }
    }
    best.into_iter().map(|(schema, (_, style))| (schema, style)).collect()
}

/// The name in 63 bytes: the longer of table and columns gives way first, as PostgreSQL's own
/// `makeObjectName()` has it.
fn fitted(style: Style, table: &str, columns: &[&str], suffix: &str) -> String {
    let room = MAX_NAME_BYTES - suffix.len();
    let whole = style.write(table, columns);
    if whole.len() <= room {
        return whole + suffix;
    }
    let (mut table, mut rest) = (table.to_owned(), columns.join("_"));
    loop {
        let name = style.write(&table, &[&rest]);
        if name.len() <= room {
            return name + suffix;
        }
        let longer = if table.len() > rest.len() { &mut table } else { &mut rest };
        longer.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(name: &str, table: &str, columns: &[&str]) -> Index {
        Index {
            schema: "public".to_owned(),
            name: name.to_owned(),
            table: table.to_owned(),
            key_columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            ..Index::default()
        }
    }

    fn named(indexes: &[Index], table: &str, columns: &[&str]) -> String {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        NameBook { styles: styles(indexes), ..NameBook::default() }.index("public", table, &columns)
    }

    #[test]
    fn the_schemas_own_style_is_followed() {
        assert_eq!(named(&[], "orders", &["a", "b"]), "orders_a_b_idx");
        let rails = [index("index_users_on_email", "users", &["email"])];
        assert_eq!(named(&rails, "orders", &["a", "b"]), "index_orders_on_a_and_b");
        let mixed = [
            index("idx_users_email", "users", &["email"]),
            index("idx_users_name", "users", &["name"]),
            index("users_born_idx", "users", &["born"]),
        ];
        assert_eq!(named(&mixed, "orders", &["a"]), "idx_orders_a");
    }

    #[test]
    fn a_taken_name_is_not_given_again() {
        let mut book = NameBook::default();
        let columns = ["a".to_owned()];
        let names: Vec<String> = (0..3).map(|_| book.index("public", "t", &columns)).collect();
        assert_eq!(names, ["t_a_idx", "t_a_idx1", "t_a_idx2"]);
        assert_eq!(book.index("other", "t", &columns), "t_a_idx");
    }

    proptest! {
        #[test]
        fn names_fit_and_differ(table in "\\PC{1,80}", columns in proptest::collection::vec("\\PC{1,40}", 1..5)) {
            let mut book = NameBook::default();
            let names: Vec<String> = (0..12).map(|_| book.index("s", &table, &columns)).collect();
            let distinct: BTreeSet<&String> = names.iter().collect();
            prop_assert_eq!(distinct.len(), names.len());
            for name in &names {
                prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES, "{}", name);
            }
        }
    }
}
