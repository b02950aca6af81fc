//! What is written for which parameter, and what the repair must never do.

use super::*;
use crate::model::snapshot::RelationName;
use proptest::prelude::*;

fn types(relation: &RelationName, column: &str) -> Option<String> {
    let known = match (relation.name.as_str(), column) {
        ("orders", "id") => "bigint",
        ("orders", "total") => "numeric(12,2)",
        ("orders", "ordered_on") => "date",
        ("orders", "paid_at") => "timestamp with time zone",
        ("orders", "status") => "character varying(10)",
        ("orders", "sizes") => "integer[]",
        _ => return None,
    };
    Some(known.to_owned())
}

fn repaired(text: &str) -> String {
    repair(text, &types, &BTreeMap::new()).expect("repaired").sql
}

#[test]
fn parameters_get_the_types_of_what_they_meet() {
    for (text, expected) in [
        (
            "select 1 from orders where paid_at < $1 - interval $2",
            "SELECT 1 FROM orders WHERE paid_at < $1 - $2::interval",
        ),
        ("select id from orders where id in ($1 /*, ... */)", "SELECT id FROM orders WHERE id IN ($1)"),
        ("select extract($1 from paid_at) from orders", "SELECT extract (epoch FROM paid_at) FROM orders"),
        (
            "select 1 from orders where total between $1 - $2 and $3 + $4",
            "SELECT 1 FROM orders WHERE total BETWEEN ($1::numeric) - ($2::numeric) AND ($3::numeric) + ($4::numeric)",
        ),
        (
            "select 1 from orders where ordered_on < $1 + $2",
            "SELECT 1 FROM orders WHERE ordered_on < ($1::date) + ($2::interval)",
        ),
        (
            "select 1 from orders o where o.ordered_on + $1 > $2",
            "SELECT 1 FROM orders o WHERE o.ordered_on + ($1::int4) > $2",
        ),
        (
            "select sum(case when id = $1 then $2 else $3 end) from orders",
            "SELECT sum(CASE WHEN id = $1 THEN ($2::int4) ELSE ($3::int4) END) FROM orders",
        ),
        (
            "select count($1), concat($2, status) from orders",
            "SELECT count(($1::int4)), concat(($2::text), status) FROM orders",
        ),
        (
            "select 1 from orders join (values ($1, $2)) v(id, s) on v.id = orders.id",
            "SELECT 1 FROM orders JOIN (VALUES (($1::int8), $2)) v(id, s) ON v.id = orders.id",
        ),
        (
            "select 1 from orders where id = any (array[$1, $2])",
            "SELECT 1 FROM orders WHERE id = ANY(ARRAY[($1::int8), ($2::int8)])",
        ),
        ("insert into orders (id, total) values ($1, $2)", "INSERT INTO orders (id, total) VALUES ($1, $2)"),
    ] {
        assert_eq!(repaired(text), expected, "{text}");
    }
}

#[test]
fn groups_are_said_with_the_same_parameters() {
    for (text, expected) in [
        (
            "select date_trunc($1, paid_at), count(*) from orders group by date_trunc('day', paid_at) order by date_trunc('day', paid_at)",
            "SELECT date_trunc(($1::text), paid_at), count(*) FROM orders GROUP BY date_trunc(($1::text), paid_at) ORDER BY date_trunc(($1::text), paid_at)",
        ),
        (
            "select extract($1 from paid_at) from orders group by extract(year from paid_at)",
            "SELECT extract (epoch FROM paid_at) FROM orders GROUP BY extract (epoch FROM paid_at)",
        ),
        (
            "select status || $1 from orders group by rollup (status || $2)",
            "SELECT status || $1 FROM orders GROUP BY ROLLUP (status || $1)",
        ),
    ] {
        assert_eq!(repaired(text), expected, "{text}");
    }
    let repaired = repair("select status || $1 from orders group by status || $2", &types, &BTreeMap::new());
    assert_eq!(repaired.expect("repaired").gone, BTreeSet::from([2]));
}

