//! A session on a throwaway server that this program started itself: the only one besides those of `apply`
//! and `archive` that may write. For the demo and the tests.

use std::path::Path;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

/// A statement or connection that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScratchError {
    /// The server's words.
    pub message: String,
    /// Its error code.
    pub sqlstate: Option<String>,
}

impl From<tokio_postgres::Error> for ScratchError {
    fn from(error: tokio_postgres::Error) -> Self {
        let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        Self { message, sqlstate: error.code().map(|code| code.code().to_owned()) }
    }
}

/// One writing session.
#[derive(Debug)]
pub struct Scratch {
    client: Client,
    connection: JoinHandle<()>,
}

impl Scratch {
    /// Connects over a unix socket.
    pub async fn connect(
        socket: &Path,
        port: u16,
        database: &str,
        role: &str,
        application: &str,
    ) -> Result<Self, ScratchError> {
        let mut config = Config::new();
        config.host_path(socket).port(port).dbname(database).user(role).application_name(application);
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(async move {
            // The statement that was under way reports the loss.
            let _ = connection.await;
        });
        Ok(Self { client, connection })
    }

    /// Runs statements as one batch of the simple protocol.
    pub async fn execute(&self, sql: &str) -> Result<(), ScratchError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// The first column of the first row, as text.
    pub async fn value(&self, sql: &str) -> Result<Option<String>, ScratchError> {
        let messages = self.client.simple_query(sql).await?;
        Ok(messages.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// Ends the session and waits until its socket is closed.
    pub async fn close(self) {
        drop(self.client);
        let _ = self.connection.await;
    }
}
