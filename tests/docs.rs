//! Pages are held to what they speak of: links lead somewhere, errors and licences are all there.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files of this extension below a folder.
fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<_> =
        files.into_iter().filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    found.extend(folders.iter().flat_map(|folder| below(folder, extension)));
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = below(&root().join("docs"), "md");
    pages.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    pages
}

/// A page without its fences, whose text is no Markdown.
fn prose(page: &Path) -> String {
    read(page).split("```").step_by(2).collect()
}

/// Where the links of a page lead, but for those to other hosts.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains(' ')).collect()
}

/// Headings as forges make anchors of them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = prose(&page);
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            if !target.exists() || !anchor.is_empty() && !anchors(&prose(&target)).contains(anchor) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_index_has_every_page() {
    let docs = root().join("docs");
    let index = read(&docs.join("README.md"));
    let listed: BTreeSet<PathBuf> = links(&index).into_iter().map(|link| docs.join(link)).collect();
    let wanted = below(&docs, "md").into_iter().filter(|page| !page.starts_with(docs.join("rules")));
    let missing: Vec<_> = wanted.filter(|page| !listed.contains(page) && !page.ends_with("docs/README.md")).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Codes that the driver has names for, as our code uses them.
const NAMED: [(&str, &str); 8] = [
    ("CANNOT_CONNECT_NOW", "57P03"),
    ("DATATYPE_MISMATCH", "42804"),
    ("INSUFFICIENT_PRIVILEGE", "42501"),
    ("INVALID_AUTHORIZATION_SPECIFICATION", "28000"),
    ("INVALID_CATALOG_NAME", "3D000"),
    ("INVALID_PASSWORD", "28P01"),
    ("PROTOCOL_VIOLATION", "08P01"),
    ("TOO_MANY_CONNECTIONS", "53300"),
];

/// Classes of codes that a server or a program can meet (PostgreSQL, Appendix A).
const CLASSES: [&str; 14] = ["08", "0A", "22", "23", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57"];

/// SQLSTATEs that this code names.
fn named(code: &str) -> Vec<String> {
    let is_code = |text: &&str| {
        text.len() == 5
            && CLASSES.contains(&&text[..2])
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    };
    let mut found: Vec<String> = code.split('"').filter(is_code).map(str::to_owned).collect();
    for rest in code.split("SqlState::").skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        if !name.is_empty() {
            let known = NAMED.iter().find(|(known, _)| *known == name);
            found.push(known.unwrap_or_else(|| panic!("SqlState::{name}: which code is it?")).1.to_owned());
        }
    }
    found
}

#[test]
fn every_sqlstate_that_code_names_is_explained() {
    let page = read(&root().join("docs/troubleshooting.md"));
    let codes: BTreeSet<String> = below(&root().join("src"), "rs")
        .iter()
        .flat_map(|file| named(read(file).split("#[cfg(test)]").next().unwrap_or_default()))
        .collect();
    assert!(codes.len() > 20, "{codes:?}");
    let missing: Vec<_> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/troubleshooting.md lacks {missing:?}");
}

#[test]
fn the_licence_list_is_that_of_the_lock_file() {
    let output = Command::new(root().join("scripts/licences")).env("CARGO_NET_OFFLINE", "true").output().expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written = read(&root().join("docs/licences.md"));
    assert!(written == String::from_utf8_lossy(&output.stdout), "run: scripts/licences > docs/licences.md");
}
