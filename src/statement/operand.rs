//! Conditions of EXPLAIN, beyond columns that are compared by `=` and `<`: expressions, other operators, and
//! what holds of every row that is read.

use super::condition::{SUB_PLAN, aliases, bare, operator, without_sub_plans};
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, Node, ParamRef, ResTarget, SelectStmt, Token};
use pg_query::{DeparseOptions, NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeSet;

/// What an index could be on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operand {
    /// Alias of its relation in the plan.
    pub alias: String,
    /// Name of a column, or an expression over columns of that relation, without the alias.
    pub text: String,
    /// It is an expression.
    pub is_expression: bool,
}

/// A part of a condition: an operand, an operator, and what does not depend on the same row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operated {
    /// The left side.
    pub operand: Operand,
    /// The operator; `= ANY` and `IN` are `=`.
    pub operator: String,
    /// Of LIKE: the pattern begins with text, or with a wildcard; none: nobody can tell.
    pub has_prefix: Option<bool>,
}

impl Operated {
    /// The operator tells how far apart two values are (pgvector; `<->` is of geometric types and pg_trgm too).
    #[must_use]
    pub fn is_distance(&self) -> bool {
        matches!(self.operator.as_str(), "<->" | "<=>" | "<#>" | "<+>")
    }
}

/// The alias of the table, where a partition of it is scanned as `alias_1`.
#[must_use]
pub fn partitioned_alias(alias: &str) -> Option<&str> {
    let (parent, number) = alias.rsplit_once('_')?;
    number.parse::<u32>().is_ok().then_some(parent)
}

/// The alias of a scan is this one, or that of a partition below it: `items_3` of `items`.
#[must_use]
pub fn is_alias_of(alias: &str, table: &str) -> bool {
    alias == table || partitioned_alias(alias) == Some(table)
}

/// Operators that mean the same with their sides exchanged, or have a counterpart that does.
const COMMUTATORS: [(&str, &str); 15] = [
    ("=", "="),
    ("<", ">"),
    (">", "<"),
    ("<=", ">="),
    (">=", "<="),
    ("@>", "<@"),
    ("<@", "@>"),
    ("&&", "&&"),
    ("<->", "<->"),
    ("<=>", "<=>"),
    ("<#>", "<#>"),
    ("<+>", "<+>"),
    ("@@", "@@"),
    ("<<", ">>"),
    (">>", "<<"),
];

/// Operators between a column or expression and what the row does not change, in the parts that AND and OR join.
#[must_use]
pub fn operations(condition: &str) -> BTreeSet<Operated> {
    let mut found = BTreeSet::new();
    if let Some(node) = expression(&without_sub_plans(condition)) {
        parts(&node, &mut found);
    }
    found
}

/// What a sort key or the like is computed from, where that is no bare column: `lower(name)`, `v <-> $1`.
#[must_use]
pub fn operation(text: &str) -> Option<Operated> {
    let NodeEnum::AExpr(compared) = expression(text)?.node? else { return None };
    sides(&compared).into_iter().next()
}

/// An expression over columns of one relation, as an index would have it.
#[must_use]
pub fn indexable(text: &str) -> Option<Operand> {
    operand(&expression(text)?).filter(|operand| operand.is_expression)
}

/// Parts of a condition that hold for every row and say something of one relation alone, without parameters.
#[must_use]
pub fn constants(condition: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    if let Some(node) = expression(&without_sub_plans(condition)) {
        conjuncts(&node, &mut found);
    }
    found
}

/// The text is a function call and nothing else.
#[must_use]
pub fn is_call(text: &str) -> bool {
    expression(text).is_some_and(|node| matches!(node.node, Some(NodeEnum::FuncCall(_))))
}

pub(super) fn expression(text: &str) -> Option<Node> {
    let parsed = pg_query::parse(&format!("select {text}"), ParserOptions::DEFAULT).ok()?;
    let statement = parsed.protobuf.stmts.into_iter().next()?.stmt?.node?;
    let NodeEnum::SelectStmt(select) = statement else { return None };
    match select.target_list.into_iter().next()?.node? {
        NodeEnum::ResTarget(target) => target.val.map(|val| *val),
        _ => None,
    }
}

pub(super) fn deparsed(node: &Node) -> Option<String> {
    let target = ResTarget { val: Some(Box::new(node.clone())), ..ResTarget::default() };
    let target = Node { node: Some(NodeEnum::ResTarget(Box::new(target))) };
    let select = SelectStmt { target_list: vec![target], ..plain_select()? };
    let text = NodeEnum::SelectStmt(Box::new(select)).deparse(DeparseOptions::default()).ok()?;
    text.strip_prefix("SELECT ").map(str::to_owned)
}

