//! What the text of one statement says: its identity, its relations, and the shapes that rules ask for.

use super::redact::redact_but;
use crate::model::snapshot::{RelationName, StatementKind, WrappedColumn};
use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, ColumnRef, Node, RangeVar, SelectStmt, SetOperation};
use pg_query::{FingerprintOptions, NodeEnum, NodeRef, ParserOptions};
use std::collections::BTreeSet;

/// What was read from one statement's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Identity of the text: 16 hexadecimal digits, the same for any literals, layout and server.
    pub fingerprint: String,
    /// The text without literals and comments.
    pub text: String,
    /// What it does.
    pub kind: StatementKind,
    /// Relations it names, common table expressions left out; sorted.
    pub relations: Vec<RelationName>,
    /// Its outermost SELECT takes every column of relations it names.
    pub selects_star: bool,
    /// Its outermost SELECT skips rows.
    pub has_offset: bool,
    /// Its outermost SELECT limits its rows.
    pub has_limit: bool,
    /// It reads one relation by columns compared with values by `=` and nothing else: those columns.
    pub lookup_columns: Vec<String>,
    /// Functions and casts round a column that is compared with a value; sorted.
    pub wrapped_columns: Vec<WrappedColumn>,
    /// It inserts rows given as VALUES.
    pub inserts_values: bool,
    /// Columns that an UPDATE sets; sorted.
    pub set_columns: Vec<String>,
}

/// The parser refused the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parser refused the text: {0}")]
pub struct Unparsed(pub String);

/// Reads one statement as `pg_stat_statements` keeps it.
pub fn analyse(text: &str) -> Result<Analysis, Unparsed> {
    let refused = |error: pg_query::Error| Unparsed(error.to_string());
    let parsed = pg_query::parse(text, ParserOptions::DEFAULT).map_err(refused)?;
    let [statement] = parsed.protobuf.stmts.as_slice() else {
        return Err(Unparsed("not one statement".to_owned()));
    };
    let node = statement.stmt.as_ref().and_then(|stmt| stmt.node.as_ref());
    let fingerprint = pg_query::fingerprint(text, ParserOptions::DEFAULT, identity()).map_err(refused)?;
    let mut analysis = Analysis {
        fingerprint: fingerprint.hex,
        text: redact_but(text, &grammatical(&parsed))
            .ok_or_else(|| Unparsed("the scanner refused the text".to_owned()))?,
        kind: kind(node),
        relations: relations(&parsed),
        ..Analysis::default()
    };
    analysis.wrapped_columns = wrapped_columns(&parsed);
    match node {
        Some(NodeEnum::InsertStmt(insert)) => {
            let source = insert.select_stmt.as_deref().and_then(|source| source.node.as_ref());
            analysis.inserts_values =
                matches!(source, Some(NodeEnum::SelectStmt(select)) if !select.values_lists.is_empty());
        }
        Some(NodeEnum::UpdateStmt(update)) => analysis.set_columns = set_columns(&update.target_list),
        _ => {}
    }
    if let Some(NodeEnum::SelectStmt(select)) = node {
        analysis.selects_star = selects_star(select);
        analysis.has_offset = select.limit_offset.is_some();
        analysis.has_limit = select.limit_count.is_some();
        analysis.lookup_columns = lookup_columns(select);
    }
    Ok(analysis)
}

/// Whole names of relations count, their schemas too, and aliases do not: two tenants' tables of one
/// name are two workloads.
fn identity() -> FingerprintOptions {
    FingerprintOptions::FULL_RELNAME | FingerprintOptions::RANGEVAR_PG17_COMPAT
}

