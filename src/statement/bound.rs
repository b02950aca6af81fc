//! The bound of a range partition, as `pg_get_expr(relpartbound)` prints it.

use super::condition::aliases;
use crate::model::partition::{Edge, Range};
use pg_query::protobuf::{CreateStmt, Node, a_const};
use pg_query::{NodeEnum, ParserOptions};
use std::collections::BTreeSet;

/// The ends of a range bound, or none when the bound is no range. Read by the parser, so that quotes, casts
/// and several columns are no matter.
#[must_use]
pub fn range_bound(bound: &str) -> Option<Range> {
    let create = created(&format!("create table p partition of t {bound}"))?;
    let bound = create.partbound.as_ref()?;
    let ends = |datums: &[Node]| datums.iter().map(edge).collect::<Option<Vec<_>>>().filter(|ends| !ends.is_empty());
    Some(Range { from: ends(&bound.lowerdatums)?, to: ends(&bound.upperdatums)? })
}

/// The values of a list partition's bound as the server writes it; none of what is no such bound.
#[must_use]
pub fn list_bound(bound: &str) -> Option<BTreeSet<String>> {
    let create = created(&format!("create table p partition of t {bound}"))?;
    let values = &create.partbound.as_ref()?.listdatums;
    values.iter().map(listed).collect::<Option<BTreeSet<_>>>().filter(|values| !values.is_empty())
}

/// A value with its quotes, so that a text is no NULL.
fn listed(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref() {
            None => Some("NULL".to_owned()),
            Some(a_const::Val::Boolval(truth)) => Some(truth.boolval.to_string()),
            Some(_) => match edge(node)? {
                Edge::Value(text) => Some(format!("'{text}'")),
                _ => None,
            },
        },
        NodeEnum::TypeCast(cast) => listed(cast.arg.as_deref()?),
        _ => None,
    }
}

/// The one statement, which creates a table.
fn created(sql: &str) -> Option<CreateStmt> {
    let mut statements = pg_query::parse(sql, ParserOptions::DEFAULT).ok()?.protobuf.stmts;
    let statement = statements.pop().filter(|_| statements.is_empty())?;
    match statement.stmt?.node? {
        NodeEnum::CreateStmt(create) => Some(create),
        _ => None,
    }
}

fn edge(node: &Node) -> Option<Edge> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            a_const::Val::Sval(text) => Some(Edge::Value(text.sval.clone())),
            a_const::Val::Ival(number) => Some(Edge::Value(number.ival.to_string())),
            a_const::Val::Fval(number) => Some(Edge::Value(number.fval.clone())),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => edge(cast.arg.as_deref()?),
        NodeEnum::ColumnRef(column) => match column.fields.first()?.node.as_ref()? {
            NodeEnum::String(name) if name.sval == "minvalue" => Some(Edge::Minvalue),
            NodeEnum::String(name) if name.sval == "maxvalue" => Some(Edge::Maxvalue),
            _ => None,
        },
        _ => None,
    }
}

/// The columns of a partition key as `pg_get_partkeydef` writes it, those in expressions among them; none of what is no such key.
#[must_use]
pub fn partition_key_columns(key: &str) -> Option<BTreeSet<String>> {
    let create = created(&format!("create table t () partition by {key}"))?;
    let mut found = BTreeSet::new();
    for part in &create.partspec.as_ref()?.part_params {
        let Some(NodeEnum::PartitionElem(part)) = part.node.as_ref() else { return None };
        found.extend(Some(part.name.clone()).filter(|name| !name.is_empty()));
        found.extend(aliases(part.expr.as_deref()));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{Edge, list_bound, partition_key_columns, range_bound};

    #[test]
    fn the_columns_of_a_key() {
        for (key, columns) in [
            ("HASH (user_id)", Some("user_id")),
            ("LIST (lower(\"Region\") COLLATE \"C\" text_ops)", Some("Region")),
            ("RANGE (date_trunc('day'::text, (at)::timestamp with time zone), id)", Some("at id")),
            (
                "RANGE (((at)::date), ((x).y), (COALESCE(a, b)), (CASE WHEN c THEN d ELSE e END))",
                Some("a at b c d e x"),
            ),
            ("<locked: t>", None),
            ("HASH (a); drop table t", None),
        ] {
            let found = partition_key_columns(key).map(|found| found.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), columns, "{key}");
        }
    }

    #[test]
    fn the_values_of_a_list() {
        for (bound, values) in [
            ("FOR VALUES IN ('e''u', NULL, 'NULL')", Some("'NULL' 'e'u' NULL")),
            ("FOR VALUES IN (20261001, '-1'::integer)", Some("'-1' '20261001'")),
            ("FOR VALUES IN (true)", Some("true")),
            ("FOR VALUES FROM (1) TO (2)", None),
            ("DEFAULT", None),
        ] {
            let found = list_bound(bound).map(|found| found.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), values, "{bound}");
        }
    }

    #[test]
    fn reads_values_and_open_ends() {
        let value = |text: &str| Edge::Value(text.to_owned());
        let ends = |bound: &str| range_bound(bound).map(|bound| (bound.from, bound.to));
        assert_eq!(ends("FOR VALUES FROM (1) TO (10000000000)"), Some((vec![value("1")], vec![value("10000000000")])));
        assert_eq!(
            ends("FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2026-01-01', 5)"),
            Some((vec![Edge::Minvalue, Edge::Minvalue], vec![value("2026-01-01"), value("5")]))
        );
        assert_eq!(
            ends("FOR VALUES FROM ('MAXVALUE') TO (MAXVALUE)"),
            Some((vec![value("MAXVALUE")], vec![Edge::Maxvalue])),
            "a text is no keyword"
        );
        assert_eq!(range_bound("DEFAULT"), None);
        assert_eq!(range_bound("FOR VALUES IN (1, 2)"), None);
        assert_eq!(range_bound("'; drop table t"), None);
    }
}