/// What every SELECT has set, which a default of the struct has not.
fn plain_select() -> Option<SelectStmt> {
    let parsed = pg_query::parse("select 1", ParserOptions::DEFAULT).ok()?;
    match parsed.protobuf.stmts.into_iter().next()?.stmt?.node? {
        NodeEnum::SelectStmt(select) => Some(*select),
        _ => None,
    }
}

fn parts(node: &Node, found: &mut BTreeSet<Operated>) {
    match &node.node {
        Some(NodeEnum::BoolExpr(all)) if all.boolop != BoolExprType::NotExpr as i32 => {
            all.args.iter().for_each(|part| parts(part, found));
        }
        Some(NodeEnum::AExpr(compared)) => found.extend(sides(compared)),
        _ => {}
    }
}

/// Each side that the other does not depend on.
pub(super) fn sides(compared: &AExpr) -> Vec<Operated> {
    let kind = AExprKind::try_from(compared.kind);
    let is_plain = matches!(kind, Ok(AExprKind::AexprOp));
    if !is_plain && !matches!(kind, Ok(AExprKind::AexprOpAny | AExprKind::AexprIn)) {
        return Vec::new();
    }
    let (Some(left), Some(right), Some(operator)) = (&compared.lexpr, &compared.rexpr, operator(compared)) else {
        return Vec::new();
    };
    let one_way = |own: &Node, other: &Node, operator: &str| {
        let operand = operand(own)?;
        let others = aliases(Some(other));
        let is_apart = !others.contains(&operand.alias) && !others.contains(SUB_PLAN);
        // No B-tree finds the beginnings of several patterns (`LIKE ANY`).
        let beginning = || if is_plain { prefixed(other) } else { Some(false) };
        let has_prefix = if operator == "~~" { beginning() } else { None };
        is_apart.then(|| Operated { operand, operator: operator.to_owned(), has_prefix })
    };
    let flipped = COMMUTATORS.iter().find(|(own, _)| *own == operator).filter(|_| is_plain);
    let turned = flipped.and_then(|(_, operator)| one_way(right, left, operator));
    one_way(left, right, operator).into_iter().chain(turned).collect()
}

/// The pattern begins with text. `$1 || '%'` is `$1 || $2` in a workload, and so is `'%' || 'x'`: nobody can tell. `'%' || $1`
/// is `$2 || $1`, as constants are numbered behind the parameters that were there.
fn prefixed(pattern: &Node) -> Option<bool> {
    match pattern.node.as_ref()? {
        NodeEnum::TypeCast(cast) => prefixed(cast.arg.as_deref()?),
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(!text.sval.is_empty() && !text.sval.starts_with(['%', '_'])),
            _ => None,
        },
        NodeEnum::AExpr(joined) if operator(joined) == Some("||") => {
            let (first, last) = (joined.lexpr.as_deref()?, joined.rexpr.as_deref()?);
            match (parameter(first), parameter(last)) {
                (Some(first), Some(last)) => (first > last).then_some(false),
                // A constant would be numbered: what is left is of the plan, and bare.
                (Some(_), None) => is_constant(last).then_some(true),
                // `$1 || $2 || $3` may be `'%' || $1 || '%'` with its value as a constant too.
                _ => prefixed(first).filter(|begins| !begins || !matches!(first.node, Some(NodeEnum::AExpr(_)))),
            }
        }
        _ => None,
    }
}

fn is_constant(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_constant),
        Some(NodeEnum::AConst(_)) => true,
        _ => false,
    }
}

fn parameter(node: &Node) -> Option<i32> {
    match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => parameter(cast.arg.as_deref()?),
        NodeEnum::ParamRef(parameter) => Some(parameter.number),
        _ => None,
    }
}

/// `text`, where a cast to it is an expression of its own: without the schema it is taken for the column that is cast. No
/// plan writes the schema.
pub(super) const COMPUTED: &str = "pg_catalog.text";

/// The expression as plans write it.
fn unmarked(node: &Node) -> Node {
    let mut node = node.clone();
    if let Some(NodeEnum::TypeCast(cast)) = &mut node.node
        && let Some(to) = cast.type_name.as_mut().filter(|to| dotted(&to.names) == COMPUTED)
    {
        to.names.remove(0);
    }
    node
}

