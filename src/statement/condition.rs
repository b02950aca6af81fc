//! Expressions of EXPLAIN: which columns a condition compares, with what, and how; which columns a sort
//! key names.

use super::operand::{Operand, dotted, operand};
use pg_query::protobuf::{
    AExpr, AExprKind, BoolExprType, BoolTestType, ColumnRef, FuncCall, Node, NullTestType, ScanToken, SortByDir,
    SortByNulls, Token,
};
use pg_query::{NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeSet;
use std::ops::Range;

/// A column as EXPLAIN (VERBOSE) names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanColumn {
    /// Alias of its relation in the plan.
    pub alias: String,
    /// Its name.
    pub column: String,
}

/// How a condition compares a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Searched {
    /// `=` and `= ANY`, with a value or a column of another relation; `IS NULL`; a boolean column for itself.
    Equal,
    /// `<`, `<=`, `>`, `>=`, also of rows; `IS NOT NULL`.
    Range,
    /// Any other, or one that could not be made out.
    Other,
}

/// A compared column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Compared {
    /// The column.
    pub column: PlanColumn,
    /// How.
    pub by: Searched,
    /// The column it is compared with, of another relation.
    pub with: Option<PlanColumn>,
}

/// One part of a sort key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ordered {
    /// The column, or an expression over columns of one relation in its place.
    pub column: PlanColumn,
    /// It is an expression.
    pub is_expression: bool,
    /// DESC.
    pub is_descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

/// The columns a condition compares, in the parts that AND and OR join. What stands deeper, under functions
/// or CASE, and what the parser refuses, is compared in some other way.
#[must_use]
pub fn comparisons(condition: &str) -> BTreeSet<Compared> {
    let mut found = BTreeSet::new();
    if let Ok(parsed) = pg_query::parse(&format!("select {}", without_sub_plans(condition)), ParserOptions::DEFAULT) {
        let statement = parsed.protobuf.stmts.first().and_then(|raw| raw.stmt.as_deref()?.node.as_ref());
        if let Some(NodeEnum::SelectStmt(select)) = statement {
            for target in select.target_list.iter().filter_map(|node| node.node.as_ref()) {
                if let NodeEnum::ResTarget(target) = target {
                    clause(target.val.as_deref(), &mut found);
                }
            }
        }
    }
    let compared: BTreeSet<PlanColumn> = found.iter().map(|one: &Compared| one.column.clone()).collect();
    for column in columns(condition).into_iter().filter(|column| !compared.contains(column)) {
        found.insert(Compared { column, by: Searched::Other, with: None });
    }
    found
}

fn clause(node: Option<&Node>, found: &mut BTreeSet<Compared>) {
    let mut alone = |node: Option<&Node>, by| {
        found.extend(bare(node).map(|column| Compared { column, by, with: None }));
    };
    match node.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::BoolExpr(all)) if all.boolop == BoolExprType::NotExpr as i32 => {
            // Of what is negated only a boolean column itself is searched for.
            all.args.iter().filter(|inner| is_column(inner)).for_each(|inner| clause(Some(inner), found));
        }
        Some(NodeEnum::BoolExpr(all)) => all.args.iter().for_each(|part| clause(Some(part), found)),
        Some(NodeEnum::ColumnRef(_)) => alone(node, Searched::Equal),
        Some(NodeEnum::NullTest(test)) => {
            let is_null = test.nulltesttype == NullTestType::IsNull as i32;
            alone(test.arg.as_deref(), if is_null { Searched::Equal } else { Searched::Range });
        }
        Some(NodeEnum::BooleanTest(test))
            if [BoolTestType::IsTrue as i32, BoolTestType::IsFalse as i32].contains(&test.booltesttype) =>
        {
            alone(test.arg.as_deref(), Searched::Equal);
        }
        Some(NodeEnum::AExpr(expression)) => compare(expression, found),
        _ => {}
    }
}

pub(super) fn is_column(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::ColumnRef(_)))
}

