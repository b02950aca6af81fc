//! What functions are, by their names as PostgreSQL resolves them.

use super::built_in::BUILT_IN;
use super::search_path::SearchPath;
use crate::model::snapshot::{Function, Volatility};
use crate::statement::{Called, type_key};
use std::collections::HashMap;

/// Functions by their names.
#[derive(Debug)]
pub(super) struct Functions<'a> {
    by_name: HashMap<&'a str, Vec<&'a Function>>,
    /// By the server's catalog. Without that a few of PostgreSQL's own are known, and nobody else's.
    pub(super) are_read: bool,
}

impl<'a> Functions<'a> {
    pub(super) fn of(read: &'a [Function]) -> Self {
        let are_read = !read.is_empty();
        let all: &'a [Function] = if are_read { read } else { &BUILT_IN };
        let mut by_name: HashMap<&str, Vec<&Function>> = HashMap::new();
        for function in all {
            by_name.entry(&function.name).or_default().push(function);
        }
        Self { by_name, are_read }
    }

    /// Those that the name finds, and how early.
    fn named(&self, schema: Option<&str>, name: &str, path: &SearchPath) -> Vec<(usize, &'a Function)> {
        let place = |function: &&'a Function| match schema {
            Some(schema) => (schema == function.schema).then_some(0),
            None => path.place(&function.schema),
        };
        let own = self.by_name.get(name).into_iter().flatten().copied();
        own.filter_map(|function| Some((place(&function)?, function))).collect()
    }

    /// Its result may change from row to row, whichever of its name is meant. In doubt the planner knows, or what is seen
    /// of its arguments.
    pub(super) fn is_volatile(&self, called: &Called, path: &SearchPath) -> bool {
        let named = self.named(called.schema.as_deref(), &called.name, path);
        !named.is_empty() && named.iter().all(|(_, one)| one.volatility == Volatility::Volatile)
    }

    /// The schema of the function that is called without one, where it is not `pg_catalog` and there is no other.
    pub(super) fn schema(&self, called: &Called, path: &SearchPath) -> Option<&'a str> {
        let mut named = self.named(None, &called.name, path);
        drop_hidden(&mut named);
        let schema = named.first().map(|(_, one)| one.schema.as_str())?;
        let is_only = called.schema.is_none() && named.iter().all(|(_, one)| one.schema == schema);
        (is_only && schema != "pg_catalog").then_some(schema)
    }

    /// Those that may be meant: of as many arguments, and of the types that are known where one has just these. Of two that
    /// take the same, the one whose schema stands earlier.
    pub(super) fn meant(
        &self,
        schema: Option<&str>,
        name: &str,
        types: &[String],
        path: &SearchPath,
    ) -> Vec<&'a Function> {
        let fits = |one: &Function| {
            let least = usize::try_from(one.least_arguments).unwrap_or(0);
            let most = if one.is_variadic { usize::MAX } else { one.arguments.len() };
            (least.saturating_sub(usize::from(one.is_variadic))..=most).contains(&types.len())
        };
        let mut meant = self.named(schema, name, path);
        meant.retain(|(_, one)| fits(one));
        for (at, known) in types.iter().enumerate().filter(|(_, known)| !known.is_empty()) {
            let takes =
                |one: &Function| one.arguments.get(at).is_some_and(|own| texts(type_key(own)) == texts(known.clone()));
            // Whose type this is may have a function of its own for it, which was not read.
            if !self.are_read || meant.iter().any(|(_, one)| takes(one)) {
                meant.retain(|(_, one)| takes(one));
            }
        }
        drop_hidden(&mut meant);
        meant.into_iter().map(|(_, one)| one).collect()
    }
}

/// Of two that take the same, the one whose schema stands earlier is found.
fn drop_hidden(named: &mut Vec<(usize, &Function)>) {
    let all = named.clone();
    named.retain(|(place, one)| !all.iter().any(|(other, by)| other < place && by.arguments == one.arguments));
}

/// What takes a text takes a varchar.
fn texts(key: String) -> String {
    if key == "varchar" { "text".to_owned() } else { key }
}
