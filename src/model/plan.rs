//! A plan of changes: what would be done to one database, in which order, under which locks, why,
//! and how it is taken back. Version 1 of `plan.json`.

use crate::model::adoption::{AdoptForm, PrepareForm};
use crate::model::object::identifier;
use crate::model::partition::{DetachForm, DetachedForm, PartitionForm};
use crate::model::snapshot::Tool;
use crate::model::split::SplitForm;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the plan's JSON form.
pub const PLAN_VERSION: u32 = 1;

/// A name with its schema, unquoted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Schema.
    pub schema: String,
    /// Name in it.
    pub name: String,
}

impl Name {
    /// A name in a schema.
    #[must_use]
    pub fn new(schema: &str, name: &str) -> Self {
        Self { schema: schema.to_owned(), name: name.to_owned() }
    }
}

/// As people read it; SQL is quoted by `ddl`.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", identifier(&self.schema), identifier(&self.name))
    }
}

/// An ordered change of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this form, [`PLAN_VERSION`].
    pub plan_version: u32,
    /// The program that planned.
    pub tool: Tool,
    /// When the server was read for it, by its clock.
    pub captured_at: DateTime<Utc>,
    /// Where it may be carried out.
    pub target: PlanTarget,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Findings that no step mends, and why.
    pub left: Vec<Left>,
}

/// The database that a plan is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanTarget {
    /// The target's name in the config, or the database's.
    pub name: String,
    /// Database.
    pub database: String,
    /// Identifies the cluster; none when the role might not read it.
    pub system_identifier: Option<String>,
    /// Version as a number, 160004.
    pub server_version_num: i32,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Number in the plan, from 1: what `--step` takes.
    pub id: u32,
    /// The change itself; everything below follows from it or explains it.
    pub change: Change,
    /// Its SQL, in order.
    pub statements: Vec<Statement>,
    /// SQL that takes it back; empty where there is nothing to take back.
    pub undo: Vec<Statement>,
    /// Steps that must be done before.
    pub depends_on: Vec<u32>,
    /// What it is good for.
    pub why: String,
    /// What may make it a bad idea.
    pub caveats: Vec<String>,
    /// The findings it mends.
    pub findings: Vec<FindingRef>,
    /// What it will take.
    pub estimate: Estimate,
}

/// A finding, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingRef {
    /// The rule.
    pub rule: String,
    /// The object's path.
    pub object: String,
    /// The finding's fingerprint.
    pub fingerprint: String,
}

/// A finding that the plan leaves to people, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// The finding.
    pub finding: FindingRef,
    /// Why no step mends it.
    pub reason: String,
    /// What the finding advises.
    pub advice: String,
}

/// What a step will take, by estimate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Room it takes on disk when done, in bytes; negative: freed.
    pub bytes: i64,
    /// Room it takes while it runs, in bytes.
    pub peak_bytes: i64,
    /// Work of the server, in seconds, waits for other transactions left out; none where it takes no time to speak of.
    pub seconds: Option<f64>,
    /// How it was estimated.
    pub basis: String,
}

/// How a statement is run, by what its lock does to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockClass {
    /// Short, and others would queue behind it: in a transaction with `lock_timeout`, tried again.
    Blocking,
    /// Long, and nobody who reads or writes waits for it: no time-out, but a watchdog.
    Waiting,
}

impl LockClass {
    /// The name in plans.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Waiting => "waiting",
        }
    }
}

/// One SQL statement of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The statement, without a semicolon.
    pub sql: String,
    /// What follows in the same transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<String>,
    /// How it is run.
    pub class: LockClass,
    /// Strongest lock, `SHARE UPDATE EXCLUSIVE`.
    pub lock: String,
    /// On which relation.
    pub on: Name,
}

impl Statement {
    /// It, and what follows in the same transaction.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.sql.as_str()).chain(self.then.iter().map(String::as_str))
    }
}

