//! One moment beside another: what is new since a baseline, what was counted between two snapshots, how one
//! workload compares with another, what a change brought, where many runs lead. Pure; reads no files.

mod baseline;
mod chronicle;
mod comparison;
mod course;
mod effect;
mod meeting;
mod metrics;
mod shape;
mod since;
mod tally;
mod trend;
mod window;

pub use baseline::Baseline;
pub use chronicle::Chronicle;
pub use comparison::{Comparison, Side};
pub use effect::{Effect, Measured, StatementEffect, measure};
pub use meeting::{Meeting, Pace, Pair};
pub use metrics::metric_names;
pub use shape::{Shape, Shapes};
pub use since::{Delta, since};
pub use trend::{Wanted, trends};
pub use window::{Moved, PerCall, moved};
