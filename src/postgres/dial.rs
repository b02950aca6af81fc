//! One connection of its own, outside any pool, with what the other side remarks.

use super::error::ConnectError;
use super::target::{Protection, Target};
use super::tls::connector;
use futures_util::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};

type Notices = Arc<Mutex<Vec<String>>>;

/// A connection.
#[derive(Debug)]
pub(super) struct Dialed {
    pub(super) client: Client,
    connection: JoinHandle<()>,
    notices: Notices,
}

impl Dialed {
    /// Connects under this application name. Nothing is set yet: what stands between may be a pooler, and
    /// would hand our settings on to whoever comes next.
    pub(super) async fn connect(target: &Target, application: &str) -> Result<Self, ConnectError> {
        let mut config = target.config.clone();
        config.application_name(application).connect_timeout(target.connect_timeout);
        let is_plain = matches!(target.protection, Protection::Disable | Protection::Allow);
        let refused = match Self::open(target, config.clone(), is_plain).await {
            Ok(dialed) => return Ok(dialed),
            Err(error) => error,
        };
        // sslmode=allow: plain first; where pg_hba.conf wants TLS, with TLS. PgBouncer has one code for all refusals.
        let wants_tls = refused.sqlstate.as_deref().is_some_and(|code| {
            code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION.code() || code == SqlState::PROTOCOL_VIOLATION.code()
        });
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
            let connector = connector(target).map_err(|error| ConnectError::tls(&place, error))?;
            let (client, connection) = config.connect(connector).await.map_err(failed)?;
            Ok((client, listen(connection, Arc::clone(&notices))))
        };
        let timeout = target.connect_timeout;
        let late = || ConnectError::timeout(&place, timeout.as_secs_f64());
        let (client, connection) = tokio::time::timeout(timeout, connecting).await.map_err(|_| late())??;
        Ok(Self { client, connection, notices })
    }

    /// What the other side remarked since the last call.
    pub(super) fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends the session and waits until its socket is closed.
    pub(super) async fn close(self) {
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
                // What is not in the server's language, where there is one.
                let severity = notice.parsed_severity().map_or(notice.severity().to_owned(), |plain| plain.to_string());
                notices.push(format!("{}: {}", severity.to_lowercase(), notice.message()));
            }
        }
    })
}
