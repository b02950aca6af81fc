//! Which rows of its tables a statement is after, by its text: columns compared with values, and what it
//! changes. For statements of which there is no plan, as those that write.

use super::analyse::{is_value, last_field, name_of, set_columns};
use crate::model::snapshot::RelationName;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, ColumnRef, InferClause, InsertStmt, Node};
use pg_query::{NodeEnum, NodeRef, ParserOptions};
use std::collections::HashMap;

/// What a statement does to the rows of its tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The table that it writes to.
    pub target: Option<RelationName>,
    /// ON CONFLICT names a key: these columns, or none of them where it names the constraint.
    pub conflict: Option<Vec<String>>,
    /// Columns that ON CONFLICT DO UPDATE sets.
    pub updates: Vec<String>,
    /// Columns that a condition on rows compares with values.
    pub compared: Vec<ComparedColumn>,
}

/// A column that is compared with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedColumn {
    /// The relation, where the text says which.
    pub relation: Option<RelationName>,
    /// The column.
    pub column: String,
    /// How.
    pub by: Bound,
}

/// How a column is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `=`
    Equal,
    /// `<` or `<=`: the value is the upper end.
    Below,
    /// `>` or `>=`
    Above,
    /// `BETWEEN`
    Between,
}

/// Reads a statement; none where the parser refuses it.
#[must_use]
pub fn access(text: &str) -> Option<Access> {
    let parsed = pg_query::parse(text, ParserOptions::DEFAULT).ok()?;
    let [statement] = parsed.protobuf.stmts.as_slice() else { return None };
    let mut access = Access::default();
    match statement.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) {
        Some(NodeEnum::DeleteStmt(delete)) => access.target = delete.relation.as_ref().map(name_of),
        Some(NodeEnum::UpdateStmt(update)) => access.target = update.relation.as_ref().map(name_of),
        Some(NodeEnum::InsertStmt(insert)) => {
            access.target = insert.relation.as_ref().map(name_of);
            access.conflict = conflict(insert);
            let updates = insert.on_conflict_clause.iter().flat_map(|clause| set_columns(&clause.target_list));
            access.updates = updates.collect();
        }
        _ => {}
    }
    let (mut names, mut found) = (HashMap::new(), Vec::new());
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::RangeVar(range) => {
                let alias = range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname);
                names.insert(alias.clone(), name_of(range));
            }
            NodeRef::SelectStmt(select) => conjuncts(select.where_clause.as_deref(), &mut found),
            NodeRef::DeleteStmt(delete) => conjuncts(delete.where_clause.as_deref(), &mut found),
            NodeRef::UpdateStmt(update) => conjuncts(update.where_clause.as_deref(), &mut found),
            NodeRef::JoinExpr(join) => conjuncts(join.quals.as_deref(), &mut found),
            _ => {}
        }
    }
    access.compared = found
        .into_iter()
        .filter_map(|(column, by)| {
            let (column, alias) = column_name(column)?;
            Some(ComparedColumn { relation: alias.and_then(|alias| names.get(alias).cloned()), column, by })
        })
        .collect();
    Some(access)
}

fn conflict(insert: &InsertStmt) -> Option<Vec<String>> {
    let InferClause { index_elems, conname, .. } = insert.on_conflict_clause.as_ref()?.infer.as_deref()?;
    let name = |element: &Node| match &element.node {
        Some(NodeEnum::IndexElem(element)) => Some(element.name.clone()),
        _ => None,
    };
    (!index_elems.is_empty() || !conname.is_empty()).then(|| index_elems.iter().filter_map(name).collect())
}

fn column_name(column: &ColumnRef) -> Option<(String, Option<&str>)> {
    fn text(node: &NodeEnum) -> Option<&str> {
        match node {
            NodeEnum::String(name) => Some(name.sval.as_str()),
            _ => None,
        }
    }
    let name = last_field(column).and_then(text)?;
    let before = column.fields.len().checked_sub(2).and_then(|at| column.fields.get(at)?.node.as_ref());
    Some((name.to_owned(), before.and_then(text)))
}

/// The comparisons that AND joins: what stands under OR or NOT, in a CASE or a FILTER, bounds no rows that are read.
fn conjuncts<'a>(condition: Option<&'a Node>, found: &mut Vec<(&'a ColumnRef, Bound)>) {
    match condition.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::BoolExpr(all)) if all.boolop == BoolExprType::AndExpr as i32 => {
            all.args.iter().for_each(|part| conjuncts(Some(part), found));
        }
        Some(NodeEnum::AExpr(expression)) => found.extend(compared(expression)),
        _ => {}
    }
}

