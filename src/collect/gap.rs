//! Says what was not read, why, and what would close the gap.

use crate::model::object::identifier;
use crate::model::snapshot::{Facet, Gap, Snapshot, Statement, StatementKind};
use crate::postgres::{ConnectError, ReadError};

/// What helps where a standby cancelled a read twice.
pub(super) const CONFLICT: &str = "try again; or let the standby wait longer (max_standby_streaming_delay), or tell its primary (hot_standby_feedback)";

/// A facet that failed.
pub(super) fn gap_of(facet: Facet, database: Option<&str>, error: &ReadError, role: &str) -> Gap {
    let remedy = match error.sqlstate.as_deref() {
        Some("42501") => grant(role),
        Some("42703" | "42883") if facet == Facet::Statements => {
            "alter extension pg_stat_statements update;".to_owned()
        }
        Some("0A000") => "it comes with a later major".to_owned(),
        Some("57014") => "raise --statement-timeout, or try when the server is less busy".to_owned(),
        Some("55P03") => "another session locks what is read: try again, or raise --lock-timeout".to_owned(),
        Some("40001" | "40P01") => CONFLICT.to_owned(),
        Some("57P01" | "57P02" | "57P03") => "the server is going down: try again when it is back".to_owned(),
        None => "see whether the server still answers, then try again".to_owned(),
        Some("42P01" | "42703" | "42883" | "42804") => {
            "the server lacks what PostgreSQL of its version has: please report this with its `select version()`"
                .to_owned()
        }
        Some(_) => "please report this with the server's `select version()`".to_owned(),
    };
    Gap {
        facet,
        database: database.map(str::to_owned),
        partial: false,
        reason: error.message.lines().next().unwrap_or_default().to_owned(),
        sqlstate: error.sqlstate.clone(),
        remedy,
        is_failure: !matches!(error.sqlstate.as_deref(), Some("42501" | "0A000")),
    }
}

pub(super) fn grant(role: &str) -> String {
    format!("grant pg_monitor to {};", identifier(role))
}

/// An audited database that cannot be connected to.
pub(super) fn unreachable(database: &str, error: &ConnectError, role: &str) -> Gap {
    let is_closed = error.sqlstate.as_deref() == Some("42501");
    let remedy = if is_closed {
        format!("grant connect on database {} to {};", identifier(database), identifier(role))
    } else {
        error.next.clone()
    };
    Gap {
        facet: Facet::Databases,
        database: Some(database.to_owned()),
        partial: true,
        reason: format!("database {} was not audited: {}", identifier(database), error.cause),
        sqlstate: error.sqlstate.clone(),
        remedy,
        is_failure: !is_closed,
    }
}

/// A Citus database, of whose distributed tables only the shells are here. `reach` is none where it could not be read.
pub(super) fn elsewhere(database: &str, reach: Option<(i64, i64)>) -> Gap {
    let told = reach.map_or("distributed tables on workers".to_owned(), |(workers, tables)| {
        format!("{tables} distributed and reference tables on {workers} workers")
    });
    let reason = format!(
        "this database is a node of Citus: of {told} the shards are not looked at, with their sizes, dead rows, use of indexes and statements"
    );
    let remedy = "audit each worker as a target of its own: pgassay audit --targets".to_owned();
    hidden(Facet::Relations, Some(database), &Hidden::Part, reason, remedy)
}

/// How much of a facet the role cannot see.
enum Hidden {
    Part,
    All,
}

fn hidden(facet: Facet, database: Option<&str>, much: &Hidden, reason: String, remedy: String) -> Gap {
    Gap {
        facet,
        database: database.map(str::to_owned),
        partial: matches!(much, Hidden::Part),
        reason,
        sqlstate: None,
        remedy,
        is_failure: false,
    }
}

/// What the role was not shown, told from what is missing in the rows. A facet of which all that
/// matters is hidden was not read: its rules must not pass.
pub(super) fn visibility_gaps(snapshot: &Snapshot) -> Vec<Gap> {
    let mut gaps = instance_gaps(snapshot);
    for database in &snapshot.audited {
        gaps.extend(database_gaps(snapshot, database));
    }
    gaps
}

fn instance_gaps(snapshot: &Snapshot) -> Vec<Gap> {
    let server = &snapshot.server;
    let mut gaps = Vec::new();
    if !server.reads_all_stats {
        let is_seen = snapshot.sessions.iter().any(|session| session.state.is_some());
        let much = if is_seen { Hidden::Part } else { Hidden::All };
        for (facet, reason) in [
            (Facet::Sessions, "state and queries of other roles' sessions are hidden from this role"),
            (Facet::Locks, "who waits for whom is hidden from this role, but for its own sessions"),
            (Facet::Replication, "state and lag of standbys are hidden from this role"),
        ] {
            if snapshot.gap(facet).is_none() {
                gaps.push(hidden(facet, None, &much, reason.to_owned(), grant(&server.role)));
            }
        }
    }
    gaps
}

fn database_gaps(snapshot: &Snapshot, database: &str) -> Vec<Gap> {
    let role = identifier(&snapshot.server.role);
    let own = Some(database);
    let mut gaps = Vec::new();
    if let Some(info) = snapshot.statements_info.iter().find(|info| info.database == database && info.hidden > 0) {
        // What everybody may see is the transaction commands of our own.
        let is_work = |row: &&Statement| row.database == database && row.kind != StatementKind::Utility;
        let much = if snapshot.statements.iter().any(|row| is_work(&row)) { Hidden::Part } else { Hidden::All };
        let reason = format!("texts of {} of {} entries are hidden from this role", info.hidden, info.seen);
        gaps.push(hidden(Facet::Statements, own, &much, reason, grant(&snapshot.server.role)));
    }
    let sequences = snapshot.sequences.iter().filter(|sequence| sequence.database == database);
    let (all, unread) = sequences.fold((0, 0), |(all, unread), row| (all + 1, unread + usize::from(!row.is_readable)));
    if unread > 0 {
        let much = if unread == all { Hidden::All } else { Hidden::Part };
        let reason = format!("{unread} of {all} sequences cannot be read by this role");
        let remedy = format!(
            "grant pg_read_all_data to {role}; (before 14: grant usage on schema … to {role}; grant select on all sequences in schema … to {role};)"
        );
        gaps.push(hidden(Facet::Sequences, own, &much, reason, remedy));
    }
    let mut columns = snapshot.columns.iter().filter(|column| column.database == database).peekable();
    let has_columns = columns.peek().is_some();
    if has_columns && !columns.any(|column| column.has_statistics) && !snapshot.server.is_superuser {
        let reason = "no statistics of any column are visible to this role".to_owned();
        let remedy = format!(
            "grant pg_read_all_data to {role}; (before 14: grant usage on schema … to {role}; grant select on all tables in schema … to {role};)"
        );
        gaps.push(hidden(Facet::Columns, own, &Hidden::Part, reason, remedy));
    }
    let relations = snapshot.relations.iter().filter(|row| row.database == database && row.bytes_are_estimated);
    let locked = relations.count();
    if locked > 0 {
        let (are, their_sizes) =
            if locked == 1 { ("relation is", "its size is") } else { ("relations are", "their sizes are") };
        let reason = format!("{locked} {are} locked by other sessions: {their_sizes} as of the last VACUUM");
        let remedy = "try again when the locks are gone".to_owned();
        gaps.push(hidden(Facet::Relations, own, &Hidden::Part, reason, remedy));
    }
    gaps
}
