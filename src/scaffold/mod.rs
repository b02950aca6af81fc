//! Texts that set pgassay up elsewhere: the SQL of its role, a config. Says what to do, and does nothing.

mod role;

pub use role::{Access, RoleWish, role_sql};

/// A config with every key there is.
pub const CONFIG: &str = include_str!("../../templates/pgassay.yaml");
