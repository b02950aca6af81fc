//! Every file of `sql/` on every server it is for: the server takes it, and its columns are the
//! fields that are read from it, in every variant the same.

use crate::support::{Yard, server};
use pgassay::advise::built_in_functions;
use pgassay::demo::{Cluster, SUPERUSER, Setup};
use pgassay::model::adoption::{SeenObstacle, SeenTable};
use pgassay::model::blueprint::SeenOriginal;
use pgassay::model::catalog::{
    Behind, Holder, Leftover, SeenIndex, SeenPartitioned, SeenRelation, SeenServer, SeenStatistics,
};
use pgassay::model::partition::Likeness;
use pgassay::model::snapshot::{Function, Snapshot, StatementCounters, Volatility};
use pgassay::postgres::{Limits, QUERIES, Query, Reader, Surroundings, Target, Type, pick};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;
use std::collections::BTreeSet;

/// Types that `postgres::row` reads.
const READABLE: &[&str] = &[
    "bool",
    "int2",
    "int4",
    "int8",
    "json",
    "oid",
    "float4",
    "float8",
    "timestamptz",
    "text",
    "varchar",
    "name",
    "_text",
    "_int2",
    "_int4",
];

macro_rules! on_every_major {
    ($($test:ident $major:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            columns_are_fields($major).await;
        }
    )*};
}

on_every_major! { queries_on_13 13 queries_on_14 14 queries_on_15 15 queries_on_16 16 queries_on_17 17 queries_on_18 18 }

async fn columns_are_fields(major: i32) {
    let Some(binaries) = server(major) else { return };
    let yard = Yard::open();
    let cluster = yard.start(&binaries, &Setup::default().with("shared_preload_libraries", "pg_stat_statements"));
    for minor in extensions(&cluster).await {
        let reader = reader(&cluster, &format!("with_{minor}")).await;
        for query in QUERIES.iter().filter(|query| holds(query, major, minor)) {
            check(&reader, query).await;
        }
    }
    built_in_functions_are_as_they_are_told(&reader(&cluster, "postgres").await).await;
}

/// Of each name and number of arguments, all that are not immutable are told; what is told is so.
async fn built_in_functions_are_as_they_are_told(reader: &Reader) {
    let names: Vec<&str> = built_in_functions().iter().map(|one| one.name.as_str()).collect();
    let sql = pick("functions", 0, 0).expect("a query").sql;
    let read: Vec<Function> = reader.read(sql, &[(&names, Type::TEXT_ARRAY)]).await.expect("functions");
    let read: Vec<Function> = read.into_iter().map(|one| Function { database: String::new(), ..one }).collect();
    for told in built_in_functions() {
        assert!(read.contains(told), "{told:?}");
        let is_kin = |one: &&Function| one.name == told.name && one.arguments.len() == told.arguments.len();
        for other in read.iter().filter(is_kin).filter(|one| one.volatility != Volatility::Immutable) {
            assert!(built_in_functions().contains(other), "{other:?}");
        }
    }
}

#[test]
fn every_query_is_asked_somewhere() {
    let is_asked =
        |query: &Query| (13..=18).any(|major| (8..=newest_minor(major)).any(|minor| holds(query, major, minor)));
    let never: Vec<_> = QUERIES.iter().filter(|query| !is_asked(query)).collect();
    assert!(never.is_empty(), "{never:?}");
}

/// The extension's newest minor version, by server.
fn newest_minor(major: i32) -> i32 {
    match major {
        13 => 8,
        14 => 9,
        15 | 16 => 10,
        17 => 11,
        _ => 12,
    }
}

/// It is the variant that would be asked.
fn holds(query: &Query, major: i32, minor: i32) -> bool {
    pick(query.name, major, minor).is_some_and(|picked| picked.since == query.since)
}

/// A database for each version of `pg_stat_statements` that this server can install.
async fn extensions(cluster: &Cluster) -> Vec<i32> {
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    let mut installed = Vec::new();
    for minor in 8..=newest_minor(cluster.major) {
        admin.execute(&format!("create database with_{minor}")).await.expect("a database");
        let session = cluster.session(&format!("with_{minor}"), SUPERUSER, "setup").await.expect("a session");
        let create =
            format!("create schema \"Stat\"; create extension pg_stat_statements schema \"Stat\" version '1.{minor}'");
        session.execute(&create).await.expect("the extension");
        session.close().await;
        installed.push(minor);
    }
    installed
}

