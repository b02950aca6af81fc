//! Queries of live sessions hold literals: only redacted texts leave this module.

use crate::model::snapshot::{Lock, Session};
use crate::statement::redact;

fn safe(query: Option<&str>) -> Option<String> {
    query.filter(|query| !query.is_empty()).and_then(redact)
}

pub(super) fn redacted(mut sessions: Vec<Session>) -> Vec<Session> {
    for session in &mut sessions {
        session.query = safe(session.query.as_deref());
    }
    sessions
}

pub(super) fn redacted_locks(mut locks: Vec<Lock>) -> Vec<Lock> {
    for lock in &mut locks {
        lock.query = safe(lock.query.as_deref());
    }
    locks
}
