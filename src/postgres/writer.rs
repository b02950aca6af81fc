//! A session that changes a database: one connection of its own, never pooled. Only `apply` opens one.

use super::error::{ConnectError, ReadError};
use super::target::{Protection, Target};
use super::tls::connector;
use futures_util::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, SimpleQueryMessage};

type Notices = Arc<Mutex<Vec<String>>>;

/// One writing session.
#[derive(Debug)]
pub struct Writer {
    client: Client,
    connection: JoinHandle<()>,
    notices: Notices,
    /// The server's process.
    pub pid: i32,
}

impl Writer {
    /// Connects under this application name. Nothing is set yet: what stands between may be a pooler, and
    /// would hand our settings on to whoever comes next.
    pub async fn connect(target: &Target, application: &str) -> Result<Self, ConnectError> {
        let mut config = target.config.clone();
        config.application_name(application).connect_timeout(target.connect_timeout);
        let is_plain = matches!(target.protection, Protection::Disable | Protection::Allow);
        let refused = match Self::open(target, config.clone(), is_plain).await {
            Ok(writer) => return Ok(writer),
            Err(error) => error,
        };
        // sslmode=allow: plain first; where pg_hba.conf wants TLS, with TLS.
        let wants_tls = refused.sqlstate.as_deref() == Some(SqlState::INVALID_AUTHORIZATION_SPECIFICATION.code());
        if target.protection != Protection::Allow || !wants_tls {
            return Err(refused);
        }
        Self::open(target, config.ssl_mode(SslMode::Require).clone(), false).await
    }

    async fn open(target: &Target, config: Config, is_plain: bool) -> Result<Self, ConnectError> {
        let place = target.place();
        let notices = Notices::default();
        let connecting = async {
            let failed = |error: tokio_postgres::Error| ConnectError::of(&place, &error);
            if is_plain {
                let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                return Ok((client, listen(connection, Arc::clone(&notices))));
            }
            let connector = connector(target).map_err(|error| ConnectError {
                place: place.clone(),
                cause: error.0,
                next: "mend the TLS parameters of the target".to_owned(),
                sqlstate: None,
            })?;
            let (client, connection) = config.connect(connector).await.map_err(failed)?;
            Ok((client, listen(connection, Arc::clone(&notices))))
        };
        let timeout = target.connect_timeout;
        let late = || ConnectError::timeout(&place, timeout.as_secs_f64());
        let (client, connection) = tokio::time::timeout(timeout, connecting).await.map_err(|_| late())??;
        let mut writer = Self { client, connection, notices, pid: 0 };
        let pid = writer.value("select pg_catalog.pg_backend_pid()").await.map_err(|error| ConnectError {
            place: place.clone(),
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
        self.client.batch_execute(sql).await.map_err(|error| ReadError::of(&error))
    }

    /// The first column of the first row, as text.
    pub async fn value(&self, sql: &str) -> Result<Option<String>, ReadError> {
        let messages = self.client.simple_query(sql).await.map_err(|error| ReadError::of(&error))?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    /// What the server remarked since the last call.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the session and waits until its socket is closed.
    pub async fn close(self) {
        drop(self.client);
        let _ = self.connection.await;
    }
}

/// Drives a connection and keeps its notices.
fn listen<S, T>(mut connection: Connection<S, T>, notices: Notices) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
        // The statement that was under way reports a loss.
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notice(notice) = message {
                let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
                notices.push(format!("{}: {}", notice.severity().to_lowercase(), notice.message()));
            }
        }
    })
}
