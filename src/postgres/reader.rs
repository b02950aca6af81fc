//! A pool of sessions that can only read, and cannot be in anybody's way.

use super::error::{ConnectError, ReadError};
use super::queries::pick;
use super::row;
use super::target::{Protection, Target};
use super::tls::connector;
use crate::postgres::error::TargetError;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::TryStreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};

/// Stands in every query of ours, so that it can be told from the workload.
pub const MARKER: &str = "/* pgassay */";

/// How far the marker moves what follows it, in characters.
const SHIFT: u32 = MARKER.len() as u32 + 1;

/// Serializable, as a role or a server may have it by default, a read would take part in others' conflicts on a primary,
/// and be refused on a standby.
pub(super) const BEGIN: &str = "begin isolation level read committed, read only";

/// The statement with the marker behind its first word: from 18 on `pg_stat_statements` keeps no comment
/// that stands before a statement.
#[must_use]
pub fn marked(sql: &str) -> String {
    let mut at = 0;
    for line in sql.split_inclusive('\n') {
        let is_code = !line.trim().is_empty() && !line.starts_with("--");
        if is_code {
            at += line.find([' ', '\n']).unwrap_or(line.len());
            break;
        }
        at += line.len();
    }
    format!("{} {MARKER}{}", &sql[..at], &sql[at..])
}

/// How much of the server a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at most.
    pub jobs: usize,
    /// The server ends a query of ours after this time.
    pub statement_timeout: Duration,
    /// The server ends a wait of ours for a lock after this time.
    pub lock_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { jobs: 4, statement_timeout: Duration::from_secs(15), lock_timeout: Duration::from_millis(100) }
    }
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Read,
    Plan,
}

/// What a reader has asked of its server.
#[derive(Debug, Default)]
struct Meter {
    queries: AtomicU64,
    rows: AtomicU64,
    micros: AtomicU64,
}

/// What a run has asked of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Queries sent, each in a transaction of its own.
    pub queries: u64,
    /// Rows returned.
    pub rows: u64,
    /// Time from sending to the last row, added up over all queries.
    pub time: Duration,
}

/// Reading sessions on one server.
#[derive(Debug)]
pub struct Reader {
    pool: Pool,
    place: String,
    connect_timeout: Duration,
    limits: Limits,
    is_hidden: bool,
    meter: Meter,
}

impl Reader {
    /// Prepares a pool; the first session is opened at once, so that a wrong target is told here.
    /// `run` becomes the application name, `pgassay/<run>`.
    pub async fn connect(target: &Target, limits: Limits, run: &str) -> Result<Self, ConnectError> {
        let place = target.place();
        let unusable = |error| ConnectError::tls(&place, error);
        let mut config = target.config.clone();
        config.application_name(format!("pgassay/{run}")).connect_timeout(target.connect_timeout);
        let is_plain = target.protection == Protection::Disable;
        let open = |config: Config, is_plain: bool| pool(target, config, is_plain, limits).map_err(unusable);
        let mut reader = Self {
            pool: open(config.clone(), is_plain || target.protection == Protection::Allow)?,
            place: place.clone(),
            connect_timeout: target.connect_timeout,
            limits,
            is_hidden: false,
            meter: Meter::default(),
        };
        let refused = match reader.session().await {
            Ok(_) => return Ok(reader),
            Err(error) => error,
        };
        // sslmode=allow: plain first; where pg_hba.conf wants TLS, with TLS.
        let wants_tls = refused.sqlstate.as_deref() == Some(SqlState::INVALID_AUTHORIZATION_SPECIFICATION.code());
        if target.protection != Protection::Allow || !wants_tls {
            return Err(refused);
        }
        config.ssl_mode(SslMode::Require);
        reader.pool = open(config, false)?;
        reader.session().await.map(|_| ())?;
        Ok(reader)
    }

    /// How a transaction of ours begins.
    fn begin(&self) -> String {
        format!("{BEGIN}; {}", settings(self.limits, self.is_hidden, true, Purpose::Read))
    }

