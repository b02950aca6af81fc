//! Makes a text of `pg_stat_statements` plannable again: the server has put `$n` where literals stood,
//! also in places where no parameter may stand, or where it cannot guess a type.
//!
//! What to change is read from the tree, written at the places the parser names, and the whole is
//! deparsed, which turns `interval $1` into `$1::interval` and drops `/*, ... */`.

use super::analyse::Unparsed;
use pg_query::protobuf::{AExpr, AExprKind, CaseExpr, FuncCall, Node, ScanToken, Token};
use pg_query::{DeparseOptions, NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeMap;

/// A statement that can be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Its text.
    pub sql: String,
    /// Its highest parameter number.
    pub params: i32,
}

/// Aggregates that have no variant for text.
const NUMERIC_AGGREGATES: &[&str] =
    &["sum", "avg", "stddev", "variance", "var_pop", "var_samp", "stddev_pop", "stddev_samp"];

/// What is written for the parameter at a byte position.
type Edits = BTreeMap<usize, String>;

/// Repairs one statement. `column_type` knows the type of a column by its name where it is the same in
/// all relations of the statement; `casts` are types of parameters learnt from the server's errors.
pub fn repair(
    text: &str,
    column_type: &dyn Fn(&str) -> Option<String>,
    casts: &BTreeMap<i32, String>,
) -> Result<Repaired, Unparsed> {
    let refused = |error: pg_query::Error| Unparsed(error.to_string());
    let parsed = pg_query::parse(text, ParserOptions::DEFAULT).map_err(refused)?;
    let mut edits = Edits::new();
    let mut params = 0;
    // The walk over the tree below leaves out LIMIT and VALUES: parameters are counted by the scanner.
    for token in pg_query::scan(text).map_err(refused)?.tokens.iter().filter(|token| token.token == Token::Param as i32)
    {
        let number = parameter(text, token);
        params = params.max(number);
        if let Some(cast) = casts.get(&number) {
            put(&mut edits, token.start, || format!("(${number}::{cast})"));
        }
    }
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::FuncCall(call) => function(call, &mut edits),
            NodeRef::AExpr(comparison) => comparison_types(comparison, column_type, &mut edits),
            _ => {}
        }
    }
    let edited = apply(text, &edits);
    let sql = pg_query::parse(&edited, ParserOptions::DEFAULT)
        .and_then(|parsed| parsed.deparse(DeparseOptions::default()))
        .map_err(refused)?;
    Ok(Repaired { sql, params })
}

fn parameter(text: &str, token: &ScanToken) -> i32 {
    let (start, end) = (usize::try_from(token.start).unwrap_or(0), usize::try_from(token.end).unwrap_or(0));
    text.get(start..end).and_then(|text| text.trim_start_matches('$').parse().ok()).unwrap_or(0)
}

fn put(edits: &mut Edits, location: i32, replacement: impl FnOnce() -> String) {
    if let Ok(at) = usize::try_from(location) {
        edits.entry(at).or_insert_with(replacement);
    }
}

/// Writes the edits over the parameters they stand for.
fn apply(text: &str, edits: &Edits) -> String {
    let mut out = String::with_capacity(text.len() + 16 * edits.len());
    let mut from = 0;
    for (at, replacement) in edits {
        let Some(param) = text.get(*at..).filter(|param| param.starts_with('$') && *at >= from) else { continue };
        let digits = param[1..].chars().take_while(char::is_ascii_digit).count();
        out.push_str(&text[from..*at]);
        out.push_str(replacement);
        from = at + 1 + digits;
    }
    out.push_str(&text[from..]);
    out
}

fn param(node: Option<&Node>) -> Option<(i32, i32)> {
    match node?.node.as_ref()? {
        NodeEnum::ParamRef(param) => Some((param.number, param.location)),
        _ => None,
    }
}

fn cast(edits: &mut Edits, node: Option<&Node>, to: &str) {
    if let Some((number, location)) = param(node) {
        put(edits, location, || format!("(${number}::{to})"));
    }
}

/// `extract($1 from x)` takes a field's name; `sum(case … then $3 else $4 end)` takes no text.
fn function(call: &FuncCall, edits: &mut Edits) {
    let Some(NodeEnum::String(name)) = call.funcname.last().and_then(|name| name.node.as_ref()) else { return };
    if name.sval == "extract" {
        if let Some((_, location)) = param(call.args.first()) {
            put(edits, location, || "epoch".to_owned());
        }
    } else if NUMERIC_AGGREGATES.contains(&name.sval.as_str()) {
        call.args.iter().for_each(|argument| numeric(argument, edits));
    }
}

