//! House rules as tests: who may use whom, what belongs beside what, and how long things may be.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may use. What is not said here is forbidden.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("mutants", &[]),
    ("progress", &[]),
    ("statement", &["model"]),
    ("partition", &["model", "statement", "ddl", "advise"]),
    ("pool", &["model"]),
    ("rules", &["model"]),
    ("facts", &["model", "statement", "partition", "pool", "advise", "compare"]),
    ("audit", &["model", "facts", "rules", "compare"]),
    ("statistics", &[]),
    ("compare", &["model", "statistics"]),
    ("ddl", &["model", "statement"]),
    ("advise", &["model", "statement", "ddl"]),
    ("scaffold", &["model", "ddl"]),
    ("timing", &["model", "statistics"]),
    ("postgres", &["model", "progress"]),
    ("whatif", &["model", "statement", "advise", "ddl", "postgres"]),
    ("measure", &["model", "progress", "statement", "timing", "postgres"]),
    ("collect", &["model", "progress", "statement", "postgres", "whatif"]),
    ("apply", &["model", "progress", "statement", "ddl", "postgres"]),
    ("store", &["model", "rules", "compare", "ddl"]),
    ("archive", &["model", "ddl", "store", "postgres"]),
    ("demo", &["model", "progress", "postgres"]),
    ("report", &["model", "compare"]),
    (
        "cli",
        &[
            "model",
            "progress",
            "statement",
            "rules",
            "facts",
            "audit",
            "compare",
            "ddl",
            "partition",
            "advise",
            "pool",
            "scaffold",
            "statistics",
            "timing",
            "measure",
            "whatif",
            "postgres",
            "collect",
            "apply",
            "store",
            "archive",
            "demo",
            "report",
        ],
    ),
];

/// A word, and the rooms that may say it.
const ALONE: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["postgres"]),
    ("deadpool_postgres", &["postgres"]),
    ("rustls", &["postgres"]),
    ("pg_query::", &["statement"]),
    ("chrono_tz", &["partition"]),
    ("minijinja", &["rules", "report"]),
    ("sha2", &["report"]),
    ("comfy_table", &["report"]),
    ("quick_junit", &["report"]),
    ("zstd::", &["store"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("anyhow", &["cli"]),
    ("std::env", &["cli"]),
    ("stdout()", &["cli"]),
    ("stderr()", &["cli"]),
    ("println!", &[]),
    ("print!", &[]),
    ("Utc::now", &[]),
    ("SystemTime", &[]),
    ("Scratch", &["postgres", "demo"]),
    ("Writer::connect", &["postgres", "apply", "archive"]),
    ("async ", &["postgres", "collect", "whatif", "measure", "apply", "archive", "demo", "cli"]),
];

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Path below the repository.
fn name(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("ours").display().to_string()
}

/// The room a source file is in; none for `lib.rs` and `main.rs`.
fn room(path: &Path) -> Option<String> {
    let name = name(path);
    let inner = name.strip_prefix("src/")?;
    let first = inner.split('/').next()?.trim_end_matches(".rs");
    (!matches!(first, "lib" | "main")).then(|| first.to_owned())
}

/// Code without comments and without its tests.
fn code(path: &Path) -> String {
    let all = text(path);
    let own = all.split("#[cfg(test)]").next().unwrap_or_default();
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn none(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn every_room_is_in_the_plan_and_uses_only_what_it_may() {
    let rooms: BTreeSet<&str> = LAYERS.iter().map(|(room, _)| *room).collect();
    let mut breaches = Vec::new();
    for path in files("src", "rs") {
        let Some(own) = room(&path) else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(room, _)| *room == own) else {
            breaches.push(format!("{}: room `{own}` is not in the plan", name(&path)));
            continue;
        };
        let code = code(&path);
        for other in rooms.iter().filter(|other| **other != own && !allowed.contains(other)) {
            if code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};")) {
                breaches.push(format!("{}: `{own}` must not use `{other}`", name(&path)));
            }
        }
    }
    none(breaches);
}

