//! Whether a statement may do more than read. Its text has been read already; what the functions do that it calls,
//! only the server can say: by their volatility, as a function that writes, locks, signals or sets something must be
//! VOLATILE to do so. Names are taken from the text and from its plan, which shows what is behind views and policies.

use super::Order;
use super::explain::{expressions, has_node, plan_of};
use crate::postgres::{ReadError, Stopwatch, ToSql, Type, pick};
use crate::statement::{Calls, calls};
use serde::Deserialize;

/// VOLATILE functions of PostgreSQL's own that change nothing: they read the clock, sizes and positions, draw at random, or
/// wait.
const HARMLESS: [&str; 30] = [
    "array_sample",
    "array_shuffle",
    "bernoulli",
    "clock_timestamp",
    "current_query",
    "gen_random_uuid",
    "pg_blocking_pids",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_size",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_relation_size",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "random",
    "random_normal",
    "system",
    "timeofday",
    "uuidv4",
    "uuidv7",
];

/// Why a statement is not run.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server did not take it.
    Failed(ReadError),
    /// It may do more than read.
    Refused { reason: String, next: String },
}

impl Refusal {
    fn new(reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), next: next.into() }
    }
}

/// What a statement calls, and what may do more than read.
#[derive(Debug, Deserialize)]
struct Volatile {
    name: String,
    is_builtin: bool,
}

/// Lets a statement pass, or says why not. Plans it, and does not run it.
pub(super) async fn admit(watch: &Stopwatch, order: &Order) -> Result<(), Refusal> {
    let plan = plan_of(watch, "verbose", &order.sql).await.map_err(Refusal::Failed)?;
    let mut texts = vec![order.sql.as_str()];
    expressions(&plan, &mut texts);
    if has_node(&plan, &["LockRows", "ModifyTable"]) {
        return Err(Refusal::new("a view that it reads locks rows or writes", "read the tables themselves"));
    }
    let Some(calls) = all_calls(&texts) else {
        return Err(Refusal::new("its plan cannot be read", "please report this with the statement"));
    };
    let volatile = ask(watch, &calls).await.map_err(Refusal::Failed)?;
    match volatile.iter().find(|found| !is_harmless(found)) {
        None => Ok(()),
        Some(found) => Err(Refusal::new(
            format!("{} is VOLATILE, so it may do more than read", found.name),
            if found.is_builtin {
                "leave it out"
            } else {
                "leave it out; if it only reads, its owner can say so: alter function … stable"
            },
        )),
    }
}

fn is_harmless(found: &Volatile) -> bool {
    let own = found.name.strip_prefix("pg_catalog.");
    found.is_builtin && own.is_some_and(|name| HARMLESS.contains(&name))
}

/// None where one of the texts cannot be read.
fn all_calls(texts: &[&str]) -> Option<Calls> {
    let mut all = Calls::default();
    for text in texts {
        let found = calls(text)?;
        all.functions.extend(found.functions);
        all.operators.extend(found.operators);
    }
    Some(all)
}

async fn ask(watch: &Stopwatch, calls: &Calls) -> Result<Vec<Volatile>, ReadError> {
    let schemas: Vec<String> = calls.functions.iter().map(|call| call.schema.clone().unwrap_or_default()).collect();
    let names: Vec<&str> = calls.functions.iter().map(|call| call.name.as_str()).collect();
    let operators: Vec<&str> = calls.operators.iter().map(String::as_str).collect();
    let sql = pick("measure_functions", 0, 0).map(|query| query.sql).unwrap_or_default();
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY), (&operators, Type::TEXT_ARRAY)];
    watch.ask(sql, &params).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_of_the_server_itself_are_harmless() {
        let found = |name: &str, is_builtin| is_harmless(&Volatile { name: name.to_owned(), is_builtin });
        assert!(found("pg_catalog.random", true));
        assert!(!found("pg_catalog.nextval", true) && !found("public.random", false));
        assert!(HARMLESS.is_sorted());
    }
}
