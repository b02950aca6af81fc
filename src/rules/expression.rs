//! Conditions and messages: minijinja with strict undefined, our filters, and a row's scope.
//!
//! A field that is none is *undefined* to an expression, so comparing it is an error and never a
//! silent false: rules must say `x is none or …` or `x is not none and …`.

use crate::model::units;
use chrono::{DateTime, Utc};
use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use std::sync::{Arc, OnceLock};

/// The one environment that all rules share.
pub(crate) fn environment<'a>() -> &'a Environment<'a> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_debug(true);
        env.add_test("none", |value: &Value| value.is_none() || value.is_undefined());
        env.add_filter("bytes", |value: f64| units::bytes(value));
        env.add_filter("ms", |value: f64| units::millis(value));
        env.add_filter("seconds", |value: f64| units::millis(value * 1000.0));
        env.add_filter("pct", |value: f64| format!("{} %", units::short(value)));
        env.add_filter("count", |value: f64| units::count(value));
        env.add_filter("number", |value: f64| units::short(value));
        env.add_filter("ident", |value: &str| crate::model::object::identifier(value));
        env.add_filter("ago", ago);
        env
    })
}

/// `41 days ago`, counted to the moment of reading.
fn ago(state: &minijinja::State, value: &str) -> Result<String, Error> {
    let read = |text: &str| {
        DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("{text:?} is not a time")))
    };
    let now = state.lookup("captured_at").unwrap_or_default();
    let elapsed = read(now.as_str().unwrap_or_default())? - read(value)?;
    #[allow(clippy::cast_precision_loss, reason = "shown to three digits")]
    let millis = elapsed.num_milliseconds() as f64;
    Ok(format!("{} ago", units::millis(millis)))
}

/// Where an expression finds a name.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A parameter, or a fact common to all rows.
    Fixed(Value),
    /// A column of the row.
    Column(usize),
}

/// Names and where they are found; of two that are the same the first counts. They are few, and found
/// sooner by looking than by hashing.
pub(crate) type Names = Vec<(String, Place)>;

/// What an expression sees: the names it may use, and the row. One is made for every rule and row, so it
/// holds little, and a cell is converted only when it is asked for.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) names: Arc<Names>,
    pub(crate) cells: Arc<Vec<serde_json::Value>>,
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let (_, place) = self.names.iter().find(|(name, _)| name == key)?;
        let found = match place {
            Place::Fixed(value) => value.clone(),
            Place::Column(column) => value(self.cells.get(*column)?),
        };
        (!found.is_none()).then_some(found)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// A fact as expressions see it.
pub(crate) fn value(cell: &serde_json::Value) -> Value {
    match cell {
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        serde_json::Value::Null | serde_json::Value::Object(_) => Value::from(()),
    }
}

/// Names an expression or template uses, or why it cannot be read.
pub(crate) fn names(text: &str, is_template: bool) -> Result<Vec<String>, Error> {
    let env = environment();
    let used = if is_template {
        env.template_from_str(text)?.undeclared_variables(false)
    } else {
        env.compile_expression(text)?.undeclared_variables(false)
    };
    let mut used: Vec<String> = used.into_iter().collect();
    used.sort();
    Ok(used)
}

/// What went wrong, without the template's name.
pub(crate) fn describe(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::names;
    use crate::mutants::mutants;
    use proptest::prelude::*;

    const EXPRESSION: &str =
        "scans == 0 and (last_scan is none or bytes >= min_bytes * 1.5) and name not in ['a', \"b\"]";
    const TEMPLATE: &str = "{{ bytes|bytes }} of {{ [columns|join(', '), 'x'][0] }}{% if scans > 0 %}, {{ 100 * scans // calls }}{% endif %}";

    proptest! {
        #[test]
        fn no_expression_makes_it_panic(text in mutants(vec![EXPRESSION.to_owned(), TEMPLATE.to_owned()])) {
            let _ = names(&text, false);
            let _ = names(&text, true);
        }
    }

    #[test]
    fn the_sound_ones_are_read() {
        assert_eq!(names(EXPRESSION, false).expect("names"), ["bytes", "last_scan", "min_bytes", "name", "scans"]);
        assert_eq!(names(TEMPLATE, true).expect("names"), ["bytes", "calls", "columns", "scans"]);
    }
}
