//! Turns a snapshot into the tables that rules judge: raw facts as they were read, and what follows
//! from several of them together (duplicates, coverage, shares, runway).
//!
//! Decides nothing: thresholds live in rules. Must not know the rules, the clock or any server.

mod asked;
mod autovacuum;
mod bloat;
mod build;
mod cells;
mod changes;
mod columns;
mod common;
mod correlation;
mod custom;
mod databases;
mod foreign_keys;
mod hot;
mod index_kin;
mod indexes;
mod instance;
mod locks;
mod lookup;
mod nodes;
mod paging;
mod partitions;
mod plain;
mod plans;
mod pools;
mod proposals;
mod relations;
mod releases;
mod roles;
mod sequences;
mod server;
mod sessions;
mod settings;
mod sizes;
mod statements;
mod vitals;
mod waits;
mod waivers;

pub use changes::{CHANGES, planned, with_changes};
pub use common::{Since, common, counters_since};
pub use custom::custom_fields;
pub use releases::{AS_OF as MINORS_AS_OF, MAJORS};
pub use vitals::{grown, vitals};
pub use waivers::{WaiverUse, waivers};

use crate::compare::Comparison;
use crate::model::snapshot::Snapshot;
use crate::model::table::{Facts, Table};
use lookup::Lookup;
use relations::RelationRow;

/// Hands over all facets of a snapshot, ready to be judged: their rows are made from what is looked up
/// here, and live no longer.
pub fn with_facts<T>(snapshot: &Snapshot, judge: impl FnOnce(Facts<'_>) -> T) -> T {
    let whole = nodes::with_nodes(snapshot);
    let lookup = Lookup::of(&whole);
    let relations = relations::rows(&lookup);
    judge(facts(&lookup, &relations))
}

/// Every facet there is, of one snapshot and of two, without rows: for those who ask for fields.
#[must_use]
pub fn fields() -> Facts<'static> {
    let comparison = Comparison::empty();
    let bare = |table: Table<'_>| Table { name: table.name, fields: table.fields, rows: Box::new(std::iter::empty()) };
    let of_one = with_facts(&comparison.head, |facts| {
        (bare(facts.common), facts.tables.into_iter().map(bare).collect::<Vec<_>>())
    });
    let of_two = with_changes(&comparison, &comparison.meeting(), |facts| {
        facts.tables.into_iter().map(bare).collect::<Vec<_>>()
    });
    Facts { common: of_one.0, tables: of_one.1.into_iter().chain(of_two).collect() }
}

fn facts<'a>(lookup: &'a Lookup<'a>, relations: &'a [RelationRow<'a>]) -> Facts<'a> {
    let snapshot = lookup.snapshot;
    Facts {
        common: common(snapshot),
        tables: vec![
            server::table(snapshot),
            settings::table(snapshot),
            plain::extensions(snapshot),
            databases::table(snapshot),
            statements::table(lookup),
            indexes::table(lookup, relations),
            foreign_keys::table(lookup, relations),
            relations::table(relations),
            columns::table(lookup, relations),
            plain::constraints(snapshot),
            sequences::table(snapshot),
            partitions::table(lookup),
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
            pools::pools(snapshot),
            pools::poolers(snapshot),
            plans::table(lookup),
            proposals::table(snapshot),
            waivers(&snapshot.target.database, &[]),
        ]
        .into_iter()
        .chain(custom::tables(snapshot))
        .collect(),
    }
}