/// Where numbers stand that are no values: `order by 1`, `group by 1, 2`, `numeric(12, 2)`. With parameters
/// in their places a statement would mean something else, or nothing.
fn grammatical(parsed: &pg_query::ParseResult) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::SelectStmt(select) => {
                let ordered = select.sort_clause.iter().filter_map(|sort| match &sort.node {
                    Some(NodeEnum::SortBy(sort)) => sort.node.as_deref(),
                    _ => None,
                });
                found.extend(ordered.chain(&select.group_clause).filter_map(number_location));
            }
            NodeRef::TypeCast(cast) => {
                found.extend(cast.type_name.iter().flat_map(|name| &name.typmods).filter_map(number_location));
            }
            _ => {}
        }
    }
    found
}

fn number_location(node: &Node) -> Option<usize> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) if matches!(constant.val, Some(Val::Ival(_))) => {
            usize::try_from(constant.location).ok()
        }
        _ => None,
    }
}

fn kind(node: Option<&NodeEnum>) -> StatementKind {
    match node {
        Some(NodeEnum::SelectStmt(select)) if select.into_clause.is_none() => StatementKind::Select,
        Some(NodeEnum::InsertStmt(_)) => StatementKind::Insert,
        Some(NodeEnum::UpdateStmt(_)) => StatementKind::Update,
        Some(NodeEnum::DeleteStmt(_)) => StatementKind::Delete,
        Some(NodeEnum::MergeStmt(_)) => StatementKind::Merge,
        _ => StatementKind::Utility,
    }
}

pub(super) fn name_of(range: &RangeVar) -> RelationName {
    let schema = Some(range.schemaname.clone()).filter(|schema| !schema.is_empty());
    RelationName { schema, name: range.relname.clone() }
}

fn relations(parsed: &pg_query::ParseResult) -> Vec<RelationName> {
    let mut named = BTreeSet::new();
    let mut ctes = BTreeSet::new();
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::RangeVar(range) => {
                let name = name_of(range);
                named.insert((name.schema, name.name));
            }
            NodeRef::CommonTableExpr(cte) => {
                ctes.insert(cte.ctename.clone());
            }
            _ => {}
        }
    }
    named
        .into_iter()
        .filter(|(schema, name)| schema.is_some() || !ctes.contains(name))
        .map(|(schema, name)| RelationName { schema, name })
        .collect()
}

fn selects_star(select: &SelectStmt) -> bool {
    let is_star = |target: &Node| match &target.node {
        Some(NodeEnum::ResTarget(target)) => {
            column(target.val.as_deref()).is_some_and(|column| matches!(last_field(column), Some(NodeEnum::AStar(_))))
        }
        _ => false,
    };
    !select.from_clause.is_empty()
        && select.from_clause.iter().all(is_relation)
        && select.target_list.iter().any(is_star)
}

/// A relation or a join of relations, no subquery or function.
fn is_relation(from: &Node) -> bool {
    match &from.node {
        Some(NodeEnum::RangeVar(_)) => true,
        Some(NodeEnum::JoinExpr(join)) => {
            [&join.larg, &join.rarg].into_iter().all(|side| side.as_deref().is_some_and(is_relation))
        }
        _ => false,
    }
}

fn column(node: Option<&Node>) -> Option<&ColumnRef> {
    match node?.node.as_ref()? {
        NodeEnum::ColumnRef(column) => Some(column),
        _ => None,
    }
}

pub(super) fn last_field(column: &ColumnRef) -> Option<&NodeEnum> {
    column.fields.last()?.node.as_ref()
}

/// The columns of a look-up, or nothing when the statement is anything more than one.
fn lookup_columns(select: &SelectStmt) -> Vec<String> {
    let is_plain = select.op == SetOperation::SetopNone as i32
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.with_clause.is_none()
        && select.distinct_clause.is_empty()
        && select.limit_offset.is_none()
        && matches!(select.from_clause.as_slice(), [Node { node: Some(NodeEnum::RangeVar(_)) }]);
    let mut columns = Vec::new();
    match select.where_clause.as_deref().filter(|_| is_plain) {
        Some(condition) if equalities(condition, &mut columns) => columns,
        _ => Vec::new(),
    }
}

