//! A session that runs a statement of somebody else's, which only reads, and says how long it took.

use super::dial::Dialed;
use super::error::{ConnectError, ReadError};
use super::reader::{BEGIN, Limits, MARKER, stream};
use super::target::{Protection, Target};
use super::tls::connector;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// One session, outside any pool.
#[derive(Debug)]
pub struct Stopwatch {
    dialed: Dialed,
    target: Target,
    limits: Limits,
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lap {
    /// From sending the statement to its last row, by the clock of this machine.
    pub time: Duration,
    /// Rows returned.
    pub rows: u64,
}

impl Stopwatch {
    /// Connects; `run` becomes the application name, `pgassay/<run>`.
    pub async fn connect(target: &Target, limits: Limits, run: &str) -> Result<Self, ConnectError> {
        let dialed = Dialed::connect(target, &format!("pgassay/{run}")).await?;
        Ok(Self { dialed, target: target.clone(), limits })
    }

    /// Runs the statement in a read-only transaction of its own, and drops its rows as they come. Only the statement
    /// itself is timed. By the simple protocol: its first execution then asks for no types.
    pub async fn lap(&self, sql: &str) -> Result<Lap, ReadError> {
        self.within(async {
            let of = |error: tokio_postgres::Error| ReadError::of(&error);
            let began = Instant::now();
            let mut messages = std::pin::pin!(self.dialed.client.simple_query_raw(sql).await.map_err(of)?);
            let mut rows = 0;
            while let Some(message) = messages.try_next().await.map_err(of)? {
                rows += u64::from(matches!(message, SimpleQueryMessage::Row(_)));
            }
            Ok(Lap { time: began.elapsed(), rows })
        })
        .await
    }

    /// Asks something in a transaction like those that are timed. By the extended protocol, in which the server takes
    /// no more than one command.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<T>, ReadError> {
        self.within(stream(&self.dialed.client, sql, params, usize::MAX)).await
    }

    /// A read-only transaction round something, which ends in any case.
    async fn within<T>(&self, work: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        let of = |error: tokio_postgres::Error| ReadError::of(&error);
        // The server ends what takes longer; this is for a server that is gone.
        let patience = self.limits.statement_timeout + Duration::from_secs(5);
        let answer = tokio::time::timeout(patience, async {
            self.dialed.client.batch_execute(&self.begin()).await.map_err(of)?;
            let answer = work.await;
            let end = if answer.is_ok() { "commit" } else { "rollback" };
            self.dialed.client.batch_execute(end).await.map_err(of)?;
            answer
        });
        let late = || format!("no answer within {} s", patience.as_secs());
        answer.await.unwrap_or_else(|_| Err(ReadError { message: late(), sqlstate: None, position: None }))
    }

    /// Plans and rows are to be those of the application, so other settings stay those of the role, but for the
    /// isolation level: a standby refuses what is serializable. Texts are read as our own parser reads them.
    fn begin(&self) -> String {
        format!(
            "{BEGIN}; select {MARKER} pg_catalog.set_config('statement_timeout', '{}', true), \
             pg_catalog.set_config('lock_timeout', '{}', true), \
             pg_catalog.set_config('idle_in_transaction_session_timeout', '60000', true), \
             pg_catalog.set_config('standard_conforming_strings', 'on', true)",
            self.limits.statement_timeout.as_millis(),
            self.limits.lock_timeout.as_millis()
        )
    }

    /// Asks the server to end what is under way, over a connection of its own, and leaves.
    pub async fn cancel(self) {
        let token = self.dialed.client.cancel_token();
        let asked = async {
            let is_plain = matches!(self.target.protection, Protection::Disable | Protection::Allow);
            match connector(&self.target) {
                Ok(connector) if !is_plain => drop(token.cancel_query(connector).await),
                _ => drop(token.cancel_query(NoTls).await),
            }
            self.dialed.close().await;
        };
        // A server that does not answer ends it by its time-out.
        let _ = tokio::time::timeout(self.target.connect_timeout, asked).await;
    }

    /// Ends the session and waits until its socket is closed; not for ever, as the server may be gone.
    pub async fn close(self) {
        let _ = tokio::time::timeout(self.target.connect_timeout, self.dialed.close()).await;
    }
}
