//! Rules are data: a condition over one row of a facet, thresholds with reasons, and the words.
//!
//! Knows the YAML form, expressions, evaluation and waivers; sees facets only as tables of typed
//! fields, so it must not know snapshots, servers or SQL.

mod case;
mod check;
mod evaluate;
mod expression;
mod form;
mod library;
mod page;
mod params;
mod position;
mod rows;
mod stub;
mod vocabulary;
mod waiver;

pub use check::{FieldIndex, check};
pub use evaluate::{Judged, Selection, evaluate, skipped};
pub use form::{Area, Kind, Over, Requires, Rule, RuleForm};
pub use library::{Library, Origin, Source, builtin_sources, own_facet};
pub use page::page;
pub use params::{Overrides, ParamForm, Quantity as ParamValue};
pub use position::{Problem, suggest};
pub use stub::stub;
pub use waiver::Waiver;
pub(crate) use waiver::matches_glob;
