//! Calls of PostgreSQL's own functions: what they take where the server could not tell, and return.

use super::expression::is_parameter;
use super::types::{Kind, is_temporal, word};
use super::walk::{Edit, Walk};
use pg_query::NodeEnum;
use pg_query::protobuf::{FuncCall, Node};

/// Functions and what they return, where it does not depend on their arguments.
const RETURNS: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "lower",
            "upper",
            "initcap",
            "trim",
            "btrim",
            "ltrim",
            "rtrim",
            "replace",
            "substring",
            "substr",
            "left",
            "right",
            "concat",
            "concat_ws",
            "lpad",
            "rpad",
            "split_part",
            "to_char",
            "format",
            "md5",
            "reverse",
            "repeat",
            "translate",
            "regexp_replace",
            "overlay",
            "jsonb_extract_path_text",
            "json_extract_path_text",
            "quote_literal",
            "quote_ident",
            "chr",
            "to_hex",
            "jsonb_typeof",
            "json_typeof",
            "array_to_string",
            "version",
        ],
    ),
    (
        "int4",
        &[
            "length",
            "char_length",
            "character_length",
            "octet_length",
            "bit_length",
            "position",
            "strpos",
            "ascii",
            "array_length",
            "array_upper",
            "array_lower",
            "cardinality",
            "jsonb_array_length",
            "json_array_length",
            "ntile",
            "regexp_count",
            "regexp_instr",
            "pg_backend_pid",
            "array_position",
        ],
    ),
    ("int8", &["count", "row_number", "rank", "dense_rank", "nextval", "currval", "lastval"]),
    ("float8", &["random", "percent_rank", "cume_dist", "date_part", "sqrt", "exp", "ln", "corr", "regr_slope"]),
    ("numeric", &["extract", "to_number"]),
    ("date", &["date", "to_date", "make_date"]),
    (
        "timestamptz",
        &["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "to_timestamp", "make_timestamptz"],
    ),
    ("timestamp", &["make_timestamp"]),
    ("interval", &["age", "make_interval", "justify_days", "justify_hours", "justify_interval"]),
    ("bool", &["bool_and", "bool_or", "every", "starts_with", "jsonb_path_exists", "regexp_like", "isfinite"]),
    ("uuid", &["gen_random_uuid"]),
    ("jsonb", &["to_jsonb", "jsonb_build_object", "jsonb_build_array", "jsonb_agg", "jsonb_object_agg", "jsonb_set"]),
    ("text[]", &["string_to_array", "regexp_split_to_array"]),
];

/// Functions whose result is of the type of their first argument.
const SAME_AS_FIRST: &[&str] = &[
    "min",
    "max",
    "any_value",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "abs",
    "round",
    "ceil",
    "ceiling",
    "floor",
    "trunc",
    "sign",
    "mod",
    "power",
    "array_append",
    "array_remove",
    "array_cat",
    "date_bin",
];

/// What a parameter is when nothing but the function says it: function, argument from 0, type. Without
/// these the server finds no function, several, or another one than a number would have meant.
const ARGUMENTS: &[(&str, usize, &str)] = &[
    ("count", 0, "int4"),
    ("max", 0, "int4"),
    ("min", 0, "int4"),
    ("date_trunc", 0, "text"),
    ("date_part", 0, "text"),
    ("extract", 1, "timestamptz"),
    ("date_trunc", 1, "timestamptz"),
    ("date_part", 1, "timestamptz"),
    ("age", 0, "timestamptz"),
    ("age", 1, "timestamptz"),
    ("to_char", 0, "timestamptz"),
    ("timezone", 0, "text"),
    ("timezone", 1, "timestamptz"),
    ("date_bin", 0, "interval"),
    ("date_bin", 1, "timestamptz"),
    ("date_bin", 2, "timestamptz"),
    ("generate_series", 0, "int4"),
    ("generate_series", 1, "int4"),
    ("round", 0, "numeric"),
    ("round", 1, "int4"),
    ("trunc", 0, "numeric"),
    ("trunc", 1, "int4"),
    ("mod", 0, "int4"),
    ("mod", 1, "int4"),
    ("abs", 0, "numeric"),
    ("percentile_cont", 0, "float8"),
    ("percentile_disc", 0, "float8"),
    ("unnest", 0, "text[]"),
    ("array_length", 0, "text[]"),
    ("cardinality", 0, "text[]"),
    ("array_to_string", 0, "text[]"),
    ("array_agg", 0, "text"),
    ("string_agg", 0, "text"),
    ("json_agg", 0, "text"),
    ("jsonb_agg", 0, "text"),
    ("to_json", 0, "text"),
    ("to_jsonb", 0, "text"),
    ("substring", 2, "int4"),
    ("substr", 2, "int4"),
    ("length", 0, "text"),
    ("lower", 0, "text"),
    ("upper", 0, "text"),
];

