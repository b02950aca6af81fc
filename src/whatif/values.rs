//! Typical values for the parameters of a statement, from what ANALYZE knows of the columns they are compared
//! with: the planner's estimate without any value can be far off. The values stay in memory and are bound, never
//! written into a text.

use crate::model::advice::ParameterValues;
use crate::model::plan::Name;
use crate::postgres::{ReadError, Reader, ToSql, Type, pick};
use crate::statement::{Comparison, Meeting, Parameter, ParameterRole, Repaired};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The middle of a distribution.
const HALF: f64 = 0.5;

/// Elements of an array whose length is not known (`estimate_array_length()`, selfuncs.c).
const ARRAY: usize = 10;

/// Which of a column's values is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    /// Neither among the rarest nor the most common.
    Usual,
    /// One of the rarest that are known.
    Rare,
    /// The most common.
    Common,
}

/// A manner of taking values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Manner {
    /// What they are called. A narrow range is as rare as a rare value.
    pub(super) values: ParameterValues,
    pick: Pick,
    /// Share of the rows that a range with two ends covers, around the middle.
    between: f64,
    /// Share that one with a single end covers.
    beyond: f64,
}

/// The first is taken where nothing is known; the others where a statement's rows tell one from the other.
pub(super) const MANNERS: [Manner; 5] = [
    Manner { values: ParameterValues::Usual, pick: Pick::Usual, between: 0.2, beyond: HALF },
    Manner { values: ParameterValues::Rare, pick: Pick::Usual, between: 0.01, beyond: 0.01 },
    Manner { values: ParameterValues::Rare, pick: Pick::Rare, between: 0.2, beyond: HALF },
    Manner { values: ParameterValues::Rare, pick: Pick::Rare, between: 0.01, beyond: 0.01 },
    Manner { values: ParameterValues::Common, pick: Pick::Common, between: 0.8, beyond: 0.9 },
];

/// What ANALYZE knows of a column's values: a row of `sql/whatif_values.sql`.
#[derive(Debug, Clone, Default, Deserialize)]
struct Known {
    schema: String,
    table: String,
    column: String,
    common: Option<Vec<String>>,
    frequencies: Option<Vec<String>>,
    bounds: Option<Vec<String>>,
}

/// Values of columns, by table and column.
#[derive(Debug, Default)]
pub(super) struct Values(BTreeMap<(Name, String), Known>);