fn compare(expression: &AExpr, found: &mut BTreeSet<Compared>) {
    let kind = AExprKind::try_from(expression.kind);
    let by = match (kind, operator(expression)) {
        (Ok(AExprKind::AexprOp | AExprKind::AexprOpAny | AExprKind::AexprIn), Some("=")) => Searched::Equal,
        (Ok(AExprKind::AexprOp | AExprKind::AexprOpAny), Some("<" | "<=" | ">" | ">=")) => Searched::Range,
        _ => return,
    };
    let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
    let mut one_way = |own: Option<&Node>, other: Option<&Node>| {
        let others = aliases(other);
        for column in fields(own).into_iter().filter_map(bare) {
            // What depends on the same row, or on a sub-plan of it, does not find rows by an index.
            if !others.contains(&column.alias) && !others.contains(SUB_PLAN) {
                found.insert(Compared { column, by, with: bare(other) });
            }
        }
    };
    one_way(left, right);
    // An array is searched in, not for.
    if kind == Ok(AExprKind::AexprOp) {
        one_way(right, left);
    }
}

/// The fields of a row; what is no row is its only field.
pub(super) fn fields(node: Option<&Node>) -> Vec<Option<&Node>> {
    match node.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::RowExpr(row)) => row.args.iter().map(Some).collect(),
        _ => vec![node],
    }
}

/// Aliases of the columns in an expression, and [`SUB_PLAN`].
pub(super) fn aliases(node: Option<&Node>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (inner, ..) in node.and_then(|node| node.node.as_ref()).map(NodeEnum::nodes).unwrap_or_default() {
        match inner {
            NodeRef::ColumnRef(column) => {
                if let Some(NodeEnum::String(name)) = column.fields.first().and_then(|field| field.node.as_ref()) {
                    found.insert(name.sval.clone());
                }
            }
            NodeRef::FuncCall(call) if is_hidden(call) => {
                found.insert(SUB_PLAN.to_owned());
            }
            NodeRef::AArrayExpr(array) => array.elements.iter().for_each(|one| found.extend(aliases(Some(one)))),
            NodeRef::AIndirection(part) => found.extend(aliases(part.arg.as_deref())),
            NodeRef::CollateClause(collated) => found.extend(aliases(collated.arg.as_deref())),
            _ => {}
        }
    }
    found
}

fn is_hidden(call: &FuncCall) -> bool {
    let name = call.funcname.last().and_then(|name| name.node.as_ref());
    matches!(name, Some(NodeEnum::String(name)) if name.sval == SUB_PLAN)
}

/// What stands for a sub-plan that is run for each row: a name that no plan has, as those are qualified. As a function it is
/// what else no index finds rows by.
pub(super) const SUB_PLAN: &str = "pgassay_sub_plan";

/// Words of a reference to a sub-plan, `(hashed SubPlan 2).col1`, `(alternatives: SubPlan 1 or hashed SubPlan 2)`.
const REFERENCE: [&str; 11] =
    ["SubPlan", "InitPlan", "hashed", "rescan", "alternatives", "or", "returns", ":", ",", "(", ")"];

/// The condition with sub-plans in words that the parser takes: a value for what is computed once.
pub(super) fn without_sub_plans(condition: &str) -> String {
    let Ok(scanned) = pg_query::scan(condition) else { return condition.to_owned() };
    let range = |token: &ScanToken| Some(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?);
    let ranges: Vec<Range<usize>> = scanned.tokens.iter().filter_map(range).collect();
    let words: Vec<&str> = ranges.iter().map(|range| condition.get(range.clone()).unwrap_or_default()).collect();
    let mut plain = String::with_capacity(condition.len());
    let (mut at, mut from) = (0, 0);
    while let Some(word) = words.get(at) {
        let is_test = matches!(*word, "EXISTS" | "ARRAY") && reference(&words[at + 1..]).is_some();
        let is_any = matches!(*word, "ANY" | "ALL") && at > 0 && words[at - 1] == "(";
        let skipped = reference(&words[at..]);
        let (taken, instead) = match skipped {
            Some((taken, true)) => (taken, "$1"),
            Some((taken, false)) => (taken, SUB_PLAN),
            None if is_test || is_any => (1, ""),
            None => (1, *word),
        };
        plain.push_str(condition.get(from..ranges[at].start).unwrap_or_default());
        plain.push_str(instead);
        at += taken;
        from = ranges[at - 1].end;
    }
    plain
}

