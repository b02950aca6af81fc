//! What keeps an index from finding rows although a condition names its column: a call whose result changes from row to
//! row, a cast that changes the value. And what looks like it and does not.

use super::condition::SUB_PLAN;
use super::operand::COMPUTED;
use super::reading::{Called, Word, tokens};

/// A part of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    /// A function is called.
    Call(&'t Called),
    /// A column is cast.
    Cast {
        /// Alias of its relation.
        alias: &'t str,
        /// The column.
        column: &'t str,
        /// The type, as it is printed.
        to: &'t str,
    },
}

/// What becomes of it for who looks for an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is as it is.
    Stays,
    /// The column is meant, without the cast.
    Bare,
    /// What it is cast to is an expression that an index can be on.
    Computes,
    /// The function is one of this schema, written as in SQL: a definition is read without the statement's search_path.
    Of(String),
    /// No index finds rows by it.
    Hides,
}

/// The condition, with what hides columns made known to those who read it here, and without casts that say nothing.
#[must_use]
pub fn sifted(condition: &str, fate: &dyn Fn(Part<'_>) -> Fate) -> String {
    let Some(tokens) = tokens(condition) else { return condition.to_owned() };
    let mut plain = String::with_capacity(condition.len());
    let (mut at, mut from) = (0, 0);
    while let Some(token) = tokens.get(at) {
        let found = cast(condition, &tokens, at, fate).or_else(|| call(&tokens, at, fate));
        let Some((taken, instead)) = found else {
            at += 1;
            continue;
        };
        plain.push_str(condition.get(from..token.start).unwrap_or_default());
        plain.push_str(&instead);
        at += taken;
        from = tokens.get(at - 1).map_or(condition.len(), |last| last.end);
    }
    plain.push_str(condition.get(from..).unwrap_or_default());
    plain
}

/// What compares, and does not compute.
const COMPARISONS: [&str; 9] = ["=", "<>", "<", "<=", ">", ">=", "@>", "<@", "&&"];

/// `(alias.column)::type` from here: how many words it takes, and what is written for it.
fn cast(text: &str, tokens: &[Word<'_>], at: usize, fate: &dyn Fn(Part<'_>) -> Fate) -> Option<(usize, String)> {
    let [open, alias, dot, column, close, cast] = tokens.get(at..at + 6)? else { return None };
    if [open.text, dot.text, close.text, cast.text] != ["(", ".", ")", "::"] {
        return None;
    }
    let words = type_words(&tokens[at + 6..]);
    let (first, last) = (tokens.get(at + 6)?, tokens.get(at + 5 + words).filter(|_| words > 0)?);
    let to = text.get(first.start..last.end)?;
    let own = text.get(alias.start..column.end)?;
    let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map_or("", |word| word.text);
    let behind = tokens.get(at + 6 + words).map_or("", |word| word.text);
    let is_compared = COMPARISONS.contains(&behind) && before == "(" || COMPARISONS.contains(&before) && behind == ")";
    // Of an argument a function may make what it likes.
    let is_argument = matches!(before, "(" | ",") && matches!(behind, ")" | ",");
    match fate(Part::Cast { alias: &alias.name()?, column: &column.name()?, to }) {
        Fate::Bare if is_compared => Some((6 + words, own.to_owned())),
        Fate::Computes if is_compared => Some((6 + words, format!("({own})::{COMPUTED}"))),
        Fate::Hides | Fate::Computes if !is_argument => Some((6 + words, format!("{SUB_PLAN}({own})"))),
        _ => None,
    }
}

/// Words of a type's name: `text`, `s.kind`, `character varying(60)`, `timestamp with time zone[]`.
fn type_words(tokens: &[Word<'_>]) -> usize {
    const MORE: [&str; 7] = ["varying", "precision", "with", "without", "time", "zone", "."];
    let is_more = |word: &str, before: &str| MORE.contains(&word) || before == ".";
    let is_suffix = |word: &str| matches!(word, "(" | ")" | "[" | "]" | ",") || word.parse::<u32>().is_ok();
    if tokens.first().and_then(Word::name).is_none() {
        return 0;
    }
    let mut words = 1;
    while tokens.get(words).is_some_and(|word| is_more(word.text, tokens[words - 1].text)) {
        words += 1;
    }
    // A modifier, and an array of it: only whole brackets.
    while matches!(tokens.get(words), Some(word) if matches!(word.text, "(" | "[")) {
        let inner = tokens[words..].iter().take_while(|word| is_suffix(word.text) && !matches!(word.text, ")" | "]"));
        words += inner.count() + 1;
    }
    words.min(tokens.len())
}

/// `name(` from here.
fn call(tokens: &[Word<'_>], at: usize, fate: &dyn Fn(Part<'_>) -> Fate) -> Option<(usize, String)> {
    tokens.get(at + 1).filter(|next| next.text == "(")?;
    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
    let schema = before(1).filter(|dot| dot.text == ".").and_then(|_| before(2)).and_then(Word::name);
    let called = Called { schema, name: tokens.get(at)?.name()? };
    match fate(Part::Call(&called)) {
        Fate::Hides => Some((1, SUB_PLAN.to_owned())),
        Fate::Of(schema) if called.schema.is_none() => Some((1, format!("{schema}.{}", tokens[at].text))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{comparisons, operations, sort_key};
    use proptest::prelude::*;

    fn fate(part: Part<'_>) -> Fate {
        match part {
            Part::Call(call) if call.name == "random" => Fate::Hides,
            Part::Call(call) if call.name == "Own" => Fate::Of("\"A b\"".to_owned()),
            Part::Call(_) => Fate::Stays,
            Part::Cast { column: "n", .. } => Fate::Hides,
            Part::Cast { column: "id", .. } => Fate::Computes,
            Part::Cast { to: "text" | "s.kind" | "character varying(60)" | "timestamp with time zone[]", .. } => {
                Fate::Bare
            }
            Part::Cast { .. } => Fate::Stays,
        }
    }

    #[test]
    fn what_hides_is_marked_and_what_says_nothing_goes() {
        for (condition, expected) in [
            ("(o.a = random())", "(o.a = pgassay_sub_plan())"),
            ("(o.a = s.random(o.b))", "(o.a = s.pgassay_sub_plan(o.b))"),
            ("(\"Own\"(o.b) = \"Own\")", "(\"A b\".\"Own\"(o.b) = \"Own\")"),
            ("(s.\"Own\"(o.b) = $1)", "(s.\"Own\"(o.b) = $1)"),
            ("((o.n)::text = $1)", "(pgassay_sub_plan(o.n) = $1)"),
            ("((o.a)::text = $1)", "(o.a = $1)"),
            ("((o.a)::s.kind = ANY ($1))", "(o.a = ANY ($1))"),
            ("((o.a)::character varying(60) = $1)", "(o.a = $1)"),
            ("((o.a)::timestamp with time zone[] @> $1)", "(o.a @> $1)"),
            ("((o.a)::date = $1)", "((o.a)::date = $1)"),
            ("($1 = (o.a)::text)", "($1 = o.a)"),
            ("(lower((o.\"A b\")::text) = $1)", "(lower((o.\"A b\")::text) = $1)"),
            ("(lower((o.n)::text) = $1)", "(lower((o.n)::text) = $1)"),
            ("(((o.a)::text || 'x'::text) = $1)", "(((o.a)::text || 'x'::text) = $1)"),
            ("(o.n)::text", "pgassay_sub_plan(o.n)"),
            ("((o.id)::text = $1)", "((o.id)::pg_catalog.text = $1)"),
            ("((o.id)::text ~~ $1)", "(pgassay_sub_plan(o.id) ~~ $1)"),
        ] {
            assert_eq!(sifted(condition, &fate), expected);
        }
    }

    #[test]
    fn the_text_of_a_number_is_an_expression() {
        let found = operations(&sifted("((o.id)::text = ANY ($1))", &fate));
        let told: Vec<_> = found.iter().map(|one| (one.operand.text.as_str(), one.operand.is_expression)).collect();
        assert_eq!(told, [("id::text", true)]);
    }

    #[test]
    fn nothing_is_found_by_what_is_marked() {
        for condition in ["(o.a = random())", "((o.n)::text = $1)", "(o.a > (s.random(u.b) + $1))"] {
            let sifted = sifted(condition, &fate);
            assert!(operations(&sifted).is_empty(), "{condition}: {:?}", operations(&sifted));
            let by = comparisons(&sifted).into_iter().filter(|one| one.by != crate::statement::Searched::Other);
            assert_eq!(by.count(), 0, "{condition}");
        }
        assert_eq!(sort_key(&sifted("(o.n)::text", &fate)), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = sifted(&text, &fate);
        }

        #[test]
        fn what_stays_is_not_touched(text in "[a-z.():, $\\[\\]]{0,60}") {
            prop_assert_eq!(sifted(&text, &|_| Fate::Stays), text);
        }
    }
}
