//! Index definitions as texts: taken apart without being changed, and compared by what they say.

use super::operand::deparsed;
use pg_query::protobuf::{IndexStmt, KeywordKind, Node, Token};
use pg_query::{DeparseOptions, NodeEnum, ParserOptions};

/// A `CREATE INDEX` as `pg_get_indexdef()` prints it, in pieces of its own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexText {
    /// CREATE UNIQUE INDEX.
    pub is_unique: bool,
    /// From behind USING to WHERE: `btree (user_id) WITH (fillfactor='70')`.
    pub using: String,
    /// From behind WHERE.
    pub predicate: Option<String>,
}

/// Takes a definition apart; none when the text is no such definition.
#[must_use]
pub fn index_text(definition: &str) -> Option<IndexText> {
    let statement = parsed(definition)?;
    let tokens = pg_query::scan(definition).ok()?.tokens;
    let using = tokens.iter().find(|token| token.token == Token::Using as i32)?;
    // A WHERE inside of an expression stands in parentheses, as all expressions do.
    let mut depth = 0;
    let predicate = tokens.iter().find(|token| {
        depth += i32::from(token.token == Token::Ascii40 as i32) - i32::from(token.token == Token::Ascii41 as i32);
        depth == 0 && token.token == Token::Where as i32 && token.start > using.start
    });
    let at = |position: i32| usize::try_from(position).ok();
    let end = predicate.map_or(Some(definition.len()), |token| at(token.start))?;
    Some(IndexText {
        is_unique: statement.unique,
        using: definition.get(at(using.end)?..end)?.trim().to_owned(),
        predicate: predicate.and_then(|token| Some(definition.get(at(token.end)?..)?.trim().to_owned())),
    })
}

/// What stands behind USING, with one more column as the last key: `btree (a, b) INCLUDE (c)`. The column is quoted.
#[must_use]
pub fn with_key(using: &str, column: &str) -> Option<String> {
    let tokens = pg_query::scan(using).ok()?.tokens;
    let mut depth = 0;
    let end = tokens.iter().find(|token| {
        depth += i32::from(token.token == Token::Ascii40 as i32) - i32::from(token.token == Token::Ascii41 as i32);
        depth == 0 && token.token == Token::Ascii41 as i32
    })?;
    let at = usize::try_from(end.start).ok()?;
    Some(format!("{}, {column}{}", using.get(..at)?, using.get(at..)?))
}

/// A key of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKey {
    /// Name of a column, or an expression as the parser writes it.
    pub text: String,
    /// It is an expression.
    pub is_expression: bool,
    /// It has an operator class that is not its type's default.
    pub has_class: bool,
    /// It has a collation that is not its column's.
    pub has_collation: bool,
}

/// What an index is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexParts {
    /// Its keys in order.
    pub keys: Vec<IndexKey>,
    /// Predicate of a partial one, as the parser writes it.
    pub predicate: Option<String>,
}

/// Reads what an index is on; none when the text is no definition.
#[must_use]
pub fn index_parts(definition: &str) -> Option<IndexParts> {
    let statement = parsed(definition)?;
    let key = |node: &Node| {
        let NodeEnum::IndexElem(element) = node.node.as_ref()? else { return None };
        let expression = element.expr.as_deref();
        Some(IndexKey {
            text: expression.map_or(Some(element.name.clone()), deparsed)?,
            is_expression: expression.is_some(),
            has_class: !element.opclass.is_empty(),
            has_collation: !element.collation.is_empty(),
        })
    };
    let keys: Option<Vec<IndexKey>> = statement.index_params.iter().map(key).collect();
    let predicate = statement.where_clause.as_deref().map(deparsed);
    Some(IndexParts { keys: keys?, predicate: predicate.map_or(Some(None), |text| text.map(Some))? })
}

/// A storage parameter that a definition sets, `lists` of an ivfflat index; none where it keeps its default.
#[must_use]
pub fn index_option(definition: &str, name: &str) -> Option<String> {
    let statement = parsed(definition)?;
    let mut options = statement.options.iter().filter_map(|node| match node.node.as_ref() {
        Some(NodeEnum::DefElem(option)) if option.defname == name => option.arg.as_deref()?.node.as_ref(),
        _ => None,
    });
    options.find_map(|value| match value {
        NodeEnum::String(text) => Some(text.sval.clone()),
        NodeEnum::Integer(number) => Some(number.ival.to_string()),
        _ => None,
    })
}

/// Two definitions make the same index on the same table, whatever its name and however it is built.
#[must_use]
pub fn is_same_index(one: &str, other: &str) -> bool {
    let (one, other) = (essence(one), essence(other));
    one.is_some() && one == other
}

