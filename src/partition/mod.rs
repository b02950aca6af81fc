//! Partitions cut by time: bounds, months and how far they reach.
//!
//! Bounds are truth, names are labels. Pure: the clock is an argument.

mod bound;
mod runway;

pub use bound::{Slice, slice};
pub use runway::{Runway, runway};
