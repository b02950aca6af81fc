//! One row: the instance, its connection slots, and `pg_stat_statements`.

use super::build;
use super::releases::{AS_OF, Release, release};
use super::settings::bytes;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Facet, Server, Session, Snapshot};
use crate::model::table::Table;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct ServerRow {
    /// Version as people write it. {text | server_version}
    version: String,
    /// The role that reads. {text | current_user}
    role: String,
    /// pg_stat_statements is installed in this database. {bool | pg_extension}
    statements_installed: bool,
    /// Its files are on the server's machine. {bool | pg_available_extensions}
    statements_available: bool,
    /// It is loaded at server start; none when the role may not see that. {bool | shared_preload_libraries}
    statements_preloaded: Option<bool>,
    /// Client backends connected now, our own left out. {backends | pg_stat_activity.backend_type}
    connections: usize,
    /// Of those, executing. {backends | pg_stat_activity.state}
    active_connections: usize,
    /// Of those, idle outside a transaction. {backends | pg_stat_activity.state}
    idle_connections: usize,
    /// Slots that ordinary roles can use; none when the settings were not read. {slots | max_connections − superuser_reserved_connections − reserved_connections}
    usable_connections: Option<i64>,
    /// Share of those in use. {pct | connections ÷ usable_connections}
    connections_pct: Option<f64>,
    /// max_connections. {slots | pg_settings}
    max_connections: Option<i64>,
    /// shared_buffers. {bytes | pg_settings}
    shared_buffers_bytes: Option<f64>,
    /// effective_cache_size: what the planner takes for the memory of the machine. {bytes | pg_settings}
    effective_cache_bytes: Option<f64>,
    /// Nobody set effective_cache_size. {bool | pg_settings.source}
    effective_cache_is_default: bool,
    /// work_mem. {bytes | pg_settings}
    work_mem_bytes: Option<f64>,
    /// Bytes of all databases whose size the role may see. {bytes | pg_database_size()}
    databases_bytes: i64,
    /// Newest minor of this major that this program knows of. {number | table of releases in pgassay}
    latest_minor: Option<i32>,
    /// Minors that this server is behind it. {releases | server_version_num}
    minors_behind: Option<i32>,
    /// When that table was made. {text | pgassay}
    releases_as_of: &'static str,
    /// Last day of support of this major. {text | PostgreSQL versioning policy}
    end_of_life: Option<NaiveDate>,
    /// Days until then, negative after it. {days | end_of_life, captured_at}
    days_to_end_of_life: Option<i64>,
    /// Evictions of pg_stat_statements entries; none before 14. {times | pg_stat_statements_info.dealloc}
    statements_evictions: Option<i64>,
    /// Entries of pg_stat_statements. {entries | pg_stat_statements}
    statements_entries: Option<i64>,
    /// Entries it can hold. {entries | pg_stat_statements.max}
    statements_max: Option<i64>,
    /// How far the oldest snapshot, slot or prepared transaction holds back the xmin horizon; none when nothing does. {xids | age(backend_xmin), age(xmin), age(transaction)}
    xmin_age: Option<i64>,
    /// Which one that is. {text | pg_stat_activity, pg_replication_slots, pg_prepared_xacts}
    xmin_holder: Option<String>,
}

/// What holds back the horizon of ordinary tables most, and by how much. A VACUUM's own snapshot is
/// ignored by the others, a slot's `catalog_xmin` is about the catalogs alone, and a lost slot holds nothing.
fn horizon(snapshot: &Snapshot) -> Option<(i64, String)> {
    let is_vacuum = |pid: i32| snapshot.progress.iter().any(|row| row.pid == pid && row.command == "VACUUM");
    let sessions = snapshot.sessions.iter().filter(|row| !is_vacuum(row.pid)).filter_map(|row| {
        let user = row.user.as_deref().unwrap_or("?");
        let state = row.state.as_deref().unwrap_or("state hidden");
        Some((row.xmin_age.max(row.xid_age)?, format!("session {} of {user} ({state})", row.pid)))
    });
    let is_lost = |status: &Option<String>| status.as_deref() == Some("lost");
    let slots = snapshot
        .slots
        .iter()
        .filter(|row| !is_lost(&row.wal_status))
        .filter_map(|row| Some((row.xmin_age?, format!("replication slot {}", row.name))));
    let prepared =
        snapshot.prepared_transactions.iter().map(|row| (row.xid_age, format!("prepared transaction {}", row.name)));
    sessions.chain(slots).chain(prepared).max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
}

/// The process serves a client. Where the type is hidden from the role, processes with a database
/// are taken to.
pub(super) fn is_client(session: &Session) -> bool {
    match session.backend_type.as_deref() {
        Some(kind) => kind == "client backend",
        None => session.database.is_some(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of backends")]
pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let server: &Server = &snapshot.server;
    let clients: Vec<&Session> = snapshot.sessions.iter().filter(|session| is_client(session)).collect();
    let in_state = |state: &str| clients.iter().filter(|session| session.state.as_deref() == Some(state)).count();
    let usable = snapshot.usable_connections().filter(|slots| *slots > 0);
    let sessions_read = snapshot.gap(Facet::Sessions).is_none();
    let size = |name: &str| snapshot.setting(name).and_then(bytes);
    let (xmin_age, xmin_holder) = horizon(snapshot).unzip();
    let release = release(server.major());
    let end_of_life = release.and_then(Release::end_of_life);
    let latest_minor = release.map(|release| release.latest_minor);
    let info = snapshot.statements_info();
    let row = ServerRow {
        latest_minor,
        minors_behind: latest_minor.map(|latest| (latest - server.version_num % 10_000).max(0)),
        releases_as_of: AS_OF,
        end_of_life,
        days_to_end_of_life: end_of_life.map(|day| (day - snapshot.captured_at.date_naive()).num_days()),
        statements_evictions: info.and_then(|info| info.evictions),
        statements_entries: info.map(|info| info.entries),
        statements_max: info.and_then(|info| info.max_entries),
        version: server.version.clone(),
        role: server.role.clone(),
        statements_installed: snapshot.extensions.iter().any(|extension| extension.name == "pg_stat_statements"),
        statements_available: server.statements_available,
        statements_preloaded: server.statements_preloaded,
        connections: clients.len(),
        active_connections: in_state("active"),
        idle_connections: in_state("idle"),
        usable_connections: usable,
        #[allow(clippy::cast_possible_truncation, reason = "an integer setting")]
        max_connections: snapshot.setting("max_connections").and_then(|row| row.number()).map(|number| number as i64),
        shared_buffers_bytes: size("shared_buffers"),
        effective_cache_bytes: size("effective_cache_size"),
        effective_cache_is_default: snapshot.setting("effective_cache_size").is_some_and(|row| row.source == "default"),
        work_mem_bytes: size("work_mem"),
        databases_bytes: snapshot.databases.iter().filter_map(|database| database.bytes).sum(),
        xmin_age,
        xmin_holder,
        connections_pct: usable.filter(|_| sessions_read).map(|slots| 100.0 * clients.len() as f64 / slots as f64),
    };
    build::table("server", [(Object::global(ObjectKind::Server, "server"), row)])
}
