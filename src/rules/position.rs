//! Where in a YAML file a problem stands, and what its writer may have meant.

use std::fmt;

/// A problem in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// A problem that the YAML reader found.
    #[must_use]
    pub fn of_yaml(file: &str, error: &serde_yaml::Error) -> Self {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text);
        // The name of a struct of ours says nothing to whoever wrote the file.
        let message = match message.split_once("expected struct ") {
            Some((before, _)) => format!("{before}expected a map"),
            None => message.to_owned(),
        };
        Self { file: file.to_owned(), line, column, message }
    }

    /// A problem at a byte of a text.
    #[must_use]
    pub fn in_text(file: &str, text: &str, at: usize, message: String) -> Self {
        let before = text.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
        Self { file: file.to_owned(), line, column, message }
    }

    /// A problem with the value under `path`, at the first `word` in it where one is given.
    #[must_use]
    pub fn at(file: &str, text: &str, path: &[&str], word: Option<&str>, message: String) -> Self {
        let (line, column) = locate(text, path, word);
        Self { file: file.to_owned(), line, column, message }
    }
}

/// Line and column of the value under a path of keys, in block style: the first stands at the margin,
/// each other is sought below the one before. Falls back to the last key found, so that an odd layout costs precision only.
fn locate(text: &str, path: &[&str], word: Option<&str>) -> (usize, usize) {
    let lines: Vec<&str> = text.lines().collect();
    let mut place = (0, 0);
    let mut from = 0;
    for (depth, key) in path.iter().enumerate() {
        let is_there = |column: &usize| depth > 0 || *column == 0;
        let found = lines
            .iter()
            .enumerate()
            .skip(from)
            .find_map(|(number, line)| Some((number, key_column(line, key).filter(is_there)?)));
        let Some((number, column)) = found else { break };
        place = (number, column);
        from = number;
    }
    if let Some(word) = word {
        let hit = lines.iter().enumerate().skip(place.0).find_map(|(number, line)| {
            let start = if number == place.0 { place.1 } else { 0 };
            Some((number, start + word_column(line.get(start..)?, word)?))
        });
        place = hit.unwrap_or(place);
    }
    let column = lines.get(place.0).and_then(|line| line.get(..place.1)).map_or(0, |before| before.chars().count());
    (place.0 + 1, column + 1)
}

/// Byte column of `key:` in a line, also inside `{…}`.
fn key_column(line: &str, key: &str) -> Option<usize> {
    let wanted = format!("{key}:");
    line.match_indices(&wanted).map(|(column, _)| column).find(|column| {
        line[..*column]
            .chars()
            .next_back()
            .is_none_or(|before| before == ' ' || before == '{' || before == ',' || before == '-')
    })
}

/// Byte column of a whole word.
fn word_column(line: &str, word: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(column, _)| column).find(|column| {
        !line[..*column].chars().next_back().is_some_and(is_word)
            && !line[column + word.len()..].chars().next().is_some_and(is_word)
    })
}

/// The known name nearest to a mistyped one, as ` — did you mean …?`, or nothing when none is near.
#[must_use]
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 4);
    nearest.map_or_else(String::new, |(_, candidate)| format!(" — did you mean `{candidate}`?"))
}

/// Edits between two words: insertions, deletions, replacements (Levenshtein 1966).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "id: a\nparams:\n  min_bytes: {default: 1, unit: bytes}\nwhen: >\n  scans == 0 and\n  scanns > 1\n";

    #[test]
    fn finds_keys_and_words() {
        assert_eq!(locate(TEXT, &["when"], Some("scanns")), (6, 3));
        assert_eq!(locate(TEXT, &["params", "min_bytes", "unit"], None), (3, 27));
        assert_eq!(locate(TEXT, &["nothing"], None), (1, 1));
    }

    #[test]
    fn suggests_the_nearest_name_only_when_near() {
        assert_eq!(suggest("scanns", ["scans", "bytes"]), " — did you mean `scans`?");
        assert_eq!(suggest("wholly_else", ["scans", "bytes"]), "");
    }
}
