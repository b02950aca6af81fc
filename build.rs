//! Tells the program which commit it was built from and for which machine, for `pgassay --version`. No
//! times and no paths: one commit gives one binary. A debug build is not told, so that a commit compiles nothing anew.
#![allow(clippy::print_stdout, reason = "cargo listens there")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PGASSAY_COMMIT");
    println!("cargo::rustc-env=PGASSAY_TARGET={}", env::var("TARGET").unwrap_or_default());
    let commit = match env::var("PGASSAY_COMMIT") {
        Ok(told) => Some(told),
        Err(_) if env::var("PROFILE").as_deref() == Ok("release") => packaged().or_else(checked_out),
        Err(_) => None,
    };
    println!("cargo::rustc-env=PGASSAY_COMMIT={}", commit.unwrap_or_default());
}

/// What `cargo package` wrote down.
fn packaged() -> Option<String> {
    let note = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, after) = note.split_once("\"sha1\"")?;
    after.split('"').nth(1).map(short)
}

/// What git says, if the checkout is this package's own.
fn checked_out() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    // HEAD changes with the branch; its log grows with each commit.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"]).map(|commit| short(&commit))
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}
