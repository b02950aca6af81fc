//! Roles that may log in, with the sessions they hold.

use super::build;
use super::server::is_client;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Role, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct RoleRow<'a> {
    #[serde(flatten)]
    role: &'a Role,
    /// Client backends of this role now. {backends | pg_stat_activity.usename}
    connections: usize,
    /// Share of its limit in use; none without a limit. {pct | connections ÷ rolconnlimit}
    limit_used_pct: Option<f64>,
}

#[allow(clippy::cast_precision_loss, reason = "counts of backends")]
pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "roles",
        snapshot.roles.iter().map(|role| {
            let is_own = |user: &Option<String>| user.as_deref() == Some(&role.name);
            let connections = snapshot.sessions.iter().filter(|row| is_client(row) && is_own(&row.user)).count();
            let limit = role.connection_limit;
            let row = RoleRow {
                role,
                connections,
                limit_used_pct: (limit > 0).then(|| 100.0 * connections as f64 / limit as f64),
            };
            (Object::global(ObjectKind::Role, &role.name), row)
        }),
    )
}
