//! Files: snapshots, baselines, rule packs and their fixtures.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

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

/// The text of a file that a person wrote.
pub fn read_text(path: &Path) -> Result<String, StoreError> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => StoreError::new(path, "no text: it is not UTF-8"),
        _ => StoreError::new(path, error),
    })
}

impl StoreError {
    fn new(file: &Path, message: impl std::fmt::Display) -> Self {
        Self { file: file.display().to_string(), message: message.to_string() }
    }
}
