//! Advice on indexes: which a workload should have, which it could do without, what each would bring by
//! the planner's own cost, and what was looked at for it. Version 1 of `advise --format json`.

use crate::model::plan::{Estimate, Name, PlanTarget};
use crate::model::snapshot::Tool;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the advice's JSON form.
pub const ADVICE_VERSION: u32 = 1;

/// What a workload should have.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Advice {
    /// Version of this form, [`ADVICE_VERSION`].
    pub advice_version: u32,
    /// The program that advises.
    pub tool: Tool,
    /// When the workload was read, by the server's clock.
    pub captured_at: DateTime<Utc>,
    /// The database it is for.
    pub target: PlanTarget,
    /// The workload as a whole, without and with all proposals.
    pub workload: WorkloadCost,
    /// Indexes to create, those that save most first.
    pub proposals: Vec<Proposal>,
    /// What sets of other sizes would save, the smallest first: where more room stops paying. Empty unless asked for.
    pub curve: Vec<CurvePoint>,
    /// Indexes that could go: candidates, to be dropped once the new ones are in use.
    pub removals: Vec<Removal>,
    /// What was looked at, and what was not.
    pub account: Account,
}

/// What a set of indexes of some size would save.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CurvePoint {
    /// Indexes in it.
    pub indexes: usize,
    /// Room that they take together, in bytes as the budget is counted.
    pub bytes: i64,
    /// Share of the workload that they save, from 0 to 1, what writes pay taken off: an estimate by costs.
    pub saved_share: f64,
}

/// What the workload costs before and after, in one unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct WorkloadCost {
    /// `time`: milliseconds of the window; `calls`: calls × planner cost.
    pub weigh_by: String,
    /// The statements that were planned, without the proposals.
    pub before: f64,
    /// With all of them: an estimate, each statement's figure × cost after ÷ cost before.
    pub after: f64,
    /// Time the counters cover, in seconds.
    pub window_seconds: i64,
    /// Milliseconds saved an hour, by estimate.
    pub saved_ms_per_hour: f64,
}

impl WorkloadCost {
    /// The share that is saved, from 0 to 1.
    #[must_use]
    pub fn saved_share(&self) -> f64 {
        if self.before > 0.0 { 1.0 - self.after / self.before } else { 0.0 }
    }
}

/// An index to create.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Proposal {
    /// Number in the advice, from 1: what `--explain` takes.
    pub id: u32,
    /// Whether it comes in the place of others.
    pub kind: ProposalKind,
    /// Its name; the schema is its table's.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// Its access method.
    pub method: Method,
    /// Its keys in order.
    pub keys: Vec<AdvisedKey>,
    /// Columns that are carried along for index-only scans (INCLUDE).
    pub include: Vec<String>,
    /// What rows it holds (WHERE); null: all.
    pub predicate: Option<String>,
    /// What stands behind USING, `btree (user_id)`.
    pub using: String,
    /// The statement that makes it.
    pub definition: String,
    /// Room and time it takes, by estimate of this program.
    pub estimate: Estimate,
    /// Existing indexes whose work it does as well, and which could go once it is in use: each is among the removals.
    pub replaces: Vec<Name>,
    /// Room it takes less what those free, in bytes.
    pub net_bytes: i64,
    /// Its size as HypoPG has it, in bytes, without deduplication: the budget is counted in these.
    pub hypopg_bytes: Option<i64>,
    /// Share of the workload it saves, from 0 to 1. Where a plan uses several of the proposals its saving is
    /// split evenly among them.
    pub saved_share: f64,
    /// Milliseconds it saves an hour: time of the statements × (1 − cost after ÷ cost before), split in the same way. An estimate.
    pub saved_ms_per_hour: f64,
    /// The statements whose plans use it.
    pub serves: Vec<Served>,
    /// The costs are the planner's own, with the index as a hypothetical one; else they are estimated by its formulas.
    pub planner_checked: bool,
    /// What the estimate does not hold for.
    pub caveats: Vec<Caveat>,
}

/// What a proposal is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalKind {
    /// An index besides those that are there.
    #[default]
    CreateIndex,
    /// A wider one in the place of existing ones, which go last.
    ReplaceIndex,
}

impl ProposalKind {
    /// Its name, as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateIndex => "create_index",
            Self::ReplaceIndex => "replace_index",
        }
    }
}

/// An index access method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Equality, ranges and order.
    #[default]
    Btree,
    /// Block ranges of a table in the order of the column.
    Brin,
    /// Values with many elements: arrays, jsonb, full text, trigrams.
    Gin,
    /// Ranges, geometry, nearest neighbours.
    Gist,
    /// Nearest neighbours of vectors by a graph (pgvector).
    Hnsw,
}

impl Method {
    const ALL: [Self; 5] = [Self::Btree, Self::Brin, Self::Gin, Self::Gist, Self::Hnsw];

    /// By its name in `pg_am`; none of those that are never advised.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Its name in `pg_am`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Btree => "btree",
            Self::Brin => "brin",
            Self::Gin => "gin",
            Self::Gist => "gist",
            Self::Hnsw => "hnsw",
        }
    }
}

/// A key of a proposed index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AdvisedKey {
    /// Name of a column, or an expression.
    pub column: String,
    /// It is an expression.
    pub is_expression: bool,
    /// Operator class; null: the default of its type.
    pub operator_class: Option<String>,
    /// DESC.
    pub is_descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

