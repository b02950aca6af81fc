//! What some of PostgreSQL's own functions are, for when the catalog was not asked: a snapshot of a version that did not
//! read it, or a role that could not.

use crate::model::snapshot::{Function, Volatility};
use Volatility::{Immutable, Stable, Volatile};
use std::sync::LazyLock;

/// A function: its name, its arguments, its result, and whether that may change.
type Row = (&'static str, &'static [&'static str], &'static str, Volatility);

/// From `pg_proc.dat` of 13 to 18, which agree on these rows; a test asks the servers. Of each name and number of arguments that
/// is here all that are not immutable are.
const ROWS: [Row; 62] = [
    ("abs", &["bigint"], "bigint", Immutable),
    ("abs", &["integer"], "integer", Immutable),
    ("abs", &["numeric"], "numeric", Immutable),
    ("ascii", &["text"], "integer", Immutable),
    ("btrim", &["text"], "text", Immutable),
    ("btrim", &["text", "text"], "text", Immutable),
    ("char_length", &["text"], "integer", Immutable),
    ("clock_timestamp", &[], "timestamp with time zone", Volatile),
    ("date", &["timestamp with time zone"], "date", Stable),
    ("date", &["timestamp without time zone"], "date", Immutable),
    ("date_part", &["text", "date"], "double precision", Immutable),
    ("date_part", &["text", "timestamp with time zone"], "double precision", Stable),
    ("date_part", &["text", "timestamp without time zone"], "double precision", Immutable),
    ("date_trunc", &["text", "timestamp with time zone"], "timestamp with time zone", Stable),
    ("date_trunc", &["text", "timestamp without time zone"], "timestamp without time zone", Immutable),
    ("encode", &["bytea", "text"], "text", Immutable),
    ("gen_random_uuid", &[], "uuid", Volatile),
    ("host", &["inet"], "text", Immutable),
    ("initcap", &["text"], "text", Immutable),
    ("jsonb_array_length", &["jsonb"], "integer", Immutable),
    ("jsonb_typeof", &["jsonb"], "text", Immutable),
    ("left", &["text", "integer"], "text", Immutable),
    ("length", &["text"], "integer", Immutable),
    ("lower", &["text"], "text", Immutable),
    ("lpad", &["text", "integer"], "text", Immutable),
    ("lpad", &["text", "integer", "text"], "text", Immutable),
    ("ltrim", &["text"], "text", Immutable),
    ("ltrim", &["text", "text"], "text", Immutable),
    ("md5", &["bytea"], "text", Immutable),
    ("md5", &["text"], "text", Immutable),
    ("mod", &["bigint", "bigint"], "bigint", Immutable),
    ("mod", &["integer", "integer"], "integer", Immutable),
    ("mod", &["numeric", "numeric"], "numeric", Immutable),
    ("now", &[], "timestamp with time zone", Stable),
    ("octet_length", &["text"], "integer", Immutable),
    ("random", &[], "double precision", Volatile),
    ("regexp_replace", &["text", "text", "text"], "text", Immutable),
    ("regexp_replace", &["text", "text", "text", "text"], "text", Immutable),
    ("replace", &["text", "text", "text"], "text", Immutable),
    ("reverse", &["text"], "text", Immutable),
    ("right", &["text", "integer"], "text", Immutable),
    ("round", &["numeric"], "numeric", Immutable),
    ("round", &["numeric", "integer"], "numeric", Immutable),
    ("rpad", &["text", "integer"], "text", Immutable),
    ("rpad", &["text", "integer", "text"], "text", Immutable),
    ("rtrim", &["text"], "text", Immutable),
    ("rtrim", &["text", "text"], "text", Immutable),
    ("split_part", &["text", "text", "integer"], "text", Immutable),
    ("starts_with", &["text", "text"], "boolean", Immutable),
    ("strpos", &["text", "text"], "integer", Immutable),
    ("substr", &["text", "integer"], "text", Immutable),
    ("substr", &["text", "integer", "integer"], "text", Immutable),
    ("substring", &["text", "integer"], "text", Immutable),
    ("substring", &["text", "integer", "integer"], "text", Immutable),
    ("substring", &["text", "text"], "text", Immutable),
    ("to_tsvector", &["regconfig", "text"], "tsvector", Immutable),
    ("to_tsvector", &["json"], "tsvector", Stable),
    ("to_tsvector", &["jsonb"], "tsvector", Stable),
    ("to_tsvector", &["text"], "tsvector", Stable),
    ("translate", &["text", "text", "text"], "text", Immutable),
    ("trunc", &["numeric"], "numeric", Immutable),
    ("upper", &["text"], "text", Immutable),
];

fn function(&(name, arguments, result, volatility): &Row) -> Function {
    Function {
        schema: "pg_catalog".to_owned(),
        name: name.to_owned(),
        arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
        least_arguments: i32::try_from(arguments.len()).unwrap_or(i32::MAX),
        result: result.to_owned(),
        volatility,
        ..Function::default()
    }
}

/// The rows as they would be read.
pub(super) static BUILT_IN: LazyLock<Vec<Function>> = LazyLock::new(|| ROWS.iter().map(function).collect());

/// What is taken of PostgreSQL's own functions where the catalog was not asked.
#[must_use]
pub fn built_in_functions() -> &'static [Function] {
    &BUILT_IN
}
