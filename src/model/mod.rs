//! The words everything else speaks in: snapshot, finding, verdict, object, units.
//! Knows serde and chrono; must not know servers, files, tokio or the clock.

pub mod adoption;
pub mod advice;
pub mod blueprint;
pub mod catalog;
pub mod escape;
pub mod finding;
pub mod history;
pub mod measurement;
pub mod object;
pub mod partition;
pub mod partition_advice;
pub mod plan;
pub mod saturation;
pub mod snapshot;
pub mod split;
pub mod survey;
pub mod table;
pub mod trend;
pub mod units;
pub mod verdict;
pub mod vitals;
