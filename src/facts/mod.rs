//! Turns a snapshot into the tables that rules judge: raw facts as they were read, and what follows
//! from several of them together (duplicates, coverage, shares, runway).
//!
//! Decides nothing: thresholds live in rules. Must not know the rules, the clock or any server.

mod build;
mod common;
mod databases;
mod foreign_keys;
mod index_kin;
mod indexes;
mod lookup;
mod partitions;
mod plain;
mod relations;
mod sequences;
mod server;
mod sessions;
mod statements;
mod waivers;

pub use waivers::{WaiverUse, waivers};

use crate::model::snapshot::Snapshot;
use crate::model::table::Facts;
use lookup::Lookup;

/// All facets of a snapshot, ready to be judged.
#[must_use]
pub fn facts(snapshot: &Snapshot) -> Facts {
    let lookup = Lookup::of(snapshot);
    let relations = relations::rows(&lookup);
    Facts {
        common: common::table(snapshot),
        tables: vec![
            server::table(snapshot),
            plain::settings(snapshot),
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
            waivers(&snapshot.target.database, &[]),
        ],
    }
}
