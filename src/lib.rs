//! pgassay assays a PostgreSQL server.
//!
//! ```text
//! target ─► postgres ─► collect ─► Snapshot ─► facts ─► rules ─► Verdict ─► report ─► exit code
//! ```
//!
//! Everything after `collect` is a pure function of the snapshot, the rules and the settings, so a
//! run can be replayed from a file. One folder is one layer; `tests/tidy.rs` checks who may use whom.

pub mod advise;
pub mod apply;
pub mod archive;
pub mod audit;
pub mod cli;
pub mod collect;
pub mod compare;
pub mod ddl;
pub mod demo;
pub mod facts;
pub mod measure;
pub mod model;
#[cfg(test)]
mod mutants;
pub mod partition;
pub mod pool;
pub mod postgres;
pub mod progress;
pub mod report;
pub mod rules;
pub mod scaffold;
pub mod statement;
pub mod statistics;
pub mod store;
pub mod timing;
pub mod whatif;
