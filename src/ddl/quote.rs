//! Names and texts as SQL needs them.

use crate::model::plan::Name;
use crate::statement::is_keyword;

/// An identifier, quoted unless it may stand bare.
#[must_use]
pub fn quoted(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit());
    if is_plain && !is_keyword(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// `schema.name`.
#[must_use]
pub fn qualified(name: &Name) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.name))
}

/// A text literal that reads the same whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        for (name, sql) in [
            ("orders", "orders"),
            ("Orders", "\"Orders\""),
            ("order", "\"order\""),
            ("1st", "\"1st\""),
            ("a\"b", "\"a\"\"b\""),
            ("a.b", "\"a.b\""),
            ("größe", "\"größe\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), sql);
        }
        assert_eq!(qualified(&Name::new("public", "user")), "public.\"user\"");
    }

    #[test]
    fn texts_cannot_end_their_literal() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'; drop"), "E'\\\\''; drop'");
    }
}