/// Collects the columns of a conjunction of `column = value`; false when it is anything else.
fn equalities(condition: &Node, columns: &mut Vec<String>) -> bool {
    match &condition.node {
        Some(NodeEnum::BoolExpr(all)) if all.boolop == BoolExprType::AndExpr as i32 => {
            all.args.iter().all(|arg| equalities(arg, columns))
        }
        Some(NodeEnum::AExpr(comparison)) => equality(comparison).map(|column| columns.push(column)).is_some(),
        _ => false,
    }
}

fn equality(comparison: &AExpr) -> Option<String> {
    let is_equals = comparison.kind == AExprKind::AexprOp as i32
        && matches!(comparison.name.as_slice(), [Node { node: Some(NodeEnum::String(name)) }] if name.sval == "=");
    let (left, right) = (comparison.lexpr.as_deref(), comparison.rexpr.as_deref());
    let column = match (column(left), column(right)) {
        (Some(column), None) if is_value(right?) => column,
        (None, Some(column)) if is_value(left?) => column,
        _ => return None,
    };
    match last_field(column).filter(|_| is_equals)? {
        NodeEnum::String(name) => Some(name.sval.clone()),
        _ => None,
    }
}

pub(super) fn set_columns(targets: &[Node]) -> Vec<String> {
    let name = |target: &Node| match &target.node {
        Some(NodeEnum::ResTarget(target)) => Some(target.name.clone()),
        _ => None,
    };
    let columns: BTreeSet<String> = targets.iter().filter_map(name).collect();
    columns.into_iter().collect()
}

/// `lower(email) = $1`, `created_at::date >= $1`: the column inside, and what is round it.
fn wrapped_columns(parsed: &pg_query::ParseResult) -> Vec<WrappedColumn> {
    let mut wrapped = BTreeSet::new();
    for (node, ..) in parsed.protobuf.nodes() {
        let NodeRef::AExpr(comparison) = node else { continue };
        if !is_comparison(comparison) {
            continue;
        }
        let (left, right) = (comparison.lexpr.as_deref(), comparison.rexpr.as_deref());
        for (side, other) in [(left, right), (right, left)] {
            if let Some(found) = side.and_then(wrapped_column).filter(|_| other.is_some_and(is_value)) {
                wrapped.insert(found);
            }
        }
    }
    wrapped.into_iter().collect()
}

fn is_comparison(expression: &AExpr) -> bool {
    let operator = match expression.name.as_slice() {
        [Node { node: Some(NodeEnum::String(name)) }] => name.sval.as_str(),
        _ => return false,
    };
    expression.kind == AExprKind::AexprOp as i32 && matches!(operator, "=" | "<" | "<=" | ">" | ">=")
}

fn wrapped_column(node: &Node) -> Option<WrappedColumn> {
    let (by, inner) = match node.node.as_ref()? {
        NodeEnum::FuncCall(call) => (last_name(&call.funcname)?, call.args.first()?),
        NodeEnum::TypeCast(cast) => (last_name(&cast.type_name.as_ref()?.names)?, cast.arg.as_deref()?),
        _ => return None,
    };
    match last_field(column(Some(inner))?)? {
        NodeEnum::String(name) => Some(WrappedColumn { by, column: name.sval.clone() }),
        _ => None,
    }
}

fn last_name(names: &[Node]) -> Option<String> {
    match names.last()?.node.as_ref()? {
        NodeEnum::String(name) => Some(name.sval.clone()),
        _ => None,
    }
}

