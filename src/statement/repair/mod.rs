//! Makes a text of `pg_stat_statements` plannable again: the server has put `$n` where literals stood,
//! also in places where no parameter may stand, or where it cannot guess a type.
//!
//! The text is parsed and deparsed, which turns `interval $1` into `$1::interval` and drops `/*, ... */`.
//! The types of parameters are inferred from what they meet in the tree, and written as casts at the
//! places the parser names, but only where the server would not find them by itself.

mod expression;
mod function;
mod learn;
mod meeting;
mod same;
mod scope;
mod types;
mod walk;

use super::analyse::Unparsed;
use pg_query::protobuf::{ParseResult, ScanToken, Token};
use pg_query::{DeparseOptions, ParserOptions};
use std::collections::{BTreeMap, BTreeSet};
use walk::{Edit, Walk};

pub use learn::{Refusal, learn};
pub use meeting::{Comparison, Meeting, Parameter, ParameterRole};
pub use scope::ColumnType;

/// A statement that can be prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Its text.
    pub sql: String,
    /// Its highest parameter number.
    pub params: i32,
    /// Numbers below that which the text has no more.
    pub gone: BTreeSet<i32>,
}

/// Repairs one statement. `casts` are types of parameters learnt from the server's refusals.
pub fn repair(text: &str, column_type: &ColumnType<'_>, casts: &BTreeMap<i32, String>) -> Result<Repaired, Unparsed> {
    let refused = |error: pg_query::Error| Unparsed(error.to_string());
    let parsed = pg_query::parse(text, ParserOptions::DEFAULT).map_err(refused)?;
    let [_] = parsed.protobuf.stmts.as_slice() else { return Err(Unparsed("not one statement".to_owned())) };
    let plain = parsed.deparse(DeparseOptions::default()).map_err(refused)?;
    let parsed = pg_query::parse(&plain, ParserOptions::DEFAULT).map_err(refused)?;
    let walk = walked(&parsed.protobuf, column_type, casts);
    let tokens = parameter_tokens(&plain)?;
    let mut edits = walk.edits;
    for (at, number) in &tokens {
        edits.entry(*at).or_insert(Edit::Parameter(*number));
    }
    let written = |edit: &Edit| match edit {
        Edit::Field => "epoch".to_owned(),
        Edit::Parameter(number) => match casts.get(number).map(String::as_str).or_else(|| walk.types.cast(*number)) {
            Some(cast) => format!("(${number}::{cast})"),
            None => format!("${number}"),
        },
    };
    let sql = apply(&plain, edits.iter().map(|(at, edit)| (*at, written(edit))));
    let params = tokens.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let kept: BTreeSet<i32> = parameter_tokens(&sql)?.into_iter().map(|(_, number)| number).collect();
    Ok(Repaired { sql, params, gone: (1..=params).filter(|number| !kept.contains(number)).collect() })
}

/// What is known of each parameter of a repaired text: its type, and the columns it is compared with.
/// Through arithmetic, too: in `at < $1::date + $2::interval` both are summands beside `at`.
pub fn parameters(text: &str, column_type: &ColumnType<'_>) -> Result<Vec<Parameter>, Unparsed> {
    let parsed = pg_query::parse(text, ParserOptions::DEFAULT).map_err(|error| Unparsed(error.to_string()))?;
    let walk = walked(&parsed.protobuf, column_type, &BTreeMap::new());
    let numbers: BTreeSet<i32> = parameter_tokens(text)?.into_iter().map(|(_, number)| number).collect();
    let meetings = |number| {
        let own = walk.meetings.iter().filter(|(met, _)| *met == number);
        own.map(|(_, meeting)| meeting.clone()).collect()
    };
    let parameter =
        |number| Parameter { number, type_name: walk.types.of(number).map(str::to_owned), meetings: meetings(number) };
    Ok(numbers.into_iter().map(parameter).collect())
}

fn walked<'a>(parsed: &ParseResult, column_type: &'a ColumnType<'a>, casts: &BTreeMap<i32, String>) -> Walk<'a> {
    let mut walk = Walk::new(column_type);
    for (number, cast) in casts {
        walk.types.bind(*number, cast, true);
    }
    for statement in &parsed.stmts {
        statement.stmt.iter().for_each(|statement| drop(walk.statement(statement)));
    }
    walk.types.settle();
    walk
}

/// Where parameters stand, and their numbers.
fn parameter_tokens(text: &str) -> Result<Vec<(usize, i32)>, Unparsed> {
    let tokens = pg_query::scan(text).map_err(|error| Unparsed(error.to_string()))?.tokens;
    let parameters = tokens.iter().filter(|token| token.token == Token::Param as i32);
    Ok(parameters.filter_map(|token| parameter(text, token)).collect())
}

fn parameter(text: &str, token: &ScanToken) -> Option<(usize, i32)> {
    let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
    Some((start, text.get(start..end)?.trim_start_matches('$').parse().ok()?))
}

/// Writes over the parameters and literals at these positions.
fn apply(text: &str, edits: impl Iterator<Item = (usize, String)>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut from = 0;
    for (at, replacement) in edits {
        let length = text.get(at..).map_or(0, constant_length);
        if length > 0 && at >= from {
            out.push_str(&text[from..at]);
            out.push_str(&replacement);
            from = at + length;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// Bytes of the first token.
fn constant_length(text: &str) -> usize {
    if let Some(digits) = text.strip_prefix('$') {
        return 1 + digits.bytes().take_while(u8::is_ascii_digit).count();
    }
    let first = pg_query::scan(text).ok().and_then(|scan| scan.tokens.first().map(|token| token.end));
    first.and_then(|end| usize::try_from(end).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
