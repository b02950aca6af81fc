//! Whether an expression has one result for ever: an index can be on no other, nor hold rows by one.

use super::operand::expression;
use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, CaseExpr, FuncCall, Node, TypeCast};

/// What the catalog knows of what an expression is made of. Types are [`type_key`]s; one that is not known is empty.
pub trait Nature {
    /// Type of a column.
    fn column(&self, name: &str) -> String;

    /// Type of what an immutable function returns; none where it is not immutable, or unknown.
    fn call(&self, schema: Option<&str>, name: &str, arguments: &[String]) -> Option<String>;
}

/// The expression is seen to be immutable.
#[must_use]
pub fn is_immutable(text: &str, nature: &dyn Nature) -> bool {
    expression(text).is_some_and(|node| result(&node, nature).is_some())
}

/// A type by its name in `pg_type`, of what `format_type()` prints or somebody wrote, without its modifier.
#[must_use]
pub fn type_key(name: &str) -> String {
    const KEYS: [(&str, &str); 11] = [
        ("smallint", "int2"),
        ("integer", "int4"),
        ("bigint", "int8"),
        ("real", "float4"),
        ("double precision", "float8"),
        ("boolean", "bool"),
        ("character varying", "varchar"),
        ("character", "bpchar"),
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
        ("time with time zone", "timetz"),
    ];
    let (before, rest) = name.split_once('(').unwrap_or((name, ""));
    let behind = rest.split_once(')').map_or("", |(_, behind)| behind);
    let bare = format!("{before}{behind}");
    let (bare, array) = bare.strip_suffix("[]").map_or((bare.as_str(), ""), |bare| (bare, "[]"));
    let key = KEYS.iter().find(|(long, _)| *long == bare).map_or(bare, |(_, key)| key);
    format!("{key}{array}")
}

/// Types whose texts and numbers depend on no setting.
const STEADY: [&str; 16] = [
    "bool", "bpchar", "cidr", "citext", "float4", "float8", "inet", "int2", "int4", "int8", "jsonb", "name", "numeric",
    "text", "uuid", "varchar",
];

const TEXTS: [&str; 3] = ["text", "varchar", "bpchar"];

/// Type of the result; none where it is not seen to be immutable.
fn result(node: &Node, nature: &dyn Nature) -> Option<String> {
    let all = |nodes: &[Node]| nodes.iter().map(|one| result(one, nature)).collect::<Option<Vec<String>>>();
    let one = |node: &Option<Box<Node>>| node.as_deref().and_then(|node| result(node, nature));
    let first = |types: Vec<String>| types.into_iter().next();
    let bool = || "bool".to_owned();
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => match column.fields.last()?.node.as_ref()? {
            NodeEnum::String(name) => Some(nature.column(&name.sval)),
            _ => None,
        },
        NodeEnum::AConst(_) => Some(String::new()),
        NodeEnum::TypeCast(cast) => cast_to(cast, nature),
        NodeEnum::FuncCall(call) => called(call, nature),
        NodeEnum::AExpr(expression) => operated(expression, nature),
        NodeEnum::List(list) => all(&list.items).and_then(first),
        NodeEnum::AArrayExpr(array) => all(&array.elements).map(|_| String::new()),
        NodeEnum::CoalesceExpr(parts) => all(&parts.args).and_then(first),
        NodeEnum::MinMaxExpr(parts) => all(&parts.args).and_then(first),
        NodeEnum::BoolExpr(parts) => all(&parts.args).map(|_| bool()),
        NodeEnum::NullTest(test) => one(&test.arg).map(|_| bool()),
        NodeEnum::BooleanTest(test) => one(&test.arg).map(|_| bool()),
        NodeEnum::CollateClause(collated) => one(&collated.arg),
        NodeEnum::CaseExpr(case) => chosen(case, nature),
        _ => None,
    }
}

fn chosen(case: &CaseExpr, nature: &dyn Nature) -> Option<String> {
    let is_steady = |node: &Option<Box<Node>>| node.as_deref().is_none_or(|node| result(node, nature).is_some());
    let mut types = Vec::new();
    for node in &case.args {
        let NodeEnum::CaseWhen(when) = node.node.as_ref()? else { return None };
        result(when.expr.as_deref()?, nature)?;
        types.push(result(when.result.as_deref()?, nature)?);
    }
    (is_steady(&case.arg) && is_steady(&case.defresult)).then(|| types.into_iter().next())?
}

fn last_name(nodes: &[Node]) -> Option<&str> {
    match nodes.last()?.node.as_ref()? {
        NodeEnum::String(name) => Some(&name.sval),
        _ => None,
    }
}

fn cast_to(cast: &TypeCast, nature: &dyn Nature) -> Option<String> {
    let name = cast.type_name.as_ref()?;
    let array = if name.array_bounds.is_empty() { "" } else { "[]" };
    let to = format!("{}{array}", last_name(&name.names)?);
    let argument = cast.arg.as_deref()?;
    if matches!(argument.node, Some(NodeEnum::AConst(_))) {
        return Some(to);
    }
    let from = result(argument, nature)?;
    let from = if from.ends_with(".citext") { "citext" } else { from.as_str() };
    let is_in = |names: &[&str]| names.contains(&from) && names.contains(&to.as_str());
    let is_steady = from == to || is_in(&STEADY) || is_in(&["timestamp", "date"]) || is_in(&["varchar[]", "text[]"]);
    is_steady.then_some(to)
}

