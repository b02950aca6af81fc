//! Waivers as a facet, so that stale ones are found by rules like anything else.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::table::Table;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Serialize;

/// One waiver, and what became of it in this run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaiverUse {
    /// Rule it is for. {text | config waivers}
    pub waived_rule: String,
    /// Objects it is for. {text | config waivers}
    pub waived_object: String,
    /// Why it was accepted. {text | config waivers}
    pub reason: String,
    /// Last day it holds. {text | config waivers}
    pub until: Option<NaiveDate>,
    /// Who answers for it. {text | config waivers}
    pub owner: Option<String>,
    /// That day is over. {bool | until, captured_at}
    pub is_expired: bool,
    /// Its rule ran and did not fail, so that finding nothing means something. {bool | this run}
    pub rule_ran: bool,
    /// Findings it is about, in force or not. {findings | this run}
    pub matches: usize,
}

/// The facet `waivers`.
#[must_use]
pub fn waivers<'a>(database: &'a str, uses: &'a [WaiverUse]) -> Table<'a> {
    let object = move |waiver: &WaiverUse| Object {
        database: Some(database.to_owned()),
        ..Object::global(ObjectKind::Waiver, &format!("{} {}", waiver.waived_rule, waiver.waived_object))
    };
    build::table("waivers", uses.iter().map(move |waiver| (object(waiver), waiver)))
}
