//! What is watched for some seconds: the server's sessions, and PgBouncers beside them at the same time.

use super::sessions::redacted_locks;
use super::{Access, CollectError, Collector, Scope, pools, samples, server};
use crate::model::snapshot::{Database, Facet, Gap, Pooler, Snapshot, Tool};
use crate::postgres::{Reader, Target};
use crate::progress::Progress;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long is watched unless told otherwise.
pub const SAMPLE: Duration = Duration::from_secs(10);

/// What was seen of connections alone.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The server: its sessions, settings, roles, limits of databases and waits for locks, and nothing else.
    pub server: Option<Snapshot>,
    /// The PgBouncers that answered.
    pub poolers: Vec<Pooler>,
    /// What was not read, and why.
    pub gaps: Vec<Gap>,
}

/// Fills a snapshot with what is watched.
pub(super) async fn fill(
    collector: &Collector<'_>,
    reader: &Reader,
    run: &str,
    scope: &Scope,
    snapshot: &mut Snapshot,
) {
    let time = scope.sample.or((!scope.poolers.is_empty()).then_some(SAMPLE));
    let Some(time) = time else {
        collector.gap(samples::not_asked()).await;
        collector.gap(pools::not_asked()).await;
        return;
    };
    let (sessions, poolers) = watch_both(collector, reader, &scope.poolers, run, time).await;
    snapshot.session_samples = sessions.map(|watched| watched.samples);
    snapshot.pools = poolers;
    if scope.poolers.is_empty() {
        collector.gap(pools::not_asked()).await;
    }
}

async fn watch_both(
    collector: &Collector<'_>,
    reader: &Reader,
    poolers: &[Target],
    run: &str,
    time: Duration,
) -> (Option<samples::Watched>, Vec<Pooler>) {
    if !poolers.is_empty() {
        collector.progress.started("pools");
    }
    let (sessions, (poolers, gaps)) =
        tokio::join!(samples::watch(collector, reader, time), pools::watch(poolers, run, time));
    for gap in gaps {
        collector.gap(gap).await;
    }
    collector.progress.finished("pools");
    (sessions, poolers)
}

/// Watches a server, PgBouncers, or both, without the rest of a snapshot. Fails only where nothing at all is left
/// to judge.
pub async fn watch(
    access: Option<Access<'_>>,
    poolers: &[Target],
    time: Duration,
    run: &str,
    tool: Tool,
    progress: &dyn Progress,
) -> Result<Watched, CollectError> {
    let Some(access) = access else {
        let (poolers, gaps) = pools::watch(poolers, run, time).await;
        return Ok(Watched { server: None, poolers, gaps });
    };
    let reader = match Reader::connect(access.target, access.limits, access.run).await {
        Ok(reader) => reader,
        Err(error) if poolers.is_empty() => return Err(error.into()),
        Err(error) => {
            let (poolers, mut gaps) = pools::watch(poolers, run, time).await;
            let reason = format!("cannot connect to {}: {}", error.place, error.cause);
            gaps.push(Gap {
                facet: Facet::Sessions,
                database: None,
                partial: false,
                reason,
                sqlstate: error.sqlstate,
                remedy: error.next,
                is_failure: true,
            });
            return Ok(Watched { server: None, poolers, gaps });
        }
    };
    let seen = watch_server(access, reader, poolers, time, tool, progress).await?;
    let gaps = seen.gaps.clone();
    Ok(Watched { poolers: seen.pools.clone(), server: Some(seen), gaps })
}

async fn watch_server(
    access: Access<'_>,
    mut reader: Reader,
    poolers: &[Target],
    time: Duration,
    tool: Tool,
    progress: &dyn Progress,
) -> Result<Snapshot, CollectError> {
    let unread = |error| CollectError::Read { place: access.target.place(), error };
    let server = server(&mut reader).await.map_err(unread)?;
    let collector = Collector { progress, server, only: None, gaps: Mutex::default() };
    let mut snapshot = Snapshot::empty(tool, collector.server.now);
    snapshot.target = access.told(&collector.server.database);
    snapshot.settings = collector.facet(&reader, Facet::Settings, None).await;
    snapshot.roles = collector.facet(&reader, Facet::Roles, None).await;
    let (sessions, seen) = watch_both(&collector, &reader, poolers, access.run, time).await;
    snapshot.pools = seen;
    if let Some(samples::Watched { samples, limits }) = sessions {
        snapshot.session_samples = Some(samples);
        // Without their sizes: to ask for these is dear where there are many tables.
        let database = |(name, connection_limit)| Database { name, connection_limit, ..Database::default() };
        snapshot.databases = limits.into_iter().map(database).collect();
    }
    snapshot.locks = redacted_locks(collector.facet(&reader, Facet::Locks, None).await);
    snapshot.server = collector.server.clone();
    snapshot.gaps = collector.gaps.into_inner();
    snapshot.gaps.sort_by(|a, b| (a.facet, &a.reason).cmp(&(b.facet, &b.reason)));
    Ok(snapshot)
}
