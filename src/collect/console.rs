//! From what PgBouncer's console shows to facts. Columns move from version to version, so they are found by name;
//! what is not known, or not there, is noted and nothing else.

use crate::model::snapshot::{PoolCounts, PoolTotals, PooledDatabase, PooledUser, Pooler, PoolerSettings, SocketCount};
use crate::postgres::Shown;
use std::collections::BTreeMap;

/// The pseudo-database of the console itself.
const CONSOLE: &str = "pgbouncer";

/// A table of the console: the columns that are read in all versions from 1.8 on, and the others that are known of.
struct Form {
    name: &'static str,
    read: &'static [&'static str],
    known: &'static [&'static str],
}

const POOLS: Form = Form {
    name: "pools",
    read: &[
        "database",
        "user",
        "cl_active",
        "cl_waiting",
        "sv_active",
        "sv_idle",
        "sv_used",
        "sv_tested",
        "sv_login",
        "maxwait",
        "maxwait_us",
        "pool_mode",
    ],
    known: &[
        "cl_cancel_req",
        "cl_active_cancel_req",
        "cl_waiting_cancel_req",
        "sv_active_cancel",
        "sv_being_canceled",
        "load_balance_hosts",
    ],
};

const STATS: Form = Form {
    name: "stats",
    read: &[
        "database",
        "total_xact_count",
        "total_query_count",
        "total_xact_time",
        "total_query_time",
        "total_wait_time",
    ],
    known: &[
        "total_received",
        "total_sent",
        "total_server_assignment_count",
        "total_client_parse_count",
        "total_server_parse_count",
        "total_bind_count",
        "avg_xact_count",
        "avg_query_count",
        "avg_recv",
        "avg_sent",
        "avg_xact_time",
        "avg_query_time",
        "avg_wait_time",
        "avg_server_assignment_count",
        "avg_client_parse_count",
        "avg_server_parse_count",
        "avg_bind_count",
    ],
};

const DATABASES: Form = Form {
    name: "databases",
    read: &[
        "name",
        "host",
        "port",
        "database",
        "force_user",
        "pool_size",
        "pool_mode",
        "max_connections",
        "paused",
        "disabled",
    ],
    known: &[
        "min_pool_size",
        "reserve_pool",
        "reserve_pool_size",
        "server_lifetime",
        "load_balance_hosts",
        "current_connections",
        "max_client_connections",
        "current_client_connections",
    ],
};

/// Its rows by column name.
struct Rows<'a> {
    at: BTreeMap<&'a str, usize>,
    shown: &'a Shown,
}

/// A row.
#[derive(Clone, Copy)]
struct Row<'a> {
    rows: &'a Rows<'a>,
    cells: &'a [Option<String>],
}

impl<'a> Rows<'a> {
    fn of(shown: &'a Shown) -> Self {
        Self { at: shown.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect(), shown }
    }

    fn iter(&'a self) -> impl Iterator<Item = Row<'a>> {
        self.shown.rows.iter().map(|cells| Row { rows: self, cells })
    }
}

impl<'a> Row<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        let cell = self.cells.get(*self.rows.at.get(name)?)?.as_deref()?;
        Some(cell.trim()).filter(|cell| !cell.is_empty())
    }

    fn owned(self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    fn float(self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// From 1.12 counters are of type numeric, and longer than an integer may be.
    #[allow(clippy::cast_possible_truncation, reason = "saturates")]
    fn number(self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok().or_else(|| self.float(name).map(|number| number as i64))
    }

    fn count(self, name: &str) -> i64 {
        self.number(name).unwrap_or(0)
    }

    /// Microseconds as milliseconds.
    fn millis(self, name: &str) -> f64 {
        self.float(name).unwrap_or(0.0) / 1000.0
    }
}

/// Notes columns that a form does not have, and those it has that are not shown.
fn note(form: &Form, shown: &Shown, pooler: &mut Pooler) {
    if shown.columns.is_empty() {
        return;
    }
    let named = |column: &str| format!("{}.{column}", form.name);
    let is_known = |column: &&String| form.read.contains(&column.as_str()) || form.known.contains(&column.as_str());
    let unknown = shown.columns.iter().filter(|column| !is_known(column)).map(|column| named(column));
    pooler.unknown_columns.extend(unknown);
    let missing = form.read.iter().filter(|column| !shown.columns.iter().any(|shown| shown == *column));
    pooler.missing_columns.extend(missing.map(|column| named(column)));
    for list in [&mut pooler.unknown_columns, &mut pooler.missing_columns] {
        list.sort();
        list.dedup();
    }
}

/// `PgBouncer 1.18.0`, as a row, and before 1.12 as a notice.
pub(super) fn version(shown: &Shown) -> Option<String> {
    let told = shown.rows.iter().flatten().flatten().chain(&shown.notices);
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    told.flat_map(|text| text.split_whitespace()).find(is_version).map(str::to_owned)
}

/// `active`, `paused` or `suspended`.
pub(super) fn state(shown: &Shown) -> Option<String> {
    let rows = Rows::of(shown);
    rows.iter().find(|row| row.text("value") == Some("yes")).map(|row| row.owned("key"))
}

pub(super) fn settings(shown: &Shown) -> PoolerSettings {
    let rows = Rows::of(shown);
    let row = |key: &str| rows.iter().find(|row| row.text("key") == Some(key));
    let number = |key: &str| row(key).and_then(|row| row.number("value"));
    let time = |key: &str| row(key).and_then(|row| row.float("value"));
    PoolerSettings {
        pool_mode: row("pool_mode").map(|row| row.owned("value")),
        default_pool_size: number("default_pool_size"),
        reserve_pool_size: number("reserve_pool_size"),
        reserve_pool_timeout: time("reserve_pool_timeout"),
        max_client_conn: number("max_client_conn"),
        max_db_connections: number("max_db_connections"),
        max_user_connections: number("max_user_connections"),
        query_wait_timeout: time("query_wait_timeout"),
    }
}

pub(super) fn databases(shown: &Shown, pooler: &mut Pooler) {
    note(&DATABASES, shown, pooler);
    let rows = Rows::of(shown);
    let database = |row: Row<'_>| PooledDatabase {
        name: row.owned("name"),
        host: row.text("host").map(str::to_owned),
        port: row.number("port"),
        database: row.text("database").map(str::to_owned),
        force_user: row.text("force_user").map(str::to_owned),
        pool_size: row.number("pool_size"),
        // Renamed in 1.24.
        reserve_pool_size: row.number("reserve_pool_size").or_else(|| row.number("reserve_pool")),
        pool_mode: row.text("pool_mode").map(str::to_owned),
        max_connections: row.number("max_connections"),
        max_client_connections: row.number("max_client_connections"),
        is_paused: row.count("paused") != 0,
        is_disabled: row.count("disabled") != 0,
    };
    pooler.databases = rows.iter().filter(|row| row.text("name") != Some(CONSOLE)).map(database).collect();
}

