//! Settings, their values as numbers in plain units.

use super::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::{Role, Setting, Snapshot};
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize, JsonSchema)]
struct SettingRow<'a> {
    #[serde(flatten)]
    setting: &'a Setting,
    /// The server's own value is what is compiled in. {bool | pg_settings.reset_val, boot_val}
    is_default: bool,
    /// The server's own value is `on`; none unless it is on or off. {bool | pg_settings.reset_val}
    is_on: Option<bool>,
    /// The server's own value in its unit; none unless a number. {number | pg_settings.reset_val}
    number: Option<f64>,
    /// Roles at work, superusers and the auditing role left out, that have no value of their own for it. {texts | pg_db_role_setting, pg_stat_activity, pg_stat_statements.userid}
    roles_without_own: Vec<String>,
    /// The same in bytes; none unless a size. {bytes | pg_settings.reset_val, unit}
    value_bytes: Option<f64>,
    /// The same in milliseconds; none unless a time. {ms | pg_settings.reset_val, unit}
    value_ms: Option<f64>,
}

/// Units of `pg_settings`, in bytes or milliseconds.
const UNITS: &[(&str, Option<f64>, Option<f64>)] = &[
    ("B", Some(1.0), None),
    ("kB", Some(1024.0), None),
    ("8kB", Some(8192.0), None),
    ("16kB", Some(16_384.0), None),
    ("32kB", Some(32_768.0), None),
    ("MB", Some(1_048_576.0), None),
    ("ms", None, Some(1.0)),
    ("s", None, Some(1_000.0)),
    ("min", None, Some(60_000.0)),
];

/// A setting of a size, in bytes.
pub(super) fn bytes(setting: &Setting) -> Option<f64> {
    let unit = setting.unit.as_deref()?;
    let factor = UNITS.iter().find(|(name, ..)| *name == unit)?.1?;
    setting.number().map(|number| number * factor)
}

fn millis(setting: &Setting) -> Option<f64> {
    let unit = setting.unit.as_deref()?;
    let factor = UNITS.iter().find(|(name, ..)| *name == unit)?.2?;
    setting.number().map(|number| number * factor)
}

/// Settings that people give to roles.
const PER_ROLE: &[&str] = &[
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "work_mem",
];

/// Roles that have a session now or ran a statement, without a value of their own.
fn roles_without_own(snapshot: &Snapshot, name: &str) -> Vec<String> {
    if !PER_ROLE.contains(&name) {
        return Vec::new();
    }
    let sessions = snapshot.sessions.iter().filter_map(|session| session.user.as_deref());
    let users = snapshot.statements.iter().flat_map(|statement| statement.users.iter().map(String::as_str));
    let working: BTreeSet<&str> = sessions.chain(users).collect();
    let has_own = |role: &Role| {
        role.settings.iter().any(|setting| setting.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    let lacks = |role: &&Role| {
        working.contains(role.name.as_str())
            && !role.is_superuser
            && role.name != snapshot.server.role
            && !has_own(role)
    };
    snapshot.roles.iter().filter(lacks).map(|role| role.name.clone()).collect()
}

pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    build::table(
        "settings",
        snapshot.settings.iter().map(|setting| {
            let own = setting.reset_value.as_deref().unwrap_or(&setting.value);
            let row = SettingRow {
                setting,
                is_default: setting.boot_value.as_deref() == Some(own),
                is_on: matches!(own, "on" | "off").then_some(own == "on"),
                number: setting.number(),
                roles_without_own: roles_without_own(snapshot, &setting.name),
                value_bytes: bytes(setting),
                value_ms: millis(setting),
            };
            (Object::global(ObjectKind::Setting, &setting.name), row)
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_plain_units() {
        let setting = |value: &str, unit: &str| Setting {
            value: value.to_owned(),
            unit: Some(unit.to_owned()),
            ..Setting::default()
        };
        assert_eq!(bytes(&setting("16384", "8kB")), Some(134_217_728.0));
        assert_eq!(millis(&setting("5", "min")), Some(300_000.0));
        assert_eq!(bytes(&setting("5", "min")), None);
    }
}