/// A statement that a proposal serves.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Served {
    /// Its identity.
    pub fingerprint: String,
    /// Its text, without literals.
    pub text: String,
    /// Executions in the window.
    pub calls: i64,
    /// Time of all of them, in milliseconds.
    pub total_ms: f64,
    /// Planner cost without the proposals.
    pub cost_before: f64,
    /// Planner cost with all of them.
    pub cost_after: f64,
    /// The values of its parameters that both were planned with: of several those that explain the rows that came. Null: it has no parameters.
    pub values: Option<ParameterValues>,
    /// The same with other values, where they are known and cost another.
    pub spread: Vec<ValuesCost>,
    /// Rows that its plan visits by indexes one by one. Null: no planner told.
    pub visits: Option<Visits>,
    /// Proposals that its plan uses, this one among them, by number.
    pub uses: Vec<u32>,
}

impl Served {
    /// The share of its cost that is saved, from 0 to 1.
    #[must_use]
    pub fn saved_share(&self) -> f64 {
        if self.cost_before > 0.0 { 1.0 - self.cost_after / self.cost_before } else { 0.0 }
    }
}

/// Rows that one execution visits by an index on the inner side of nested loops, one by one, by the planner's estimate; of
/// index-only scans the searches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Visits {
    /// Without the proposals.
    pub before: f64,
    /// With all of them.
    pub after: f64,
}

impl Visits {
    /// More of them than this are felt, though the planner takes them for nearly free: at about a microsecond each of cached
    /// pages, a tenth of a second. A statement that reads a few thousand rows is far below.
    pub const FELT: f64 = 100_000.0;

    /// The proposals bring them about.
    #[must_use]
    pub fn are_felt(self) -> bool {
        self.after - self.before >= Self::FELT
    }
}

/// Which of a column's values the parameters that are compared with it stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterValues {
    /// None: as in a generic plan.
    Generic,
    /// Neither among the rarest nor the most common; of ranges that with two ends a fifth of the rows, that with one half.
    Usual,
    /// One of the rarest that are known; of ranges a hundredth of the rows.
    Rare,
    /// The most common; of ranges four fifths of the rows, or nine tenths.
    Common,
}

impl ParameterValues {
    /// All, in the order that people are told.
    pub const ALL: [Self; 4] = [Self::Generic, Self::Usual, Self::Rare, Self::Common];

    /// Its name, as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Usual => "usual",
            Self::Rare => "rare",
            Self::Common => "common",
        }
    }
}

/// A statement's planner cost with values of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct ValuesCost {
    /// The values.
    pub values: ParameterValues,
    /// Planner cost without the proposals.
    pub cost_before: f64,
    /// Planner cost with all of them.
    pub cost_after: f64,
}

impl ValuesCost {
    /// The share that is saved, from 0 to 1.
    #[must_use]
    pub fn saved_share(&self) -> f64 {
        if self.cost_before > 0.0 { 1.0 - self.cost_after / self.cost_before } else { 0.0 }
    }
}

/// What an estimate does not hold for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Caveat {
    /// Its name, `typical_values`.
    pub code: String,
    /// In words.
    pub text: String,
}

/// An index that could go.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Removal {
    /// Its name; the schema is its table's.
    pub name: Name,
    /// Its table.
    pub table: Name,
    /// Why: `made_redundant` by a proposal, or the rules that found it.
    pub reasons: Vec<String>,
    /// The index that does its work then.
    pub keeper: Option<Name>,
    /// The proposal that must be there before, by number; none: it could go as things are.
    pub after_proposal: Option<u32>,
    /// Room it frees, in bytes.
    pub bytes: i64,
    /// The statement that drops it.
    pub definition: String,
}

/// What was looked at, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Account {
    /// The statements.
    pub statements: StatementsAccount,
    /// Indexes that were considered.
    pub candidates: usize,
    /// EXPLAINs that the planner was asked for.
    pub what_if_calls: usize,
    /// Proposals of the search that save too little: under `least_share_pct` of the workload and under
    /// `least_statement_pct` of each statement they serve.
    pub below_threshold: usize,
    /// A proposal saves at least this much of the workload …
    pub least_share_pct: f64,
    /// … or this much of some statement.
    pub least_statement_pct: f64,
    /// Sessions that asked the planner.
    pub sessions: usize,
    /// Seconds from the first question to the last, by this machine's clock.
    pub seconds: f64,
    /// Room for all new indexes together, in bytes as HypoPG counts; none: as much as it takes.
    pub budget_bytes: Option<i64>,
    /// New indexes of one table at most.
    pub max_indexes: usize,
    /// The server that was asked, where it is not the target.
    pub what_if: Option<String>,
    /// Why no planner was asked, where the built-in estimate answered: costs are by the planner's formulas over
    /// statistics, the budget counts in estimated sizes. Null: a planner was asked.
    pub estimate: Option<String>,
    /// Functions that the estimate knows nothing of, as the snapshot does not tell what functions are: it proposed nothing on
    /// expressions that call them.
    pub unknown_functions: Vec<String>,
}

/// The statements of a run. Those read are the planned, the unplannable, those without tables and those not asked about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct StatementsAccount {
    /// Statements of this database whose texts were read.
    pub read: usize,
    /// Those that the planner answered for: the workload.
    pub planned: usize,
    /// Those that have no plan, by reason.
    pub unplannable: BTreeMap<String, usize>,
    /// Those whose plans read catalogs, partitions or functions alone.
    pub without_tables: usize,
    /// Those that were not asked about: beyond `--plans`, no SELECTs, or on tables the role may not read.
    pub not_asked: usize,
    /// Share of the execution time of all statements of the database that the workload stands for, from 0 to 1.
    pub time_share: Option<f64>,
    /// Entries of the database whose texts were not read, as none of their totals is among the largest (`--top`).
    pub below_top: i64,
    /// Entries whose texts are hidden from the role.
    pub hidden: i64,
}
