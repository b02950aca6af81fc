//! What can go wrong on the way to a server, what caused it, and what to do next. Holds no password:
//! messages are made of the host, the server's own words and the remedy, never of the target's text.

use std::error::Error as _;
use std::io;
use tokio_postgres::error::{ErrorPosition, SqlState};

/// A target that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

/// No connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect to {place}: {cause}\n  next: {next}")]
pub struct ConnectError {
    /// Host and port or socket, and database.
    pub place: String,
    /// What happened.
    pub cause: String,
    /// What to do.
    pub next: String,
    /// The server's error code, when it answered.
    pub sqlstate: Option<String>,
}

/// A query that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What happened.
    pub message: String,
    /// The server's error code, when it answered; `datatype_mismatch` where its answer could not be read.
    pub sqlstate: Option<String>,
    /// The character of the query that the server points at, from 1.
    pub position: Option<u32>,
}

impl ReadError {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let sqlstate = error.code().map(|code| code.code().to_owned());
        let message = error.as_db_error().map_or_else(|| deepest(error), |db| db.message().to_owned());
        let position = error.as_db_error().and_then(|db| match db.position()? {
            ErrorPosition::Original(at) => Some(*at),
            ErrorPosition::Internal { .. } => None,
        });
        Self { message, sqlstate, position }
    }

    /// A row that is not as PostgreSQL documents it. Stands under `datatype_mismatch`, as if the server had said so.
    pub(super) fn of_row(error: &serde::de::value::Error) -> Self {
        Self {
            message: format!("unexpected row: {error}"),
            sqlstate: Some(SqlState::DATATYPE_MISMATCH.code().to_owned()),
            position: None,
        }
    }

    /// It may pass by the next try: a standby cancelled what was in the way of its replay, or somebody held a lock, as on
    /// a relation between our look at the locks and at its size.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self.sqlstate.as_deref(), Some("40001" | "40P01" | "55P03"))
    }

    /// The connection is gone: nothing more can be read over it.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.sqlstate.as_deref().is_none_or(|code| code.starts_with("08") || code.starts_with("57P0"))
    }
}

impl From<ConnectError> for ReadError {
    fn from(error: ConnectError) -> Self {
        Self { message: error.cause, sqlstate: error.sqlstate, position: None }
    }
}

impl ConnectError {
    pub(super) fn of(place: &str, error: &tokio_postgres::Error) -> Self {
        let sqlstate = error.code().map(|code| code.code().to_owned());
        let (cause, next) = match error.as_db_error() {
            Some(db) => (db.message().to_owned(), remedy_of_sqlstate(db.code())),
            None => (deepest(error), remedy_of_text(&deepest(error), io_kind(error))),
        };
        Self { place: place.to_owned(), cause, next: next.to_owned(), sqlstate }
    }

    /// What the target says of TLS cannot be done.
    pub(super) fn tls(place: &str, error: TargetError) -> Self {
        let next = "correct the TLS parameters of the target".to_owned();
        Self { place: place.to_owned(), cause: error.0, next, sqlstate: None }
    }

    pub(super) fn timeout(place: &str, seconds: f64) -> Self {
        Self {
            place: place.to_owned(),
            cause: format!("no answer within {seconds} s"),
            next: "check host, port and firewall, or raise --connect-timeout".to_owned(),
            sqlstate: None,
        }
    }
}

fn remedy_of_sqlstate(code: &SqlState) -> &'static str {
    match *code {
        SqlState::INVALID_PASSWORD => "check user and password; give it by .pgpass, a service file or PGPASSWORD",
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check the user, and that pg_hba.conf has a line for this host, user and database (and sslmode, where it asks for hostssl)"
        }
        SqlState::INVALID_CATALOG_NAME => "name an existing database; `psql -l` lists them",
        SqlState::TOO_MANY_CONNECTIONS => {
            "all slots are taken: lower --jobs, or connect as a role that may use reserved slots"
        }
        SqlState::CANNOT_CONNECT_NOW => "the server is starting up, stopping or recovering: try again in a while",
        SqlState::INSUFFICIENT_PRIVILEGE => "grant connect on the database to this role",
        _ => "see the server's log",
    }
}

fn remedy_of_text(cause: &str, kind: Option<io::ErrorKind>) -> &'static str {
    if cause.contains("does not allow writes") || cause.contains("is not read only") {
        return "the server is not what target_session_attrs asks for: name another host, or leave it out";
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => "check that the server runs there, and its port and listen_addresses",
        Some(io::ErrorKind::NotFound) => "no socket there: check the directory and port, or name a host",
        Some(io::ErrorKind::PermissionDenied) => "this user may not open the socket: check its permissions",
        Some(io::ErrorKind::TimedOut) => "check host, port and firewall",
        _ if cause.contains("UnknownIssuer") => {
            "the certificate's issuer is not trusted: name its CA with sslrootcert=FILE"
        }
        _ if cause.contains("NotValidForName") || cause.contains("not valid for name") => {
            "the certificate is for another host: use that name, or sslmode=verify-ca"
        }
        _ if cause.contains("lookup") || cause.contains("resolve") => "the name has no address: check the host",
        _ if cause.contains("password missing") => "give a password by .pgpass, a service file or PGPASSWORD",
        _ if cause.contains("does not support TLS") => "the server has no TLS: use sslmode=prefer or disable",
        _ => "check host, port and sslmode",
    }
}

fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        source = inner.source();
    }
    None
}

/// The outer words and the innermost cause: `error connecting to server: connection refused`.
fn deepest(error: &tokio_postgres::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        source = inner.source();
    }
    words.join(": ")
}
