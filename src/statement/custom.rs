//! SQL that a rule pack brings along: one SELECT that says the names of its columns, and nothing else.

use pg_query::protobuf::{Node, SelectStmt, Token};
use pg_query::{DeparseOptions, NodeEnum, NodeRef, ParseResult, ParserOptions};

/// A pack's query as it is sent, and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomQuery {
    /// The SELECT without comments and semicolon.
    pub sql: String,
    /// Names of its columns.
    pub columns: Vec<String>,
}

/// Why a pack's query is not taken, and the byte where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Offset in the text.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl Misfit {
    fn new(at: i32, message: impl Into<String>) -> Self {
        Self { at: usize::try_from(at).unwrap_or(0), message: message.into() }
    }
}

/// The first byte that is no white space, from one on.
fn skip_space(sql: &str, from: i32) -> i32 {
    let start = usize::try_from(from).unwrap_or(0);
    let rest = sql.get(start..).unwrap_or_default();
    from + i32::try_from(rest.len() - rest.trim_start().len()).unwrap_or(0)
}

/// Where the last FOR of a text stands, which locks rows.
fn last_for(sql: &str) -> i32 {
    let tokens = pg_query::scan(sql).map(|scanned| scanned.tokens).unwrap_or_default();
    tokens.iter().rfind(|token| token.token == Token::For as i32).map_or(0, |token| token.start)
}

/// `syntax error at or near "form"`: where that word stands first.
fn near(sql: &str, message: &str) -> i32 {
    let word = message.split_once("at or near \"").and_then(|(_, rest)| rest.rsplit_once('"')).map(|(word, _)| word);
    word.and_then(|word| sql.find(word)).and_then(|at| i32::try_from(at).ok()).unwrap_or(0)
}

/// Reads a pack's query, or says why it is not taken. What it may do on the server is bounded there
/// too: it runs read-only, under time-outs, and its rows are counted.
pub fn custom_query(sql: &str) -> Result<CustomQuery, Misfit> {
    let parsed = one_select(sql)?;
    let columns = outer(&parsed).map(columns).transpose()?.unwrap_or_default();
    let sql = parsed.deparse(DeparseOptions::default()).map_err(|error| Misfit::new(0, error.to_string()))?;
    Ok(CustomQuery { sql, columns })
}

/// One SELECT that writes nothing and locks no rows; or why it is not that.
pub(super) fn one_select(sql: &str) -> Result<ParseResult, Misfit> {
    let parsed = pg_query::parse(sql, ParserOptions::DEFAULT).map_err(|error| {
        let message = error.to_string();
        Misfit::new(near(sql, &message), message)
    })?;
    if let several @ ([] | [_, _, ..]) = parsed.protobuf.stmts.as_slice() {
        let at = several.get(1).map_or(0, |second| skip_space(sql, second.stmt_location));
        return Err(Misfit::new(at, format!("it should be one SELECT, not {} statements", several.len())));
    }
    let select = outer(&parsed).ok_or_else(|| Misfit::new(0, "it should be a SELECT or WITH"))?;
    if let Some(into) = &select.into_clause {
        let at = into.rel.as_ref().map_or(0, |relation| relation.location);
        return Err(Misfit::new(at, "it may not write: leave out INTO"));
    }
    for (node, ..) in parsed.protobuf.nodes() {
        match node {
            NodeRef::InsertStmt(_) | NodeRef::UpdateStmt(_) | NodeRef::DeleteStmt(_) | NodeRef::MergeStmt(_) => {
                return Err(Misfit::new(0, "it may not write"));
            }
            NodeRef::SelectStmt(inner) if !inner.locking_clause.is_empty() => {
                return Err(Misfit::new(last_for(sql), "it may not lock rows"));
            }
            _ => {}
        }
    }
    Ok(parsed)
}

/// The SELECT that a text begins with.
fn outer(parsed: &ParseResult) -> Option<&SelectStmt> {
    match parsed.protobuf.stmts.first()?.stmt.as_ref()?.node.as_ref()? {
        NodeEnum::SelectStmt(select) => Some(select),
        _ => None,
    }
}

/// Names of the outermost columns; of a UNION those of its first arm.
fn columns(select: &SelectStmt) -> Result<Vec<String>, Misfit> {
    if let Some(first) = &select.larg {
        return columns(first);
    }
    let mut names = Vec::new();
    for target in &select.target_list {
        let at = match &target.node {
            Some(NodeEnum::ResTarget(target)) => target.location,
            _ => 0,
        };
        let name = name(target).ok_or_else(|| Misfit::new(at, "every column should have a name"))?;
        if names.contains(&name) {
            return Err(Misfit::new(at, format!("two columns have the same name, `{name}`")));
        }
        names.push(name);
    }
    Ok(names)
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
            ("select a from (select a from t for share) s", "lock"),
            ("with w as (select a from t for key share) select a from w", "lock"),
            ("select * from t", "should have a name"),
            ("select count(*) from t", "should have a name"),
            ("select 1 as a, 2 as a", "same name"),
            ("copy t to program 'x'", "SELECT or WITH"),
            ("selec", "syntax error"),
            ("", "not 0 statements"),
        ] {
            let refused = custom_query(sql).expect_err(sql);
            assert!(refused.message.contains(why), "{sql}: {refused:?}");
        }
    }

    #[test]
    fn the_place_is_told() {
        let at = |sql| custom_query(sql).expect_err(sql).at;
        assert_eq!(at("select 1 as n\nform shop.users"), 14);
        assert_eq!(at("select 1 as n; drop table t"), 15);
        assert_eq!(at("select * from t"), 7);
        assert_eq!(at("select id\nfrom t\nfor update"), 17);
        assert_eq!(at("select id into shop.copy from t"), 15);
    }

    proptest! {
        #[test]
        fn never_panics(sql in ".{0,200}") {
            let _ = custom_query(&sql);
        }
    }
}