#[test]
fn what_belongs_to_one_room_is_named_there_alone() {
    let mut breaches = Vec::new();
    for path in files("src", "rs") {
        let Some(own) = room(&path) else { continue };
        let code = code(&path);
        for (word, rooms) in ALONE {
            if code.contains(word) && !rooms.contains(&own.as_str()) {
                breaches.push(format!("{}: `{word}` belongs to {rooms:?}", name(&path)));
            }
        }
    }
    none(breaches);
}

#[test]
fn every_module_says_what_it_is() {
    let silent = files("src", "rs").into_iter().filter(|path| !text(path).starts_with("//!"));
    none(silent.map(|path| format!("{}: does not open with `//!`", name(&path))).collect());
}

#[test]
fn nothing_outgrows_its_room() {
    let limits = [("src", "rs", 500), ("tests", "rs", 500), ("sql", "sql", 80), ("rules", "yaml", 80)];
    let mut breaches = Vec::new();
    for (folder, extension, limit) in limits {
        for path in files(folder, extension) {
            let lines = text(&path).lines().count();
            if lines > limit {
                breaches.push(format!("{}: {lines} lines, at most {limit}", name(&path)));
            }
        }
    }
    none(breaches);
}

#[test]
fn no_function_is_longer_than_a_hundred_lines() {
    let mut breaches = Vec::new();
    for path in files("src", "rs") {
        let text = text(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
            if !(head.starts_with("fn ") || head.starts_with("async fn ")) {
                continue;
            }
            let closing = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|line| *line == closing).unwrap_or(0);
            if length > 100 {
                breaches.push(format!("{}:{}: {length} lines", name(&path), at + 1));
            }
        }
    }
    none(breaches);
}

#[test]
fn every_query_is_listed_and_kept_in_form() {
    let table = text(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/postgres/queries.rs"));
    let mut breaches = Vec::new();
    for path in files("sql", "sql") {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let sql = text(&path);
        let mut lines = sql.lines();
        let mut say = |what: &str| breaches.push(format!("{file}: {what}"));
        if !table.contains(&format!("\"{file}\"")) {
            say("is not listed in src/postgres/queries.rs");
        }
        if !lines.next().is_some_and(|line| line.starts_with("-- ")) {
            say("the first line should say what it lists");
        }
        if !lines.next().is_some_and(|line| line.starts_with("-- needs: ")) {
            say("the second line should say what it needs");
        }
        if sql.trim_end().ends_with(';') {
            say("ends with a semicolon");
        }
        if !sql.contains("order by") && !sql.contains("one row") {
            say("does not order its rows");
        }
        if sql.lines().any(|line| line.trim_start().starts_with("limit ")) {
            say("has a limit");
        }
    }
    none(breaches);
}

#[test]
fn every_rule_has_its_line_its_fixtures_and_its_page() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let library = text(&root.join("src/rules/library.rs"));
    let mut breaches = Vec::new();
    let mut ids = BTreeSet::new();
    for path in files("rules", "yaml") {
        let file = name(&path);
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let area = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let mut say = |what: &str| breaches.push(format!("{file}: {what}"));
        if !library.contains(&format!("\"{area}/{id}.yaml\"")) {
            say("is not listed in src/rules/library.rs");
        }
        if !text(&path).contains(&format!("\narea: {area}\n")) {
            say("says another area than its folder");
        }
        let folder = root.join("fixtures/rules").join(&id);
        let stories: Vec<String> = fs::read_dir(&folder)
            .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        for kind in ["fires_", "quiet_"] {
            if !stories.iter().any(|story| story.starts_with(kind)) {
                say(&format!("has no fixture {kind}*.yaml"));
            }
        }
        if !root.join(format!("docs/rules/{id}.md")).exists() {
            say("has no page in docs/rules: run `make pages`");
        }
        ids.insert(id);
    }
    for (folder, extension) in [("fixtures/rules", "yaml"), ("docs/rules", "md")] {
        for path in files(folder, extension) {
            let owner = if extension == "md" { path.file_stem() } else { path.parent().unwrap().file_name() };
            let owner = owner.unwrap().to_str().unwrap().to_owned();
            if owner != "README" && !ids.contains(&owner) {
                breaches.push(format!("{}: there is no rule `{owner}`", name(&path)));
            }
        }
    }
    none(breaches);
}