/// The bare column of a comparison with something that names no column.
fn compared(expression: &AExpr) -> Option<(&ColumnRef, Bound)> {
    let operator = match expression.name.as_slice() {
        [Node { node: Some(NodeEnum::String(name)) }] => name.sval.as_str(),
        _ => return None,
    };
    let (left, right) = (expression.lexpr.as_deref()?, expression.rexpr.as_deref()?);
    if expression.kind == AExprKind::AexprBetween as i32 {
        return bare(left).map(|column| (column, Bound::Between));
    }
    if expression.kind != AExprKind::AexprOp as i32 {
        return None;
    }
    let (forth, back) = match operator {
        "=" => (Bound::Equal, Bound::Equal),
        "<" | "<=" => (Bound::Below, Bound::Above),
        ">" | ">=" => (Bound::Above, Bound::Below),
        _ => return None,
    };
    match (bare(left), bare(right)) {
        (Some(column), None) if is_moment(right) => Some((column, forth)),
        (None, Some(column)) if is_moment(left) => Some((column, back)),
        _ => None,
    }
}

fn bare(node: &Node) -> Option<&ColumnRef> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => Some(column),
        _ => None,
    }
}

/// A value, or what is reckoned of values alone: `now() - $1`.
fn is_moment(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::AExpr(sum)) => {
            [&sum.lexpr, &sum.rexpr].into_iter().all(|side| side.as_deref().is_none_or(is_moment))
        }
        Some(NodeEnum::SqlvalueFunction(_)) => true,
        Some(NodeEnum::FuncCall(call)) => call.args.iter().all(is_moment),
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_moment),
        _ => is_value(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `relation.column by`, those of one statement.
    fn compared(text: &str) -> Vec<String> {
        let access = access(text).expect("a statement");
        let relation = |name: Option<RelationName>| name.map_or("?".to_owned(), |name| name.name);
        access
            .compared
            .into_iter()
            .map(|one| format!("{}.{} {:?}", relation(one.relation), one.column, one.by))
            .collect()
    }

    #[test]
    fn columns_are_compared_with_values_and_moments() {
        for (text, expected) in [
            ("select 1 from t where at > $1 and t.id = $2", vec!["?.at Above", "t.id Equal"]),
            ("select 1 from s.t x where $1 <= x.at", vec!["t.at Above"]),
            ("select 1 from t where at between $1 and $2", vec!["?.at Between"]),
            ("delete from t where at < now() - $1::interval", vec!["?.at Below"]),
            ("delete from t where at < current_date - $1", vec!["?.at Below"]),
            ("delete from t where id in (select id from t o where o.at <= $1 limit $2)", vec!["t.at Below"]),
            ("with o as (select id from t where at < $1) delete from t using o where t.id = o.id", vec!["?.at Below"]),
            ("select 1 from t join u on t.at > u.at", vec![]),
            ("select 1 from t where at > created + $1", vec![]),
            ("select 1 from t where date(at) = $1", vec![]),
            ("select 1 from t where name like $1", vec![]),
            ("select 1 from t where at > $1 or id = $2", vec![]),
            ("select 1 from t where not at > $1", vec![]),
            ("select count(*) filter (where at > $1) from t having max(at) > $2", vec![]),
            (
                "select 1 from t join u on u.id = t.id and t.at > $1 where exists (select 1 from v where v.day = $2)",
                vec!["t.at Above", "v.day Equal"],
            ),
        ] {
            assert_eq!(compared(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_and_on_which_conflict() {
        let of = |text| access(text).map(|one| (one.target.map(|name| name.name), one.conflict)).expect("a statement");
        assert_eq!(of("delete from s.t where a = $1"), (Some("t".to_owned()), None));
        assert_eq!(of("update t set a = $1"), (Some("t".to_owned()), None));
        assert_eq!(of("insert into t values ($1) on conflict do nothing"), (Some("t".to_owned()), None));
        let named = of("insert into t values ($1) on conflict (id, day) do nothing");
        assert_eq!(named.1, Some(vec!["id".to_owned(), "day".to_owned()]));
        assert_eq!(of("insert into t values ($1) on conflict on constraint k do nothing").1, Some(vec![]));
        assert_eq!(of("select 1"), (None, None));
        let upsert = access("insert into t values ($1) on conflict (id) do update set at = excluded.at, n = $2");
        assert_eq!(upsert.expect("a statement").updates, ["at", "n"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,300}") {
            let _ = access(&text);
        }
    }
}
