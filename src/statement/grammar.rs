//! Whose grammar texts are read with.

/// PostgreSQL's version that the parser was taken from, as in `18.6`; none if it reads nothing.
#[must_use]
pub fn grammar() -> Option<String> {
    let version = pg_query::parse("", pg_query::ParserOptions::DEFAULT).ok()?.protobuf.version;
    Some(format!("{}.{}", version / 10_000, version % 10_000))
}
