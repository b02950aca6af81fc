//! Limits besides the pool's own size: PgBouncer's on databases and users, the server's on roles, databases
//! and all together. Which of them keeps a pool small, and how much room they leave.

use super::measure::{Measured, servers};
use super::verdict::Case;
use crate::model::object::identifier;
use crate::model::saturation::{LimitUse, SettingChange};
use crate::model::snapshot::{PoolCounts, SessionGroup, Snapshot};

/// Where settings of PgBouncer stand.
pub(super) const IN_PGBOUNCER: &str = "[pgbouncer] of pgbouncer.ini, then RELOAD;";
const IN_DATABASES: &str = "[databases] of pgbouncer.ini, then RELOAD;";
const IN_USERS: &str = "[users] of pgbouncer.ini, then RELOAD;";
const IN_PSQL: &str = "psql, as the owner or a superuser";

/// A reached limit holds at this share of the looks at which clients wait.
const MOST: f64 = 0.5;

/// Our own session is on the server too, and is no part of what is counted.
const OURS: i64 = 1;

/// Most sessions at a look, of those that `is_meant` picks.
pub(super) fn peak_sessions(snapshot: &Snapshot, is_meant: impl Fn(&SessionGroup) -> bool) -> i64 {
    let samples = snapshot.session_samples.iter().flat_map(|samples| &samples.series);
    let at = samples.map(|look| look.groups.iter().filter(|group| is_meant(group)).map(|group| group.sessions).sum());
    at.max().unwrap_or(0)
}

/// The server, if its sessions were seen.
fn watched(server: Option<&Snapshot>) -> Option<&Snapshot> {
    let is_seen = |snapshot: &&Snapshot| snapshot.session_samples.iter().any(|samples| !samples.series.is_empty());
    server.filter(is_seen)
}

/// What keeps a pool below its size.
#[derive(Debug, PartialEq)]
enum Limit {
    Database { limit: i64, is_own: bool },
    User { limit: i64, is_own: bool },
    Role { name: String, limit: i64 },
    ServerDatabase { name: String, limit: i64 },
    Slots { usable: i64 },
    NoConnection,
    Unseen,
}

/// PgBouncer's limits on the database and on the user of a pool, and the most connections they had.
pub(super) fn of_pooler(measured: &Measured<'_>) -> Vec<LimitUse> {
    let pooler = measured.pooler;
    let own = measured.entry.and_then(|row| row.max_connections);
    let by_database = own.or(pooler.settings.max_db_connections).filter(|limit| *limit > 0);
    let own = pooler.users.iter().find(|row| row.name == measured.user).and_then(|row| row.max_connections);
    let by_user = own.or(pooler.settings.max_user_connections).filter(|limit| *limit > 0);
    let peak = |is_meant: &dyn Fn(&PoolCounts) -> bool| {
        pooler.looks.iter().map(|look| servers(look, is_meant)).max().unwrap_or(0)
    };
    let database = by_database.map(|limit| LimitUse {
        of: format!("max_db_connections of {}", measured.database),
        peak: peak(&|pool| pool.database == measured.database),
        limit,
    });
    let user = by_user.map(|limit| LimitUse {
        of: format!("max_user_connections of {}", measured.user),
        peak: peak(&|pool| pool.user == measured.user),
        limit,
    });
    database.into_iter().chain(user).collect()
}

fn find(case: &Case<'_>) -> Limit {
    let measured = case.measured;
    let pooler = measured.pooler;
    let own = measured.entry.and_then(|row| row.max_connections);
    let of_database = |pool: &PoolCounts| pool.database == measured.database;
    if let Some(limit) = own.or(pooler.settings.max_db_connections).filter(|limit| *limit > 0)
        && measured.share_of_waiting(|look| servers(look, of_database) >= limit) >= MOST
    {
        return Limit::Database { limit, is_own: own != pooler.settings.max_db_connections };
    }
    let own = pooler.users.iter().find(|row| row.name == measured.user).and_then(|row| row.max_connections);
    let of_user = |pool: &PoolCounts| pool.user == measured.user;
    if let Some(limit) = own.or(pooler.settings.max_user_connections).filter(|limit| *limit > 0)
        && measured.share_of_waiting(|look| servers(look, of_user) >= limit) >= MOST
    {
        return Limit::User { limit, is_own: own.is_some() && own != pooler.settings.max_user_connections };
    }
    if let Some(limit) = watched(case.server).and_then(|snapshot| on_server(snapshot, measured)) {
        return limit;
    }
    let has_none = |look: &_| measured.at(look).is_none_or(|pool| pool.servers == pool.servers_login);
    if measured.share_of_waiting(has_none) >= MOST { Limit::NoConnection } else { Limit::Unseen }
}

