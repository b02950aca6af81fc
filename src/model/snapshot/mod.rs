//! What was read from one server at one moment, facet by facet.
//!
//! Field docs end with `{unit | source}`: `pgassay rules fields` prints them, so they are the
//! reference for people who write rules. Counters count from the last reset of their statistics.

mod checkpoint;
mod column;
mod constraint;
mod custom;
mod database;
mod extension;
mod foreign_key;
mod function;
mod gap;
mod index;
mod io;
mod lock;
mod node;
mod partition;
mod plan;
mod pool;
mod prepared;
mod progress;
mod relation;
mod replication;
mod role;
mod sample;
mod sequence;
mod server;
mod session;
mod setting;
mod slot;
mod statement;
mod wal;

pub use checkpoint::Checkpoints;
pub use column::Column;
pub use constraint::{Constraint, ConstraintKind};
pub use custom::{CustomFacet, CustomRows};
pub use database::Database;
pub use extension::Extension;
pub use foreign_key::ForeignKey;
pub use function::{Function, Volatility};
pub use gap::{Facet, Gap};
pub use index::Index;
pub use io::Io;
pub use lock::Lock;
pub use node::{IndexUse, Node, RelationUse};
pub use partition::Partition;
pub use plan::Plan;
pub use pool::{PoolCounts, PoolLook, PoolTotals, PooledDatabase, PooledUser, Pooler, PoolerSettings, SocketCount};
pub use prepared::PreparedTransaction;
pub use progress::Progress;
pub use relation::{Relation, RelationKind};
pub use replication::Replication;
pub use role::Role;
pub use sample::{DatabaseInterval, Observation, SessionGroup, SessionLook, SessionSamples};
pub use sequence::Sequence;
pub use server::{Server, TargetInfo, Tool};
pub use session::Session;
pub use setting::Setting;
pub use slot::Slot;
pub use statement::{RelationName, Statement, StatementCounters, StatementKind, StatementsInfo, WrappedColumn};
pub use wal::Wal;

use super::survey::Manager;
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
    /// The databases that were read, the first being the one connected to.
    pub audited: Vec<String>,
    /// The instance and the reading role.
    pub server: Server,
    /// Settings whose values cannot hold secrets.
    pub settings: Vec<Setting>,
    /// Extensions installed in the audited databases.
    pub extensions: Vec<Extension>,
    /// All databases of the instance.
    pub databases: Vec<Database>,
    /// How `pg_stat_statements` is set up, and what was taken from it, by audited database.
    pub statements_info: Vec<StatementsInfo>,
    /// Statements of the audited databases, merged by fingerprint.
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
    /// What pg_partman keeps of those tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managers: Vec<Manager>,
    /// Server processes at the moment of reading, our own left out.
    pub sessions: Vec<Session>,
    /// Standbys and other receivers of WAL connected to this server.
    pub replication: Vec<Replication>,
    /// Sessions that wait for locks.
    pub locks: Vec<Lock>,
    /// Replication slots.
    pub slots: Vec<Slot>,
    /// I/O by sort of process, object and context, from 16.
    pub io: Vec<Io>,
    /// Checkpoints and the background writer.
    pub checkpoints: Option<Checkpoints>,
    /// WAL and its archiver.
    pub wal: Option<Wal>,
    /// Long-running commands and how far they are.
    pub progress: Vec<Progress>,
    /// Roles that may log in.
    pub roles: Vec<Role>,
    /// Prepared transactions.
    pub prepared_transactions: Vec<PreparedTransaction>,
    /// What active sessions waited for; none unless asked for.
    pub session_samples: Option<SessionSamples>,
    /// PgBouncers that were watched; none unless asked for.
    #[serde(default)]
    pub pools: Vec<Pooler>,
    /// Plans of the statements with the largest totals.
    pub plans: Vec<Plan>,
    /// Functions of the names that conditions of those plans call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// Rows of facets that rule packs brought along.
    pub custom: Vec<CustomRows>,
    /// Standbys that were read beside this server.
    pub nodes: Vec<Node>,
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
            audited: Vec::new(),
            server: Server::default(),
            settings: Vec::new(),
            extensions: Vec::new(),
            databases: Vec::new(),
            statements_info: Vec::new(),
            statements: Vec::new(),
            relations: Vec::new(),
            columns: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            constraints: Vec::new(),
            sequences: Vec::new(),
            partitions: Vec::new(),
            managers: Vec::new(),
            sessions: Vec::new(),
            replication: Vec::new(),
            locks: Vec::new(),
            slots: Vec::new(),
            io: Vec::new(),
            checkpoints: None,
            wal: None,
            progress: Vec::new(),
            roles: Vec::new(),
            prepared_transactions: Vec::new(),
            session_samples: None,
            pools: Vec::new(),
            plans: Vec::new(),
            functions: Vec::new(),
            custom: Vec::new(),
            nodes: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// The gap that keeps `facet` from being judged, if any.
    #[must_use]
    pub fn gap(&self, facet: Facet) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.facet == facet && !gap.partial)
    }

    /// How `pg_stat_statements` serves the audited database; none when it is not installed or readable.
    #[must_use]
    pub fn statements_info(&self) -> Option<&StatementsInfo> {
        self.statements_info.iter().find(|info| info.database == self.target.database)
    }

    /// The part that is about one of the audited databases: what belongs to the whole instance stays,
    /// rows of other databases go.
    #[must_use]
    pub fn of_database(&self, name: &str) -> Self {
        let mut part = self.clone();
        part.target.database = name.to_owned();
        part.databases.iter_mut().for_each(|database| database.is_current = database.name == name);
        part.extensions.retain(|row| row.database == name);
        part.statements_info.retain(|row| row.database == name);
        part.statements.retain(|row| row.database == name);
        part.relations.retain(|row| row.database == name);
        part.columns.retain(|row| row.database == name);
        part.indexes.retain(|row| row.database == name);
        part.foreign_keys.retain(|row| row.database == name);
        part.constraints.retain(|row| row.database == name);
        part.sequences.retain(|row| row.database == name);
        part.partitions.retain(|row| row.database == name);
        part.managers.retain(|row| row.database.as_deref().is_none_or(|database| database == name));
        part.plans.retain(|row| row.database == name);
        part.functions.retain(|row| row.database == name);
        part.gaps.retain(|gap| gap.database.as_deref().is_none_or(|database| database == name));
        part
    }

    /// A setting by its name.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.name == name)
    }

    /// Slots that ordinary roles can use; none where the settings were not read.
    #[must_use]
    pub fn usable_connections(&self) -> Option<i64> {
        #[allow(clippy::cast_possible_truncation, reason = "an integer setting")]
        let number = |name: &str| self.setting(name).and_then(Setting::number).map(|number| number as i64);
        let max = number("max_connections")?;
        Some(max - number("superuser_reserved_connections").unwrap_or(0) - number("reserved_connections").unwrap_or(0))
    }

    /// The statistics row of the audited database.
    #[must_use]
    pub fn current_database(&self) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == self.target.database)
    }
}