#[test]
fn the_servers_word_is_taken() {
    let casts = BTreeMap::from([(2, "text".to_owned())]);
    let repaired = repair("select $1, $2 from t", &types, &casts).expect("repaired");
    assert_eq!((repaired.sql.as_str(), repaired.params), ("SELECT $1, ($2::text) FROM t", 2));
    let learnt = |sql: &str, sqlstate: &str, message: &str, at: &str| {
        learn(sql, Refusal { sqlstate, message, position: sql.find(at) }, &casts)
    };
    let first = |name: &str| vec![(1, name.to_owned())];
    let untyped = "could not determine data type of parameter $1";
    assert_eq!(learnt("select f($1)", "42P18", untyped, "f"), first("text"));
    let sum = "select (case when a then $1 else $2 end) + b from t";
    assert_eq!(learnt(sum, "42883", "operator does not exist: text + bigint", "+"), first("bigint"));
    assert_eq!(
        learnt("select $1 + f($2)", "42725", "operator is not unique: unknown + unknown", "+"),
        first("integer")
    );
    assert_eq!(
        learnt("select sum(coalesce($1))", "42883", "function sum(text) does not exist", "sum"),
        first("integer")
    );
    let column = "column \"c\" is of type date but expression is of type text";
    assert_eq!(learnt("update t set c = $1", "42804", column, "$1"), first("date"));
    assert_eq!(learnt("select $2", "42P18", "could not determine data type of parameter $2", "$2"), []);
}

#[test]
fn parameters_know_the_columns_they_meet() {
    let text = "WITH o AS (SELECT ordered_on AS day, id AS number FROM orders) SELECT 1 FROM o JOIN orders x ON $1 < x.total \
                WHERE o.day < $2::date + $3::interval AND o.number BETWEEN $4 AND $5 AND x.status LIKE $6 \
                AND o.number IN ($7, $8) AND x.status = lower($9) LIMIT $10";
    let found = parameters(text, &types).expect("parameters");
    let said: Vec<String> = found.iter().map(said).collect();
    assert_eq!(
        said,
        [
            "numeric total Greater Value",
            "date ordered_on Less Summand",
            "interval ordered_on Less Summand",
            "int8 id BetweenLow Value",
            "int8 id BetweenHigh Value",
            "text status Like Value",
            "int8 id In Value",
            "int8 id In Value",
            "?",
            "int8",
        ]
    );
}

fn said(parameter: &Parameter) -> String {
    let meetings = parameter.meetings.iter().map(|met| format!(" {} {:?} {:?}", met.column, met.comparison, met.role));
    format!("{}{}", parameter.type_name.as_deref().unwrap_or("?"), meetings.collect::<String>())
}

/// Expressions, from a few words each.
fn expression() -> impl Strategy<Value = String> {
    let words = ["id", "total", "$1", "$2", "$17", "paid_at", "ordered_on", "status", "'x'", "5", "now()", "sizes"];
    let leaf = proptest::sample::select(words.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (
            inner.clone(),
            proptest::sample::select(vec!["+", "-", "*", "||", "=", "<", "@>", "is distinct from"]),
            inner.clone(),
        );
        prop_oneof![
            two.prop_map(|(one, operator, other)| format!("({one} {operator} {other})")),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| format!("(case when {one} is null then {other} else $3 end)")),
            inner.clone().prop_map(|one| format!("sum({one})")),
            inner.clone().prop_map(|one| format!("date_trunc($4, {one})")),
            inner.clone().prop_map(|one| format!("({one} between $5 and $6 - $7)")),
            inner.prop_map(|one| format!("(select {one} from orders where id = any (array[$8, {one}]) limit $9)")),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,200}") {
        let _ = repair(&text, &types, &BTreeMap::from([(1, "text".to_owned())]));
        let _ = parameters(&text, &types);
    }

    #[test]
    fn what_is_repaired_parses_and_keeps_its_parameters(one in expression(), other in expression()) {
        let text = format!("select {one} from orders o where {other} group by {one} order by {other}, extract($20 from {one})");
        let repaired = repair(&text, &types, &BTreeMap::new()).expect("repaired");
        prop_assert!(pg_query::parse(&repaired.sql, ParserOptions::DEFAULT).is_ok(), "{}", repaired.sql);
        let numbers = |text: &str| parameter_tokens(text).expect("scanned").into_iter().map(|(_, number)| number).collect::<BTreeSet<_>>();
        let (before, after) = (numbers(&text), numbers(&repaired.sql));
        prop_assert!(after.is_subset(&before));
        prop_assert_eq!(repaired.params, 20);
        prop_assert!(before.iter().all(|number| after.contains(number) || repaired.gone.contains(number)));
        let again = parameters(&repaired.sql, &types).expect("parameters");
        prop_assert_eq!(again.len(), after.len());
    }
}