    /// Keeps our own queries out of `pg_stat_statements` from now on, where the role may ask for that.
    pub async fn stay_out_of_statements(&mut self, major: i32) {
        #[derive(Deserialize)]
        struct Answer {
            may_hide: bool,
        }
        let sql = pick("may_hide", major, 0).map_or("", |query| query.sql);
        // Who cannot be told may not.
        let rows: Result<Vec<Answer>, ReadError> = self.read(sql, &[]).await;
        self.is_hidden = rows.is_ok_and(|rows| rows.iter().any(|row| row.may_hide));
    }

    /// Runs one query in a read-only transaction of its own and reads its rows; once more where what stands in the way
    /// may be gone by then.
    pub async fn read<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<T>, ReadError> {
        match self.read_once(sql, params).await {
            Err(error) if error.may_pass() => self.read_once(sql, params).await,
            answer => answer,
        }
    }

    async fn read_once<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<T>, ReadError> {
        let session = self.opened(&self.begin()).await?;
        let answer = self.rows(&session, sql, params, usize::MAX).await;
        match &answer {
            Ok(_) => {}
            // The transaction has failed already: this only ends it.
            Err(error) if error.sqlstate.is_some() => drop(session.batch_execute("rollback").await),
            // Whatever state it is in: nobody takes it over.
            Err(_) => drop(Object::take(session)),
        }
        answer
    }

    /// As [`Reader::read`], but gives up when the rows are more than `max_bytes`: for queries that are
    /// not ours.
    pub async fn read_capped<T: DeserializeOwned>(&self, sql: &str, max_bytes: usize) -> Result<Vec<T>, ReadError> {
        let session = self.opened(&self.begin()).await?;
        let answer = self.rows(&session, sql, &[], max_bytes).await;
        if answer.is_err() {
            drop(Object::take(session));
        }
        answer
    }

    /// The rows of one query, and the end of its transaction, within the time that the server may take and
    /// a little more.
    async fn rows<T: DeserializeOwned>(
        &self,
        session: &Object,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
        max_bytes: usize,
    ) -> Result<Vec<T>, ReadError> {
        let patience = self.limits.statement_timeout + Duration::from_secs(5);
        let late = || ReadError {
            message: format!("no answer within {} s", patience.as_secs()),
            sqlstate: None,
            position: None,
        };
        let began = Instant::now();
        let answer = tokio::time::timeout(patience, async {
            let rows = stream(session, sql, params, max_bytes).await;
            self.count(began, rows.as_ref().map_or(0, Vec::len));
            let rows = rows?;
            session.batch_execute("commit").await.map_err(|error| ReadError::of(&error))?;
            Ok(rows)
        });
        answer.await.unwrap_or_else(|_| Err(late()))
    }

