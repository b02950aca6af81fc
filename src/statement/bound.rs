//! The bound of a range partition, as `pg_get_expr(relpartbound)` prints it.

use crate::model::partition::{Edge, Range};
use pg_query::protobuf::{Node, a_const};
use pg_query::{NodeEnum, ParserOptions};

/// The ends of a range bound, or none when the bound is no range. Read by the parser, so that quotes, casts
/// and several columns are no matter.
#[must_use]
pub fn range_bound(bound: &str) -> Option<Range> {
    let parsed = pg_query::parse(&format!("create table p partition of t {bound}"), ParserOptions::DEFAULT).ok()?;
    let [statement] = parsed.protobuf.stmts.as_slice() else { return None };
    let Some(NodeEnum::CreateStmt(create)) = statement.stmt.as_ref()?.node.as_ref() else { return None };
    let bound = create.partbound.as_ref()?;
    let ends = |datums: &[Node]| datums.iter().map(edge).collect::<Option<Vec<_>>>().filter(|ends| !ends.is_empty());
    Some(Range { from: ends(&bound.lowerdatums)?, to: ends(&bound.upperdatums)? })
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

#[cfg(test)]
mod tests {
    use super::{Edge, range_bound};

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
