//! The servers that `make setup` promises: a promised one that is missing fails the test.

use super::root;
use pgassay::demo::{Binaries, find_binaries};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The majors promised on this machine.
pub(crate) fn promised() -> BTreeSet<i32> {
    if let Some(named) = named() {
        return find_binaries(&named, &[], root()).iter().map(|one| one.major).collect();
    }
    let unavailable = read(".postgres/unavailable");
    let unpacked = read("scripts/postgres-versions");
    let unpacked = unpacked.lines().filter_map(|line| line.split_once(' '));
    let mut majors: BTreeSet<i32> = unpacked
        .filter(|(_, version)| !unavailable.lines().any(|package| package.ends_with(&format!("@{version}"))))
        .filter_map(|(major, _)| major.parse().ok())
        .collect();
    majors.insert(distro_major());
    majors
}

/// The binaries of a major; none where it is not promised.
pub(crate) fn server(major: i32) -> Option<Binaries> {
    let named = named().unwrap_or_default();
    let found = find_binaries(&named, &[], root()).into_iter().find(|one| one.major == major);
    assert!(found.is_some() || !promised().contains(&major), "PostgreSQL {major} is missing: run make setup");
    found
}

/// The oldest server promised.
pub(crate) fn oldest() -> Binaries {
    let major = promised().into_iter().next().expect("no server is promised: run make setup");
    server(major).expect("it is promised")
}

/// The newest server promised.
pub(crate) fn newest() -> Binaries {
    let major = promised().into_iter().next_back().expect("no server is promised: run make setup");
    server(major).expect("it is promised")
}

/// Folders named by hand.
fn named() -> Option<Vec<PathBuf>> {
    std::env::var_os("PGASSAY_PG_BIN")
        .filter(|list| !list.is_empty())
        .map(|list| std::env::split_paths(&list).collect())
}

/// As `scripts/setup` has it: 15, or what an install found to be the release's own.
fn distro_major() -> i32 {
    let own = read(".postgres/distro-major");
    if Path::new("/usr/lib/postgresql/15/bin/postgres").exists() { 15 } else { own.trim().parse().unwrap_or(15) }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_default()
}