/// A change, by what it makes of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The index will be there, valid.
    CreateIndex(IndexForm),
    /// The index will be gone.
    DropIndex(IndexForm),
    /// The index will be built anew.
    ReindexIndex {
        /// The index.
        index: IndexForm,
        /// Queries could use it at planning.
        was_valid: bool,
        /// Its size at planning, in bytes; 0: unknown.
        #[serde(default)]
        bytes: i64,
    },
    /// The planner's statistics of the table will be new.
    Analyze {
        /// The table.
        table: Name,
    },
    /// The statistics object will be there.
    CreateStatistics(StatisticsForm),
    /// The statistics object will be gone.
    DropStatistics(StatisticsForm),
    /// The table's storage option will be `to`.
    SetReloption {
        /// The table.
        table: Name,
        /// The option, `fillfactor`.
        option: String,
        /// Its value at planning; none: not set.
        from: Option<String>,
        /// Its value afterwards; none: not set.
        to: Option<String>,
    },
    /// The partition will be there, attached.
    CreatePartition(PartitionForm),
    /// The partition, which holds no rows, will be gone.
    DropPartition(PartitionForm),
    /// The partition will be a table of its own.
    DetachPartition(DetachForm),
    /// The table will be a partition again.
    AttachPartition(DetachForm),
    /// The table that was a partition will be gone, with its rows.
    DropDetached(DetachedForm),
    /// The table is ready to be adopted.
    PrepareAdoption(Box<PrepareForm>),
    /// What made it ready will be gone.
    WithdrawPreparation(Box<PrepareForm>),
    /// The table will be the first partition of its successor, which takes its name.
    AdoptTable(Box<AdoptForm>),
    /// The table will be as it was before it was adopted.
    ReleaseTable(Box<AdoptForm>),
    /// The months of a wide partition will be there, empty, beside it, and kept in step with it.
    BeginSplit(Box<SplitForm>),
    /// They will be gone.
    AbandonSplit(Box<SplitForm>),
    /// They will hold its rows.
    CopyRows(Box<SplitForm>),
    /// They will be in its place.
    FinishSplit(Box<SplitForm>),
}