pub(super) fn is_value(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::ParamRef(_) | NodeEnum::AConst(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_value),
        Some(NodeEnum::FuncCall(call)) => !call.args.is_empty() && call.args.iter().all(is_value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Analysis {
        analyse(text).expect("a statement")
    }

    #[test]
    fn numbers_that_are_grammar_stay() {
        let text =
            "select total::numeric(12, 2), 7 from orders where id = 5 group by 1, 2 order by 2 desc, total + 3 limit 4";
        let expected = "select total::numeric(12, 2), $1 from orders where id = $2 group by 1, 2 order by 2 desc, total + $3 limit $4";
        assert_eq!(analyse(text).expect("analysed").text, expected);
    }

    #[test]
    fn identity_is_of_the_text_not_of_its_literals() {
        let id = |text| read(text).fingerprint;
        assert_eq!(id("select a from t where b = $1"), id("SELECT a\nFROM t WHERE b = 42"));
        assert_eq!(id("select a from t where b in ($1, $2)"), id("select a from t where b in ($1 /*, ... */)"));
        assert_ne!(id("select a from t1 where b = $1"), id("select a from t2 where b = $1"));
        assert_ne!(id("select a from s.t where b = $1"), id("select a from r.t where b = $1"));
    }

    #[test]
    fn look_ups_are_told_from_searches() {
        for (text, columns) in [
            ("select * from t where id = $1", vec!["id"]),
            ("select a from s.t x where x.id = $1 and $2 = x.kind limit $3", vec!["id", "kind"]),
            ("select a from t where id = $1::bigint", vec!["id"]),
            ("select a from t where id = $1 or b = $2", vec![]),
            ("select a from t where id > $1", vec![]),
            ("select a from t, u where id = $1", vec![]),
            ("select a from t where id = other", vec![]),
            ("select count(*) from t group by a", vec![]),
            ("select a from t where id in ($1)", vec![]),
        ] {
            assert_eq!(read(text).lookup_columns, columns, "{text}");
        }
    }

    #[test]
    fn functions_and_casts_round_compared_columns() {
        let wrapped = |text| -> Vec<String> {
            read(text).wrapped_columns.into_iter().map(|found| format!("{}({})", found.by, found.column)).collect()
        };
        assert_eq!(
            wrapped("select 1 from t where lower(email) = $1 and t.at::date >= $2"),
            ["date(at)", "lower(email)"]
        );
        assert_eq!(wrapped("select lower(a) from t where b = lower($1)"), Vec::<String>::new());
        assert_eq!(wrapped("select a from t where lower(email) = lower($1)"), ["lower(email)"]);
        assert_eq!(wrapped("delete from t where t.a = $1"), Vec::<String>::new());
    }

    #[test]
    fn writes_say_what_they_set() {
        assert_eq!(read("update t set b = $1, a = $2 where id = $3").set_columns, ["a", "b"]);
        assert!(read("insert into t values ($1), ($2)").inserts_values);
        assert!(!read("insert into t select * from s").inserts_values);
    }

    #[test]
    fn stars_offsets_and_limits() {
        assert!(read("select t.* from t join u using (id)").selects_star);
        assert!(!read("select count(*) from t").selects_star);
        assert!(!read("select * from (select a from t) s").selects_star);
        assert!(!read("select * from generate_series($1, $2)").selects_star);
        let page = read("select a from t order by a limit $1 offset $2");
        assert!(page.has_offset && page.has_limit);
        assert!(!read("select a from t fetch first $1 rows only").has_offset);
    }

    #[test]
    fn relations_leave_out_common_table_expressions() {
        let names: Vec<String> =
            read("with w as (select 1 from s.a) select * from w join b on true where exists (select 1 from \"C\")")
                .relations
                .into_iter()
                .map(|name| name.schema.map_or(String::new(), |schema| schema + ".") + &name.name)
                .collect();
        assert_eq!(names, ["C", "b", "s.a"]);
    }

    #[test]
    fn kinds() {
        assert_eq!(read("insert into t values ($1)").kind, StatementKind::Insert);
        assert_eq!(read("merge into t using s on true when matched then delete").kind, StatementKind::Merge);
        assert_eq!(read("vacuum t").kind, StatementKind::Utility);
        assert_eq!(read("create table t as select 1").kind, StatementKind::Utility);
        assert_eq!(read("select 1 into t").kind, StatementKind::Utility);
        assert!(analyse("select 1; select 2").is_err());
        assert!(analyse("selec").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,300}") {
            let _ = analyse(&text);
        }
    }
}
