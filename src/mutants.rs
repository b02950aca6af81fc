//! Damaged files for the property tests of what reads foreign text: a sound one, with stretches cut out, moved,
//! doubled, or overwritten by words that parsers stumble on.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// Words that mean something to one parser or another.
const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "1e400",
    "NaN",
    "9223372036854775808",
    "{}",
    "[]",
    "{{",
    "}}",
    "{%",
    "\"",
    "'",
    "\\",
    ": ",
    "\n- ",
    "\n  ",
    "&a ",
    "*a",
    "!!binary ",
    "%00",
    "@",
    "://",
    "2026-02-30",
    "\0",
    "\u{202e}",
    "$1",
    "--",
    "/*",
    ";",
];

#[derive(Debug, Clone)]
enum Put {
    Text(String),
    /// A stretch of the file itself.
    Own(Index, usize),
}

/// A sound text after one to four edits.
pub(crate) fn mutants(sound: Vec<String>) -> impl Strategy<Value = String> {
    let put = prop_oneof![
        ".{0,8}".prop_map(Put::Text),
        select(WORDS).prop_map(|word| Put::Text(word.to_owned())),
        (any::<Index>(), 0..60_usize).prop_map(|(at, length)| Put::Own(at, length)),
    ];
    let edit = (any::<Index>(), 0..40_usize, put);
    (select(sound), vec(edit, 1..5)).prop_map(|(text, edits)| edits.into_iter().fold(text, edited))
}

fn edited(text: String, (at, cut, put): (Index, usize, Put)) -> String {
    let chars: Vec<char> = text.chars().collect();
    let stretch = |at: &Index, length: usize| {
        let from = at.index(chars.len() + 1);
        from..(from + length).min(chars.len())
    };
    let gone = stretch(&at, cut);
    let new = match put {
        Put::Text(text) => text,
        Put::Own(at, length) => chars[stretch(&at, length)].iter().collect(),
    };
    chars[..gone.start].iter().copied().chain(new.chars()).chain(chars[gone.end..].iter().copied()).collect()
}

/// A sound JSON value with up to eight of its leaves replaced, each by what is still accepted, so that what
/// comes after reading has to cope.
pub(crate) fn bent(sound: Vec<Value>, is_accepted: fn(&Value) -> bool) -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        select(&[0_i64, 1, -1, 100, 1 << 31, 1 << 50, -(1 << 50)][..]).prop_map(Value::from),
        (-1_000_000..1_000_000_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    let text = prop_oneof![
        select(&["", " ", "a.b", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"][..])
            .prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let leaf = prop_oneof![2 => number, 2 => text, 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)];
    (select(sound), vec((any::<Index>(), leaf), 1..9)).prop_map(move |(mut value, edits)| {
        for (at, leaf) in edits {
            let mut next = value.clone();
            let mut all = leaves(&mut next);
            let at = at.index(all.len());
            *all[at] = leaf;
            if is_accepted(&next) {
                value = next;
            }
        }
        value
    })
}

fn leaves(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Object(map) => map.values_mut().flat_map(leaves).collect(),
        Value::Array(items) => items.iter_mut().flat_map(leaves).collect(),
        leaf => vec![leaf],
    }
}
