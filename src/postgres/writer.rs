//! A session that changes a database: one connection of its own, never pooled. Only `apply` and `archive` open one.

use super::dial::Dialed;
use super::error::{ConnectError, ReadError};
use super::target::Target;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{ToSql, Type};

/// One writing session.
#[derive(Debug)]
pub struct Writer {
    dialed: Dialed,
    /// The server's process.
    pub pid: i32,
}

impl Writer {
    /// Connects under this application name. Nothing is set yet: what stands between may be a pooler, and
    /// would hand our settings on to whoever comes next.
    pub async fn connect(target: &Target, application: &str) -> Result<Self, ConnectError> {
        let mut writer = Self { dialed: Dialed::connect(target, application).await?, pid: 0 };
        let pid = writer.value("select pg_catalog.pg_backend_pid()").await.map_err(|error| ConnectError {
            place: target.place(),
            cause: error.message,
            next: "see the server's log".to_owned(),
            sqlstate: error.sqlstate,
        })?;
        writer.pid = pid.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(writer)
    }

    /// Settings that do not depend on the role's: names are qualified, times are UTC, nothing times out but
    /// a forgotten transaction.
    pub async fn settle(&self) -> Result<(), ReadError> {
        self.execute(
            "set search_path = pg_catalog; set timezone = 'UTC'; set datestyle = 'ISO, YMD'; \
             set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = '60s'; \
             set client_min_messages = notice; set default_transaction_isolation = 'read committed'",
        )
        .await?;
        let version = self.value("show server_version_num").await?.and_then(|text| text.parse::<i32>().ok());
        let major = version.unwrap_or(0) / 10_000;
        if major >= 14 {
            // When we die, the server notices and stops instead of building on for nobody.
            self.execute("set client_connection_check_interval = '10s'; set idle_session_timeout = 0").await?;
        }
        if major >= 17 {
            self.execute("set transaction_timeout = 0").await?;
        }
        Ok(())
    }

    /// Runs statements as one message of the simple protocol: a single one where it may not run in a
    /// transaction block.
    pub async fn execute(&self, sql: &str) -> Result<(), ReadError> {
        self.dialed.client.batch_execute(sql).await.map_err(|error| ReadError::of(&error))
    }

    /// Runs one statement with values, unprepared, so that it works through a transaction pooler.
    pub async fn execute_with(&self, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<(), ReadError> {
        self.dialed.client.query_typed(sql, params).await.map(|_| ()).map_err(|error| ReadError::of(&error))
    }

    /// The first column of the first row, as text.
    pub async fn value(&self, sql: &str) -> Result<Option<String>, ReadError> {
        let messages = self.dialed.client.simple_query(sql).await.map_err(|error| ReadError::of(&error))?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// What the server remarked since the last call.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.dialed.notices()
    }

    /// Ends the session and waits until its socket is closed.
    pub async fn close(self) {
        self.dialed.close().await;
    }
}
