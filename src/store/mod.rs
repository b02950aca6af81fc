//! Files: snapshots, histories of them, baselines, plans, rule packs and their fixtures.

mod baseline;
mod history;
mod measurement;
mod plan;
mod rules;
mod snapshot;

pub use baseline::read_baseline;
pub use history::Folder;
pub use measurement::{read_side, write_measurement};
pub use plan::{Wishes, read_plan, read_wishes, write_plan};
pub use rules::{FixtureFile, fixtures, rule_sources};
pub use snapshot::{packed, parse_head, read_snapshot, unpacked, write_snapshot};

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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

/// Writes a file whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(path, |mut file| io::Write::write_all(&mut file, bytes).map(|()| file))
}

/// As [`write_whole`], and everybody may read it, whatever the umask.
pub fn write_open(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(path, |mut file| {
        file.set_permissions(PermissionsExt::from_mode(0o644))?;
        io::Write::write_all(&mut file, bytes).map(|()| file)
    })
}

/// Writes a file whole or not at all: a temporary file beside it, then a rename.
fn replace(path: &Path, write: impl FnOnce(fs::File) -> io::Result<fs::File>) -> Result<(), StoreError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = fs::File::create(partial)
        .and_then(write)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(partial, path));
    written.map_err(|error| {
        // The unfinished file is of no use to anybody.
        let _ = fs::remove_file(partial);
        StoreError::new(path, error)
    })
}
