//! Fills a snapshot from a server: every facet once, several at a time. A facet that fails becomes a
//! gap; only the first, `server`, must succeed, because the others depend on its version.

mod gap;
mod sessions;
mod statements;

use crate::model::snapshot::{Extension, Facet, Gap, Server, Snapshot, TargetInfo, Tool};
use crate::postgres::{ReadError, Reader, Target, pick};
use crate::progress::Progress;
use gap::{gap_of, visibility_gaps};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

/// What to collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Statements whose texts are read: those among the largest by any of several totals.
    pub top: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self { top: 500 }
    }
}

/// What the facets share while they are read.
struct Collector<'a> {
    reader: &'a Reader,
    progress: &'a dyn Progress,
    server: Server,
    gaps: Mutex<Vec<Gap>>,
}

/// Reads a snapshot. `name` is the target's in the report.
pub async fn collect(
    reader: &mut Reader,
    target: &Target,
    name: &str,
    scope: Scope,
    tool: Tool,
    progress: &dyn Progress,
) -> Result<Snapshot, ReadError> {
    progress.begin(Facet::ALL.len());
    progress.started("server");
    let server = server(reader).await?;
    if server.is_superuser {
        reader.stay_out_of_statements();
    }
    progress.finished("server");
    let collector = Collector { reader, progress, server, gaps: Mutex::default() };
    let mut snapshot = Snapshot::empty(tool, collector.server.now);
    snapshot.target = TargetInfo {
        name: name.to_owned(),
        host: target.host.clone(),
        port: target.port,
        database: collector.server.database.clone(),
    };
    collector.fill(&mut snapshot, scope).await;
    snapshot.gaps = collector.gaps.into_inner();
    snapshot.server = collector.server;
    snapshot.gaps.extend(visibility_gaps(&snapshot));
    snapshot.gaps.sort_by(|a, b| (a.facet, &a.reason).cmp(&(b.facet, &b.reason)));
    Ok(snapshot)
}

async fn server(reader: &Reader) -> Result<Server, ReadError> {
    #[derive(Deserialize)]
    struct Identifier {
        system_identifier: String,
    }
    let mut server: Server = read(reader, "server", 0)
        .await?
        .pop()
        .ok_or_else(|| ReadError { message: "the server described itself with no row".to_owned(), sqlstate: None })?;
    // Managed servers may refuse it: the audit can do without.
    let identifier: Result<Vec<Identifier>, ReadError> = read(reader, "system_identifier", 0).await;
    server.system_identifier = identifier.ok().and_then(|mut rows| rows.pop()).map(|row| row.system_identifier);
    Ok(server)
}

async fn read<T: DeserializeOwned>(reader: &Reader, query: &str, major: i32) -> Result<Vec<T>, ReadError> {
    let query = pick(query, major, 0).ok_or_else(|| ReadError {
        message: format!("no query `{query}` for PostgreSQL {major}"),
        sqlstate: Some("0A000".to_owned()),
    })?;
    reader.read(query.sql, &[]).await
}

impl Collector<'_> {
    async fn fill(&self, snapshot: &mut Snapshot, scope: Scope) {
        let statements = async {
            let extensions: Vec<Extension> = self.facet(Facet::Extensions).await;
            let statements = statements::collect(self, &extensions, scope).await;
            (extensions, statements)
        };
        let (
            (extensions, (info, statements)),
            settings,
            databases,
            relations,
            columns,
            indexes,
            foreign_keys,
            constraints,
            sequences,
            partitions,
            sessions,
            replication,
        ) = tokio::join!(
            statements,
            self.facet(Facet::Settings),
            self.facet(Facet::Databases),
            self.facet(Facet::Relations),
            self.facet(Facet::Columns),
            self.facet(Facet::Indexes),
            self.facet(Facet::ForeignKeys),
            self.facet(Facet::Constraints),
            self.facet(Facet::Sequences),
            self.facet(Facet::Partitions),
            self.facet(Facet::Sessions),
            self.facet(Facet::Replication),
        );
        snapshot.extensions = extensions;
        snapshot.statements_info = info;
        snapshot.statements = statements;
        snapshot.settings = settings;
        snapshot.databases = databases;
        snapshot.relations = relations;
        snapshot.columns = columns;
        snapshot.indexes = indexes;
        snapshot.foreign_keys = foreign_keys;
        snapshot.constraints = constraints;
        snapshot.sequences = sequences;
        snapshot.partitions = partitions;
        snapshot.sessions = sessions::redacted(sessions);
        snapshot.replication = replication;
    }

    /// All rows of a facet; on failure none, and a gap.
    async fn facet<T: DeserializeOwned>(&self, facet: Facet) -> Vec<T> {
        self.progress.started(facet.name());
        let mut rows = read(self.reader, facet.name(), self.server.major()).await;
        if rows.as_ref().is_err_and(|error| error.sqlstate.as_deref() == Some("55P03")) {
            // Somebody locked a relation between our look at the locks and at its size.
            rows = read(self.reader, facet.name(), self.server.major()).await;
        }
        self.progress.finished(facet.name());
        match rows {
            Ok(rows) => rows,
            Err(error) => {
                self.gaps.lock().await.push(gap_of(facet, &error, &self.server.role));
                Vec::new()
            }
        }
    }
}
