//! A history in a PostgreSQL database, for many writers: its schema and versions, writing a run, reading runs.
//!
//! Beside `apply` the only room that writes to a server, and it writes nothing but its own schema, `pgassay`: a run is
//! one INSERT in a transaction of its own. Its SQL is here, as it is about tables of ours and not about a catalog. Months
//! are made and retired by `partition`, as of any other table.

mod read;
mod schema;
mod write;

pub use read::Archive;
pub use schema::{TABLE, script};
pub use write::{keep, migrate};

use crate::postgres::{ConnectError, ReadError};

/// Why a history in a database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// There is no way to it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server or the history is not as it should be.
    #[error("{what}\n  next: {next}")]
    Refused {
        /// What is wrong.
        what: String,
        /// What to do.
        next: String,
    },
}

impl ArchiveError {
    fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), next: next.into() }
    }

    /// Of what the server said, at this place.
    fn of(place: &str, error: &ReadError) -> Self {
        let said = format!("history in {place}: {}", error.message);
        match error.sqlstate.as_deref() {
            // undefined_table, invalid_schema_name
            Some("42P01" | "3F000") => {
                Self::new(format!("there is no history in {place}"), "make it with `pgassay history init --yes`")
            }
            // insufficient_privilege
            Some("42501") => Self::new(
                said,
                "its owner grants what is needed with `pgassay history init --yes`, --writer or --reader and the role",
            ),
            // read_only_sql_transaction
            Some("25006") => Self::new(said, "name the primary, or set target_session_attrs=read-write"),
            _ => Self::new(said, "see the server's log"),
        }
    }
}
