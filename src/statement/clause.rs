//! Conditions of EXPLAIN as trees: what AND, OR and NOT join, and how each part compares.

use super::condition::{aliases, bare, fields, without_sub_plans};
use super::operand::{Operand, conjuncts, expression, operand, sides};
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, BoolExpr, BoolExprType, BoolTestType, Node, NullTestType};
use std::collections::BTreeSet;

/// One of the conditions that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What it says.
    pub clause: Clause,
    /// Its text without the alias, where it says something of one relation alone, without parameters.
    pub constant: Option<String>,
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// All of them.
    And(Vec<Clause>),
    /// Any of them.
    Or(Vec<Clause>),
    /// Not this one.
    Not(Box<Clause>),
    /// One comparison.
    Test(Test),
}

/// One comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Test {
    /// The column or expression that is compared; none: what an index could not be on.
    pub operand: Option<Operand>,
    /// How.
    pub by: TestedBy,
    /// The column or expression of another relation that it is compared with.
    pub with: Option<Operand>,
    /// Of LIKE: the pattern begins with text.
    pub has_prefix: bool,
    /// Aliases of all columns in it.
    pub aliases: BTreeSet<String>,
}

/// How a comparison compares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TestedBy {
    /// `=`
    Equal,
    /// `= ANY` of so many values; none: nobody knows how many.
    AnyOf(Option<usize>),
    /// `<`, `<=`, also of rows, whose first column counts.
    Below,
    /// `>`, `>=`
    Above,
    /// `IS NULL`
    Null,
    /// `IS NOT NULL`
    NotNull,
    /// A boolean for itself.
    True,
    /// Another operator, by its name.
    Operator(String),
    /// Anything else.
    #[default]
    Other,
}

/// The conditions that AND joins in a text; none where the parser refuses it.
#[must_use]
pub fn conditions(text: &str) -> Vec<Condition> {
    let mut parts = Vec::new();
    if let Some(node) = expression(&without_sub_plans(text)) {
        split(&node, &mut parts);
    }
    parts
}

fn split(node: &Node, found: &mut Vec<Condition>) {
    match node.node.as_ref() {
        Some(NodeEnum::BoolExpr(all)) if all.boolop == BoolExprType::AndExpr as i32 => {
            all.args.iter().for_each(|part| split(part, found));
        }
        _ => {
            let mut constants = BTreeSet::new();
            conjuncts(node, &mut constants);
            let constant = constants.into_iter().next().map(|(_, text)| text);
            found.push(Condition { clause: clause(node), constant });
        }
    }
}

fn clause(node: &Node) -> Clause {
    match node.node.as_ref() {
        Some(NodeEnum::BoolExpr(all)) => joined(all),
        Some(NodeEnum::NullTest(test)) => {
            let is_null = test.nulltesttype == NullTestType::IsNull as i32;
            alone(node, test.arg.as_deref(), if is_null { TestedBy::Null } else { TestedBy::NotNull })
        }
        Some(NodeEnum::ColumnRef(_)) => alone(node, Some(node), TestedBy::True),
        Some(NodeEnum::BooleanTest(test)) => match BoolTestType::try_from(test.booltesttype) {
            Ok(BoolTestType::IsTrue) => alone(node, test.arg.as_deref(), TestedBy::True),
            Ok(BoolTestType::IsFalse) => Clause::Not(Box::new(alone(node, test.arg.as_deref(), TestedBy::True))),
            _ => alone(node, None, TestedBy::Other),
        },
        Some(NodeEnum::AExpr(expression)) => compared(node, expression),
        _ => alone(node, None, TestedBy::Other),
    }
}

fn joined(all: &BoolExpr) -> Clause {
    let mut parts = all.args.iter().map(clause);
    match BoolExprType::try_from(all.boolop) {
        Ok(BoolExprType::OrExpr) => Clause::Or(parts.collect()),
        Ok(BoolExprType::NotExpr) => parts.next().map_or(Clause::And(Vec::new()), |part| Clause::Not(Box::new(part))),
        _ => Clause::And(parts.collect()),
    }
}

fn alone(node: &Node, own: Option<&Node>, by: TestedBy) -> Clause {
    let operand = own.and_then(operand);
    Clause::Test(Test { operand, by, aliases: aliases(Some(node)), ..Test::default() })
}

