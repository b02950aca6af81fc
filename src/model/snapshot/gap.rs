//! What was not read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The facets of a snapshot, by the names rules and reports use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the snapshot's field of the same name")]
pub enum Facet {
    Server,
    Settings,
    Extensions,
    Databases,
    Statements,
    Relations,
    Columns,
    Indexes,
    ForeignKeys,
    Constraints,
    Sequences,
    Partitions,
    Sessions,
    Replication,
    Locks,
    Slots,
    Io,
    Checkpoints,
    Wal,
    Progress,
    Roles,
    PreparedTransactions,
    SessionSamples,
    Pools,
    Plans,
    Nodes,
    Custom,
}

impl Facet {
    /// All facets, in the order they are reported.
    pub const ALL: [Self; 27] = [
        Self::Server,
        Self::Settings,
        Self::Extensions,
        Self::Databases,
        Self::Statements,
        Self::Relations,
        Self::Columns,
        Self::Indexes,
        Self::ForeignKeys,
        Self::Constraints,
        Self::Sequences,
        Self::Partitions,
        Self::Sessions,
        Self::Replication,
        Self::Locks,
        Self::Slots,
        Self::Io,
        Self::Checkpoints,
        Self::Wal,
        Self::Progress,
        Self::Roles,
        Self::PreparedTransactions,
        Self::SessionSamples,
        Self::Pools,
        Self::Plans,
        Self::Nodes,
        Self::Custom,
    ];

    /// It is about one database; the others are about the whole instance.
    #[must_use]
    pub fn is_of_database(self) -> bool {
        matches!(
            self,
            Self::Extensions
                | Self::Statements
                | Self::Relations
                | Self::Columns
                | Self::Indexes
                | Self::ForeignKeys
                | Self::Constraints
                | Self::Sequences
                | Self::Partitions
                | Self::Plans
        )
    }

    /// The name in rules, SQL files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Settings => "settings",
            Self::Extensions => "extensions",
            Self::Databases => "databases",
            Self::Statements => "statements",
            Self::Relations => "relations",
            Self::Columns => "columns",
            Self::Indexes => "indexes",
            Self::ForeignKeys => "foreign_keys",
            Self::Constraints => "constraints",
            Self::Sequences => "sequences",
            Self::Partitions => "partitions",
            Self::Sessions => "sessions",
            Self::Replication => "replication",
            Self::Locks => "locks",
            Self::Slots => "slots",
            Self::Io => "io",
            Self::Checkpoints => "checkpoints",
            Self::Wal => "wal",
            Self::Progress => "progress",
            Self::Roles => "roles",
            Self::PreparedTransactions => "prepared_transactions",
            Self::SessionSamples => "session_samples",
            Self::Pools => "pools",
            Self::Plans => "plans",
            Self::Nodes => "nodes",
            Self::Custom => "custom",
        }
    }
}

/// A facet, or a part of one, that was not read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The facet.
    pub facet: Facet,
    /// The database it is about; none: the whole instance.
    pub database: Option<String>,
    /// Some rows were read; only part is missing.
    pub partial: bool,
    /// What happened, in one line.
    pub reason: String,
    /// The server's error code, when it was an error.
    pub sqlstate: Option<String>,
    /// What would close the gap.
    pub remedy: String,
    /// The server failed us; false where the facet is absent by its owner's choice or role.
    pub is_failure: bool,
}
