//! The pages of commands are held to what can be typed.

use super::args::Cli;
use clap::{Arg, Command, CommandFactory};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn page(name: &str) -> String {
    let path = docs().join("commands").join(format!("{name}.md"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words of the text that are written as long flags are.
fn flags(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '-');
    words.filter(|word| word.starts_with("--") && word.len() > 3 && !word.starts_with("---")).collect()
}

/// Long flags of a command and of those below it, but for those of every command.
fn own(command: &Command) -> BTreeSet<String> {
    let shared = |arg: &&Arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let mut flags: BTreeSet<String> =
        command.get_arguments().filter(shared).filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    flags.extend(command.get_subcommands().flat_map(own));
    flags
}

#[test]
fn every_command_has_a_page_with_all_its_flags() {
    let mut lacking = Vec::new();
    for command in Cli::command().get_subcommands() {
        let mut text = page(command.get_name());
        for shared in ["audit", "apply"] {
            if text.contains(&format!("]({shared}.md#flags)")) {
                text += &page(shared);
            }
        }
        let known = flags(&text);
        let missing = own(command).into_iter().filter(|flag| !known.contains(flag.as_str()));
        lacking.extend(missing.map(|flag| format!("docs/commands/{}.md lacks {flag}", command.get_name())));
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// Text below the flags is shown as it is written, and wrapped beyond 100 columns: in the middle of an example too.
#[test]
fn no_line_of_help_is_wrapped() {
    fn long(command: &Command, found: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        found.extend(help.lines().filter(|line| line.chars().count() > 100).map(str::to_owned));
        command.get_subcommands().for_each(|below| long(below, found));
    }
    let mut found = Vec::new();
    long(&Cli::command(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

/// Flags of other programs that pages name.
const FOREIGN: &[&str] = &[
    "--action",
    "--bench",
    "--build-arg",
    "--collector",
    "--locked",
    "--no-psqlrc",
    "--nocapture",
    "--now",
    "--path",
    "--read-only",
    "--rm",
    "--short",
    "--single-transaction",
    "--test",
];

#[test]
fn no_page_names_a_flag_that_is_none() {
    let program = Cli::command();
    let mut known = own(&program);
    known.extend(program.get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))));
    known.extend(["--help", "--version"].map(str::to_owned));
    let folders = [docs(), docs().join("commands"), docs().join("rules")];
    let pages = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    for path in pages.filter(|path| path.extension().is_some_and(|own| own == "md")) {
        let text = fs::read_to_string(&path).unwrap();
        let strange: Vec<_> =
            flags(&text).into_iter().filter(|flag| !known.contains(*flag) && !FOREIGN.contains(flag)).collect();
        assert!(strange.is_empty(), "{}: {strange:?}", path.display());
    }
}