impl Change {
    /// The name in plans and journals.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateIndex(_) => "create_index",
            Self::DropIndex(_) => "drop_index",
            Self::ReindexIndex { .. } => "reindex_index",
            Self::Analyze { .. } => "analyze",
            Self::CreateStatistics(_) => "create_statistics",
            Self::DropStatistics(_) => "drop_statistics",
            Self::SetReloption { .. } => "set_reloption",
            Self::CreatePartition(_) => "create_partition",
            Self::DropPartition(_) => "drop_partition",
            Self::DetachPartition(_) => "detach_partition",
            Self::AttachPartition(_) => "attach_partition",
            Self::DropDetached(_) => "drop_detached",
            Self::PrepareAdoption(_) => "prepare_adoption",
            Self::WithdrawPreparation(_) => "withdraw_preparation",
            Self::AdoptTable(_) => "adopt_table",
            Self::ReleaseTable(_) => "release_table",
            Self::BeginSplit(_) => "begin_split",
            Self::AbandonSplit(_) => "abandon_split",
            Self::CopyRows(_) => "copy_rows",
            Self::FinishSplit(_) => "finish_split",
        }
    }

    /// What it makes, drops or changes.
    #[must_use]
    pub fn object(&self) -> &Name {
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) | Self::ReindexIndex { index, .. } => &index.name,
            Self::CreateStatistics(statistics) | Self::DropStatistics(statistics) => &statistics.name,
            Self::Analyze { table } | Self::SetReloption { table, .. } => table,
            Self::CreatePartition(partition) | Self::DropPartition(partition) => &partition.name,
            Self::DetachPartition(partition) | Self::AttachPartition(partition) => &partition.name,
            Self::DropDetached(table) => &table.name,
            Self::PrepareAdoption(form) | Self::WithdrawPreparation(form) => &form.table,
            Self::AdoptTable(form) | Self::ReleaseTable(form) => &form.table,
            Self::BeginSplit(form) | Self::AbandonSplit(form) | Self::CopyRows(form) | Self::FinishSplit(form) => {
                &form.wide
            }
        }
    }

    /// The table it belongs to.
    #[must_use]
    pub fn table(&self) -> &Name {
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) | Self::ReindexIndex { index, .. } => &index.table,
            Self::CreateStatistics(statistics) | Self::DropStatistics(statistics) => &statistics.table,
            Self::Analyze { table } | Self::SetReloption { table, .. } => table,
            Self::CreatePartition(partition) | Self::DropPartition(partition) => &partition.table,
            Self::DetachPartition(partition) | Self::AttachPartition(partition) => &partition.table,
            // It belongs to none any more.
            Self::DropDetached(table) => &table.name,
            Self::PrepareAdoption(form) | Self::WithdrawPreparation(form) => &form.table,
            Self::AdoptTable(form) | Self::ReleaseTable(form) => &form.table,
            Self::BeginSplit(form) | Self::AbandonSplit(form) | Self::CopyRows(form) | Self::FinishSplit(form) => {
                &form.table
            }
        }
    }

    /// More names that it takes: those of partitions below a partition, the one that its table has as the first partition
    /// of its successor, or under which months are filled.
    #[must_use]
    pub fn more_names(&self) -> Vec<&Name> {
        match self {
            Self::CreatePartition(form) | Self::DropPartition(form) => {
                form.subpartitions().into_iter().map(|(_, part)| &part.name).collect()
            }
            Self::PrepareAdoption(form) | Self::WithdrawPreparation(form) => vec![&form.legacy],
            Self::AdoptTable(form) | Self::ReleaseTable(form) => vec![&form.legacy],
            Self::BeginSplit(form) | Self::AbandonSplit(form) | Self::CopyRows(form) | Self::FinishSplit(form) => {
                vec![&form.staging]
            }
            _ => Vec::new(),
        }
    }

    /// The index it is about.
    #[must_use]
    pub fn index(&self) -> Option<&IndexForm> {
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) | Self::ReindexIndex { index, .. } => Some(index),
            Self::PrepareAdoption(form) | Self::WithdrawPreparation(form) => form.index.as_ref(),
            Self::AdoptTable(form) | Self::ReleaseTable(form) => form.swap.as_ref().map(|swap| &swap.restored),
            _ => None,
        }
    }
}

/// An index by its definition, and what else it takes to make it again as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexForm {
    /// Its name; the schema is its table's.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// It refuses duplicates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unique: bool,
    /// What stands behind USING, up to WHERE, as `pg_get_indexdef()` prints it: `btree (user_id)`.
    pub using: String,
    /// What stands behind WHERE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// It must be there under its own name, whatever other index is the same: it was dropped and comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_by_name: bool,
    /// The index of the same table that does its work when this one is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<Name>,
    /// Its table is partitioned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partitioned: bool,
    /// Leaf partitions that get an index of their own, newest first, as they were at planning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<Leaf>,
    /// What its definition does not say.
    #[serde(default, skip_serializing_if = "Trimmings::is_empty")]
    pub trimmings: Trimmings,
}

/// A leaf partition and the name of its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The partition.
    pub table: Name,
    /// Its index.
    pub index: Name,
    /// The same index, there before under whatever name: attached instead of a new one, it goes with the
    /// parent and must be made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<Box<IndexForm>>,
}

/// What belongs to an index and `pg_get_indexdef()` does not print.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trimmings {
    /// Its comment.
    pub comment: Option<String>,
    /// Its tablespace, where it is not the database's.
    pub tablespace: Option<String>,
    /// Statistics targets: column number of the index, target.
    pub statistics: Vec<(i16, i32)>,
    /// CLUSTER uses it.
    pub is_clustered: bool,
}

impl Trimmings {
    /// Nothing but the definition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An extended statistics object (`pg_statistic_ext`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatisticsForm {
    /// Its name.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// `ndistinct`, `dependencies`, `mcv`; all when empty.
    pub kinds: Vec<String>,
    /// Columns, unquoted.
    pub columns: Vec<String>,
}
