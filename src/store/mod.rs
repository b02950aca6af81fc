//! Files: snapshots, baselines, rule packs and their fixtures.

mod baseline;
mod rules;
mod snapshot;

pub use baseline::read_baseline;
pub use rules::{FixtureFile, fixtures, rule_sources};
pub use snapshot::{read_snapshot, write_snapshot};

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct StoreError {
    /// The file as it was named.
    pub file: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl StoreError {
    fn new(file: &std::path::Path, message: impl std::fmt::Display) -> Self {
        Self { file: file.display().to_string(), message: message.to_string() }
    }
}