/// Users with limits of their own, which are told from 1.23 on.
pub(super) fn users(shown: &Shown) -> Vec<PooledUser> {
    let rows = Rows::of(shown);
    let user = |row: Row<'_>| PooledUser {
        name: row.owned("name"),
        pool_size: row.number("pool_size"),
        max_connections: row.number("max_user_connections"),
    };
    let is_limited =
        |user: &PooledUser| user.pool_size.is_some() || user.max_connections.is_some_and(|limit| limit > 0);
    rows.iter().map(user).filter(is_limited).collect()
}

/// Client or server connections by pool and state.
pub(super) fn sockets(shown: &Shown) -> Vec<SocketCount> {
    let rows = Rows::of(shown);
    let mut counts: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.text("database") != Some(CONSOLE)) {
        let text = |name| row.text(name).unwrap_or_default();
        *counts.entry((text("database"), text("user"), text("state"))).or_default() += 1;
    }
    let of = |((database, user, state), count): ((&str, &str, &str), i64)| SocketCount {
        database: database.to_owned(),
        user: user.to_owned(),
        state: state.to_owned(),
        count,
    };
    counts.into_iter().map(of).collect()
}

pub(super) fn pools(shown: &Shown, pooler: &mut Pooler) -> Vec<PoolCounts> {
    note(&POOLS, shown, pooler);
    const SERVERS: [&str; 7] =
        ["sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login"];
    let rows = Rows::of(shown);
    let pool = |row: Row<'_>| PoolCounts {
        database: row.owned("database"),
        user: row.owned("user"),
        clients_active: row.count("cl_active"),
        clients_waiting: row.count("cl_waiting"),
        servers_active: row.count("sv_active"),
        servers: SERVERS.iter().map(|name| row.count(name)).fold(0, i64::saturating_add),
        servers_login: row.count("sv_login"),
        max_wait_ms: 1000.0 * row.float("maxwait").unwrap_or(0.0) + row.millis("maxwait_us"),
        pool_mode: row.text("pool_mode").map(str::to_owned),
    };
    rows.iter().filter(|row| row.text("database") != Some(CONSOLE)).map(pool).collect()
}

pub(super) fn totals(shown: &Shown, pooler: &mut Pooler) -> Vec<PoolTotals> {
    note(&STATS, shown, pooler);
    let rows = Rows::of(shown);
    let total = |row: Row<'_>| PoolTotals {
        database: row.owned("database"),
        transactions: row.count("total_xact_count"),
        queries: row.count("total_query_count"),
        transaction_ms: row.millis("total_xact_time"),
        query_ms: row.millis("total_query_time"),
        wait_ms: row.millis("total_wait_time"),
    };
    rows.iter().filter(|row| row.text("database") != Some(CONSOLE)).map(total).collect()
}

#[cfg(test)]
use crate::mutants::mutants;

#[cfg(test)]
mod tests;
