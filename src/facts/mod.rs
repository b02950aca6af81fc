//! Turns a snapshot into the tables that rules judge: raw facts as they were read, and what follows
//! from several of them together (duplicates, coverage, shares, runway).
//!
//! Decides nothing: thresholds live in rules. Must not know the rules, the clock or any server.

mod bloat;
mod build;
mod common;
mod custom;
mod databases;
mod foreign_keys;
mod index_kin;
mod indexes;
mod instance;
mod locks;
mod lookup;
mod nodes;
mod partitions;
mod plain;
mod plans;
mod relations;
mod releases;
mod roles;
mod sequences;
mod server;
mod sessions;
mod settings;
mod statements;
mod waits;
mod waivers;

pub use common::{Since, counters_since};
pub use custom::custom_fields;
pub use waivers::{WaiverUse, waivers};

use crate::model::snapshot::Snapshot;
use crate::model::table::Facts;
use lookup::Lookup;

/// All facets of a snapshot, ready to be judged.
#[must_use]
pub fn facts(snapshot: &Snapshot) -> Facts {
    let whole = nodes::with_nodes(snapshot);
    let snapshot: &Snapshot = &whole;
    let lookup = Lookup::of(snapshot);
    let relations = relations::rows(&lookup);
    Facts {
        common: common::table(snapshot),
        tables: vec![
            server::table(snapshot),
            settings::table(snapshot),
            plain::extensions(snapshot),
            databases::table(snapshot),
            statements::table(&lookup),
            indexes::table(&lookup, &relations),
            foreign_keys::table(&lookup, &relations),
            relations::table(relations),
            plain::columns(snapshot),
            plain::constraints(snapshot),
            sequences::table(snapshot),
            partitions::table(&lookup),
            sessions::table(snapshot),
            plain::replication(snapshot),
            locks::table(snapshot),
            plain::slots(snapshot),
            plain::io(snapshot),
            instance::checkpoints(snapshot),
            instance::wal(snapshot),
            plain::progress(snapshot),
            roles::table(snapshot),
            plain::prepared_transactions(snapshot),
            waits::table(snapshot),
            plans::table(&lookup),
            waivers(&snapshot.target.database, &[]),
        ]
        .into_iter()
        .chain(custom::tables(snapshot))
        .collect(),
    }
}