pub(super) fn dotted(names: &[Node]) -> String {
    let name = |node: &Node| match &node.node {
        Some(NodeEnum::String(name)) => name.sval.clone(),
        _ => String::new(),
    };
    names.iter().map(name).collect::<Vec<_>>().join(".")
}

/// The column whose text an expression is, and nothing else: `id::text`.
#[must_use]
pub fn cast_column(text: &str) -> Option<String> {
    let NodeEnum::TypeCast(cast) = expression(text)?.node? else { return None };
    let NodeEnum::ColumnRef(column) = cast.arg?.node? else { return None };
    let is_text = cast.type_name.is_some_and(|to| dotted(&to.names) == "text");
    is_text.then(|| dotted(&column.fields))
}

/// A column, or an expression over columns of one relation without parameters and sub-plans.
pub(super) fn operand(node: &Node) -> Option<Operand> {
    if let Some(column) = bare(Some(node)) {
        return Some(Operand { alias: column.alias, text: column.column, is_expression: false });
    }
    let inside = inside(node);
    let [alias] = inside.aliases.iter().collect::<Vec<_>>()[..] else { return None };
    if inside.has_parameter || alias == SUB_PLAN {
        return None;
    }
    let text = deparsed(&unmarked(node))?;
    Some(Operand { text: without_alias(&text, alias), alias: alias.clone(), is_expression: true })
}

struct Inside {
    aliases: BTreeSet<String>,
    has_parameter: bool,
}

/// What an expression is made of.
fn inside(node: &Node) -> Inside {
    let nodes = node.node.as_ref().map(NodeEnum::nodes).unwrap_or_default();
    let is_parameter = |node: &NodeRef<'_>| matches!(node, NodeRef::ParamRef(ParamRef { .. }) | NodeRef::SubLink(_));
    let mut inside =
        Inside { aliases: aliases(Some(node)), has_parameter: nodes.iter().any(|(node, ..)| is_parameter(node)) };
    // The walk of the parser's library leaves out some kinds of nodes: their text shows a parameter.
    let scanned = deparsed(node).and_then(|text| pg_query::scan(&text).ok());
    inside.has_parameter |=
        scanned.is_none_or(|scanned| scanned.tokens.iter().any(|token| token.token == Token::Param as i32));
    inside
}

/// The text with `alias.` taken from its columns.
fn without_alias(text: &str, alias: &str) -> String {
    let Ok(scanned) = pg_query::scan(text) else { return text.to_owned() };
    let at = |position: i32| usize::try_from(position).unwrap_or(0);
    let word = |start: i32, end: i32| text.get(at(start)..at(end)).unwrap_or_default();
    let is_alias = |word: &str| {
        let bare = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        bare.map_or_else(|| word == alias, |quoted| quoted.replace("\"\"", "\"") == alias)
    };
    let (mut plain, mut from) = (String::with_capacity(text.len()), 0);
    for pair in scanned.tokens.windows(2) {
        if pair[1].token == Token::Ascii46 as i32 && is_alias(word(pair[0].start, pair[0].end)) {
            plain.push_str(text.get(from..at(pair[0].start)).unwrap_or_default());
            from = at(pair[1].end);
        }
    }
    plain.push_str(text.get(from..).unwrap_or_default());
    plain
}

