//! Says what was not read, why, and what would close the gap.

use crate::model::object::identifier;
use crate::model::snapshot::{Facet, Gap, Snapshot};
use crate::postgres::ReadError;

/// A facet that failed.
pub(super) fn gap_of(facet: Facet, error: &ReadError, role: &str) -> Gap {
    let remedy = match error.sqlstate.as_deref() {
        Some("42501") => privilege(&error.message, role),
        Some("42703" | "42883") if facet == Facet::Statements => {
            "alter extension pg_stat_statements update;".to_owned()
        }
        Some("57014") => "raise --statement-timeout, or try when the server is less busy".to_owned(),
        Some("55P03") => "another session locks what is read: try again, or raise --lock-timeout".to_owned(),
        Some("57P01" | "57P02" | "57P03") => "the server is going down: try again when it is back".to_owned(),
        None => "see whether the server still answers, then try again".to_owned(),
        Some(_) => "please report this with the server's version".to_owned(),
    };
    Gap {
        facet,
        partial: false,
        reason: error.message.lines().next().unwrap_or_default().to_owned(),
        sqlstate: error.sqlstate.clone(),
        remedy,
        is_failure: error.sqlstate.as_deref() != Some("42501"),
    }
}

/// What to grant when something was refused. The message names a schema where that is what is closed.
fn privilege(message: &str, role: &str) -> String {
    match message.strip_prefix("permission denied for schema ") {
        Some(schema) => format!("grant usage on schema {} to {};", identifier(schema), identifier(role)),
        None => grant(role),
    }
}

pub(super) fn grant(role: &str) -> String {
    format!("grant pg_monitor to {};", identifier(role))
}

/// A part of a facet that the role cannot see, told from what is missing in its rows.
fn hidden(facet: Facet, reason: String, remedy: String) -> Gap {
    Gap { facet, partial: true, reason, sqlstate: None, remedy, is_failure: false }
}

/// What the role was not shown.
pub(super) fn visibility_gaps(snapshot: &Snapshot) -> Vec<Gap> {
    let server = &snapshot.server;
    let remedy = grant(&server.role);
    let mut gaps = Vec::new();
    if !server.reads_all_stats && snapshot.gap(Facet::Sessions).is_none() {
        let reason = "state and queries of other roles' sessions are hidden from this role".to_owned();
        gaps.push(hidden(Facet::Sessions, reason, remedy.clone()));
        let reason = "state and lag of standbys are hidden from this role".to_owned();
        gaps.push(hidden(Facet::Replication, reason, remedy.clone()));
    }
    if let Some(info) = snapshot.statements_info.as_ref().filter(|info| info.hidden > 0) {
        let reason = format!("texts of {} entries are hidden from this role", info.hidden);
        gaps.push(hidden(Facet::Statements, reason, remedy.clone()));
    }
    let unread = snapshot.sequences.iter().filter(|sequence| !sequence.is_readable).count();
    if unread > 0 {
        let reason = format!("{unread} of {} sequences cannot be read by this role", snapshot.sequences.len());
        let remedy = format!("grant select on all sequences in schema … to {};", identifier(&server.role));
        gaps.push(hidden(Facet::Sequences, reason, remedy));
    }
    let is_any_visible = snapshot.columns.iter().any(|column| column.has_statistics);
    if !snapshot.columns.is_empty() && !is_any_visible && !server.is_superuser {
        let reason = "no statistics of any column are visible to this role".to_owned();
        let remedy =
            format!("grant pg_read_all_data (14 and up) or select on the tables to {};", identifier(&server.role));
        gaps.push(hidden(Facet::Columns, reason, remedy));
    }
    let estimated = snapshot.relations.iter().filter(|relation| relation.bytes_are_estimated).count();
    if estimated > 0 {
        let reason =
            format!("{estimated} relations are locked by other sessions: their sizes are those of the last VACUUM");
        gaps.push(hidden(Facet::Relations, reason, "try again when the locks are gone".to_owned()));
    }
    gaps
}