    /// The columns a query would return, by name and type, without running it.
    pub async fn describe(&self, sql: &str) -> Result<Vec<(String, String)>, ReadError> {
        let session = self.session().await?;
        let statement = session.prepare(sql).await.map_err(|error| ReadError::of(&error))?;
        Ok(statement
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.type_().name().to_owned()))
            .collect())
    }

    /// Runs statements in a read-only transaction under another search_path and returns the plan that
    /// one of them prints: an EXPLAIN in JSON. Where there are several, the last but one explains, and the
    /// last undoes what the others leave in the session, after an error too.
    pub async fn explain(&self, statements: &[String], search_path: &str) -> Result<serde_json::Value, ReadError> {
        let path = search_path.replace('\'', "''");
        let settings = settings(self.limits, self.is_hidden, true, Purpose::Plan);
        let begin =
            format!("{BEGIN}; {settings}; select {MARKER} pg_catalog.set_config('search_path', '{path}', true)");
        let session = self.opened(&begin).await?;
        let patience = self.limits.statement_timeout + Duration::from_secs(5);
        let answer = tokio::time::timeout(patience, self.run_script(&session, statements)).await;
        let text = match answer {
            Ok(text) => text?,
            Err(_) => {
                drop(Object::take(session));
                return Err(ReadError {
                    message: format!("no answer within {} s", patience.as_secs()),
                    sqlstate: None,
                    position: None,
                });
            }
        };
        let plan: serde_json::Value = serde_json::from_str(&text).map_err(|error| ReadError {
            message: format!("EXPLAIN printed no JSON: {error}"),
            sqlstate: None,
            position: None,
        })?;
        Ok(plan.get(0).and_then(|first| first.get("Plan")).cloned().unwrap_or_default())
    }

    async fn run_script(&self, session: &Object, statements: &[String]) -> Result<String, ReadError> {
        let of = |error: tokio_postgres::Error| ReadError::of(&error);
        let mut text = String::new();
        let answering = statements.len().saturating_sub(2);
        for (step, statement) in statements.iter().enumerate() {
            // An error then ends in a commit: a rollback would count against the application.
            session.batch_execute(&marked("savepoint pgassay")).await.map_err(of)?;
            let began = Instant::now();
            let answer = session.simple_query(&marked(statement)).await;
            self.count(began, answer.as_ref().map_or(0, Vec::len));
            match answer {
                Ok(messages) if step == answering => {
                    text.extend(messages.iter().filter_map(|message| match message {
                        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(|line| format!("{line}\n")),
                        _ => None,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    // Before the last but one step there is nothing yet for the last one to take away.
                    let is_prepared = statements.len() > 1 && step == answering;
                    let tidy = if is_prepared { marked(&statements[step + 1]) } else { String::new() };
                    let ended = format!("{}; {tidy}; commit", marked("rollback to savepoint pgassay"));
                    if session.batch_execute(&ended).await.is_err() {
                        let _ = session.batch_execute("rollback").await;
                    }
                    let mut error = of(error);
                    error.position = error.position.map(|at| at.saturating_sub(SHIFT));
                    return Err(error);
                }
            }
        }
        session.batch_execute("commit").await.map_err(of)?;
        Ok(text)
    }

    fn count(&self, began: Instant, rows: usize) {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.meter.queries.fetch_add(1, Ordering::Relaxed);
        self.meter.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.meter.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was asked of the server so far.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            queries: self.meter.queries.load(Ordering::Relaxed),
            rows: self.meter.rows.load(Ordering::Relaxed),
            time: Duration::from_micros(self.meter.micros.load(Ordering::Relaxed)),
        }
    }

    /// Asks the server, over a session of its own, to end what the sessions of a run are at. One that cannot be asked
    /// ends it by its time-out.
    pub async fn cancel(target: &Target, limits: Limits, run: &str) {
        #[derive(Deserialize)]
        struct Asked {}
        let sql = "select pg_catalog.pg_cancel_backend(s.pid) from pg_catalog.pg_stat_activity s \
                   where s.application_name = $1 and s.pid <> pg_catalog.pg_backend_pid()";
        if let Ok(reader) = Self::connect(target, Limits { jobs: 1, ..limits }, &format!("{run}/end")).await {
            let _ = reader.read::<Asked>(sql, &[(&format!("pgassay/{run}"), Type::TEXT)]).await;
        }
    }

    /// Closes all sessions but one, and waits until the server has seen them go.
    pub async fn rest(&self) {
        #[derive(Deserialize)]
        struct Count {
            sessions: i64,
        }
        self.pool.retain(|_, _| false);
        let sql = "select pg_catalog.count(*) as sessions from pg_catalog.pg_stat_activity s \
                   where s.application_name = pg_catalog.current_setting('application_name')";
        for _ in 0..40 {
            match self.read::<Count>(sql, &[]).await.as_deref() {
                Ok([Count { sessions }]) if *sessions > 1 => tokio::time::sleep(Duration::from_millis(25)).await,
                _ => return,
            }
        }
    }

    /// A session in a transaction of ours. One that the server ended while it was idle is replaced once.
    async fn opened(&self, begin: &str) -> Result<Object, ReadError> {
        let session = self.session().await?;
        match self.begin_in(&session, begin).await {
            Ok(()) => Ok(session),
            Err(error) if error.is_lost() => {
                drop(Object::take(session));
                let session = self.session().await?;
                self.begin_in(&session, begin).await?;
                Ok(session)
            }
            Err(error) => Err(error),
        }
    }

    async fn begin_in(&self, session: &Object, begin: &str) -> Result<(), ReadError> {
        match tokio::time::timeout(self.limits.statement_timeout, session.batch_execute(begin)).await {
            Ok(answer) => answer.map_err(|error| ReadError::of(&error)),
            Err(_) => {
                Err(ReadError { message: "no answer to BEGIN in time".to_owned(), sqlstate: None, position: None })
            }
        }
    }

    /// The settings of a session that stays ours: as for a transaction, and for good.
    pub(super) fn settle(&self) -> String {
        settings(self.limits, self.is_hidden, false, Purpose::Plan)
    }

    pub(super) async fn session(&self) -> Result<Object, ConnectError> {
        use deadpool_postgres::PoolError;
        let seconds = self.connect_timeout.as_secs_f64();
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => ConnectError::of(&self.place, &error),
            PoolError::Timeout(_) => ConnectError::timeout(&self.place, seconds),
            other => ConnectError {
                place: self.place.clone(),
                cause: other.to_string(),
                next: "try again with --verbose".to_owned(),
                sqlstate: None,
            },
        })
    }
}

