//! Fills a snapshot from a server: every facet once, several at a time. What belongs to the whole
//! instance is read over one connection pool, what belongs to a database over one of its own. A facet
//! that fails becomes a gap; only the first, `server`, must succeed, because the others depend on its
//! version.

mod console;
mod custom;
mod database;
mod gap;
mod instance;
mod nodes;
mod plans;
mod pools;
mod samples;
mod sessions;
mod statements;
mod watch;

pub use plans::ColumnTypes;
pub use watch::{SAMPLE, Watched, watch};

use crate::model::snapshot::{CustomFacet, Facet, Gap, Server, Snapshot, TargetInfo, Tool};
use crate::postgres::{ConnectError, Limits, Load, ReadError, Reader, Target, pick};
use crate::progress::Progress;
use gap::{gap_of, unreachable, visibility_gaps};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::Mutex;

/// Databases to audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Databases {
    /// The one connected to.
    #[default]
    Connected,
    /// That one and these.
    Named(Vec<String>),
    /// All that the role may connect to, templates left out.
    All,
}

/// What to collect.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Statements whose texts are read: those among the largest by any of several totals.
    pub top: usize,
    /// Statements that are explained, those with the largest total times.
    pub plans: usize,
    /// Which databases.
    pub databases: Databases,
    /// Facets of rule packs.
    pub custom: Vec<CustomFacet>,
    /// Standbys whose counters are read too.
    pub replicas: Vec<Target>,
    /// PgBouncers whose consoles are watched, beside the sessions and for as long.
    pub poolers: Vec<Target>,
    /// How long to watch active sessions; not at all when none and there is no pooler.
    pub sample: Option<Duration>,
    /// Nothing but these facets; all when none. What a server is, is always read.
    pub only: Option<&'static [Facet]>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            top: 500,
            plans: 50,
            databases: Databases::Connected,
            custom: Vec::new(),
            replicas: Vec::new(),
            poolers: Vec::new(),
            sample: None,
            only: None,
        }
    }
}

/// How to reach the server.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Where.
    pub target: &'a Target,
    /// The target's name in the report.
    pub name: &'a str,
    /// How much of the server the run may take.
    pub limits: Limits,
    /// Names the run: our sessions are called `pgassay/<run>`.
    pub run: &'a str,
}

impl Access<'_> {
    /// The target as a snapshot tells it; the server says which database it is.
    fn told(&self, database: &str) -> TargetInfo {
        TargetInfo {
            name: self.name.to_owned(),
            host: self.target.host.clone(),
            port: self.target.port,
            database: database.to_owned(),
        }
    }
}

/// What the facets share while they are read.
struct Collector<'a> {
    progress: &'a dyn Progress,
    server: Server,
    only: Option<&'static [Facet]>,
    gaps: Mutex<Vec<Gap>>,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server did not say what it is.
    #[error("cannot read {place}: {error}")]
    Read {
        /// Host, port and database.
        place: String,
        /// What happened.
        error: ReadError,
    },
    /// A replica is no copy of the audited server.
    #[error("{0}")]
    Stranger(String),
}

/// Reads a snapshot.
pub async fn collect(
    access: Access<'_>,
    scope: &Scope,
    tool: Tool,
    progress: &dyn Progress,
) -> Result<Snapshot, CollectError> {
    progress.begin(Facet::ALL.len() - 2);
    progress.started("server");
    let mut reader = Reader::connect(access.target, access.limits, access.run).await?;
    let server =
        server(&mut reader).await.map_err(|error| CollectError::Read { place: access.target.place(), error })?;
    progress.finished("server");
    let collector = Collector { progress, server, only: scope.only, gaps: Mutex::default() };
    let mut snapshot = Snapshot::empty(tool, collector.server.now);
    snapshot.target = access.told(&collector.server.database);
    snapshot.audited = vec![collector.server.database.clone()];
    let (instance, database, entries) = tokio::join!(
        instance::read(&collector, &reader),
        database::read(&collector, &reader, &collector.server.database),
        collector.entries(&reader),
    );
    instance.fill(&mut snapshot);
    database.fill(&mut snapshot);
    collector.other_databases(&reader, access, scope, &mut snapshot).await;
    if let Some(entries) = entries {
        statements::fill(&collector, &reader, entries, scope.top, &mut snapshot).await;
    }
    plans::fill(&collector, &reader, access, scope.plans, &mut snapshot).await;
    custom::fill(&collector, &reader, &scope.custom, &mut snapshot).await;
    snapshot.server = collector.server.clone();
    nodes::fill(access, scope, &mut snapshot).await?;
    watch::fill(&collector, &reader, access.run, scope, &mut snapshot).await;
    tell_load(reader.load(), progress);
    snapshot.gaps = collector.gaps.into_inner();
    let hidden = visibility_gaps(&snapshot);
    snapshot.gaps.extend(hidden.into_iter().filter(|gap| scope.only.is_none_or(|only| only.contains(&gap.facet))));
    snapshot.gaps.sort_by(|a, b| (a.facet, &a.database, &a.reason).cmp(&(b.facet, &b.database, &b.reason)));
    Ok(snapshot)
}

