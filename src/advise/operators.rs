//! Which access method and operator class serve an operator of a type, beyond what B-trees do
//! (PostgreSQL documentation, "Built-in GIN Operator Classes", "Built-in GiST Operator Classes", hstore, ltree, pg_trgm; pgvector).

use super::key::Key;
use crate::model::advice::Method;
use crate::model::snapshot::{Column, Extension, Snapshot};

/// A kind of column, by what `format_type()` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Jsonb,
    Array,
    Text,
    Tsvector,
    Range,
    Inet,
    Geometry,
    Hstore,
    Ltree,
    Vector,
    Halfvec,
}

/// Kind, operators, method, operator class and the extension that brings it.
type Row = (Kind, &'static [&'static str], Method, Option<&'static str>, Option<&'static str>);

const TABLE: [Row; 15] = [
    // Smaller and quicker than the default class, which only `?` and its kin need.
    (Kind::Jsonb, &["@>", "@?", "@@"], Method::Gin, Some("jsonb_path_ops"), None),
    (Kind::Jsonb, &["?", "?|", "?&"], Method::Gin, None, None),
    (Kind::Array, &["@>", "&&", "<@"], Method::Gin, None, None),
    (Kind::Tsvector, &["@@"], Method::Gin, None, None),
    (Kind::Text, &["~~", "~~*", "~", "~*"], Method::Gin, Some("gin_trgm_ops"), Some("pg_trgm")),
    (Kind::Range, &["&&", "@>", "<@", "<<", ">>", "&<", "&>", "-|-"], Method::Gist, None, None),
    (Kind::Inet, &["<<", "<<=", ">>", ">>=", "&&"], Method::Gist, Some("inet_ops"), None),
    (Kind::Geometry, &["&&", "@>", "<@", "<<", ">>", "<->"], Method::Gist, None, None),
    (Kind::Hstore, &["@>", "?", "?|", "?&"], Method::Gin, None, Some("hstore")),
    (Kind::Ltree, &["@>", "<@", "~", "?", "@"], Method::Gist, None, Some("ltree")),
    (Kind::Vector, &["<->"], Method::Hnsw, Some("vector_l2_ops"), Some("vector")),
    (Kind::Vector, &["<=>"], Method::Hnsw, Some("vector_cosine_ops"), Some("vector")),
    (Kind::Vector, &["<#>"], Method::Hnsw, Some("vector_ip_ops"), Some("vector")),
    (Kind::Halfvec, &["<->"], Method::Hnsw, Some("halfvec_l2_ops"), Some("vector")),
    (Kind::Halfvec, &["<=>"], Method::Hnsw, Some("halfvec_cosine_ops"), Some("vector")),
];

fn kind(type_name: &str) -> Option<Kind> {
    let bare = type_name.split('(').next().unwrap_or_default().trim();
    let bare = bare.rsplit_once('.').map_or(bare, |(_, name)| name);
    Some(match bare {
        _ if type_name.ends_with("[]") => Kind::Array,
        "jsonb" => Kind::Jsonb,
        "text" | "character varying" => Kind::Text,
        "tsvector" => Kind::Tsvector,
        "inet" | "cidr" => Kind::Inet,
        "point" | "box" | "polygon" | "circle" => Kind::Geometry,
        "hstore" => Kind::Hstore,
        "ltree" => Kind::Ltree,
        "vector" => Kind::Vector,
        "halfvec" => Kind::Halfvec,
        name if name.ends_with("range") => Kind::Range,
        _ => return None,
    })
}

/// The class of a B-tree that compares texts of this type by their bytes, whatever their collation
/// (PostgreSQL documentation, "Operator Classes and Operator Families").
fn by_bytes(type_name: &str) -> Option<&'static str> {
    match type_name.split('(').next().unwrap_or_default() {
        "text" => Some("text_pattern_ops"),
        "character varying" => Some("varchar_pattern_ops"),
        "character" => Some("bpchar_pattern_ops"),
        _ => None,
    }
}

/// The key of a B-tree that finds texts by how they begin; a plain one does where the collation compares bytes.
pub(super) fn by_prefix(column: &Column) -> Option<Key> {
    let (class, is_plain) = (by_bytes(&column.type_name)?, column.sorts_by_bytes?);
    Some(Key { class: (!is_plain).then(|| class.to_owned()), ..Key::ascending(&column.name) })
}

