//! What times of executions say: their figures, and whether two lots of them differ by more than chance.

mod comparison;
mod summary;

pub use comparison::{Turns, comparison};
pub use summary::figures;
