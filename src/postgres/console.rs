//! PgBouncer's admin console: speaks only the simple protocol, and every value is a text. Only SHOW is said to it.

use super::dial::Dialed;
use super::error::{ConnectError, ReadError};
use super::pinned::TextRow;
use super::target::Target;
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;

/// It answers from memory: who takes longer than this does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a console.
#[derive(Debug)]
pub struct Console {
    dialed: Dialed,
}

/// What a SHOW showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Names of the columns, in order.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<TextRow>,
    /// What was remarked: before 1.12 the version is told so.
    pub notices: Vec<String>,
}

impl Console {
    /// Connects; `run` becomes the application name, `pgassay/<run>`.
    pub async fn connect(target: &Target, run: &str) -> Result<Self, ConnectError> {
        match Dialed::connect(target, &format!("pgassay/{run}")).await {
            Ok(dialed) => Ok(Self { dialed }),
            Err(error) => Err(ConnectError { next: remedy(&error), ..error }),
        }
    }

    /// Asks for one of its tables, `POOLS`.
    pub async fn show(&self, table: &str) -> Result<Shown, ReadError> {
        let late = || ReadError {
            message: format!("no answer within {} s", PATIENCE.as_secs()),
            sqlstate: None,
            position: None,
        };
        let command = format!("SHOW {table}");
        let answer =
            tokio::time::timeout(PATIENCE, self.dialed.client.simple_query(&command)).await.map_err(|_| late())?;
        let mut shown = Shown::default();
        for message in answer.map_err(|error| ReadError::of(&error))? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    shown.columns = columns.iter().map(|column| column.name().to_owned()).collect();
                }
                SimpleQueryMessage::Row(row) => {
                    shown.rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        shown.notices = self.dialed.notices();
        Ok(shown)
    }

    /// Ends the session and waits until its socket is closed.
    pub async fn close(self) {
        self.dialed.close().await;
    }
}

/// PgBouncer refuses everything with one code, so its words tell what to do.
fn remedy(error: &ConnectError) -> String {
    let said = error.cause.to_lowercase();
    let remedies = [
        ("not allowed", "name the user in stats_users in pgbouncer.ini, then RELOAD;"),
        ("no more connections", "its max_client_conn is reached: raise it, or shrink the applications' own pools"),
        ("does not exist", "a PostgreSQL server answers there: name PgBouncer's own port"),
        ("authentication failed", "check user and password; give it by .pgpass or PGPASSWORD"),
        ("auth failed", "check user and password; give it by .pgpass or PGPASSWORD"),
        ("no such user", "check the user: it must stand in PgBouncer's auth_file, and in stats_users"),
        ("password missing", "give a password by .pgpass or PGPASSWORD"),
        ("ssl required", "PgBouncer wants TLS: use sslmode=require"),
    ];
    let known = remedies.iter().find(|(part, _)| said.contains(part));
    let refused = said.contains("connection refused");
    match known {
        Some((_, remedy)) => (*remedy).to_owned(),
        None if refused => "check that PgBouncer runs there, and its listen_port and listen_addr".to_owned(),
        None => error.next.clone(),
    }
}