/// The rows of a query as long as they are few enough, each made a struct as it comes: all of them as they
/// came would need the memory twice. An unnamed statement inside the transaction works through a transaction
/// pooler too.
pub(super) async fn stream<T: DeserializeOwned>(
    session: &Client,
    sql: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
    max_bytes: usize,
) -> Result<Vec<T>, ReadError> {
    let of = |error: tokio_postgres::Error| ReadError::of(&error);
    let params = params.iter().map(|(value, ty)| (*value, ty.clone()));
    let mut answer = std::pin::pin!(session.query_typed_raw(&marked(sql), params).await.map_err(of)?);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    while let Some(row) = answer.try_next().await.map_err(of)? {
        bytes += row.raw_size_bytes();
        if bytes > max_bytes {
            let message = format!("more than {} MiB of rows", max_bytes >> 20);
            return Err(ReadError { message, sqlstate: Some("54000".to_owned()), position: None });
        }
        rows.push(row::read(&row).map_err(|error| ReadError::of_row(&error))?);
    }
    rows.shrink_to_fit();
    Ok(rows)
}

fn pool(target: &Target, config: Config, is_plain: bool, limits: Limits) -> Result<Pool, TargetError> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = if is_plain {
        Manager::from_config(config, NoTls, recycling)
    } else {
        Manager::from_config(config, connector(target)?, recycling)
    };
    Pool::builder(manager)
        .max_size(limits.jobs.max(1))
        .create_timeout(Some(target.connect_timeout))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| TargetError(error.to_string()))
}

/// Settings under which a session cannot write, wait long or take part in anything else. Mostly local to a
/// transaction: a plain `SET` would not survive a transaction pooler and would change somebody else's session. One SELECT sets them all and bears our marker, so that it is not taken for the workload.
fn settings(limits: Limits, is_hidden: bool, is_local: bool, purpose: Purpose) -> String {
    let (statement, lock) =
        (limits.statement_timeout.as_millis().to_string(), limits.lock_timeout.as_millis().to_string());
    let mut settings = vec![
        ("default_transaction_read_only", "on"),
        ("statement_timeout", &statement),
        ("lock_timeout", &lock),
        ("idle_in_transaction_session_timeout", "60000"),
        ("search_path", ""),
        ("timezone", "UTC"),
        ("datestyle", "ISO, YMD"),
    ];
    if purpose == Purpose::Read {
        // What a plan depends on stays as the application has it when plans are what is asked for.
        settings.extend([("jit", "off"), ("max_parallel_workers_per_gather", "0"), ("work_mem", "32MB")]);
    }
    if is_hidden {
        settings.push(("pg_stat_statements.track", "none"));
    }
    let calls: Vec<String> = settings
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', '{value}', {is_local})"))
        .collect();
    // Bytes of an SQL_ASCII database come as they are: asked for in UTF8 the server refuses what is none.
    let encoding = "pg_catalog.set_config('client_encoding', case pg_catalog.current_setting('server_encoding') \
                    when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end";
    format!("select {MARKER} {}, {encoding}, {is_local})", calls.join(", "))
}

#[cfg(test)]
mod tests {
    use super::marked;

    #[test]
    fn the_marker_stands_inside_the_statement() {
        assert_eq!(marked("-- what\n-- needs\nselect\n  1"), "-- what\n-- needs\nselect /* pgassay */\n  1");
        assert_eq!(marked("with a as (\nselect 1)\nselect 2"), "with /* pgassay */ a as (\nselect 1)\nselect 2");
        for query in crate::postgres::QUERIES {
            let code: String = marked(query.sql).lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            assert!(code.contains("/* pgassay */"), "{}", query.name);
        }
        assert_eq!(marked("savepoint pgassay"), "savepoint /* pgassay */ pgassay");
    }
}
