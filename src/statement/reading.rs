//! A statement that is run as it is because it only reads, and what it calls while it does.

use super::custom::{Misfit, one_select};
use pg_query::NodeRef;
use pg_query::protobuf::{ScanToken, Token};
use std::collections::BTreeSet;

/// A statement that writes nothing by what it says. What the functions do that it calls, it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its text, without a semicolon at its end.
    pub sql: String,
    /// The byte behind its first word, where a comment of ours can stand.
    pub behind_first: usize,
}

/// A function that is called by this name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// Its schema, where the text names one.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a text calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Names with an opening parenthesis behind them: functions, and keywords that look like them.
    pub functions: BTreeSet<Called>,
    /// Operators.
    pub operators: BTreeSet<String>,
}

/// Takes a text that is one SELECT, VALUES, TABLE or WITH of these, has no parameters, writes nothing and locks no rows.
pub fn reading(text: &str) -> Result<Reading, Misfit> {
    let parsed = one_select(text)?;
    for (node, ..) in parsed.protobuf.nodes() {
        if let NodeRef::ParamRef(param) = node {
            let at = usize::try_from(param.location).unwrap_or(0);
            return Err(Misfit { at, message: format!("${} has no value: write one in its place", param.number) });
        }
    }
    let tokens = tokens(text).ok_or_else(|| Misfit { at: 0, message: "the scanner refused it".to_owned() })?;
    let is_code = |token: &&Word<'_>| !matches!(token.kind, Token::SqlComment | Token::CComment);
    let own: Vec<&Word<'_>> = tokens.iter().filter(is_code).collect();
    let last = own.iter().rev().find(|token| token.text != ";");
    let (Some(first), Some(last)) = (own.first(), last) else {
        return Err(Misfit { at: 0, message: "it says nothing".to_owned() });
    };
    let from = first.start;
    let sql = text.get(from..last.end).unwrap_or_default().to_owned();
    Ok(Reading { sql, behind_first: first.end - from })
}

/// What a text calls, which need not be a whole statement: by the scanner alone, as plans print what no parser takes.
/// None where the scanner does not take it either.
#[must_use]
pub fn calls(text: &str) -> Option<Calls> {
    let tokens = tokens(text)?;
    let mut calls = Calls::default();
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
        if token.text == "(" {
            let Some(name) = before(1).and_then(Word::name) else { continue };
            let schema = before(2).filter(|dot| dot.text == ".").and_then(|_| before(3)).and_then(Word::name);
            calls.functions.insert(Called { schema, name });
        } else if token.is_operator() {
            calls.operators.insert(token.text.to_owned());
        }
    }
    Some(calls)
}

/// A token with its text.
pub(super) struct Word<'a> {
    kind: Token,
    is_keyword: bool,
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word<'_> {
    /// The name it is, if it can be one.
    pub(super) fn name(&self) -> Option<String> {
        if let Some(inner) = self.text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            return Some(inner.replace("\"\"", "\""));
        }
        (self.kind == Token::Ident || self.is_keyword).then(|| self.text.to_lowercase())
    }

    fn is_operator(&self) -> bool {
        !self.text.is_empty() && self.text.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c))
    }
}

pub(super) fn tokens(text: &str) -> Option<Vec<Word<'_>>> {
    // Not `scan_tokens`: in 18.1 it makes a slice of a null pointer when a text holds no token.
    let word = |token: &ScanToken| {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let kind = Token::try_from(token.token).ok()?;
        Some(Word { kind, is_keyword: token.keyword_kind != 0, text: text.get(start..end)?, start, end })
    };
    pg_query::scan(text).ok()?.tokens.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_only_reads_is_taken_without_its_end() {
        for (text, sql, first) in [
            (" select 1 ; -- done", "select 1", "select"),
            ("-- why\n/* a b */ with w as (select 1) table w", "with w as (select 1) table w", "with"),
            ("select'a b'", "select'a b'", "select"),
            ("values (1);;", "values (1)", "values"),
            ("(select 1) union select 2", "(select 1) union select 2", "("),
        ] {
            let found = reading(text).expect(text);
            assert_eq!((found.sql.as_str(), &found.sql[..found.behind_first]), (sql, first));
        }
    }

    #[test]
    fn what_writes_locks_or_is_unfinished_is_refused() {
        for (text, why) in [
            ("update t set a = 1", "SELECT or WITH"),
            ("with d as (delete from t returning 1) select * from d", "may not write"),
            ("select * into t2 from t", "leave out INTO"),
            ("select * from t for share", "lock"),
            ("select * from (select * from t for no key update) s", "lock"),
            ("select 1; commit", "not 2 statements"),
            ("copy t to program 'x'", "SELECT or WITH"),
            ("explain analyze delete from t", "SELECT or WITH"),
            ("call p()", "SELECT or WITH"),
            ("begin", "SELECT or WITH"),
            ("select * from t where id = $1", "$1 has no value"),
            ("", "not 0 statements"),
        ] {
            let refused = reading(text).expect_err(text);
            assert!(refused.message.contains(why), "{text}: {refused:?}");
        }
    }

    #[test]
    fn calls_are_seen_wherever_they_stand() {
        let names = |text| {
            let found = calls(text).expect(text);
            let name = |call: Called| call.schema.map_or(String::new(), |schema| format!("{schema}.")) + &call.name;
            found.functions.into_iter().map(name).chain(found.operators).collect::<Vec<_>>()
        };
        assert_eq!(names("select NextVal('s'), \"A b\".\"f\" (1) from t"), ["nextval", "A b.f"]);
        assert_eq!(names("(hashed SubPlan 1) AND (lower(a) ~~ 'x('::text)"), ["and", "lower", "~~"]);
        assert_eq!(names("OPERATOR(public.<->) 1 /* f(x) */ -- g(x)"), ["operator", "<->"]);
        assert_eq!(names("PARTIAL count(*)").first().map(String::as_str), Some("count"));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = reading(&text);
            let _ = calls(&text);
        }
    }
}