/// How many words a reference to a sub-plan takes from here, and whether that one is run once.
fn reference(words: &[&str]) -> Option<(usize, bool)> {
    if words.first() != Some(&"(") {
        return None;
    }
    let mut depth = 0;
    let mut taken = 0;
    for word in words {
        let is_number = word.trim_start_matches('$').bytes().all(|byte| byte.is_ascii_digit());
        if !is_number && !REFERENCE.contains(word) {
            return None;
        }
        depth += i32::from(*word == "(") - i32::from(*word == ")");
        taken += 1;
        if depth == 0 {
            break;
        }
    }
    let inner = &words[..taken];
    let is_once = inner.contains(&"InitPlan");
    if depth != 0 || !(is_once || inner.contains(&"SubPlan")) {
        return None;
    }
    let has_column = words.get(taken) == Some(&".") && words.get(taken + 1).is_some_and(|name| name.starts_with("col"));
    Some((taken + if has_column { 2 } else { 0 }, is_once))
}

/// The columns that an output names. EXPLAIN leaves out the alias where there is one relation: `only`.
#[must_use]
pub fn output_columns(output: &str, only: Option<&str>) -> BTreeSet<PlanColumn> {
    let mut found = columns(output);
    let Some(alias) = only else { return found };
    let parsed = pg_query::parse(&format!("select {output}"), ParserOptions::DEFAULT);
    for (node, ..) in parsed.iter().flat_map(|parsed| parsed.protobuf.nodes()) {
        if let NodeRef::ColumnRef(column) = node {
            found.extend(unqualified(column, alias));
        }
    }
    found
}

/// A column without an alias.
fn unqualified(column: &ColumnRef, alias: &str) -> Option<PlanColumn> {
    match column.fields.as_slice() {
        [Node { node: Some(NodeEnum::String(name)) }] => {
            Some(PlanColumn { alias: alias.to_owned(), column: name.sval.clone() })
        }
        _ => None,
    }
}

/// The output needs the row as it is in the table: an index cannot stand in for that.
#[must_use]
pub fn needs_row(output: &str) -> bool {
    const SYSTEM: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];
    let is_system = |column: &PlanColumn| SYSTEM.contains(&column.column.as_str());
    SYSTEM.contains(&output) || output.ends_with(".*") || columns(output).iter().any(is_system)
}

/// The column whose least or greatest value is wanted: an index gives it without reading on.
#[must_use]
pub fn extreme(output: &str, only: Option<&str>) -> Option<PlanColumn> {
    let parsed = pg_query::parse(&format!("select {output}"), ParserOptions::DEFAULT).ok()?;
    let mut calls = parsed.protobuf.nodes().into_iter().filter_map(|(node, ..)| match node {
        NodeRef::FuncCall(call) => Some(call),
        _ => None,
    });
    calls.find_map(|call| match (call.funcname.last()?.node.as_ref()?, call.args.as_slice()) {
        (NodeEnum::String(name), [argument]) if matches!(name.sval.as_str(), "min" | "max") => bare(Some(argument))
            .or_else(|| match argument.node.as_ref()? {
                NodeEnum::ColumnRef(column) => unqualified(column, only?),
                _ => None,
            }),
        _ => None,
    })
}

pub(super) fn operator(expression: &AExpr) -> Option<&str> {
    match expression.name.last()?.node.as_ref()? {
        NodeEnum::String(name) => Some(&name.sval),
        _ => None,
    }
}

/// A column, also under a cast that changes nothing for an index, as of varchar to text.
pub(super) fn bare(node: Option<&Node>) -> Option<PlanColumn> {
    match node?.node.as_ref()? {
        NodeEnum::ColumnRef(column) => {
            let mut names = column.fields.iter().filter_map(|field| match field.node.as_ref() {
                Some(NodeEnum::String(name)) => Some(name.sval.clone()),
                _ => None,
            });
            match (names.next(), names.next(), names.next()) {
                (Some(alias), Some(column), None) => Some(PlanColumn { alias, column }),
                _ => None,
            }
        }
        NodeEnum::TypeCast(cast) => {
            let types = cast.type_name.as_ref()?;
            let is_text = matches!(dotted(&types.names).as_str(), "text" | "bpchar" | "pg_catalog.bpchar");
            if is_text { bare(cast.arg.as_deref()) } else { None }
        }
        _ => None,
    }
}