pub(super) fn conjuncts(node: &Node, found: &mut BTreeSet<(String, String)>) {
    if let Some(NodeEnum::BoolExpr(all)) = &node.node
        && all.boolop == BoolExprType::AndExpr as i32
    {
        all.args.iter().for_each(|part| conjuncts(part, found));
        return;
    }
    let inside = inside(node);
    if let ([alias], false) = (&inside.aliases.iter().collect::<Vec<_>>()[..], inside.has_parameter)
        && *alias != SUB_PLAN
    {
        found.extend(deparsed(node).map(|text| ((*alias).clone(), without_alias(&text, alias))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(condition: &str) -> Vec<String> {
        let one = |part: &Operated| format!("{}|{} {}", part.operand.alias, part.operand.text, part.operator);
        operations(condition).iter().map(one).collect()
    }

    #[test]
    fn operators_and_expressions_are_read() {
        for (condition, expected) in [
            ("(lower(u.email) = $1)", vec!["u|lower(email) ="]),
            ("(lower((u.name)::text) = $1)", vec!["u|lower(name::text) ="]),
            ("(o.tags @> $1)", vec!["o|tags @>"]),
            ("($1 <@ o.tags)", vec!["o|tags @>"]),
            ("($1 = ANY (o.tags))", vec![]),
            ("((o.payload ->> $2) = $1)", vec![]),
            ("(o.a = (o.b + $1))", vec![]),
            ("((o.a + o.b) > $1)", vec!["o|a + b >"]),
            ("((o.a + u.b) > $1)", vec![]),
            ("((o.words @@ to_tsquery($1)) AND (o.\"Odd.Name\" ~~ $2))", vec!["o|Odd.Name ~~", "o|words @@"]),
            ("(\"O o\".\"x y\" && $1)", vec!["O o|x y &&"]),
            ("(lower(o.a) = lower(u.b))", vec!["o|lower(a) =", "u|lower(b) ="]),
            ("(NOT (o.tags @> $1))", vec![]),
            ("(o.n = (SubPlan 1))", vec![]),
        ] {
            assert_eq!(told(condition), expected, "{condition}");
        }
    }

    #[test]
    fn a_pattern_tells_how_it_begins() {
        for (condition, expected) in [
            ("(o.a ~~ 'abc%'::text)", Some(true)),
            ("((o.a)::text ~~ 'abc%'::text)", Some(true)),
            ("(o.a ~~ '%abc'::text)", Some(false)),
            ("(o.a ~~ '_bc'::text)", Some(false)),
            ("(o.a ~~ ''::text)", Some(false)),
            ("(o.a ~~ $1)", None),
            ("(o.a ~~ ($1 || $2))", None),
            ("(o.a ~~ (($1)::text || '%'::text))", Some(true)),
            ("(o.a ~~ ($2 || $1))", Some(false)),
            ("(o.a ~~ (($2 || $1) || $3))", Some(false)),
            ("(o.a ~~ (('%'::text || $1) || '%'::text))", Some(false)),
            ("(o.a ~~ (('abc'::text || $1) || '%'::text))", None),
            ("(o.a ~~ ('abc'::text || $1))", Some(true)),
            ("(o.a ~~ (($1 || $2) || $3))", None),
            ("(o.a ~~ ($2 || lower($1)))", None),
            ("(o.a ~~ ANY ('{abc%,x%}'::text[]))", Some(false)),
            ("(o.a ~~ ANY ($1))", Some(false)),
            ("(o.a ~~ replace($1, $2, $3))", None),
            ("(o.a ~~* 'abc%'::text)", None),
        ] {
            let told: Vec<Option<bool>> = operations(condition).iter().map(|part| part.has_prefix).collect();
            assert_eq!(told, [expected], "{condition}");
        }
    }

    #[test]
    fn what_always_holds_is_read() {
        let told = |condition: &str| {
            constants(condition).into_iter().map(|(alias, text)| format!("{alias}|{text}")).collect::<Vec<_>>()
        };
        assert_eq!(told("((o.status <> 'done'::text) AND (o.n = $1))"), ["o|status <> 'done'::text"]);
        assert_eq!(told("((o.at IS NULL) AND (NOT o.ok))"), ["o|NOT ok", "o|at IS NULL"]);
        assert_eq!(told("((o.at IS NULL) OR (o.n = $1))"), Vec::<String>::new());
        assert_eq!(told("(o.n = u.n)"), Vec::<String>::new());
        assert_eq!(told("(o.n = (SubPlan 1))"), Vec::<String>::new());
    }

    #[test]
    fn partitions_are_known_by_their_alias() {
        assert!(is_alias_of("items", "items") && is_alias_of("items_3", "items"));
        assert!(!is_alias_of("items_old", "items") && !is_alias_of("item", "items") && !is_alias_of("items3", "items"));
    }

    #[test]
    fn distances_are_read() {
        let distance = operation("(i.v <-> $1)").expect("a distance");
        assert_eq!((distance.operand.text.as_str(), distance.operator.as_str()), ("v", "<->"));
        assert_eq!(operation("i.v"), None);
        assert!(is_call("lower(name)") && !is_call("(a + b)") && !is_call("a") && !is_call(""));
        assert_eq!(indexable("lower(o.name)").map(|operand| operand.text).as_deref(), Some("lower(name)"));
        assert_eq!(indexable("o.name"), None);
        assert_eq!(cast_column("\"Id\"::text").as_deref(), Some("Id"));
        assert!(["id", "lower(id)", "id::date", "(id + 1)::text"].iter().all(|text| cast_column(text).is_none()));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = (operations(&text), operation(&text), constants(&text), indexable(&text), is_call(&text), cast_column(&text));
        }
    }
}
