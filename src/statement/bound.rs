//! The bound of a range partition, as `pg_get_expr(relpartbound)` prints it.

use pg_query::protobuf::{Node, a_const};
use pg_query::{NodeEnum, ParserOptions};

/// The leading values of FROM and TO, or none when the bound is no range. `MINVALUE` and `MAXVALUE`
/// come as these words. Read by the parser, so that quotes, casts and several columns are no matter.
#[must_use]
pub fn range_bound(bound: &str) -> Option<(String, String)> {
    let parsed = pg_query::parse(&format!("create table p partition of t {bound}"), ParserOptions::DEFAULT).ok()?;
    let [statement] = parsed.protobuf.stmts.as_slice() else { return None };
    let Some(NodeEnum::CreateStmt(create)) = statement.stmt.as_ref()?.node.as_ref() else { return None };
    let bound = create.partbound.as_ref()?;
    Some((value(bound.lowerdatums.first()?)?, value(bound.upperdatums.first()?)?))
}

fn value(datum: &Node) -> Option<String> {
    match datum.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            a_const::Val::Sval(text) => Some(text.sval.clone()),
            a_const::Val::Ival(number) => Some(number.ival.to_string()),
            a_const::Val::Fval(number) => Some(number.fval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => value(cast.arg.as_deref()?),
        NodeEnum::ColumnRef(column) => match column.fields.first()?.node.as_ref()? {
            NodeEnum::String(name) => Some(name.sval.to_uppercase()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::range_bound;

    #[test]
    fn reads_values_and_open_ends() {
        let pair = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(range_bound("FOR VALUES FROM (1) TO (10000000000)"), pair("1", "10000000000"));
        assert_eq!(range_bound("FOR VALUES FROM (MINVALUE) TO ('2026-01-01', 5)"), pair("MINVALUE", "2026-01-01"));
        assert_eq!(range_bound("DEFAULT"), None);
        assert_eq!(range_bound("FOR VALUES IN (1, 2)"), None);
        assert_eq!(range_bound("'; drop table t"), None);
    }
}
