//! Expressions of GROUP BY again. PostgreSQL recognises those of a query's other clauses by being equal,
//! and numbers the parameters of each anew, or keeps the literal in one of them: written as recorded,
//! `select date_trunc($1, at) … group by date_trunc('day', at)` is refused.

use super::walk::{Edit, Edits};
use pg_query::NodeEnum;
use pg_query::protobuf::{Node, SelectStmt};

/// Lets all clauses of a query say its groups with the same parameters.
pub(super) fn unify_groups(select: &SelectStmt, edits: &mut Edits) {
    let mut groups = Vec::new();
    flatten(&select.group_clause, &mut groups);
    flatten(&select.distinct_clause, &mut groups);
    if !select.distinct_clause.is_empty() {
        groups.extend(select.target_list.iter().filter_map(target));
    }
    groups.retain(|group| has_constant(group));
    if groups.is_empty() {
        return;
    }
    let mut clauses: Vec<&Node> = select.target_list.iter().filter_map(target).collect();
    clauses.extend(select.having_clause.as_deref());
    clauses.extend(select.sort_clause.iter().chain(&select.window_clause));
    flatten(&select.group_clause, &mut clauses);
    flatten(&select.distinct_clause, &mut clauses);
    for group in groups {
        let mut found = Vec::new();
        clauses.iter().for_each(|clause| occurrences(group, clause, &mut found));
        align(&found, edits);
    }
}

fn target(node: &Node) -> Option<&Node> {
    match &node.node {
        Some(NodeEnum::ResTarget(target)) => target.val.as_deref(),
        _ => None,
    }
}

/// Expressions of a list with its grouping sets opened.
fn flatten<'a>(nodes: &'a [Node], into: &mut Vec<&'a Node>) {
    for node in nodes {
        match &node.node {
            Some(NodeEnum::GroupingSet(set)) => flatten(&set.content, into),
            Some(NodeEnum::RowExpr(row)) => flatten(&row.args, into),
            Some(_) => into.push(node),
            None => {}
        }
    }
}

fn has_constant(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::ParamRef(_) | NodeEnum::AConst(_) | NodeEnum::ColumnRef(_)) | None => false,
        Some(_) => parts(node).into_iter().any(|part| is_constant(part) || has_constant(part)),
    }
}

fn is_constant(node: &Node) -> bool {
    matches!(node.node, Some(NodeEnum::ParamRef(_) | NodeEnum::AConst(_)))
}

/// The constants of every part of the clause that says the same as the group, in their order.
fn occurrences<'a>(group: &Node, clause: &'a Node, found: &mut Vec<Vec<&'a NodeEnum>>) {
    let mut constants = Vec::new();
    if is_same(group, clause, &mut constants) {
        found.push(constants);
    } else {
        parts(clause).into_iter().for_each(|part| occurrences(group, part, found));
    }
}

/// At each place the first parameter found, or what is written for it, stands for all.
fn align(found: &[Vec<&NodeEnum>], edits: &mut Edits) {
    for at in 0..found.first().map_or(0, Vec::len) {
        let constants: Vec<&NodeEnum> = found.iter().filter_map(|constants| constants.get(at).copied()).collect();
        let first = constants.iter().find_map(|constant| match constant {
            NodeEnum::ParamRef(param) => Some(param),
            _ => None,
        });
        let Some(first) = first else { continue };
        let own = usize::try_from(first.location).ok().and_then(|at| edits.get(&at));
        let edit = own.copied().unwrap_or(Edit::Parameter(first.number));
        for at in constants.into_iter().filter_map(location).filter(|at| usize::try_from(first.location) != Ok(*at)) {
            edits.insert(at, edit);
        }
    }
}

fn location(constant: &NodeEnum) -> Option<usize> {
    match constant {
        NodeEnum::ParamRef(param) => usize::try_from(param.location).ok(),
        NodeEnum::AConst(constant) => usize::try_from(constant.location).ok(),
        _ => None,
    }
}

