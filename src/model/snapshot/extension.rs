//! One installed extension.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row of `pg_extension` of the audited database. Columns of `sql/extensions.sql`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Database. {text | current_database()}
    pub database: String,
    /// Name. {text | pg_extension.extname}
    pub name: String,
    /// Installed version. {text | pg_extension.extversion}
    pub version: String,
    /// Schema it lives in. {text | pg_extension.extnamespace}
    pub schema: String,
    /// Version that `ALTER EXTENSION … UPDATE` would give. {text | pg_available_extensions.default_version}
    pub default_version: Option<String>,
}