/// The definition without its name and the way it is built, written in one way.
fn essence(definition: &str) -> Option<String> {
    let mut statement = parsed(definition)?;
    statement.idxname.clear();
    statement.concurrent = false;
    statement.if_not_exists = false;
    if let Some(relation) = statement.relation.as_mut() {
        // ON ONLY is how it is built, too.
        relation.inh = true;
    }
    NodeEnum::IndexStmt(Box::new(statement)).deparse(DeparseOptions::default()).ok()
}

fn parsed(definition: &str) -> Option<IndexStmt> {
    let mut parsed = pg_query::parse(definition, ParserOptions::DEFAULT).ok()?;
    let only = if parsed.protobuf.stmts.len() == 1 { parsed.protobuf.stmts.pop()? } else { return None };
    match only.stmt?.node? {
        NodeEnum::IndexStmt(statement) => Some(*statement),
        _ => None,
    }
}

/// A name that must be quoted because it is a word of the grammar.
#[must_use]
pub fn is_keyword(name: &str) -> bool {
    let is_word = |kind: i32| kind != KeywordKind::NoKeyword as i32 && kind != KeywordKind::UnreservedKeyword as i32;
    pg_query::scan(name).is_ok_and(|scanned| scanned.tokens.iter().any(|token| is_word(token.keyword_kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_behind_the_others() {
        let of = |using| with_key(using, "at").expect("keys");
        assert_eq!(of("btree (lower(\"a)\"), b DESC) INCLUDE (c)"), "btree (lower(\"a)\"), b DESC, at) INCLUDE (c)");
        assert_eq!(with_key("btree", "at"), None);
    }

    #[test]
    fn a_definition_comes_apart_and_keeps_its_text() {
        let text = index_text(
            "CREATE UNIQUE INDEX \"a USING b\" ON public.t USING btree (lower(name), ((x > 1))) INCLUDE (c) \
             WITH (fillfactor='70') WHERE (note = 'WHERE'::text)",
        )
        .expect("a definition");
        assert!(text.is_unique);
        assert_eq!(text.using, "btree (lower(name), ((x > 1))) INCLUDE (c) WITH (fillfactor='70')");
        assert_eq!(text.predicate.as_deref(), Some("(note = 'WHERE'::text)"));
        assert_eq!(index_text("<locked: t_idx>"), None);
        assert_eq!(index_text("select 1"), None);
        assert_eq!(index_text(""), None);
    }

    #[test]
    fn storage_parameters_are_read() {
        let lists = |definition| index_option(definition, "lists");
        let text = "CREATE INDEX i ON s.t USING ivfflat (v s.vector_l2_ops) WITH (lists='200') WHERE (a > 1)";
        assert_eq!(lists(text).as_deref(), Some("200"));
        assert_eq!(lists("create index on t using ivfflat (v) with (lists = 200)").as_deref(), Some("200"));
        assert_eq!(lists("CREATE INDEX i ON s.t USING btree (lists) WITH (fillfactor='70')"), None);
        assert_eq!(lists("<locked: i>"), None);
    }

    #[test]
    fn definitions_are_compared_by_what_they_say() {
        let same = |other| is_same_index("CREATE INDEX a ON public.t USING btree (x, y DESC)", other);
        assert!(same("create index concurrently b on public.t using btree (x, \"y\" desc)"));
        assert!(!same("CREATE INDEX a ON public.t USING btree (x, y)"));
        assert!(!same("CREATE INDEX a ON public.u USING btree (x, y DESC)"));
        assert!(!same("CREATE UNIQUE INDEX a ON public.t USING btree (x, y DESC)"));
        assert!(!same("CREATE INDEX a ON public.t USING btree (x, y DESC) WHERE (x > 1)"));
        assert!(!same("<locked: a>"));
        assert!(!is_same_index("<locked: a>", "<locked: a>"));
    }

    #[test]
    fn keys_are_read() {
        let parts = index_parts(
            "CREATE INDEX i ON public.t USING btree (lower((name)::text), \"Odd\" DESC, e text_pattern_ops) INCLUDE (x) WHERE (NOT gone)",
        )
        .expect("a definition");
        let keys: Vec<_> = parts.keys.iter().map(|key| (key.text.as_str(), key.is_expression, key.has_class)).collect();
        assert_eq!(keys, [("lower(name::text)", true, false), ("Odd", false, false), ("e", false, true)]);
        assert_eq!(parts.predicate.as_deref(), Some("NOT gone"));
        assert_eq!(index_parts("<locked: i>"), None);
    }

    #[test]
    fn keywords_are_known() {
        assert!(is_keyword("user") && is_keyword("order") && is_keyword("between"));
        assert!(!is_keyword("orders") && !is_keyword("name") && !is_keyword("data"));
    }
}
