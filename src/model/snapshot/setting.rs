//! One server setting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_settings` whose value cannot hold a secret (booleans, numbers, enumerations and a
/// short list of texts). Columns of `sql/settings.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Name. {text | pg_settings.name}
    pub name: String,
    /// Value in the reading session, in `unit`. {text | pg_settings.setting}
    pub value: String,
    /// Unit of the value, such as `8kB` or `ms`. {text | pg_settings.unit}
    pub unit: Option<String>,
    /// Value compiled in. {text | pg_settings.boot_val}
    pub boot_value: Option<String>,
    /// Value that `RESET` would give, which is the server's own when the session set another. {text | pg_settings.reset_val}
    pub reset_value: Option<String>,
    /// Where the value comes from, `default` when nobody set it. {text | pg_settings.source}
    pub source: String,
    /// `bool`, `enum`, `integer`, `real` or `string`. {text | pg_settings.vartype}
    pub value_type: String,
    /// Changed in the file, but waits for a restart. {bool | pg_settings.pending_restart}
    pub is_pending_restart: bool,
}

impl Setting {
    /// The server's own value as a number, in `unit`. Reads the reset value, because the reading
    /// session sets its own timeouts.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.reset_value.as_deref().unwrap_or(&self.value).parse().ok()
    }

    /// The server's own value is `on`.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.reset_value.as_deref().unwrap_or(&self.value) == "on"
    }
}