/// Functions that take anything, so that the server cannot tell what a parameter is.
const ANYTHING: &[&str] = &[
    "concat",
    "concat_ws",
    "format",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "json_object_agg",
    "jsonb_object_agg",
    "num_nulls",
    "num_nonnulls",
    "row_to_json",
];

/// Aggregates that have no variant for text.
const NUMERIC_AGGREGATES: &[&str] =
    &["sum", "avg", "stddev", "variance", "var_pop", "var_samp", "stddev_pop", "stddev_samp"];

impl Walk<'_> {
    /// Reads a call and tells the type of its result.
    pub(super) fn call(&mut self, call: &FuncCall) -> Kind {
        let name = call.funcname.last().and_then(word).unwrap_or_default();
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
        self.all(&call.agg_order);
        call.agg_filter.iter().for_each(|filter| drop(self.expression(filter)));
        call.over.iter().for_each(|window| self.window(window));
        self.arguments(name, call, &kinds);
        self.result(name, call, &kinds)
    }

    fn arguments(&mut self, name: &str, call: &FuncCall, kinds: &[Kind]) {
        match name {
            "extract" => self.field(call),
            "substring" | "substr" if kinds.len() == 3 => self.types.suggest(&kinds[1], "int4"),
            "generate_series" => self.series(kinds),
            "lag" | "lead" if kinds.len() == 3 => self.unify(&kinds[0], &kinds[2], !is_parameter(&call.args[2])),
            "array_append" | "array_remove" | "array_position" if kinds.len() > 1 => {
                self.unify(&kinds[0].element(), &kinds[1], !is_parameter(&call.args[1]));
            }
            _ if ANYTHING.contains(&name) => kinds.iter().for_each(|kind| self.types.suggest(kind, "text")),
            _ if NUMERIC_AGGREGATES.contains(&name) => kinds.iter().for_each(|kind| self.types.suggest(kind, "int4")),
            _ => {}
        }
        for (_, at, wanted) in ARGUMENTS.iter().filter(|(function, ..)| *function == name) {
            if let Some(kind) = kinds.get(*at) {
                match kind {
                    // Of an array only the elements are open.
                    Kind::Array(_) => self.types.suggest(kind, wanted.trim_end_matches("[]")),
                    _ => self.types.suggest(kind, wanted),
                }
            }
        }
    }

    /// `extract($1 from x)` takes the name of a field, and no parameter for it.
    fn field(&mut self, call: &FuncCall) {
        if let Some(Node { node: Some(NodeEnum::ParamRef(param)) }) = call.args.first()
            && let Ok(at) = usize::try_from(param.location)
        {
            self.edits.insert(at, Edit::Field);
        }
    }

    fn series(&mut self, kinds: &[Kind]) {
        let [first, last, step @ ..] = kinds else { return };
        self.unify(first, last, true);
        let is_time = |kind: &Kind| matches!(kind, Kind::Known(name) if is_temporal(name));
        let Some(step) = step.first() else { return };
        match (self.types.resolved(first), self.types.resolved(step)) {
            (time, Kind::Free(number)) if is_time(&time) => self.types.bind(number, "interval", true),
            (Kind::Free(number), Kind::Known(name)) if name == "interval" => {
                self.types.bind(number, "timestamptz", true);
            }
            _ => self.types.suggest(step, "int4"),
        }
    }

    fn result(&mut self, name: &str, call: &FuncCall, kinds: &[Kind]) -> Kind {
        let first = kinds.first().map_or(Kind::Opaque, |kind| self.types.resolved(kind));
        match name {
            "sum" | "avg" => match first {
                Kind::Known(name) if matches!(name.as_str(), "interval" | "float8" | "float4" | "money") => {
                    Kind::Known(name)
                }
                _ => Kind::known("numeric"),
            },
            "date_trunc" => match kinds.get(1).map(|kind| self.types.resolved(kind)) {
                Some(Kind::Known(name)) if name != "date" => Kind::Known(name),
                _ => Kind::known("timestamptz"),
            },
            "timezone" => match kinds.get(1).map(|kind| self.types.resolved(kind)) {
                Some(Kind::Known(name)) if name == "timestamp" => Kind::known("timestamptz"),
                _ => Kind::known("timestamp"),
            },
            "generate_series" => match first {
                Kind::Known(name) if name == "date" => Kind::known("timestamptz"),
                other => other,
            },
            "unnest" => first.element(),
            "array_agg" => first.array(),
            "percentile_disc" | "mode" => match call.agg_order.first() {
                Some(Node { node: Some(NodeEnum::SortBy(sort)) }) => {
                    sort.node.as_deref().map_or(Kind::Opaque, |node| self.expression(node))
                }
                _ => Kind::Opaque,
            },
            "percentile_cont" => Kind::known("float8"),
            "string_agg" => Kind::known("text"),
            _ if SAME_AS_FIRST.contains(&name) => first,
            _ => {
                let returns = RETURNS.iter().find(|(_, functions)| functions.contains(&name));
                returns.map_or(Kind::Opaque, |(result, _)| Kind::known(result))
            }
        }
    }
}