fn called(call: &FuncCall, nature: &dyn Nature) -> Option<String> {
    let arguments: Vec<String> = call.args.iter().map(|one| result(one, nature)).collect::<Option<_>>()?;
    let name = last_name(&call.funcname)?;
    let schema = call.funcname.len().checked_sub(1).and_then(|before| last_name(&call.funcname[..before]));
    // AT TIME ZONE names no function.
    if let ("timezone", [_, of]) = (name, arguments.as_slice()) {
        return match of.as_str() {
            "timestamptz" => Some("timestamp".to_owned()),
            "timestamp" => Some("timestamptz".to_owned()),
            _ => None,
        };
    }
    // What the grammar writes in its own way stands in pg_catalog, as others do by default.
    nature.call(schema.filter(|schema| *schema != "pg_catalog"), name, &arguments)
}

fn operated(expression: &AExpr, nature: &dyn Nature) -> Option<String> {
    let side = |node: &Option<Box<Node>>| node.as_deref().map_or(Some(String::new()), |node| result(node, nature));
    let (left, right) = (side(&expression.lexpr)?, side(&expression.rexpr)?);
    let is_zoned = [&left, &right].iter().any(|one| matches!(one.as_str(), "timestamptz" | "timetz"));
    if expression.kind == AExprKind::AexprNullif as i32 {
        return Some(left);
    }
    match last_name(&expression.name)? {
        // Days and zones are the session's.
        _ if is_zoned && left != right => None,
        "-" if is_zoned => Some("interval".to_owned()),
        "=" | "<>" | "<" | "<=" | ">" | ">=" => (!left.is_empty() || !right.is_empty()).then(|| "bool".to_owned()),
        "->>" | "#>>" => Some("text".to_owned()),
        "->" if left == "hstore" || left.ends_with(".hstore") => Some("text".to_owned()),
        // Of what is no text the text depends on settings.
        "||" => {
            let is_joined = |one: &String| TEXTS.contains(&one.as_str());
            (is_joined(&left) && is_joined(&right) || left == right && left == "jsonb").then_some(left)
        }
        _ => Some(if left.is_empty() { right } else { left }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Known;

    impl Nature for Known {
        fn column(&self, name: &str) -> String {
            let known = [
                "n int4",
                "t text",
                "v varchar",
                "at timestamptz",
                "day date",
                "plain timestamp",
                "doc jsonb",
                "c public.citext",
                "k hstore",
                "labels varchar[]",
            ];
            let found = known.iter().filter_map(|one| one.split_once(' ')).find(|(own, _)| *own == name);
            found.map_or(String::new(), |(_, kind)| kind.to_owned())
        }

        fn call(&self, _: Option<&str>, name: &str, arguments: &[String]) -> Option<String> {
            match (name, arguments) {
                ("lower" | "btrim", _) => Some("text".to_owned()),
                ("date_trunc", [_, of]) if of == "timestamp" => Some("timestamp".to_owned()),
                _ => None,
            }
        }
    }

    #[test]
    fn one_result_for_ever() {
        for text in [
            "lower(t)",
            "lower((v)::text)",
            "n + 1",
            "(n)::text",
            "(n % 10)",
            "lower((c)::text)",
            "(labels)::text[]",
            "(k -> 'a'::text) || t",
            "t || ' '::text || (v)::text",
            "COALESCE(t, ''::text)",
            "(doc ->> 'a'::text)::int",
            "date_trunc('day'::text, plain)",
            "(plain)::date",
            "(at AT TIME ZONE 'UTC'::text)::date",
            "at - at",
            "deleted IS NULL",
            "(NOT done) AND n > 5",
            "CASE WHEN n > 1 THEN t ELSE NULL::text END",
            "GREATEST(n, 2)",
        ] {
            assert!(is_immutable(text, &Known), "{text}");
        }
    }

    #[test]
    fn and_what_depends_on_settings_the_clock_or_is_not_known() {
        for text in [
            "(at)::date",
            "(at)::text",
            "(day)::text",
            "(t)::date",
            "(t)::timestamptz",
            "date_trunc('day'::text, at)",
            "at + '01:00:00'::interval",
            "at < now()",
            "at > day",
            "at < CURRENT_TIMESTAMP",
            "t || n",
            "unheard_of(t)",
            "(plain AT TIME ZONE 'UTC'::text)::date",
            "(unheard_of)::text",
            "",
        ] {
            assert!(!is_immutable(text, &Known), "{text}");
        }
    }

    #[test]
    fn types_have_one_name() {
        for (printed, key) in [
            ("character varying(60)", "varchar"),
            ("timestamp(3) with time zone", "timestamptz"),
            ("numeric(10,2)", "numeric"),
            ("integer[]", "int4[]"),
            ("character varying(5)[]", "varchar[]"),
            ("s.kind", "s.kind"),
        ] {
            assert_eq!(type_key(printed), key);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,120}") {
            let _ = (is_immutable(&text, &Known), type_key(&text));
        }
    }
}
