//! Streams that nobody reads, disks that are full, folders that are not there.

use super::{Desk, fixture};
use std::fs;
use std::process::Stdio;

#[test]
fn that_nobody_reads_on_changes_neither_what_is_done_nor_how_it_ends() {
    let desk = Desk::new();
    let shop = fixture("snapshots/shop.json.zst");
    let from = ["audit", "--from", shop.to_str().unwrap()];
    for (args, code) in [
        ([&from[..], &["--fail-on", "never", "--format", "json"]].concat(), 0),
        ([&from[..], &["--fail-on", "warning"]].concat(), 1),
        (vec!["rules", "list"], 0),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("pgassay"));
        let output = command.args(&args).current_dir(desk.folder.path()).stdout(writer).output().expect("run");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(code), &b""[..]), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let desk = Desk::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("opened");
    let shop = fixture("snapshots/shop.json.zst");
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin!("pgassay"))
        .args(["audit", "--from", shop.to_str().unwrap()])
        .current_dir(desk.folder.path())
        .stdout(full)
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left on device"));
}

#[test]
fn what_nobody_reads_any_more_is_no_panic() {
    let desk = Desk::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let code = |args: &[&str]| {
        let mut command = std::process::Command::new(desk.command().get_program());
        command.args(args).current_dir(desk.folder.path()).stderr(writer.try_clone().expect("a writer"));
        command.stdout(Stdio::null()).status().expect("run").code()
    };
    let shop = fixture("snapshots/shop.json.zst");
    let shop = shop.to_str().unwrap();
    assert_eq!(code(&["audit", "--from", "nowhere.json"]), Some(2), "an error");
    assert_eq!(code(&["audit", "--from", shop, "--schema", "shop,nowhere", "--fail-on", "never"]), Some(0), "a note");
}

/// Not even the loss of the last word is a fault: a change must come to its end.
#[test]
fn what_nobody_reads_on_standard_error_is_lost() {
    let desk = Desk::new();
    for stderr in ["/dev/full", "/dev/null"] {
        let file = fs::OpenOptions::new().write(true).open(stderr).expect("opened");
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("pgassay"));
        command.env_clear().current_dir(desk.folder.path()).args(["audit", "host=/nowhere user=me"]).stderr(file);
        assert_eq!(command.status().expect("run").code(), Some(2), "{stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_written_costs_neither_the_report_nor_other_files() {
    let desk = Desk::new();
    let whole = desk.audit(&["--fail-on", "never"]);
    for (flags, told) in [
        (
            vec!["--output", "json=no/a.json"],
            "pgassay: cannot write no/a.json: No such file or directory (os error 2)\n",
        ),
        (vec!["--output", "csv=no/a", "--output", "junit=no/b"], "; cannot write no/b: No such file or directory"),
        (vec!["--history", "a.csv/past"], "pgassay: a.csv/past: Not a directory (os error 20)\n"),
    ] {
        let said = desk.audit(&[&["--fail-on", "never", "--output", "csv=a.csv"], &flags[..]].concat());
        assert_eq!((said.code, &said.out), (2, &whole.out), "{flags:?}: {}", said.err);
        assert!(said.err.contains(told) && said.err.lines().count() == 1, "{flags:?}: {}", said.err);
        assert!(desk.folder.path().join("a.csv").is_file(), "{flags:?}");
    }
}
