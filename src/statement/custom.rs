//! SQL that a rule pack brings along: one SELECT that says the names of its columns, and nothing else.

use pg_query::protobuf::{Node, SelectStmt};
use pg_query::{DeparseOptions, NodeEnum, NodeRef, ParserOptions};

/// A pack's query as it is sent, and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomQuery {
    /// The SELECT without comments and semicolon.
    pub sql: String,
    /// Names of its columns.
    pub columns: Vec<String>,
}

/// Reads a pack's query, or says why it is not taken. What it may do on the server is bounded there
/// too: it runs read-only, under time-outs, and its rows are counted.
pub fn custom_query(sql: &str) -> Result<CustomQuery, String> {
    let parsed = pg_query::parse(sql, ParserOptions::DEFAULT).map_err(|error| error.to_string())?;
    let [statement] = parsed.protobuf.stmts.as_slice() else {
        return Err(format!("it should be one SELECT, not {} statements", parsed.protobuf.stmts.len()));
    };
    let Some(NodeEnum::SelectStmt(select)) = statement.stmt.as_ref().and_then(|stmt| stmt.node.as_ref()) else {
        return Err("it should be a SELECT or WITH".to_owned());
    };
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::InsertStmt(_) | NodeRef::UpdateStmt(_) | NodeRef::DeleteStmt(_) | NodeRef::MergeStmt(_) => {
                return Err("it may not write".to_owned());
            }
            NodeRef::IntoClause(_) => return Err("it may not write: leave out INTO".to_owned()),
            NodeRef::LockingClause(_) => return Err("it may not lock rows".to_owned()),
            _ => {}
        }
    }
    if select.into_clause.is_some() || !select.locking_clause.is_empty() {
        return Err("it may neither write nor lock rows".to_owned());
    }
    let columns = columns(select)?;
    let sql = parsed.deparse(DeparseOptions::default()).map_err(|error| error.to_string())?;
    Ok(CustomQuery { sql, columns })
}

/// Names of the outermost columns; of a UNION those of its first arm.
fn columns(select: &SelectStmt) -> Result<Vec<String>, String> {
    if let Some(first) = &select.larg {
        return columns(first);
    }
    let names: Vec<String> =
        select.target_list.iter().map(name).collect::<Option<_>>().ok_or("every column should have a name")?;
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    if sorted.len() == names.len() { Ok(names) } else { Err("two columns have the same name".to_owned()) }
}

fn name(target: &Node) -> Option<String> {
    let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
    if !target.name.is_empty() {
        return Some(target.name.clone());
    }
    match target.val.as_deref()?.node.as_ref()? {
        NodeEnum::ColumnRef(column) => match column.fields.last()?.node.as_ref()? {
            NodeEnum::String(name) => Some(name.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::custom_query;
    use proptest::prelude::*;

    #[test]
    fn a_select_says_its_columns() {
        let columns = |sql| custom_query(sql).expect("taken").columns;
        assert_eq!(columns("select a.x, count(*) as n from t a"), ["x", "n"]);
        assert_eq!(columns("with w as (select 1 as a) select a from w union select 2"), ["a"]);
        assert_eq!(custom_query("select 1 as a; -- done").expect("taken").sql, "SELECT 1 AS a");
    }

    #[test]
    fn hostile_and_unclear_queries_are_refused() {
        for (sql, why) in [
            ("select 1 as a; drop table t", "not 2 statements"),
            ("delete from t", "SELECT or WITH"),
            ("with d as (delete from t returning 1) select 1 as a from d", "may not write"),
            ("select 1 as a into t", "write"),
            ("select a from t for update", "lock"),
            ("select * from t", "should have a name"),
            ("select count(*) from t", "should have a name"),
            ("select 1 as a, 2 as a", "same name"),
            ("copy t to program 'x'", "SELECT or WITH"),
            ("selec", "syntax error"),
            ("", "not 0 statements"),
        ] {
            let refused = custom_query(sql).expect_err(sql);
            assert!(refused.contains(why), "{sql}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(sql in ".{0,200}") {
            let _ = custom_query(&sql);
        }
    }
}
