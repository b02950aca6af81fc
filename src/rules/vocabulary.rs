//! Filters and tests that rules may use. The template language looks them up only when it meets them,
//! so an unknown one would be an error on some servers only: the loader looks first.

use crate::rules::position::suggest;

/// Filters: ours, and those of minijinja that make sense in a message.
pub(crate) const FILTERS: &[&str] = &[
    "abs", "ago", "bytes", "count", "default", "first", "ident", "join", "last", "length", "lower", "map", "max",
    "min", "ms", "number", "pct", "replace", "round", "seconds", "sum", "upper",
];

/// What a fix may be: changes that `plan` makes or leaves to people with its reason, and `none`.
pub(crate) const ACTIONS: &[&str] = &[
    "none",
    "alter_sequence",
    "analyze",
    "create_index",
    "create_partition",
    "drop_index",
    "reindex_index",
    "set_reloption",
    "set_setting",
    "vacuum",
];

/// What an impact may be counted in, besides the units of the rule's own parameters.
pub(crate) const IMPACT_UNITS: &[&str] = &[
    "bytes",
    "ms",
    "ms per hour",
    "seconds",
    "days",
    "pct",
    "blocks",
    "calls",
    "checkpoints",
    "clients",
    "connections",
    "constraints",
    "deadlocks",
    "entries",
    "evictions",
    "extension",
    "failures",
    "findings",
    "index entries",
    "mxids",
    "partitions",
    "releases",
    "rows",
    "scans",
    "sequential reads",
    "sessions",
    "setting",
    "settings",
    "slots",
    "times",
    "transactions",
    "tuples",
    "waiver",
    "xids",
];

/// Tests, after `is` or `is not`.
pub(crate) const TESTS: &[&str] = &["defined", "endingwith", "in", "none", "startingwith"];

/// Words that stand where a filter or test should, as `(word, what is wrong)`.
pub(crate) fn unknown(text: &str, is_template: bool) -> Vec<(String, String)> {
    let code = if is_template { inside_tags(text) } else { text.to_owned() };
    let tokens = tokens(&code);
    let mut unknown = Vec::new();
    for pair in tokens.windows(2) {
        let [before, word] = pair else { continue };
        if before == "|" && !FILTERS.contains(&word.as_str()) {
            unknown.push((word.clone(), format!("unknown filter `{word}`{}", suggest(word, FILTERS.iter().copied()))));
        }
    }
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "is") {
        let next = tokens.get(at + 1).filter(|word| *word != "not").or_else(|| tokens.get(at + 2));
        if let Some(word) = next.filter(|word| !TESTS.contains(&word.as_str())) {
            unknown.push((word.clone(), format!("unknown test `{word}`{}", suggest(word, TESTS.iter().copied()))));
        }
    }
    unknown
}

/// What stands inside `{{ }}` and `{% %}`; the parts stay apart.
fn inside_tags(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let close = if rest[at..].starts_with("{{") { "}}" } else { "%}" };
        let inner = &rest[at + 2..];
        let end = inner.find(close).unwrap_or(inner.len());
        code.push_str(&inner[..end]);
        code.push(';');
        rest = inner.get(end + 2..).unwrap_or_default();
    }
    code
}

/// Words and single signs; quoted texts are left out.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' || c == '\'' {
            while let Some(inner) = chars.next().filter(|inner| *inner != c) {
                if inner == '\\' {
                    chars.next();
                }
            }
            tokens.push("''".to_owned());
        } else if c.is_alphanumeric() || c == '_' {
            let mut word = c.to_string();
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            tokens.push(word);
        } else if !c.is_whitespace() {
            tokens.push(c.to_string());
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::unknown;

    fn words(text: &str, is_template: bool) -> Vec<String> {
        unknown(text, is_template).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn filters_and_tests_are_known_before_they_run() {
        assert_eq!(words("a | byts > 3 and b is not nothing and c is none", false), ["byts", "nothing"]);
        assert_eq!(words("is fine | here {{ a|bytes }} {% if b is defned %}x{% endif %}", true), ["defned"]);
        assert_eq!(words("name == 'a | b is c'", false), Vec::<String>::new());
    }

    #[test]
    fn every_filter_and_test_of_the_list_exists() {
        let env = crate::rules::expression::environment();
        for filter in super::FILTERS {
            let rendered = env.render_str(&format!("{{{{ 1|{filter} }}}}"), ());
            assert!(rendered.err().is_none_or(|error| error.kind() != minijinja::ErrorKind::UnknownFilter), "{filter}");
        }
        for test in super::TESTS.iter().filter(|test| **test != "in") {
            let rendered = env.render_str(&format!("{{{{ 'a' is {test}('a') }}}}"), ());
            assert!(rendered.err().is_none_or(|error| error.kind() != minijinja::ErrorKind::UnknownTest), "{test}");
        }
    }
}