/// Our own weight, for `--verbose`.
fn tell_load(load: Load, progress: &dyn Progress) {
    let Load { queries, rows, time } = load;
    progress.note(&format!(
        "our own load: {queries} queries, {rows} rows, {:.0} ms of waiting for them in all",
        time.as_secs_f64() * 1000.0
    ));
}

/// Reads what the server is. Further queries stay out of `pg_stat_statements`, where the role may ask for that.
async fn server(reader: &mut Reader) -> Result<Server, ReadError> {
    #[derive(Deserialize)]
    struct Identifier {
        system_identifier: String,
    }
    let mut server: Server = rows(reader, "server", 0).await?.pop().ok_or_else(|| ReadError {
        message: "the server described itself with no row".to_owned(),
        sqlstate: None,
        position: None,
    })?;
    reader.stay_out_of_statements(server.major()).await;
    // Managed servers may refuse it: the audit can do without.
    let identifier: Result<Vec<Identifier>, ReadError> = rows(reader, "system_identifier", 0).await;
    server.system_identifier = identifier.ok().and_then(|mut rows| rows.pop()).map(|row| row.system_identifier);
    Ok(server)
}

async fn rows<T: DeserializeOwned>(reader: &Reader, query: &str, major: i32) -> Result<Vec<T>, ReadError> {
    let query = pick(query, major, 0).ok_or_else(|| ReadError {
        message: format!("PostgreSQL {major} has no such statistics"),
        sqlstate: Some("0A000".to_owned()),
        position: None,
    })?;
    reader.read(query.sql, &[]).await
}

impl Collector<'_> {
    /// Entries of statements, where they are wanted.
    async fn entries(&self, reader: &Reader) -> Option<Result<statements::Entries, Gap>> {
        if self.wants(Facet::Statements) { Some(statements::entries(self, reader).await) } else { None }
    }

    fn wants(&self, facet: Facet) -> bool {
        self.only.is_none_or(|only| only.contains(&facet))
    }

    /// All rows of a facet; on failure none, and a gap. `database` is named where the facet is one's own.
    async fn facet<T: DeserializeOwned>(&self, reader: &Reader, facet: Facet, database: Option<&str>) -> Vec<T> {
        if !self.wants(facet) {
            return Vec::new();
        }
        self.progress.started(facet.name());
        let read = rows(reader, facet.name(), self.server.major()).await;
        self.progress.finished(facet.name());
        match read {
            Ok(rows) => rows,
            Err(error) => {
                self.gap(gap_of(facet, database, &error, &self.server.role)).await;
                Vec::new()
            }
        }
    }

    async fn gap(&self, gap: Gap) {
        self.gaps.lock().await.push(gap);
    }

    /// The databases besides the one connected to, one after the other: each has its own pool.
    async fn other_databases(&self, first: &Reader, access: Access<'_>, scope: &Scope, snapshot: &mut Snapshot) {
        let wanted: Vec<String> = match &scope.databases {
            Databases::Connected => Vec::new(),
            Databases::Named(names) => names.clone(),
            Databases::All => snapshot
                .databases
                .iter()
                .filter(|database| database.allows_connections && !database.is_template)
                .map(|database| database.name.clone())
                .collect(),
        };
        let others: Vec<&String> = wanted.iter().filter(|name| **name != self.server.database).collect();
        if !others.is_empty() {
            first.rest().await;
        }
        for name in others {
            match self.enter(access, name).await {
                Ok(reader) => {
                    database::read(self, &reader, name).await.fill(snapshot);
                    snapshot.audited.push(name.clone());
                }
                Err(error) => self.gap(unreachable(name, &error, &self.server.role)).await,
            }
            first.rest().await;
        }
    }

    /// Another database, while the first pool keeps one of the --jobs connections.
    async fn enter(&self, access: Access<'_>, database: &str) -> Result<Reader, ConnectError> {
        let target = access.target.clone().with_database(database);
        let limits = Limits { jobs: access.limits.jobs.saturating_sub(1).max(1), ..access.limits };
        let mut reader = Reader::connect(&target, limits, access.run).await?;
        reader.stay_out_of_statements(self.server.major()).await;
        Ok(reader)
    }
}
