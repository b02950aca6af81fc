//! What is wanted for other reasons than a finding: names, forms and prices of indexes that are wanted by their keys, and the
//! plan that makes what is wanted.

use super::estimate::Sizes;
use super::naming::NameBook;
use super::sql::{inverse, statements};
use crate::model::plan::{
    Change, Estimate, FindingRef, IndexForm, Leaf, Left, Name, PLAN_VERSION, Plan, PlanTarget, Step,
};
use crate::model::snapshot::{Partition, RelationKind, Snapshot, Tool};

/// Draws up indexes for the tables of one snapshot. No two get the same name.
#[derive(Debug)]
pub struct Draftsman<'a> {
    pub(super) sizes: Sizes<'a>,
    names: NameBook,
    partitions: &'a [Partition],
}

impl<'a> Draftsman<'a> {
    /// For the tables of this snapshot.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot) -> Self {
        Self { names: NameBook::of(snapshot), sizes: Sizes::of(snapshot), partitions: &snapshot.partitions }
    }

    /// The index with a name, and what it takes; or why it cannot be made.
    pub fn index(&mut self, drawing: &Drawing) -> Result<(IndexForm, Estimate), String> {
        let Drawing { table, words, columns, using, predicate } = drawing;
        let name = self.named(table, words);
        let (using, predicate) = (using.clone(), predicate.clone());
        let form = IndexForm { name, table: table.clone(), using, predicate, ..IndexForm::default() };
        let form = self.with_leaves(form, words)?;
        let leaves = form.leaves.iter().map(|leaf| &leaf.table);
        let heaps: Vec<&Name> = if form.is_partitioned { leaves.collect() } else { vec![table] };
        let estimate = self.sizes.btree(&heaps, columns);
        Ok((form, estimate))
    }

    /// The form with what its table's partitions need; or why it cannot be made.
    pub fn with_leaves(&mut self, form: IndexForm, words: &[String]) -> Result<IndexForm, String> {
        let leaves = self.leaves(&form.table)?;
        let named = |leaf: Name| Leaf { index: self.named(&leaf, words), table: leaf, twin: None };
        let leaves = leaves.into_iter().map(named).collect::<Vec<Leaf>>();
        Ok(IndexForm { is_partitioned: self.is_partitioned(&form.table), leaves, ..form })
    }

    /// An index of the table can be made.
    #[must_use]
    pub fn can_index(&self, table: &Name) -> bool {
        self.leaves(table).is_ok()
    }

    fn is_partitioned(&self, table: &Name) -> bool {
        self.sizes.relation(table).is_some_and(|relation| relation.kind == RelationKind::PartitionedTable)
    }

    fn named(&mut self, table: &Name, words: &[String]) -> Name {
        Name::new(&table.schema, &self.names.index(&table.schema, &table.name, words))
    }

    /// Leaf partitions below a table, the newest first by name; none below a plain one.
    fn leaves(&self, table: &Name) -> Result<Vec<Name>, String> {
        self.sizes.relation(table).ok_or("it is not there any more")?;
        let mut found = Vec::new();
        let of = |row: &&Partition| row.parent_schema == table.schema && row.parent_name == table.name;
        for row in self.partitions.iter().filter(of) {
            let (Some(schema), Some(name)) = (&row.schema, &row.name) else { continue };
            if !row.is_leaf {
                return Err("its partitions are partitioned again: index those first, one by one".to_owned());
            }
            let leaf = Name::new(schema, name);
            if self.sizes.relation(&leaf).is_none() {
                return Err(format!("its partition {leaf} is a foreign table: an index must be made over there"));
            }
            found.push(leaf);
        }
        found.sort();
        found.reverse();
        Ok(found)
    }
}

/// An index that has no name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Its table.
    pub table: Name,
    /// What its name is made of.
    pub words: Vec<String>,
    /// What its entries hold.
    pub columns: Vec<String>,
    /// What stands behind USING, up to WHERE.
    pub using: String,
    /// What stands behind WHERE.
    pub predicate: Option<String>,
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
