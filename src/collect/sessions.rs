//! Sessions: their queries hold literals, so only the redacted text leaves this module.

use crate::model::snapshot::Session;
use crate::statement::redact;

pub(super) fn redacted(sessions: Vec<Session>) -> Vec<Session> {
    let redacted = |mut session: Session| {
        session.query = session.query.as_deref().filter(|query| !query.is_empty()).and_then(redact);
        session
    };
    sessions.into_iter().map(redacted).collect()
}