/// Both are the same but for constants, of which the second's are kept.
fn is_same<'a>(one: &Node, other: &'a Node, constants: &mut Vec<&'a NodeEnum>) -> bool {
    let (Some(left), Some(right)) = (&one.node, &other.node) else { return false };
    if is_constant(one) && is_constant(other) {
        constants.push(right);
        return true;
    }
    let (parts, others) = (parts(one), parts(other));
    let is_alike = match (left, right) {
        (NodeEnum::ColumnRef(one), NodeEnum::ColumnRef(other)) => return one.fields.last() == other.fields.last(),
        (NodeEnum::FuncCall(one), NodeEnum::FuncCall(other)) => one.funcname.last() == other.funcname.last(),
        (NodeEnum::AExpr(one), NodeEnum::AExpr(other)) => one.kind == other.kind && one.name == other.name,
        (NodeEnum::TypeCast(one), NodeEnum::TypeCast(other)) => {
            let names = |cast: &pg_query::protobuf::TypeCast| cast.type_name.as_ref().map(|name| name.names.clone());
            names(one) == names(other)
        }
        (NodeEnum::SqlvalueFunction(one), NodeEnum::SqlvalueFunction(other)) => one.op == other.op,
        (NodeEnum::NullTest(one), NodeEnum::NullTest(other)) => one.nulltesttype == other.nulltesttype,
        (NodeEnum::BoolExpr(one), NodeEnum::BoolExpr(other)) => one.boolop == other.boolop,
        (NodeEnum::CaseExpr(_), NodeEnum::CaseExpr(_))
        | (NodeEnum::CaseWhen(_), NodeEnum::CaseWhen(_))
        | (NodeEnum::CoalesceExpr(_), NodeEnum::CoalesceExpr(_))
        | (NodeEnum::List(_), NodeEnum::List(_)) => true,
        _ => false,
    };
    let is_value = matches!(left, NodeEnum::SqlvalueFunction(_));
    is_alike
        && parts.len() == others.len()
        && (is_value || !parts.is_empty())
        && parts.into_iter().zip(others).all(|(one, other)| is_same(one, other, constants))
}

/// The expressions an expression is made of, in their order.
pub(super) fn parts(node: &Node) -> Vec<&Node> {
    fn of<'a>(lists: &[&'a [Node]], one: &[&'a Option<Box<Node>>]) -> Vec<&'a Node> {
        lists.iter().flat_map(|list| list.iter()).chain(one.iter().filter_map(|node| node.as_deref())).collect()
    }
    match &node.node {
        Some(NodeEnum::FuncCall(call)) => {
            let mut all = of(&[&call.args, &call.agg_order], &[&call.agg_filter]);
            if let Some(window) = &call.over {
                all.extend(window.partition_clause.iter().chain(&window.order_clause));
            }
            all
        }
        Some(NodeEnum::AExpr(operation)) => of(&[], &[&operation.lexpr, &operation.rexpr]),
        Some(NodeEnum::TypeCast(cast)) => of(&[], &[&cast.arg]),
        Some(NodeEnum::CaseExpr(case)) => of(&[&case.args], &[&case.arg, &case.defresult]),
        Some(NodeEnum::CaseWhen(when)) => of(&[], &[&when.expr, &when.result]),
        Some(NodeEnum::CoalesceExpr(coalesce)) => of(&[&coalesce.args], &[]),
        Some(NodeEnum::MinMaxExpr(extreme)) => of(&[&extreme.args], &[]),
        Some(NodeEnum::BoolExpr(expression)) => of(&[&expression.args], &[]),
        Some(NodeEnum::NullTest(test)) => of(&[], &[&test.arg]),
        Some(NodeEnum::List(list)) => of(&[&list.items], &[]),
        Some(NodeEnum::RowExpr(row)) => of(&[&row.args], &[]),
        Some(NodeEnum::AArrayExpr(array)) => of(&[&array.elements], &[]),
        Some(NodeEnum::SortBy(sort)) => of(&[], &[&sort.node]),
        Some(NodeEnum::CollateClause(collate)) => of(&[], &[&collate.arg]),
        Some(NodeEnum::WindowDef(window)) => of(&[&window.partition_clause, &window.order_clause], &[]),
        Some(NodeEnum::SubLink(link)) => of(&[], &[&link.testexpr]),
        _ => Vec::new(),
    }
}
