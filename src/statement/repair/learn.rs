//! What the server's refusal of a text tells of the types of its parameters.

use super::parameter_tokens;
use super::same::parts;
use pg_query::protobuf::Node;
use pg_query::{NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeMap;

/// Why the server refused a text.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The server's error code.
    pub sqlstate: &'a str,
    /// Its words.
    pub message: &'a str,
    /// The byte it points at.
    pub position: Option<usize>,
}

/// Types of parameters to try next, none of which is among those tried; empty when nothing can be learnt.
#[must_use]
pub fn learn(sql: &str, refusal: Refusal<'_>, tried: &BTreeMap<i32, String>) -> Vec<(i32, String)> {
    let mut found = match refusal.sqlstate {
        "42P18" | "42P08" => untyped(sql, refusal),
        "42883" | "42725" | "42804" | "42846" => mismatched(sql, refusal),
        _ => Vec::new(),
    };
    found.retain(|(number, _)| !tried.contains_key(number));
    found
}

/// `could not determine data type of parameter $3`
fn untyped(sql: &str, refusal: Refusal<'_>) -> Vec<(i32, String)> {
    let named = refusal.message.rsplit_once('$').and_then(|(_, number)| leading_number(number));
    let at = || refusal.position.and_then(|at| parameter_at(sql, at));
    named.or_else(at).map(|number| vec![(number, "text".to_owned())]).unwrap_or_default()
}

fn leading_number(text: &str) -> Option<i32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

fn parameter_at(sql: &str, at: usize) -> Option<i32> {
    let tokens = parameter_tokens(sql).ok()?;
    tokens.into_iter().find(|(start, _)| *start == at).map(|(_, number)| number)
}

/// An operator, a function or an assignment that does not suit its operands.
fn mismatched(sql: &str, refusal: Refusal<'_>) -> Vec<(i32, String)> {
    let Some(at) = refusal.position else { return Vec::new() };
    let Ok(parsed) = pg_query::parse(sql, ParserOptions::DEFAULT) else { return Vec::new() };
    let wanted = wanted(refusal.message);
    // What is added to a date, without a type of its own, are days.
    let added = |other| if (refusal.sqlstate, other) == ("42725", "date") { "integer" } else { other };
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::AExpr(operation) if is_at(operation.location, at) => {
                let (left, right) = wanted.unwrap_or(("integer", "integer"));
                let sides = [(&operation.lexpr, right), (&operation.rexpr, left)];
                let operands = sides.into_iter().filter_map(|(side, other)| Some((side.as_deref()?, other)));
                return operands.flat_map(|(side, other)| typed(side, added(other))).collect();
            }
            NodeRef::FuncCall(call) if is_at(call.location, at) => {
                return call.args.iter().flat_map(|argument| typed(argument, "integer")).collect();
            }
            _ => {}
        }
    }
    let target = refusal.message.split_once(" is of type ").and_then(|(_, rest)| rest.split_once(" but "));
    let target = target.map(|(target, _)| target).or_else(|| {
        let (_, rest) = refusal.message.split_once(" must be type ")?;
        rest.split_once(',').map(|(target, _)| target)
    });
    match (target, parameter_at(sql, at)) {
        (Some(target), Some(number)) => vec![(number, target.to_owned())],
        _ => Vec::new(),
    }
}

/// The operand types of `operator does not exist: integer = text`.
fn wanted(message: &str) -> Option<(&str, &str)> {
    let (_, operands) = message.split_once(": ")?;
    let words: Vec<&str> = operands.split(' ').collect();
    let operator =
        words.iter().find(|word| !word.starts_with(|first: char| first.is_alphanumeric() || first == '"'))?;
    operands.split_once(&format!(" {operator} "))
}

/// The parameters that decide an operand's type; where the other one is a text or nothing, a number.
fn typed(operand: &Node, other: &str) -> Vec<(i32, String)> {
    let name = if matches!(other, "text" | "unknown") { "integer" } else { other };
    match &operand.node {
        Some(NodeEnum::AArrayExpr(array)) => {
            let element = other.trim_end_matches("[]");
            array.elements.iter().flat_map(|part| typed(part, element)).collect()
        }
        Some(NodeEnum::ParamRef(param)) => vec![(param.number, name.to_owned())],
        Some(NodeEnum::TypeCast(_) | NodeEnum::FuncCall(_)) | None => Vec::new(),
        Some(_) => parts(operand).into_iter().flat_map(|part| typed(part, other)).collect(),
    }
}

fn is_at(location: i32, at: usize) -> bool {
    usize::try_from(location).is_ok_and(|location| location == at)
}
