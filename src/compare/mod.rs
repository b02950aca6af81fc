//! One moment beside another: what is new since a baseline, what was counted between two snapshots, how one
//! workload compares with another, what a change brought. Pure; reads no files.

mod baseline;
mod comparison;
mod course;
mod effect;
mod meeting;
mod shape;
mod since;
mod tally;
mod window;

pub use baseline::Baseline;
pub use comparison::{Comparison, Side};
pub use effect::{Effect, Measured, StatementEffect, measure};
pub use meeting::{Meeting, Pace, Pair};
pub use shape::{Shape, Shapes};
pub use since::{Delta, since};
pub use window::{Moved, PerCall, moved};
