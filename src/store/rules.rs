//! Rule packs on disk: a file, or a folder with rules at any depth and `fixtures/<id>/` beside them.

use super::{StoreError, read_text};
use crate::rules::{Origin, Source};
use std::fs;
use std::path::{Path, PathBuf};

/// A `fires_*.yaml` or `quiet_*.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixtureFile {
    /// The rule it tests.
    pub rule: String,
    /// The file.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// The rule files of a pack, in the order of their names; at least one.
pub fn rule_sources(path: &Path) -> Result<Vec<Source>, StoreError> {
    let files = if path.is_dir() { yaml_below(path)? } else { vec![path.to_owned()] };
    let is_rule = |file: &PathBuf| !file.components().any(|part| part.as_os_str() == "fixtures");
    let read = |file: PathBuf| {
        let text = read_text(&file)?;
        Ok(Source { file: file.display().to_string(), text, origin: Origin::Pack })
    };
    let inside =
        |file: &PathBuf| path.is_file() || file.strip_prefix(path).is_ok_and(|inner| is_rule(&inner.to_owned()));
    let sources: Vec<Source> = files.into_iter().filter(inside).map(read).collect::<Result<_, _>>()?;
    if sources.is_empty() { Err(StoreError::new(path, "no rule files (*.yaml) there")) } else { Ok(sources) }
}

/// The fixtures below a folder with one folder a rule.
pub fn fixtures(folder: &Path) -> Result<Vec<FixtureFile>, StoreError> {
    let mut found = Vec::new();
    for file in yaml_below(folder)? {
        let rule = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let text = read_text(&file)?;
        found.push(FixtureFile { rule: rule.to_owned(), file: file.display().to_string(), text });
    }
    Ok(found)
}

fn yaml_below(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| StoreError::new(&folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| StoreError::new(&folder, error))?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