/// Parameters that decide an expression's type become numbers.
fn numeric(node: &Node, edits: &mut Edits) {
    match &node.node {
        Some(NodeEnum::ParamRef(_)) => cast(edits, Some(node), "numeric"),
        Some(NodeEnum::CaseExpr(case)) => results(case).for_each(|result| numeric(result, edits)),
        Some(NodeEnum::CoalesceExpr(coalesce)) => coalesce.args.iter().for_each(|argument| numeric(argument, edits)),
        Some(NodeEnum::AExpr(arithmetic)) => {
            let (left, right) = (arithmetic.lexpr.as_deref(), arithmetic.rexpr.as_deref());
            if param(left).is_some() && param(right).is_some() {
                cast(edits, left, "numeric");
                cast(edits, right, "numeric");
            }
        }
        _ => {}
    }
}

fn results(case: &CaseExpr) -> impl Iterator<Item = &Node> {
    let when = case.args.iter().filter_map(|arm| match &arm.node {
        Some(NodeEnum::CaseWhen(when)) => when.result.as_deref(),
        _ => None,
    });
    when.chain(case.defresult.as_deref())
}

/// `column >= $1 + $2`, `column between $1 - $2 and $3 + $4`: two parameters alone have no type.
fn comparison_types(comparison: &AExpr, column_type: &dyn Fn(&str) -> Option<String>, edits: &mut Edits) {
    let (left, right) = (comparison.lexpr.as_deref(), comparison.rexpr.as_deref());
    let arithmetic = untyped_arithmetic(right).into_iter().chain(untyped_arithmetic(left));
    let partner = column_name(left).or_else(|| column_name(right));
    let of_type = partner.and_then(|name| column_type(&name)).unwrap_or_else(|| "numeric".to_owned());
    let is_time = of_type.starts_with("timestamp") || of_type == "date";
    for sum in arithmetic {
        cast(edits, sum.lexpr.as_deref(), &of_type);
        cast(edits, sum.rexpr.as_deref(), if is_time { "interval" } else { &of_type });
    }
}

/// Sums, differences, products and quotients of two parameters, also inside BETWEEN's pair.
fn untyped_arithmetic(node: Option<&Node>) -> Vec<&AExpr> {
    match node.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::AExpr(expression)) => {
            let is_both = param(expression.lexpr.as_deref()).is_some() && param(expression.rexpr.as_deref()).is_some();
            let is_arithmetic = expression.kind == AExprKind::AexprOp as i32
                && matches!(operator(expression), Some("+" | "-" | "*" | "/"));
            if is_both && is_arithmetic { vec![expression] } else { Vec::new() }
        }
        Some(NodeEnum::List(list)) => list.items.iter().flat_map(|item| untyped_arithmetic(Some(item))).collect(),
        _ => Vec::new(),
    }
}

fn operator(expression: &AExpr) -> Option<&str> {
    match expression.name.as_slice() {
        [Node { node: Some(NodeEnum::String(name)) }] => Some(&name.sval),
        _ => None,
    }
}

fn column_name(node: Option<&Node>) -> Option<String> {
    match node?.node.as_ref()? {
        NodeEnum::ColumnRef(column) => match column.fields.last()?.node.as_ref()? {
            NodeEnum::String(name) => Some(name.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn repaired(text: &str) -> String {
        let types = |name: &str| match name {
            "shipped" => Some("date".to_owned()),
            "discount" => Some("numeric(4,2)".to_owned()),
            _ => None,
        };
        repair(text, &types, &BTreeMap::new()).expect("repaired").sql
    }

    #[test]
    fn parameters_get_the_types_of_what_they_meet() {
        for (text, expected) in [
            ("select 1 from t where a < $1 - interval $2", "SELECT 1 FROM t WHERE a < $1 - $2::interval"),
            ("select a from t where a in ($1 /*, ... */)", "SELECT a FROM t WHERE a IN ($1)"),
            ("select extract($1 from shipped) from t", "SELECT extract ('epoch' FROM shipped) FROM t"),
            (
                "select 1 from t where discount between $1 - $2 and $3 + $4",
                "SELECT 1 FROM t WHERE discount BETWEEN $1::numeric(4, 2) - $2::numeric(4, 2) AND $3::numeric(4, 2) + $4::numeric(4, 2)",
            ),
            ("select 1 from t where shipped < $1 + $2", "SELECT 1 FROM t WHERE shipped < $1::date + $2::interval"),
            (
                "select sum(case when a = $1 then $2 else $3 end) from t",
                "SELECT sum(CASE WHEN a = $1 THEN $2::numeric ELSE $3::numeric END) FROM t",
            ),
        ] {
            assert_eq!(repaired(text).replace("numeric(4,2)", "numeric(4, 2)"), expected, "{text}");
        }
    }

    #[test]
    fn the_servers_word_is_taken() {
        let casts = BTreeMap::from([(2, "text".to_owned())]);
        let repaired = repair("select $1, $2 from t", &|_| None, &casts).expect("repaired");
        assert_eq!(repaired, Repaired { sql: "SELECT $1, $2::text FROM t".to_owned(), params: 2 });
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = repair(&text, &|_| None, &BTreeMap::from([(1, "text".to_owned())]));
        }
    }
}
