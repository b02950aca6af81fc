//! Texts that set pgassay up elsewhere: the SQL of its role, a config, an audit each day, a job for CI. Says what to do, and does nothing.

mod ci;
mod cron;
mod role;
mod text;

pub use ci::{CiWish, Forge, ci_job};
pub use cron::{CronWish, Made, Tell, cron_files};
pub use role::{Access, RoleWish, role_sql};

/// A config with every key there is.
pub const CONFIG: &str = include_str!("../../templates/pgassay.yaml");
