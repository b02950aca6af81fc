//! Finds server binaries: `initdb` and `postgres` in one folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with the binaries of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Major version.
    pub major: i32,
    /// The folder.
    pub folder: PathBuf,
}

/// Least major that is audited.
const MIN_MAJOR: i32 = 13;

/// Servers found: in `named` folders alone when any is named, else on `path`, where Debian keeps
/// them, and where `make setup` unpacks them. One per major, newest first.
#[must_use]
pub fn find_binaries(named: &[PathBuf], path: &[PathBuf], here: &Path) -> Vec<Binaries> {
    let mut folders: Vec<PathBuf> = named.to_vec();
    if named.is_empty() {
        folders.extend(path.iter().cloned());
        folders.extend(below(Path::new("/usr/lib/postgresql")));
        folders.extend(below(&here.join(".postgres")));
    }
    let mut seen = BTreeSet::new();
    let mut found: Vec<Binaries> =
        folders.iter().filter_map(|folder| probe(folder)).filter(|one| seen.insert(one.major)).collect();
    found.sort_by_key(|binaries| -binaries.major);
    found
}

/// `<folder>/<major>/bin` for every major.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_major = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<i32>().is_ok());
    let mut bins: Vec<PathBuf> =
        entries.filter(|entry| is_major(&entry.file_name())).map(|entry| entry.path().join("bin")).collect();
    bins.sort();
    bins
}

/// The binaries in a folder, links followed so that the server finds its own files.
fn probe(folder: &Path) -> Option<Binaries> {
    let postgres = folder.join("postgres").canonicalize().or_else(|_| folder.join("initdb").canonicalize()).ok()?;
    let folder = postgres.parent()?.to_owned();
    if !folder.join("initdb").exists() {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let major = text.split_whitespace().find_map(|word| word.split('.').next()?.parse::<i32>().ok())?;
    (major >= MIN_MAJOR).then_some(Binaries { major, folder })
}
