//! What is wanted for other reasons than a finding: names, forms and prices of indexes that are wanted by their keys, and the
//! plan that makes what is wanted.

use super::estimate::Sizes;
use super::naming::NameBook;
use super::sql::{inverse, statements};
use crate::model::plan::{Change, Estimate, FindingRef, IndexForm, Left, Name, PLAN_VERSION, Plan, PlanTarget, Step};
use crate::model::snapshot::{Snapshot, Tool};

/// Draws up indexes for the tables of one snapshot. No two get the same name.
#[derive(Debug)]
pub struct Draftsman<'a> {
    names: NameBook,
    sizes: Sizes<'a>,
}

impl<'a> Draftsman<'a> {
    /// For the tables of this snapshot.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot) -> Self {
        Self { names: NameBook::of(snapshot), sizes: Sizes::of(snapshot) }
    }

    /// A B-tree on plain columns of a plain table. `using` is what stands behind USING.
    pub fn btree(&mut self, table: &Name, columns: &[String], using: String) -> (IndexForm, Estimate) {
        let name = Name::new(&table.schema, &self.names.index(&table.schema, &table.name, columns));
        let form = IndexForm { name, table: table.clone(), using, ..IndexForm::default() };
        (form, self.sizes.btree(&[table], columns))
    }
}

/// A change, and why it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The change.
    pub change: Change,
    /// What it takes.
    pub estimate: Estimate,
    /// What it is good for.
    pub why: String,
    /// What may make it a bad idea.
    pub caveats: Vec<String>,
    /// What asks for it.
    pub finding: FindingRef,
}

/// The plan that makes them, in this order.
#[must_use]
pub fn creations(wanted: Vec<Wanted>, left: Vec<Left>, snapshot: &Snapshot, tool: Tool) -> Plan {
    Plan {
        plan_version: PLAN_VERSION,
        tool,
        captured_at: snapshot.captured_at,
        target: target(snapshot),
        steps: (1..).zip(wanted).map(|(id, wanted)| step(id, wanted)).collect(),
        left,
    }
}

/// The database that a snapshot was taken of.
#[must_use]
pub fn target(snapshot: &Snapshot) -> PlanTarget {
    PlanTarget {
        name: snapshot.target.name.clone(),
        database: snapshot.target.database.clone(),
        system_identifier: snapshot.server.system_identifier.clone(),
        server_version_num: snapshot.server.version_num,
    }
}

fn step(id: u32, wanted: Wanted) -> Step {
    Step {
        id,
        statements: statements(&wanted.change),
        undo: inverse(&wanted.change).map(|change| statements(&change)).unwrap_or_default(),
        depends_on: Vec::new(),
        why: wanted.why,
        caveats: wanted.caveats,
        findings: vec![wanted.finding],
        estimate: wanted.estimate,
        change: wanted.change,
    }
}
