//! The audit itself: facts of a snapshot, judged by rules, become a verdict. A pure function of
//! snapshot, rules and settings; the clock is the snapshot's own.

mod fixture;
mod passes;
mod story;
mod verdict;

pub use fixture::{Fixture, FixtureFailure, run_fixture};
pub use verdict::{Settings, field_index, judge};
