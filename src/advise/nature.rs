//! What of a plan no index could serve: by the types of columns and by what functions are.

use super::catalog::Catalog;
use super::reading::{CONDITIONS, children};
use super::search_path::SearchPath;
use crate::ddl::quoted;
use crate::model::plan::Name;
use crate::model::snapshot::{Column, Volatility};
use crate::statement::{Fate, Nature, Part, is_immutable, sifted, type_key};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Texts that are cast to `text` and stay what they are.
const TEXTS: [&str; 2] = ["text", "varchar"];

/// A table as the ground of an expression.
struct Ground<'c, 'a> {
    catalog: &'c Catalog<'a>,
    table: &'c Name,
    path: SearchPath,
    /// Functions that were asked about and are not known.
    unknown: RefCell<BTreeSet<String>>,
}

impl Nature for Ground<'_, '_> {
    fn column(&self, name: &str) -> String {
        let column = self.catalog.column(self.table, name);
        column.map_or(String::new(), |one| type_key(one.base_type.as_ref().unwrap_or(&one.type_name)))
    }

    fn call(&self, schema: Option<&str>, name: &str, arguments: &[String]) -> Option<String> {
        let meant = self.catalog.functions.meant(schema, name, arguments, &self.path);
        if meant.is_empty() {
            let named = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
            self.unknown.borrow_mut().insert(named);
        }
        let first = type_key(&meant.first()?.result);
        let is_steady = meant.iter().all(|one| one.volatility == Volatility::Immutable);
        let is_one = meant.iter().all(|one| type_key(&one.result) == first);
        is_steady.then(|| if is_one { first } else { String::new() })
    }
}

impl Catalog<'_> {
    /// An index can be on the expression, or hold rows by it. A server would say; this is by what is known of it.
    pub(super) fn is_immutable(&self, table: &Name, expression: &str, search_path: &str) -> bool {
        is_immutable(expression, &self.ground(table, search_path))
    }

    /// Functions of the expression whose nature nobody told, where the catalog was not asked: it may be immutable.
    pub(super) fn unknown_functions(&self, table: &Name, expression: &str, search_path: &str) -> BTreeSet<String> {
        let ground = self.ground(table, search_path);
        if self.functions.are_read || is_immutable(expression, &ground) {
            return BTreeSet::new();
        }
        ground.unknown.into_inner()
    }

    fn ground<'c>(&'c self, table: &'c Name, search_path: &str) -> Ground<'c, 'c> {
        Ground { catalog: self, table, path: SearchPath::of(search_path), unknown: RefCell::default() }
    }

    /// The plan, with what no index finds rows by made known.
    pub(super) fn sifted(&self, plan: &Value, search_path: &str) -> Value {
        let mut aliases = BTreeMap::new();
        self.name(plan, &mut aliases);
        let mut plan = plan.clone();
        self.sift(&mut plan, &aliases, &SearchPath::of(search_path));
        plan
    }

    fn name<'p>(&self, node: &'p Value, aliases: &mut BTreeMap<&'p str, Name>) {
        let text = |key: &str| node.get(key).and_then(Value::as_str);
        if let (Some(schema), Some(relation)) = (text("Schema"), text("Relation Name"))
            && let Some(table) = self.table(schema, relation)
        {
            aliases.insert(text("Alias").unwrap_or(relation), table);
        }
        children(node).for_each(|child| self.name(child, aliases));
    }

    fn sift(&self, node: &mut Value, aliases: &BTreeMap<&str, Name>, path: &SearchPath) {
        let fate = |part: Part<'_>| match part {
            Part::Call(called) if self.functions.is_volatile(called, path) => Fate::Hides,
            Part::Call(called) => {
                self.functions.schema(called, path).map_or(Fate::Stays, |schema| Fate::Of(quoted(schema)))
            }
            Part::Cast { alias, column, to } => {
                aliases.get(alias).map_or(Fate::Stays, |table| self.cast(table, column, to))
            }
        };
        let Value::Object(map) = node else { return };
        for (key, value) in map {
            match value {
                Value::String(text) if CONDITIONS.contains(&key.as_str()) => *text = sifted(text, &fate),
                Value::Array(keys) if key == "Sort Key" => keys.iter_mut().for_each(|one| {
                    if let Value::String(text) = one {
                        *text = sifted(text, &fate);
                    }
                }),
                Value::Array(nodes) if key == "Plans" => {
                    nodes.iter_mut().for_each(|child| self.sift(child, aliases, path));
                }
                _ => {}
            }
        }
    }

    fn cast(&self, table: &Name, column: &str, to: &str) -> Fate {
        self.column(table, column).map_or(Fate::Stays, |column| cast(column, to))
    }
}

