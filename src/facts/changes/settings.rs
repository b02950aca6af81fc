//! Settings whose value differs between BASE and HEAD.

use crate::compare::Comparison;
use crate::facts::build;
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Setting;
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

/// What a server is, rather than how it is set.
const FACTS: [&str; 7] = [
    "in_hot_standby",
    "port",
    "server_version",
    "server_version_num",
    "shared_memory_size",
    "shared_memory_size_in_huge_pages",
    "transaction_read_only",
];

#[derive(Serialize, JsonSchema)]
struct SettingChange {
    /// Value in BASE, in `unit`. {text | pg_settings.reset_val}
    base_value: String,
    /// Value in HEAD, in `unit`. {text | pg_settings.reset_val}
    head_value: String,
    /// Unit of both; none where there is none. {text | pg_settings.unit}
    unit: Option<String>,
}

fn value(setting: &Setting) -> &str {
    setting.reset_value.as_deref().unwrap_or(&setting.value)
}

pub(super) fn table(comparison: &Comparison) -> Table<'_> {
    let rows = comparison.head.settings.iter().filter_map(|now| {
        let before = comparison.base.setting(&now.name)?;
        let has_changed = value(before) != value(now) && !FACTS.contains(&now.name.as_str());
        has_changed.then(|| {
            let change = SettingChange {
                base_value: value(before).to_owned(),
                head_value: value(now).to_owned(),
                unit: now.unit.clone(),
            };
            (Object::global(ObjectKind::Setting, &now.name), change)
        })
    });
    build::table("setting_changes", rows)
}