/// All `alias.column` of an expression.
#[must_use]
pub fn columns(expression: &str) -> BTreeSet<PlanColumn> {
    let Ok(scanned) = pg_query::scan(expression) else { return BTreeSet::new() };
    let name = |token: &pg_query::protobuf::ScanToken| {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let text = expression.get(start..end)?;
        let is_name = token.token == Token::Ident as i32 || token.keyword_kind > 0;
        let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        is_name.then(|| bare.map_or_else(|| text.to_owned(), |quoted| quoted.replace("\"\"", "\"")))
    };
    let dot = Token::Ascii46 as i32;
    let triples = scanned.tokens.windows(3).filter(|three| three[1].token == dot);
    triples.filter_map(|three| Some(PlanColumn { alias: name(&three[0])?, column: name(&three[2])? })).collect()
}

/// A sort key when it is a column, or an expression over columns of one relation.
#[must_use]
pub fn sort_key(text: &str) -> Option<Ordered> {
    let parsed = pg_query::parse(&format!("select order by {text}"), ParserOptions::DEFAULT).ok()?;
    let NodeEnum::SelectStmt(select) = parsed.protobuf.stmts.first()?.stmt.as_ref()?.node.as_ref()? else {
        return None;
    };
    let NodeEnum::SortBy(sort) = select.sort_clause.first()?.node.as_ref()? else { return None };
    let is_descending = sort.sortby_dir == SortByDir::SortbyDesc as i32;
    let nulls_first = match SortByNulls::try_from(sort.sortby_nulls) {
        Ok(SortByNulls::SortbyNullsFirst) => true,
        Ok(SortByNulls::SortbyNullsLast) => false,
        _ => is_descending,
    };
    let Operand { alias, text, is_expression } = operand(sort.node.as_deref()?)?;
    Some(Ordered { column: PlanColumn { alias, column: text }, is_expression, is_descending, nulls_first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(condition: &str) -> Vec<String> {
        let by = |one: &Compared| match one.by {
            Searched::Equal => "=",
            Searched::Range => "<",
            Searched::Other => "?",
        };
        comparisons(condition)
            .iter()
            .map(|one| format!("{}.{} {}", one.column.alias, one.column.column, by(one)))
            .collect()
    }

    #[test]
    fn conditions_of_plans_are_read() {
        for (condition, expected) in [
            ("(o.user_id = $1)", vec!["o.user_id ="]),
            ("((o.a = $1) AND (o.b >= $2) AND (o.b < $3))", vec!["o.a =", "o.b <"]),
            ("(o.a = ANY ($1))", vec!["o.a ="]),
            ("((o.name)::text = $1)", vec!["o.name ="]),
            ("((o.name)::text ~~ $1)", vec!["o.name ?"]),
            ("(o.user_id = u.id)", vec!["o.user_id =", "u.id ="]),
            ("(o.a < o.b)", vec!["o.a ?", "o.b ?"]),
            ("(NOT (hashed SubPlan 1) AND (o.\"Odd.Name\" = 1))", vec!["o.Odd.Name ="]),
            ("(lower(u.email) = $1)", vec!["u.email ?"]),
            ("(o.n = (o.m + $1))", vec!["o.m ?", "o.n ?"]),
            ("(o.n = (c.id + $1))", vec!["c.id ?", "o.n ="]),
            ("($1 = ANY (o.tags))", vec!["o.tags ?"]),
            ("(o.n > ANY ($1))", vec!["o.n <"]),
            ("(ROW(o.n, o.m) > ROW($1, $2))", vec!["o.m <", "o.n <"]),
            ("((o.n = $1) OR ((o.m = $2) AND (o.k <> $3)))", vec!["o.k ?", "o.m =", "o.n ="]),
            ("((o.at IS NULL) AND (o.m IS NOT NULL))", vec!["o.at =", "o.m <"]),
            ("o.ok", vec!["o.ok ="]),
            ("((NOT o.ok) AND (o.paid IS TRUE) AND (o.gone IS NOT TRUE))", vec!["o.gone ?", "o.ok =", "o.paid ="]),
            ("(NOT (o.n = $1))", vec!["o.n ?"]),
            ("(NOT (o.n IS DISTINCT FROM $1))", vec!["o.n ?"]),
            ("CASE WHEN (o.n = $1) THEN o.ok ELSE $2 END", vec!["o.n ?", "o.ok ?"]),
            ("(\"Al As\".\"A b\" = $1)", vec!["Al As.A b ="]),
            ("(o.n = \"*VALUES*\".column1)", vec!["*VALUES*.column1 =", "o.n ="]),
        ] {
            assert_eq!(told(condition), expected, "{condition}");
        }
    }

    #[test]
    fn sub_plans_hide_no_other_condition() {
        for (condition, expected) in [
            // 13 to 16: a value is a parameter, a sub-plan has no column.
            ("(o.n = $0)", vec!["o.n ="]),
            ("((o.m = $1) AND (NOT (hashed SubPlan $2)))", vec!["o.m ="]),
            ("((alternatives: SubPlan $1 or hashed SubPlan $2) OR (o.m = $3))", vec!["o.m ="]),
            ("((o.m = $1) AND (o.n = (SubPlan $2)))", vec!["o.m =", "o.n ?"]),
            // From 17 on.
            ("(o.n = (InitPlan $1).col1)", vec!["o.n ="]),
            ("(o.n = ANY ((InitPlan 1).col1))", vec!["o.n ="]),
            ("((o.m = $1) AND (NOT (ANY (o.n = (hashed SubPlan $2).col1))))", vec!["o.m =", "o.n ?"]),
            ("((ANY (o.n = (hashed SubPlan 2).col1)) OR (o.m = 3))", vec!["o.m =", "o.n ?"]),
            (
                "((ANY ((o.a = (SubPlan 1).col1) AND (o.b = (SubPlan 1).col2))) AND (o.c > 1))",
                vec!["o.a ?", "o.b ?", "o.c <"],
            ),
            ("(EXISTS(SubPlan $1) AND (o.m = $2))", vec!["o.m ="]),
            ("((o.n < (rescan SubPlan 2).col1) AND (o.m = 1))", vec!["o.m =", "o.n ?"]),
        ] {
            assert_eq!(told(condition), expected, "{condition}");
        }
    }

    #[test]
    fn outputs_are_read() {
        assert!(needs_row("o.ctid") && needs_row("o.*") && !needs_row("o.id") && !needs_row("count(*)"));
        let column = |name: &str| Some(PlanColumn { alias: "o".to_owned(), column: name.to_owned() });
        assert!(needs_row("ctid") && !needs_row("o_ctid"));
        assert_eq!(extreme("max(o.at)", None), column("at"));
        assert_eq!(extreme("max(at)", Some("o")), column("at"));
        assert_eq!(extreme("(min(o.n) + $1)", Some("o")), column("n"));
        for none in ["max(at)", "sum(o.n)", "max((o.n + o.m))", "o.n"] {
            assert_eq!(extreme(none, None), None);
        }
        let all = |output| output_columns(output, Some("o")).into_iter().map(|one| one.column).collect::<Vec<_>>();
        assert_eq!(all("id"), ["id"]);
        assert_eq!(all("(upper(name) || (\"Odd.Name\")::text)"), ["Odd.Name", "name"]);
        assert_eq!(all("o.id"), ["id"]);
        assert_eq!(output_columns("id", None), BTreeSet::new());
    }

    #[test]
    fn sort_keys_are_read() {
        let key = |text| sort_key(text).map(|key| (key.column.column, key.is_descending, key.nulls_first));
        assert_eq!(key("o.at DESC"), Some(("at".to_owned(), true, true)));
        assert_eq!(key("o.at DESC NULLS LAST"), Some(("at".to_owned(), true, false)));
        assert_eq!(key("o.id"), Some(("id".to_owned(), false, false)));
        assert_eq!(key("(lower(o.name)) DESC"), Some(("lower(name)".to_owned(), true, true)));
        assert_eq!(key("(o.n + u.n)"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = (comparisons(&text), sort_key(&text), columns(&text), extreme(&text, None), output_columns(&text, None));
        }
    }
}
