//! Which indexes a workload should have: candidates from what its plans ask, costs from the planner, and
//! a choice for all statements together within a budget.
//!
//! Pure but for the oracle it is given. Must not know servers, files or the clock.

mod advice;
mod built_in;
mod candidate;
mod catalog;
mod choose;
mod configurations;
mod consultation;
mod estimate;
mod existing;
mod explore;
mod functions;
mod key;
mod mixed;
mod nature;
mod operators;
mod oracle;
mod plan;
mod reading;
mod removals;
mod search;
mod search_path;
mod visits;
mod workload;
mod writes;

pub use advice::{Evidence, Terms, advice, proposals};
pub use built_in::built_in_functions;
pub use candidate::{Candidate, Id, MAX_COLUMNS, MAX_WIDTH, Pool, UNKNOWN_BYTES};
pub use choose::Bounds;
pub use consultation::{Consultation, Consulted, estimate, of_indexable_tables, searched};
pub use estimate::Estimate;
pub use existing::{existing, replaceable};
pub use key::Key;
pub use mixed::Mixed;
pub use nature::cast;
pub use oracle::{Answer, Question, Spread, WhatIf};
pub use plan::plan;
pub use reading::expected_rows;
pub use search::{Found, Point, Task, search};
pub use visits::visits;
pub use workload::{Query, Uses, Weigh, Workload, workload};
pub use writes::{Price, Windows, prices};
