//! SQL text: identity, redaction, and what a statement says, read with PostgreSQL's own parser.
//!
//! The only place that names `pg_query`. No regular expressions over SQL, ever.

mod access;
mod analyse;
mod bound;
mod clause;
mod column;
mod condition;
mod custom;
mod grammar;
mod immutable;
mod index;
mod operand;
mod reading;
mod redact;
mod repair;
mod sift;

pub use access::{Access, Bound, ComparedColumn, access};
pub use analyse::{Analysis, Unparsed, analyse};
pub use bound::{list_bound, partition_key_columns, range_bound};
pub use clause::{Clause, Condition, Test, TestedBy, conditions};
pub use column::{ColumnText, column_text};
pub use condition::{
    Compared, Ordered, PlanColumn, Searched, columns, comparisons, extreme, needs_row, output_columns, sort_key,
};
pub use custom::{CustomQuery, Misfit, custom_query};
pub use grammar::grammar;
pub use immutable::{Nature, is_immutable, type_key};
pub use index::{
    IndexKey, IndexParts, IndexText, index_option, index_parts, index_text, is_keyword, is_same_index, with_key,
};
pub use operand::{
    Operand, Operated, cast_column, constants, indexable, is_alias_of, is_call, operation, operations,
    partitioned_alias,
};
pub use reading::{Called, Calls, Reading, calls, reading};
pub use redact::redact;
pub use repair::{
    ColumnType, Comparison, Meeting, Parameter, ParameterRole, Refusal, Repaired, learn, parameters, repair,
};
pub use sift::{Fate, Part, sifted};
