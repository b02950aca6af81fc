//! One moment beside another: what is new since a baseline, what statements did between two snapshots,
//! what a change brought. Pure; reads no files.

mod baseline;
mod effect;
mod window;

pub use baseline::Baseline;
pub use effect::{Effect, Measured, StatementEffect, measure};
pub use window::{Moved, PerCall, moved};
