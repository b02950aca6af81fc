//! One moment beside another: what is new since a baseline, what statements did between two snapshots,
//! what a change brought, where many runs lead. Pure; reads no files.

mod baseline;
mod chronicle;
mod effect;
mod metrics;
mod statistics;
mod trend;
mod window;

pub use baseline::Baseline;
pub use chronicle::Chronicle;
pub use effect::{Effect, Measured, StatementEffect, measure};
pub use metrics::metric_names;
pub use trend::{Wanted, trends};
pub use window::{Moved, PerCall, moved};