/// A limit of the server that is reached.
fn on_server(snapshot: &Snapshot, measured: &Measured<'_>) -> Option<Limit> {
    let (database, name) = measured.on_server();
    let role = snapshot.roles.iter().find(|role| role.name == name && !role.is_superuser && role.connection_limit >= 0);
    if let Some(role) = role {
        let of_role = |group: &SessionGroup| group.user.as_deref() == Some(name);
        if peak_sessions(snapshot, of_role) >= role.connection_limit {
            return Some(Limit::Role { name: name.to_owned(), limit: role.connection_limit });
        }
    }
    let row = snapshot.databases.iter().find(|row| row.name == database && row.connection_limit >= 0);
    if let Some(row) = row {
        let of_database = |group: &SessionGroup| group.database.as_deref() == Some(database);
        if peak_sessions(snapshot, of_database) >= row.connection_limit {
            return Some(Limit::ServerDatabase { name: database.to_owned(), limit: row.connection_limit });
        }
    }
    let usable = snapshot.usable_connections()?;
    (peak_sessions(snapshot, |_| true) + OURS >= usable).then_some(Limit::Slots { usable })
}

/// Which limit it is, and what to do.
pub(super) fn reached(case: &Case<'_>) -> (String, String) {
    let raise = "raise it as below, if the server has room, or lower pool_size to what may be used".to_owned();
    match find(case) {
        Limit::Database { limit, .. } => (format!("max_db_connections of {limit} is reached"), raise),
        Limit::User { limit, .. } => (format!("max_user_connections of {limit} is reached"), raise),
        Limit::Role { name, limit } => {
            (format!("the server lets role {name} have {limit} sessions, all in use"), raise)
        }
        Limit::ServerDatabase { name, limit } => {
            (format!("the server lets database {name} have {limit} sessions, all in use"), raise)
        }
        Limit::Slots { usable } => (
            format!("all {usable} connection slots of the server are in use"),
            "see in pg_stat_activity who holds them; shrink other pools, or raise max_connections, which needs a restart"
                .to_owned(),
        ),
        Limit::NoConnection => (
            "PgBouncer has no connection to the server".to_owned(),
            "see PgBouncer's log: the server may be down, out of reach, or refuse the login; an older PgBouncer may also be \
             paused without showing it"
                .to_owned(),
        ),
        Limit::Unseen => (
            "none of the limits that were seen is reached".to_owned(),
            "see PgBouncer's log for refused logins, and watch the server too by naming it as the target".to_owned(),
        ),
    }
}

/// PgBouncer has no connection and makes none, does not tell whether it is paused, and the server is there.
pub(super) fn seems_paused(case: &Case<'_>) -> bool {
    let samples = watched(case.server).and_then(|snapshot| snapshot.session_samples.as_ref());
    let answers = samples.is_some_and(|samples| samples.missed == 0);
    let makes_none = |look: &_| case.measured.at(look).is_none_or(|pool| pool.servers == 0);
    let is_told = case.measured.pooler.state.is_some();
    answers && !is_told && find(case) == Limit::NoConnection && case.measured.share_of_waiting(makes_none) >= MOST
}

/// The limit, raised so that the pool comes to its size.
pub(super) fn raised(case: &Case<'_>) -> Vec<SettingChange> {
    let measured = case.measured;
    let Some(size) = measured.size else { return Vec::new() };
    let missing = (size - measured.servers.peak).max(1);
    let change = |setting: &str, from: i64, line: String, place: &str| SettingChange {
        setting: setting.to_owned(),
        from: Some(from),
        to: from + missing,
        line,
        place: place.to_owned(),
    };
    match find(case) {
        Limit::Database { limit, is_own } => vec![max_db_connections(measured, limit, limit + missing, is_own)],
        Limit::User { limit, is_own: true } => {
            let line = format!("{} = … max_user_connections={}", measured.user, limit + missing);
            vec![change("max_user_connections", limit, line, IN_USERS)]
        }
        Limit::User { limit, is_own: false } => {
            let line = format!("max_user_connections = {}", limit + missing);
            vec![change("max_user_connections", limit, line, IN_PGBOUNCER)]
        }
        Limit::Role { name, limit } => {
            let line = format!("ALTER ROLE {} CONNECTION LIMIT {};", identifier(&name), limit + missing);
            vec![change("CONNECTION LIMIT", limit, line, IN_PSQL)]
        }
        Limit::ServerDatabase { name, limit } => {
            let line = format!("ALTER DATABASE {} CONNECTION LIMIT {};", identifier(&name), limit + missing);
            vec![change("CONNECTION LIMIT", limit, line, IN_PSQL)]
        }
        Limit::Slots { .. } | Limit::NoConnection | Limit::Unseen => Vec::new(),
    }
}