/// Dimensions that an index of this kind of column takes at most; a column that does not tell its own takes none
/// (pgvector, "HNSW").
fn most_dimensions(kind: Kind) -> Option<u32> {
    match kind {
        Kind::Vector => Some(2_000),
        Kind::Halfvec => Some(4_000),
        _ => None,
    }
}

/// 768 of `vector(768)`.
fn dimensions(type_name: &str) -> Option<u32> {
    type_name.split_once('(')?.1.strip_suffix(')')?.parse().ok()
}

/// pgvector has HNSW from 0.5 on.
fn has_graph(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(0), Some(5))
}

/// The operators of a server that other indexes than B-trees serve.
#[derive(Debug)]
pub(super) struct Operators<'a>(&'a [Extension]);

impl<'a> Operators<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self(&snapshot.extensions)
    }

    /// The index that serves this operator of a column; none where no method does, or its extension is not there.
    pub(super) fn serving(&self, column: &str, type_name: &str, operator: &str) -> Option<(Method, Key)> {
        let kind = kind(type_name)?;
        let (.., method, class, extension) = TABLE.iter().find(|row| row.0 == kind && row.1.contains(&operator))?;
        let brought = match extension {
            Some(name) => Some(self.0.iter().find(|row| row.name == *name)?),
            None => None,
        };
        if *method == Method::Hnsw && !brought.is_some_and(|row| has_graph(&row.version)) {
            return None;
        }
        if most_dimensions(kind).is_some_and(|most| dimensions(type_name).is_none_or(|number| number > most)) {
            return None;
        }
        let schema = brought.map(|row| &row.schema);
        let class = class.map(|class| schema.map_or_else(|| class.to_owned(), |schema| format!("{schema}.{class}")));
        Some((*method, Key { class, ..Key::ascending(column) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Tool;
    use chrono::DateTime;

    fn served(type_name: &str, operator: &str, extensions: &[&str]) -> Option<String> {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let extension = |text: &&str| {
            let (name, version) = text.split_once(' ').unwrap_or((text, ""));
            Extension {
                name: name.to_owned(),
                version: version.to_owned(),
                schema: "ext".to_owned(),
                ..Extension::default()
            }
        };
        snapshot.extensions = extensions.iter().map(extension).collect();
        let (method, key) = Operators::of(&snapshot).serving("c", type_name, operator)?;
        Some(format!("{} ({})", method.name(), key.sql()))
    }

    #[test]
    fn operators_have_their_index() {
        for (type_name, operator, extensions, expected) in [
            ("jsonb", "@>", &[][..], Some("gin (c jsonb_path_ops)")),
            ("jsonb", "?", &[], Some("gin (c)")),
            ("text[]", "&&", &[], Some("gin (c)")),
            ("character varying(60)[]", "@>", &[], Some("gin (c)")),
            ("tsvector", "@@", &[], Some("gin (c)")),
            ("tstzrange", "&&", &[], Some("gist (c)")),
            ("int4multirange", "@>", &[], Some("gist (c)")),
            ("inet", "<<=", &[], Some("gist (c inet_ops)")),
            ("text", "~~", &[], None),
            ("character varying(60)", "~~*", &["pg_trgm"], Some("gin (c ext.gin_trgm_ops)")),
            ("ext.vector(768)", "<=>", &["vector 0.5.1"], Some("hnsw (c ext.vector_cosine_ops)")),
            ("ext.vector(768)", "<=>", &["vector 1.0"], Some("hnsw (c ext.vector_cosine_ops)")),
            ("ext.vector(768)", "<=>", &["vector 0.4.4"], None),
            ("ext.vector(3072)", "<=>", &["vector 0.8.0"], None),
            ("ext.vector", "<=>", &["vector 0.8.0"], None),
            ("halfvec(3072)", "<->", &["vector 0.8.0"], Some("hnsw (c ext.halfvec_l2_ops)")),
            ("ext.hstore", "@>", &["hstore 1.8"], Some("gin (c)")),
            ("ltree", "<@", &["ltree 1.3"], Some("gist (c)")),
            ("ltree", "<@", &[], None),
            ("integer", "@>", &[], None),
            ("json", "@>", &[], None),
        ] {
            assert_eq!(served(type_name, operator, extensions).as_deref(), expected, "{type_name} {operator}");
        }
    }
}
