//! Baselines on disk: JSON reports of earlier runs.

use super::StoreError;
use crate::compare::Baseline;
use std::fs;
use std::path::Path;

/// Reads a baseline.
pub fn read_baseline(path: &Path) -> Result<Baseline, StoreError> {
    let json = fs::read(path).map_err(|error| StoreError::new(path, error))?;
    Baseline::parse(&json).map_err(|message| StoreError::new(path, message))
}
