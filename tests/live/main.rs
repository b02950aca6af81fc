//! Tests against real servers, each a throwaway one of its own: what is found, what is read, how
//! one connects, and how the program behaves on somebody's server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod advice;
mod advise;
mod apply;
mod apply_breaks;
mod apply_files;
mod apply_locks;
mod apply_names;
mod apply_partitioned;
mod apply_refusals;
mod clinic;
mod convert;
mod convert_breaks;
mod convert_refusals;
mod databases;
mod ddl_locks;
mod demo;
mod encodings;
mod estimate;
mod extension;
mod forks;
mod healthy;
mod locks;
mod loss;
mod majors;
mod months;
mod months_breaks;
mod months_keys;
mod months_load;
mod names;
mod packs;
mod pool;
mod pool_access;
mod pooler;
mod queries;
mod readme;
mod retire;
mod roles;
mod secrets;
mod shapes;
mod split;
mod standby;
mod statements;
mod targets;
mod texts;
mod tls;
mod transactions;
mod verify;
mod waits;