/// Types whose text is the same in every session, and that are searched for by it.
const KEYS: [&str; 5] = ["int2", "int4", "int8", "numeric", "uuid"];

/// What a cast makes of a column: a domain is what it is made of, a varchar is a text. Of any other the text is another
/// value, and has another order; what else it is cast to is an expression.
#[must_use]
pub fn cast(column: &Column, to: &str) -> Fate {
    let own = type_key(column.base_type.as_ref().unwrap_or(&column.type_name));
    let to = type_key(to);
    let is_text = TEXTS.contains(&own.as_str()) && TEXTS.contains(&to.as_str());
    let is_same = own == to || is_text || (own == "cidr" && to == "inet") || (own == "varchar[]" && to == "text[]");
    match to.as_str() {
        "text" if is_same => Fate::Stays,
        _ if is_same => Fate::Bare,
        "text" if KEYS.contains(&own.as_str()) => Fate::Computes,
        "text" | "bpchar" => Fate::Hides,
        _ => Fate::Stays,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Function, Relation, Snapshot, Tool};
    use chrono::DateTime;
    use serde_json::json;

    fn snapshot() -> Snapshot {
        let column = |(name, type_name, base): (&str, &str, Option<&str>)| Column {
            schema: "s".into(),
            relation: "t".into(),
            name: name.into(),
            type_name: type_name.into(),
            base_type: base.map(str::to_owned),
            ..Column::default()
        };
        let columns = [
            ("n", "integer", None),
            ("name", "character varying(60)", None),
            ("mail", "s.address", Some("text")),
            ("state", "s.state", None),
            ("number", "s.number", Some("integer")),
            ("at", "timestamp with time zone", None),
            ("plain", "timestamp without time zone", None),
        ];
        let function = |name: &str, arguments: &[&str], volatility| Function {
            schema: "pg_catalog".into(),
            name: name.into(),
            arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
            least_arguments: i32::try_from(arguments.len()).expect("a few"),
            result: arguments.last().copied().unwrap_or("text").to_owned(),
            volatility,
            ..Function::default()
        };
        Snapshot {
            relations: vec![Relation { schema: "s".into(), name: "t".into(), ..Relation::default() }],
            columns: columns.map(column).into(),
            functions: vec![
                function("lower", &["text"], Volatility::Immutable),
                function("lower", &["anyrange"], Volatility::Immutable),
                function("date_trunc", &["text", "timestamp with time zone"], Volatility::Stable),
                function("date_trunc", &["text", "timestamp without time zone"], Volatility::Immutable),
                function("random", &[], Volatility::Volatile),
                function("now", &[], Volatility::Stable),
                Function { schema: "app".into(), ..function("lower", &["text[]"], Volatility::Volatile) },
                Function { schema: "app".into(), ..function("lower", &["text"], Volatility::Volatile) },
                Function { schema: "app".into(), ..function("only", &["integer"], Volatility::Volatile) },
                Function { schema: "My app".into(), ..function("folded", &["text"], Volatility::Immutable) },
                Function { schema: "public".into(), ..function("folded", &["text"], Volatility::Immutable) },
            ],
            ..Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH)
        }
    }

    #[test]
    fn casts_and_calls_are_sifted_by_types_and_volatility() {
        let snapshot = snapshot();
        let catalog = Catalog::of(&snapshot);
        for (condition, expected) in [
            ("((o.n)::text = $1)", "((o.n)::pg_catalog.text = $1)"),
            ("((o.plain)::text = $1)", "(pgassay_sub_plan(o.plain) = $1)"),
            ("((o.name)::text = $1)", "((o.name)::text = $1)"),
            ("((o.mail)::text = $1)", "((o.mail)::text = $1)"),
            ("((o.number)::integer = $1)", "(o.number = $1)"),
            ("(((o.number)::integer + 1) = $1)", "(((o.number)::integer + 1) = $1)"),
            ("((o.state)::text = $1)", "(pgassay_sub_plan(o.state) = $1)"),
            ("((o.at)::date = $1)", "((o.at)::date = $1)"),
            ("(o.n = (random())::integer)", "(o.n = (pgassay_sub_plan())::integer)"),
            ("(o.at > now())", "(o.at > now())"),
            ("(lower((o.name)::text) = $1)", "(lower((o.name)::text) = $1)"),
            ("(app.lower((o.name)::text) = $1)", "(app.pgassay_sub_plan((o.name)::text) = $1)"),
            ("((x.n)::text = $1)", "((x.n)::text = $1)"),
        ] {
            let plan = json!({"Plans": [{"Schema": "s", "Relation Name": "t", "Alias": "o", "Filter": condition}]});
            assert_eq!(catalog.sifted(&plan, "public")["Plans"][0]["Filter"], expected);
        }
    }

    #[test]
    fn an_index_is_on_what_never_changes() {
        let snapshot = snapshot();
        let catalog = Catalog::of(&snapshot);
        let is_immutable = |expression| catalog.is_immutable(&Name::new("s", "t"), expression, "public");
        for expression in
            ["lower(name)", "lower((name)::text)", "date_trunc('day'::text, plain)", "(plain)::date", "n + 1"]
        {
            assert!(is_immutable(expression), "{expression}");
        }
        for expression in [
            "date_trunc('day'::text, at)",
            "(at)::date",
            "plain < now()",
            "unheard_of(n)",
            "lower(name, n)",
            "app.lower(name)",
        ] {
            assert!(!is_immutable(expression), "{expression}");
        }
    }

    #[test]
    fn functions_are_those_that_the_search_path_finds() {
        let snapshot = snapshot();
        let catalog = Catalog::of(&snapshot);
        // The argument's type is not known: all that are found must be immutable.
        for (path, expected) in
            [("public", true), ("app", false), ("\"$user\", app", false), ("app, pg_catalog", false)]
        {
            assert_eq!(catalog.is_immutable(&Name::new("s", "t"), "lower(gone)", path), expected, "{path}");
        }
        for (path, expected) in [("app", true), ("app, pg_catalog", false)] {
            assert_eq!(catalog.is_immutable(&Name::new("s", "t"), "lower(name)", path), expected, "{path}");
        }
        let plan = json!({"Filter": "(o.n = only(o.n))"});
        let hidden = |path: &str| catalog.sifted(&plan, path)["Filter"] != plan["Filter"];
        assert_eq!([hidden("public"), hidden("public, app")], [false, true]);
        let plan = json!({"Filter": "(folded((o.name)::text) = lower($1))"});
        for (path, schema) in [("\"My app\"", "\"My app\""), ("\"My app\", public", "\"My app\""), ("public", "public")]
        {
            assert_eq!(catalog.sifted(&plan, path)["Filter"], format!("({schema}.folded((o.name)::text) = lower($1))"));
        }
    }

    #[test]
    fn without_the_catalog_some_functions_are_known_and_the_others_told() {
        let snapshot = Snapshot { functions: Vec::new(), ..snapshot() };
        let catalog = Catalog::of(&snapshot);
        let table = Name::new("s", "t");
        for expression in
            ["lower((name)::text)", "date_trunc('day'::text, plain)", "\"left\"((name)::text, 3)", "n + 1"]
        {
            assert!(catalog.is_immutable(&table, expression, "public"), "{expression}");
            assert!(catalog.unknown_functions(&table, expression, "public").is_empty());
        }
        for (expression, unknown) in [
            ("norm(name)", &["norm"][..]),
            ("app.lower(name)", &["app.lower"]),
            ("lower(state)", &["lower"]),
            ("date_trunc('day'::text, at)", &[]),
            ("plain < now()", &[]),
        ] {
            assert!(!catalog.is_immutable(&table, expression, "public"), "{expression}");
            let told = catalog.unknown_functions(&table, expression, "public");
            assert_eq!(told.into_iter().collect::<Vec<_>>(), unknown, "{expression}");
        }
        let plan = json!({"Filter": "(o.n = random())"});
        assert_eq!(catalog.sifted(&plan, "public")["Filter"], "(o.n = pgassay_sub_plan())");
    }
}