async fn reader(cluster: &Cluster, database: &str) -> Reader {
    let target = Target::resolve(&cluster.dsn(SUPERUSER, database), &Surroundings::default()).expect("a target");
    Reader::connect(&target, Limits::default(), "queries").await.expect("a connection")
}

async fn check(reader: &Reader, query: &Query) {
    let what = format!("{} {:?}", query.name, query.since);
    let columns = reader.describe(&query.sql.replace("{schema}", "\"Stat\"")).await;
    let columns = columns.unwrap_or_else(|error| panic!("{what}: {error}"));
    let names: BTreeSet<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names.len(), columns.len(), "{what}: two columns of one name");
    assert_eq!(names, wanted(query.name), "{what}");
    for (name, kind) in &columns {
        assert!(READABLE.contains(&kind.as_str()), "{what}: {name} is of type {kind}");
    }
}

/// The fields that are filled from a query: those of the snapshot's facet of the same name, but where
/// the collector makes something else of it.
fn wanted(query: &str) -> BTreeSet<String> {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    match query {
        "server" => &fields("server") - &named(&["system_identifier"]),
        "system_identifier" => named(&["system_identifier"]),
        "statements" => &properties::<StatementCounters>() | &named(&["database", "user", "queryid", "is_toplevel"]),
        "statement_texts" => named(&["queryid", "text"]),
        "statements_info" => {
            let counted = ["entries", "seen", "below_top", "hidden", "unparsed", "total_exec_time_ms", "total_calls"];
            &(&fields("statements_info") - &named(&counted)) - &named(&["database"])
        }
        "session_samples" => {
            let who = named(&["database", "user", "state", "wait_event_type", "wait_event", "sessions"]);
            &who | &named(&["in_transaction", "transaction_seconds", "oldest_transaction_seconds"])
        }
        "database_times" => {
            let times = named(&["session_ms", "active_ms", "idle_in_transaction_ms", "sessions"]);
            &times | &named(&["database", "connection_limit", "read_at", "transactions"])
        }
        "change_activity" => named(&["state", "is_waiting", "phase", "done", "total", "locker_pid"]),
        "change_adoption" => properties::<SeenTable>(),
        "change_adoption_obstacles" | "change_split_obstacles" => properties::<SeenObstacle>(),
        "change_census" => named(&["what", "line"]),
        "change_blockers" | "change_waits" => properties::<Holder>(),
        "change_indexes" => properties::<SeenIndex>(),
        "change_leftovers" => properties::<Leftover>(),
        "change_likeness" => properties::<Likeness>(),
        "change_partitioned" => properties::<SeenPartitioned>(),
        "change_own" => named(&["alone"]),
        "change_orphans" => named(&["pid", "application", "seconds"]),
        "change_relations" => properties::<SeenRelation>(),
        "change_replication" => properties::<Behind>(),
        "change_server" => properties::<SeenServer>(),
        "change_statistics" => properties::<SeenStatistics>(),
        "may_hide" => named(&["may_hide"]),
        "measure_functions" => named(&["name", "is_builtin"]),
        "change_table" => properties::<SeenOriginal>(),
        "whatif_values" => named(&["schema", "table", "column", "common", "frequencies", "bounds"]),
        facet => fields(facet),
    }
}

/// The fields of a row of a facet, by the snapshot's schema.
fn fields(facet: &str) -> BTreeSet<String> {
    let schema = schema_for!(Snapshot).to_value();
    let facet = schema["properties"].get(facet).unwrap_or_else(|| panic!("{facet} is no facet of the snapshot"));
    let path = first_reference(facet).unwrap_or_else(|| panic!("no struct in {facet}"));
    let row = schema.pointer(path.trim_start_matches('#')).expect("a definition");
    names(&row["properties"])
}

/// The `$ref` in a facet: itself, of its items, or beside null.
fn first_reference(schema: &Value) -> Option<&str> {
    match schema {
        Value::Object(map) => {
            map.get("$ref").and_then(Value::as_str).or_else(|| map.values().find_map(first_reference))
        }
        Value::Array(list) => list.iter().find_map(first_reference),
        _ => None,
    }
}

fn properties<T: JsonSchema>() -> BTreeSet<String> {
    names(&schema_for!(T).to_value()["properties"])
}

fn names(properties: &Value) -> BTreeSet<String> {
    properties.as_object().expect("properties").keys().cloned().collect()
}
