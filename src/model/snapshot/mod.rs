//! What was read from one server at one moment, facet by facet.
//!
//! Field docs end with `{unit | source}`: `pgassay rules fields` prints them, so they are the
//! reference for people who write rules. Counters count from the last reset of their statistics.

mod column;
mod constraint;
mod database;
mod extension;
mod foreign_key;
mod gap;
mod index;
mod partition;
mod relation;
mod replication;
mod sequence;
mod server;
mod session;
mod setting;
mod statement;

pub use column::Column;
pub use constraint::{Constraint, ConstraintKind};
pub use database::Database;
pub use extension::Extension;
pub use foreign_key::ForeignKey;
pub use gap::{Facet, Gap};
pub use index::Index;
pub use partition::Partition;
pub use relation::{Relation, RelationKind};
pub use replication::Replication;
pub use sequence::Sequence;
pub use server::{Server, TargetInfo, Tool};
pub use session::Session;
pub use setting::Setting;
pub use statement::{RelationName, Statement, StatementCounters, StatementKind, StatementsInfo};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the snapshot's JSON form.
///
/// History: 1 — first published form (0.1).
pub const FORMAT_VERSION: u32 = 1;

/// Everything read from one server. All that follows `collect` is a pure function of this value,
/// the rules, the settings and the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Version of this form, [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The program that wrote it.
    pub tool: Tool,
    /// When reading began, by the server's clock.
    pub captured_at: DateTime<Utc>,
    /// Where it was read from, without secrets.
    pub target: TargetInfo,
    /// The instance and the reading role.
    pub server: Server,
    /// Settings whose values cannot hold secrets.
    pub settings: Vec<Setting>,
    /// Extensions installed in the audited database.
    pub extensions: Vec<Extension>,
    /// All databases of the instance.
    pub databases: Vec<Database>,
    /// How `pg_stat_statements` is set up; none when it is not installed or not readable.
    pub statements_info: Option<StatementsInfo>,
    /// Statements of the audited database, merged by fingerprint.
    pub statements: Vec<Statement>,
    /// Tables, partitioned tables and materialized views outside the system schemas.
    pub relations: Vec<Relation>,
    /// Columns of those relations.
    pub columns: Vec<Column>,
    /// Indexes of those relations.
    pub indexes: Vec<Index>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Primary key, unique, exclusion and check constraints.
    pub constraints: Vec<Constraint>,
    /// Sequences.
    pub sequences: Vec<Sequence>,
    /// Partitioned tables with their partitions, one row per partition.
    pub partitions: Vec<Partition>,
    /// Server processes at the moment of reading, our own left out.
    pub sessions: Vec<Session>,
    /// Standbys and other receivers of WAL connected to this server.
    pub replication: Vec<Replication>,
    /// What was not read, and why.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// An empty snapshot, ready to be filled.
    #[must_use]
    pub fn empty(tool: Tool, captured_at: DateTime<Utc>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            tool,
            captured_at,
            target: TargetInfo::default(),
            server: Server::default(),
            settings: Vec::new(),
            extensions: Vec::new(),
            databases: Vec::new(),
            statements_info: None,
            statements: Vec::new(),
            relations: Vec::new(),
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            constraints: Vec::new(),
            sequences: Vec::new(),
            partitions: Vec::new(),
            sessions: Vec::new(),
            replication: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// The gap that keeps `facet` from being judged, if any.
    #[must_use]
    pub fn gap(&self, facet: Facet) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.facet == facet && !gap.partial)
    }

    /// A setting by its name.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// The statistics row of the audited database.
    #[must_use]
    pub fn current_database(&self) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == self.target.database)
    }
}
