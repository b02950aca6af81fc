//! One row: the instance, its connection slots, and `pg_stat_statements`.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Facet, Server, Session, Snapshot};
use crate::model::table::Table;
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
}

/// The process serves a client. Where the type is hidden from the role, processes with a database
/// are taken to.
pub(super) fn is_client(session: &Session) -> bool {
    match session.backend_type.as_deref() {
        Some(kind) => kind == "client backend",
        None => session.database.is_some(),
    }
}

fn usable_connections(snapshot: &Snapshot) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "an integer setting")]
    let number = |name: &str| snapshot.setting(name).and_then(|setting| setting.number()).map(|number| number as i64);
    let max = number("max_connections")?;
    Some(max - number("superuser_reserved_connections").unwrap_or(0) - number("reserved_connections").unwrap_or(0))
}

#[allow(clippy::cast_precision_loss, reason = "counts of backends")]
pub(super) fn table(snapshot: &Snapshot) -> Table {
    let server: &Server = &snapshot.server;
    let clients: Vec<&Session> = snapshot.sessions.iter().filter(|session| is_client(session)).collect();
    let in_state = |state: &str| clients.iter().filter(|session| session.state.as_deref() == Some(state)).count();
    let usable = usable_connections(snapshot).filter(|slots| *slots > 0);
    let sessions_read = snapshot.gap(Facet::Sessions).is_none();
    let row = ServerRow {
        version: server.version.clone(),
        role: server.role.clone(),
        statements_installed: snapshot.extensions.iter().any(|extension| extension.name == "pg_stat_statements"),
        statements_available: server.statements_available,
        statements_preloaded: server.statements_preloaded,
        connections: clients.len(),
        active_connections: in_state("active"),
        idle_connections: in_state("idle"),
        usable_connections: usable,
        connections_pct: usable.filter(|_| sessions_read).map(|slots| 100.0 * clients.len() as f64 / slots as f64),
    };
    build::table("server", [(Object::global(ObjectKind::Server, "server"), row)])
}