fn compared(node: &Node, expression: &AExpr) -> Clause {
    let (left, right) = (expression.lexpr.as_deref(), expression.rexpr.as_deref());
    let kind = AExprKind::try_from(expression.kind);
    let mut sides = sides(&first_fields(expression)).into_iter();
    let Some(first) = sides.next() else { return alone(node, None, TestedBy::Other) };
    let is_plain = kind == Ok(AExprKind::AexprOp);
    let by = match first.operator.as_str() {
        "=" if is_plain => TestedBy::Equal,
        "=" => TestedBy::AnyOf(elements(right)),
        "<" | "<=" if is_plain => TestedBy::Below,
        ">" | ">=" if is_plain => TestedBy::Above,
        name if is_plain => TestedBy::Operator(name.to_owned()),
        _ => return alone(node, None, TestedBy::Other),
    };
    // What an expression of others is compared with has no column on the other side.
    let with = if is_plain { sides.next().map(|side| side.operand) } else { None };
    let with = with.or_else(|| right.and_then(operand)).filter(|with| with.alias != first.operand.alias);
    let with = with.or_else(|| left.and_then(operand).filter(|with| with.alias != first.operand.alias));
    let has_prefix = first.has_prefix == Some(true);
    Clause::Test(Test { operand: Some(first.operand), by, with, has_prefix, aliases: aliases(Some(node)) })
}

/// A comparison of rows as one of their first fields: an index could be searched by that.
fn first_fields(expression: &AExpr) -> AExpr {
    let first = |node: &Option<Box<Node>>| {
        let field = fields(node.as_deref()).into_iter().next().flatten().cloned();
        field.map(Box::new)
    };
    let is_row = fields(expression.lexpr.as_deref()).len() > 1
        && fields(expression.lexpr.as_deref()).first().is_some_and(|own| bare(*own).is_some());
    if !is_row {
        return expression.clone();
    }
    AExpr { lexpr: first(&expression.lexpr), rexpr: first(&expression.rexpr), ..expression.clone() }
}

/// Values of a list that is written out.
fn elements(node: Option<&Node>) -> Option<usize> {
    match node?.node.as_ref()? {
        NodeEnum::AArrayExpr(array) => Some(array.elements.len()),
        NodeEnum::List(list) => Some(list.items.len()),
        NodeEnum::TypeCast(cast) => elements(cast.arg.as_deref()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(clause: &Clause) -> String {
        let all = |parts: &[Clause], word: &str| parts.iter().map(told).collect::<Vec<_>>().join(word);
        match clause {
            Clause::And(parts) => format!("({})", all(parts, " and ")),
            Clause::Or(parts) => format!("({})", all(parts, " or ")),
            Clause::Not(part) => format!("not {}", told(part)),
            Clause::Test(test) => {
                let name = |operand: &Option<Operand>| {
                    operand.as_ref().map_or("?".to_owned(), |one| format!("{}|{}", one.alias, one.text))
                };
                format!("{} {:?} {}", name(&test.operand), test.by, name(&test.with))
            }
        }
    }

    #[test]
    fn conditions_are_read_as_trees() {
        for (text, expected) in [
            ("(o.n = $1)", vec!["o|n Equal ?"]),
            ("((o.n = $1) AND ((o.m > $2) OR (o.k IS NULL)))", vec!["o|n Equal ?", "(o|m Above ? or o|k Null ?)"]),
            ("($1 < o.n)", vec!["o|n Above ?"]),
            ("(o.n = u.id)", vec!["o|n Equal u|id"]),
            ("(o.n = ANY (ARRAY[$1, $2, $3]))", vec!["o|n AnyOf(Some(3)) ?"]),
            ("(o.n = ANY ($1))", vec!["o|n AnyOf(None) ?"]),
            ("(lower(o.name) = $1)", vec!["o|lower(name) Equal ?"]),
            ("(NOT o.ok)", vec!["not o|ok True ?"]),
            ("(m.read_at IS NULL)", vec!["m|read_at Null ?"]),
            ("(o.tags @> $1)", vec!["o|tags Operator(\"@>\") ?"]),
            ("(ROW(o.n, o.m) > ROW($1, $2))", vec!["o|n Above ?"]),
            ("(o.a = o.b)", vec!["? Other ?"]),
            ("(o.n = (SubPlan 1))", vec!["? Other ?"]),
            ("(o.n = (InitPlan 1).col1)", vec!["o|n Equal ?"]),
        ] {
            let read: Vec<String> = conditions(text).iter().map(|one| told(&one.clause)).collect();
            assert_eq!(read, expected, "{text}");
        }
        let constants: Vec<_> =
            conditions("((o.at IS NULL) AND (o.n = $1))").into_iter().map(|one| one.constant).collect();
        assert_eq!(constants, [Some("at IS NULL".to_owned()), None]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = conditions(&text);
        }
    }
}