fn max_db_connections(measured: &Measured<'_>, from: i64, to: i64, is_own: bool) -> SettingChange {
    let (line, place) = if is_own {
        (format!("{} = … max_db_connections={to}", measured.database), IN_DATABASES)
    } else {
        (format!("max_db_connections = {to}"), IN_PGBOUNCER)
    };
    SettingChange { setting: "max_db_connections".to_owned(), from: Some(from), to, line, place: place.to_owned() }
}

/// The settings that give a pool another size.
pub(super) fn resized(measured: &Measured<'_>, to: i64) -> Vec<SettingChange> {
    let pooler = measured.pooler;
    let from = measured.size;
    let by_user = pooler.users.iter().any(|row| row.name == measured.user && row.pool_size.is_some());
    let is_default = measured.entry.is_none_or(|row| row.pool_size == pooler.settings.default_pool_size);
    let (setting, line, place) = if by_user {
        ("pool_size", format!("{} = … pool_size={to}", measured.user), IN_USERS)
    } else if is_default && pooler.databases.len() <= 1 {
        ("default_pool_size", format!("default_pool_size = {to}"), IN_PGBOUNCER)
    } else {
        ("pool_size", format!("{} = … pool_size={to}", measured.database), IN_DATABASES)
    };
    let mut changes = vec![SettingChange { setting: setting.to_owned(), from, to, line, place: place.to_owned() }];
    let own = measured.entry.and_then(|row| row.max_connections);
    let limit = own.or(pooler.settings.max_db_connections).filter(|limit| *limit > 0 && *limit < to);
    changes
        .extend(limit.map(|limit| max_db_connections(measured, limit, to, own != pooler.settings.max_db_connections)));
    changes
}

/// How many connections more the server would take. Pools are enlarged one after the other, and each takes of
/// what the ones before it left.
#[derive(Debug)]
pub(super) struct Ceilings<'a> {
    server: Option<&'a Snapshot>,
    free_slots: Option<i64>,
}

impl<'a> Ceilings<'a> {
    pub(super) fn of(server: Option<&'a Snapshot>) -> Self {
        let server = watched(server);
        let free_slots = server.and_then(|snapshot| {
            Some((snapshot.usable_connections()? - peak_sessions(snapshot, |_| true) - OURS).max(0))
        });
        Self { server, free_slots }
    }

    /// The most connections that a pool could have, and what bounds them.
    pub(super) fn most(&self, measured: &Measured<'_>) -> Option<(i64, String)> {
        let has = measured.servers.peak;
        let snapshot = self.server?;
        let (database, name) = measured.on_server();
        let slots = self.free_slots.map(|free| (has + free, format!("{free} connection slots are left on the server")));
        let role =
            snapshot.roles.iter().find(|role| role.name == name && !role.is_superuser && role.connection_limit >= 0);
        let role = role.map(|role| {
            let others = peak_sessions(snapshot, |group| group.user.as_deref() == Some(name)) - has;
            (role.connection_limit - others.max(0), format!("role {name} may have {} sessions", role.connection_limit))
        });
        let row = snapshot.databases.iter().find(|row| row.name == database && row.connection_limit >= 0);
        let row = row.map(|row| {
            let others = peak_sessions(snapshot, |group| group.database.as_deref() == Some(database)) - has;
            (
                row.connection_limit - others.max(0),
                format!("database {database} may have {} sessions", row.connection_limit),
            )
        });
        slots.into_iter().chain(role).chain(row).min_by_key(|(most, _)| *most)
    }

    /// So many slots are given away.
    pub(super) fn take(&mut self, count: i64) {
        self.free_slots = self.free_slots.map(|free| (free - count.max(0)).max(0));
    }
}

/// Roles and databases of the server with a limit, and the most that was used of it.
pub(super) fn used(snapshot: &Snapshot) -> Vec<LimitUse> {
    let roles = snapshot.roles.iter().filter(|role| role.connection_limit > 0 && !role.is_superuser).map(|role| {
        let peak = peak_sessions(snapshot, |group| group.user.as_deref() == Some(&role.name));
        LimitUse { of: format!("role {}", role.name), peak, limit: role.connection_limit }
    });
    let databases = snapshot.databases.iter().filter(|row| row.connection_limit > 0).map(|row| {
        let peak = peak_sessions(snapshot, |group| group.database.as_deref() == Some(&row.name));
        LimitUse { of: format!("database {}", row.name), peak, limit: row.connection_limit }
    });
    roles.chain(databases).collect()
}
