//! Expressions of EXPLAIN: which columns a condition compares, with what, and how; which columns a sort
//! key names.

use pg_query::protobuf::{AExpr, AExprKind, Node, SortByDir, SortByNulls, Token};
use pg_query::{NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeSet;

/// A column as EXPLAIN (VERBOSE) names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanColumn {
    /// Alias of its relation in the plan.
    pub alias: String,
    /// Its name.
    pub column: String,
}

/// How a condition compares a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Searched {
    /// `=` and `= ANY`, with a value or a column of another relation.
    Equal,
    /// `<`, `<=`, `>`, `>=`.
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

/// One part of a sort key that is a bare column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ordered {
    /// The column.
    pub column: PlanColumn,
    /// DESC.
    pub is_descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

/// The columns a condition compares. Of what the parser refuses, such as references to sub-plans, the columns
/// that the scanner sees, compared in some other way.
#[must_use]
pub fn comparisons(condition: &str) -> BTreeSet<Compared> {
    let Ok(parsed) = pg_query::parse(&format!("select {condition}"), ParserOptions::DEFAULT) else {
        let other = |column| Compared { column, by: Searched::Other, with: None };
        return columns(condition).into_iter().map(other).collect();
    };
    let mut found = BTreeSet::new();
    for (node, ..) in parsed.protobuf.nodes() {
        if let NodeRef::AExpr(expression) = node {
            compare(expression, &mut found);
        }
    }
    let compared: BTreeSet<PlanColumn> = found.iter().map(|one: &Compared| one.column.clone()).collect();
    for column in columns(condition).into_iter().filter(|column| !compared.contains(column)) {
        found.insert(Compared { column, by: Searched::Other, with: None });
    }
    found
}

fn compare(expression: &AExpr, found: &mut BTreeSet<Compared>) {
    let by = match (AExprKind::try_from(expression.kind), operator(expression)) {
        (Ok(AExprKind::AexprOp | AExprKind::AexprOpAny | AExprKind::AexprIn), Some("=")) => Searched::Equal,
        (Ok(AExprKind::AexprOp), Some("<" | "<=" | ">" | ">=")) => Searched::Range,
        _ => return,
    };
    let (left, right) = (bare(expression.lexpr.as_deref()), bare(expression.rexpr.as_deref()));
    for (column, with) in [(&left, &right), (&right, &left)] {
        let Some(column) = column else { continue };
        // Two columns of one relation do not find rows by an index.
        if with.as_ref().is_none_or(|with| with.alias != column.alias) {
            found.insert(Compared { column: column.clone(), by, with: with.clone() });
        }
    }
}

fn operator(expression: &AExpr) -> Option<&str> {
    match expression.name.last()?.node.as_ref()? {
        NodeEnum::String(name) => Some(&name.sval),
        _ => None,
    }
}

/// A column, also under a cast that changes nothing for an index, as of varchar to text.
fn bare(node: Option<&Node>) -> Option<PlanColumn> {
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
            let is_text = types.names.last().is_some_and(|name| {
                matches!(&name.node, Some(NodeEnum::String(name)) if matches!(name.sval.as_str(), "text" | "bpchar"))
            });
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

/// A sort key when it is a bare column.
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
    Some(Ordered { column: bare(sort.node.as_deref())?, is_descending, nulls_first })
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
            ("(NOT (hashed SubPlan 1) AND (o.\"Odd.Name\" = 1))", vec!["o.Odd.Name ?"]),
            ("(lower(u.email) = $1)", vec!["u.email ?"]),
        ] {
            assert_eq!(told(condition), expected, "{condition}");
        }
    }

    #[test]
    fn sort_keys_are_read() {
        let key = |text| sort_key(text).map(|key| (key.column.column, key.is_descending, key.nulls_first));
        assert_eq!(key("o.at DESC"), Some(("at".to_owned(), true, true)));
        assert_eq!(key("o.at DESC NULLS LAST"), Some(("at".to_owned(), true, false)));
        assert_eq!(key("o.id"), Some(("id".to_owned(), false, false)));
        assert_eq!(key("(sum(o.total)) DESC"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = (comparisons(&text), sort_key(&text), columns(&text));
        }
    }
}