impl Values {
    /// Reads what is known of these columns.
    pub(super) async fn read(reader: &Reader, columns: &BTreeSet<(Name, String)>) -> Result<Self, ReadError> {
        let schemas: Vec<&str> = columns.iter().map(|(table, _)| table.schema.as_str()).collect();
        let tables: Vec<&str> = columns.iter().map(|(table, _)| table.name.as_str()).collect();
        let names: Vec<&str> = columns.iter().map(|(_, column)| column.as_str()).collect();
        let params: [(&(dyn ToSql + Sync), Type); 3] =
            [(&schemas, Type::TEXT_ARRAY), (&tables, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
        let sql = pick("whatif_values", 0, 0).map_or("", |query| query.sql);
        let rows: Vec<Known> = reader.read(sql, &params).await?;
        let keyed = rows.into_iter().map(|row| ((Name::new(&row.schema, &row.table), row.column.clone()), row));
        Ok(Self(keyed.collect()))
    }

    /// A value for each parameter, in order; none where nothing typical is known of one. `rows` came of a call, on
    /// average.
    pub(super) fn typical(
        &self,
        Repaired { sql, params, .. }: &Repaired,
        parameters: &[Parameter],
        tables: &[Name],
        manner: Manner,
        rows: f64,
    ) -> Option<Vec<Option<String>>> {
        let pairs = bounded_twice(parameters);
        let mut values = vec![None; usize::try_from(*params).ok()?];
        let mut summed = BTreeSet::new();
        let mut listed: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for parameter in parameters {
            let at = usize::try_from(parameter.number - 1).ok()?;
            // Of a sum only the first is like the column; an interval never is.
            let is_interval = parameter.type_name.as_deref() == Some("interval");
            let is_like_column = |meeting: &&Meeting| {
                meeting.role == ParameterRole::Value || (!is_interval && summed.insert(meeting.side))
            };
            let like_column: Vec<&Meeting> = parameter.meetings.iter().filter(is_like_column).collect();
            let is_array = parameter.type_name.as_deref().is_some_and(|name| name.ends_with("[]"));
            let place = |meeting: &Meeting| listed.get(&of(meeting)).copied().unwrap_or(0);
            let value = like_column.iter().find_map(|meeting| {
                let known = self.known(meeting, tables)?;
                if is_array && meeting.comparison == Comparison::In {
                    known.array(manner.pick)
                } else {
                    known.of(meeting, &pairs, manner, place(meeting))
                }
            });
            // The next of a list is another value.
            let members = like_column.iter().filter(|meeting| meeting.comparison == Comparison::In && !is_array);
            members.for_each(|meeting| *listed.entry(of(meeting)).or_default() += 1);
            let is_rest = like_column.is_empty();
            let neutral = || neutral(parameter, sql, is_rest);
            *values.get_mut(at)? = Some(value.or_else(|| limit(parameter.number, sql, rows)).or_else(neutral)?);
        }
        Some(values)
    }

    fn known(&self, meeting: &Meeting, tables: &[Name]) -> Option<&Known> {
        let table = tables.iter().find(|table| {
            table.name == meeting.relation.name
                && meeting.relation.schema.as_ref().is_none_or(|schema| *schema == table.schema)
        })?;
        self.0.get(&(table.clone(), meeting.column.clone()))
    }
}

/// Relation and column.
fn of(meeting: &Meeting) -> (&str, &str) {
    (&meeting.relation.name, &meeting.column)
}

/// Columns that are bounded on both sides.
fn bounded_twice(parameters: &[Parameter]) -> BTreeSet<String> {
    let meetings = || parameters.iter().flat_map(|parameter| &parameter.meetings);
    let is_low = |one: &&Meeting| {
        matches!(one.comparison, Comparison::Greater | Comparison::GreaterEqual | Comparison::BetweenLow)
    };
    let is_high =
        |one: &&Meeting| matches!(one.comparison, Comparison::Less | Comparison::LessEqual | Comparison::BetweenHigh);
    let low: BTreeSet<&String> = meetings().filter(is_low).map(|one| &one.column).collect();
    meetings().filter(is_high).map(|one| &one.column).filter(|column| low.contains(column)).cloned().collect()
}

impl Known {
    /// A value to compare the column with: of a list the one at this place.
    fn of(&self, meeting: &Meeting, pairs: &BTreeSet<String>, manner: Manner, place: usize) -> Option<String> {
        let is_pair = pairs.contains(&meeting.column);
        let low = HALF - manner.between / 2.0;
        match meeting.comparison {
            Comparison::Less | Comparison::LessEqual | Comparison::BetweenHigh => {
                // `at >= $1 and at < $2 + interval`: the sum begins where the range does.
                let high = if meeting.role == ParameterRole::Summand { low } else { HALF + manner.between / 2.0 };
                self.at(if is_pair { high } else { manner.beyond })
            }
            Comparison::Greater | Comparison::GreaterEqual | Comparison::BetweenLow => {
                self.at(if is_pair { low } else { 1.0 - manner.beyond })
            }
            Comparison::Like => {
                self.one(manner.pick).map(|value| format!("{}%", value.chars().take(3).collect::<String>()))
            }
            Comparison::In => self.beside(self.one(manner.pick)?, place),
            _ => self.one(manner.pick),
        }
    }

    /// An array of different values, as many as the planner takes one for whose length it does not know, but not of most
    /// that there are.
    fn array(&self, pick: Pick) -> Option<String> {
        let one = self.one(pick)?;
        let length = ARRAY.min(self.all().count().div_ceil(2));
        let values: BTreeSet<String> = (0..length).filter_map(|place| self.beside(one.clone(), place)).collect();
        let quoted = values.iter().map(|value| format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")));
        Some(format!("{{{}}}", quoted.collect::<Vec<_>>().join(",")))
    }

    /// The value at a share of the distribution; of few distinct values by their order in the texts.
    fn at(&self, share: f64) -> Option<String> {
        let bounds = self.bounds.as_ref().or(self.common.as_ref()).filter(|bounds| !bounds.is_empty())?;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let at = ((bounds.len() - 1) as f64 * share).round() as usize;
        bounds.get(at).cloned()
    }

    fn one(&self, pick: Pick) -> Option<String> {
        let common = self.common.as_deref().unwrap_or(&[]);
        match pick {
            Pick::Usual => self.usual(),
            Pick::Rare if self.bounds.is_some() => self.at(HALF),
            Pick::Rare => common.last().cloned(),
            Pick::Common => common.first().cloned().or_else(|| self.at(HALF)),
        }
    }

    /// All that are known, the most common first.
    fn all(&self) -> impl Iterator<Item = &String> {
        self.common.iter().chain(&self.bounds).flatten()
    }

    /// The value so many places from this one: those behind it, which are rarer, and then those before it, the most common
    /// last.
    fn beside(&self, value: String, places: usize) -> Option<String> {
        let all: Vec<&String> = self.all().collect();
        let Some(at) = all.iter().position(|other| **other == value) else { return Some(value) };
        let near: Vec<&String> = all[at..].iter().chain(all[..at].iter().rev()).copied().collect();
        near.get(places % near.len()).map(|value| (*value).clone())
    }

    /// A value that is neither among the rarest nor the most common: where the common ones are most of the rows, that
    /// whose frequency is nearest to their geometric mean (of nine jobs in ten that are done nobody asks by that); else
    /// the middle of the others.
    fn usual(&self) -> Option<String> {
        let common = self.common.as_deref().unwrap_or(&[]);
        let frequencies = self.frequencies.iter().flatten();
        let frequencies: Vec<f64> = frequencies.map(|text| text.parse().unwrap_or(0.0)).collect();
        if frequencies.iter().sum::<f64>() < HALF && self.bounds.is_some() {
            return self.at(HALF);
        }
        let scales: Vec<f64> = frequencies.iter().map(|frequency| frequency.max(f64::MIN_POSITIVE).ln()).collect();
        #[allow(clippy::cast_precision_loss, reason = "a mean")]
        let mean = scales.iter().sum::<f64>() / scales.len() as f64;
        // Of two as near the first, which is the more common.
        let off = |scale: &f64| ((scale - mean).abs() * 1e6).round();
        let nearest = common.iter().zip(&scales).min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
        nearest.map(|(value, _)| value.clone()).or_else(|| self.at(HALF))
    }
}

/// As many rows as came, where the parameter is the LIMIT of the whole statement: what stands in parentheses is a part.
fn limit(number: i32, sql: &str, rows: f64) -> Option<String> {
    let (_, rest) = sql.split_once(&format!("LIMIT ${number}"))?;
    let is_whole = !rest.starts_with(|next: char| next.is_ascii_digit()) && !rest.contains(')');
    is_whole.then(|| format!("{:.0}", rows.max(1.0).ceil()))
}

/// A value for a parameter that is compared with no known column, or is the rest of a side that has a value.
fn neutral(parameter: &Parameter, sql: &str, is_rest: bool) -> Option<String> {
    let is_summand = parameter.meetings.iter().any(|one| one.role == ParameterRole::Summand);
    if parameter.meetings.iter().any(|one| one.comparison == Comparison::Like) {
        return Some(if is_rest { "%" } else { "a%" }.to_owned());
    }
    // What no column tells the type of is mostly a number, or may be a text of one.
    let value = match parameter.type_name.as_deref().unwrap_or("int4") {
        "int2" | "int4" | "int8" => "1",
        "float4" | "float8" | "numeric" if is_summand => "0",
        "float4" | "float8" | "numeric" => "1",
        "bool" => "true",
        "interval" => return Some(format!("1 {}", unit(parameter.number, sql).unwrap_or("month"))),
        "text" | "varchar" | "bpchar" | "name" => "a",
        "date" | "timestamp" | "timestamptz" => "2000-01-01",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        _ => return None,
    };
    Some(value.to_owned())
}

/// The unit of `$2::interval year`, which cuts off what is less: an interval of seconds would be none.
fn unit(number: i32, sql: &str) -> Option<&str> {
    const UNITS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
    let (_, rest) = sql.split_once(&format!("${number}::interval "))?;
    UNITS.into_iter().find(|unit| rest.starts_with(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::{ColumnType, parameters};

    fn known(common: &[(&str, f64)], bounds: &[&str]) -> Known {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let common_texts: Vec<&str> = common.iter().map(|(value, _)| *value).collect();
        Known {
            common: (!common.is_empty()).then(|| texts(&common_texts)),
            frequencies: (!common.is_empty()).then(|| common.iter().map(|(_, share)| share.to_string()).collect()),
            bounds: (!bounds.is_empty()).then(|| texts(bounds)),
            ..Known::default()
        }
    }

    #[test]
    fn an_interval_has_the_unit_it_is_cut_to() {
        let interval = Parameter { number: 2, type_name: Some("interval".to_owned()), meetings: Vec::new() };
        let value = |sql: &str| neutral(&interval, sql, false);
        assert_eq!(value("SELECT 1 WHERE at < $1 + ($2::interval year)").as_deref(), Some("1 year"));
        assert_eq!(value("SELECT 1 WHERE at < $1 + ($2::interval day to second)").as_deref(), Some("1 day"));
        assert_eq!(value("SELECT 1 WHERE at < $1 + ($2::interval)").as_deref(), Some("1 month"));
    }

    #[test]
    fn the_rest_of_a_pattern_is_a_wildcard() {
        let column_type: &ColumnType<'_> = &|_, _| Some("text".to_owned());
        let mut values = Values::default();
        for table in ["t", "u"] {
            values.0.insert((Name::new("s", table), "name".to_owned()), known(&[("abcdef", 0.9)], &[]));
        }
        for (condition, expected) in [
            ("t.name like $2 || $1", &["abc%", "%"][..]),
            ("t.name like $1 || $3 or t.name like $2 || $4", &["abc%", "abc%", "%", "%"]),
            ("t.name like $1 || $3 and u.name like $2 || $4", &["abc%", "abc%", "%", "%"]),
            ("t.other like $1 || $2", &["a%", "%"]),
        ] {
            let sql = format!("select * from t, u where {condition}");
            let parameters = parameters(&sql, column_type).expect("parameters");
            let params = i32::try_from(expected.len()).expect("a few");
            let repaired = Repaired { sql, params, ..Repaired::default() };
            let tables = [Name::new("s", "t"), Name::new("s", "u")];
            let typical = values.typical(&repaired, &parameters, &tables, MANNERS[0], 1.0).expect("values");
            let typical: Vec<&str> = typical.iter().flatten().map(String::as_str).collect();
            assert_eq!(typical, expected, "{condition}");
        }
    }

    #[test]
    fn members_of_a_list_are_different_values() {
        let column_type: &ColumnType<'_> = &|_, _| Some("text".to_owned());
        let mut values = Values::default();
        values
            .0
            .insert((Name::new("s", "t"), "state".to_owned()), known(&[("on", 0.4), ("off", 0.4), ("\"x", 0.2)], &[]));
        let typical = |condition: &str, params: i32| {
            let sql = format!("select * from t where {condition}");
            let parameters = parameters(&sql, column_type).expect("parameters");
            let repaired = Repaired { sql, params, ..Repaired::default() };
            let typical = values.typical(&repaired, &parameters, &[Name::new("s", "t")], MANNERS[0], 1.0);
            typical.expect("values").into_iter().flatten().collect::<Vec<_>>()
        };
        assert_eq!(typical("state in ($1, $2, $3)", 3), ["on", "off", "\"x"]);
        assert_eq!(typical("state = $1 or state = $2", 2), ["on", "on"]);
        assert_eq!(typical("state in ($1, $2) and state in ($3)", 3), ["on", "off", "\"x"]);
        assert_eq!(typical("state = any ($1)", 1), [r#"{"off","on"}"#], "not the whole table");
        assert_eq!(typical("state = $1 and md5($2) = other", 2), ["on", "1"], "of no known type");
    }

    #[test]
    fn a_limit_is_as_many_rows_as_came() {
        let limit = |sql: &str| limit(2, sql, 9.3);
        assert_eq!(limit("SELECT 1 FROM t WHERE f($1) ORDER BY a LIMIT $2").as_deref(), Some("10"));
        assert_eq!(limit("SELECT 1 FROM t LIMIT $2::bigint OFFSET $3").as_deref(), Some("10"));
        assert_eq!(limit("SELECT 1 FROM t LIMIT $21"), None);
        assert_eq!(limit("SELECT 1 FROM a, LATERAL (SELECT 1 FROM t LIMIT $2) b"), None, "of each");
    }

    #[test]
    fn a_usual_value_is_neither_the_rarest_nor_the_most_common() {
        let skewed = known(&[("common", 0.6), ("less", 0.3), ("rare", 0.05)], &[]);
        assert_eq!(skewed.usual().as_deref(), Some("less"), "of what most rows have few ask by that");
        let flag = known(&[("t", 0.9), ("f", 0.1)], &[]);
        assert_eq!(flag.usual().as_deref(), Some("t"), "of two none is in the middle");
        let even = known(&[("a", 0.25), ("b", 0.25), ("c", 0.25), ("d", 0.25)], &[]);
        assert_eq!(even.usual().as_deref(), Some("a"));
        let wide = known(&[("often", 0.02)], &["1", "2", "3", "4", "5"]);
        assert_eq!(wide.usual().as_deref(), Some("3"));
        assert_eq!(known(&[], &[]).usual(), None);
        assert_eq!(skewed.one(Pick::Rare).as_deref(), Some("rare"));
        assert_eq!(wide.one(Pick::Rare).as_deref(), Some("3"));
        assert_eq!(wide.one(Pick::Common).as_deref(), Some("often"));
        let near: Vec<String> = (0..3).filter_map(|place| skewed.beside("less".to_owned(), place)).collect();
        assert_eq!(near, ["less", "rare", "common"], "the most common last");
        assert_eq!(wide.at(0.0).as_deref(), Some("1"));
        assert_eq!(wide.at(1.0).as_deref(), Some("5"));
    }
}
