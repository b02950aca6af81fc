//! From what was typed to a snapshot of a server.

use super::args::{LimitArgs, Shared};
use super::config::Config;
use super::progress_bar::Bar;
use super::{interrupt, settings};
use crate::collect::collect;
use crate::model::snapshot::{Snapshot, Tool};
use crate::postgres::{Reader, Surroundings, Target};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// This program.
pub(super) fn tool() -> Tool {
    Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// The environment that libpq would look at.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        home: std::env::var_os("HOME").map(PathBuf::from),
        login: std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok(),
    }
}

/// The target, and its name in reports.
fn target(config: &Config, typed: Option<&str>) -> Result<(Target, String)> {
    let around = surroundings();
    let text = typed.map(str::to_owned).or_else(|| std::env::var("DATABASE_URL").ok()).unwrap_or_default();
    let is_name = !text.is_empty() && !text.contains("://") && !text.contains('=');
    let url = if is_name { config.target(&text)?.to_owned() } else { text.clone() };
    let target = Target::resolve(&url, &around)?;
    let name = if is_name { text } else { target.database.clone() };
    Ok((target, name))
}

/// Reads a snapshot of the typed target.
pub(super) fn snapshot_of(
    shared: &Shared,
    config: &Config,
    typed: Option<&str>,
    limits: &LimitArgs,
) -> Result<Snapshot> {
    let (target, name) = target(config, typed)?;
    snapshot_of_target(shared, config, target, &name, limits)
}

/// Reads a snapshot of a target.
pub(super) fn snapshot_of_target(
    shared: &Shared,
    config: &Config,
    target: Target,
    name: &str,
    limits: &LimitArgs,
) -> Result<Snapshot> {
    let (limits, scope, connect_timeout) = settings::limits(config, limits)?;
    let target = match connect_timeout {
        Some(timeout) => target.with_connect_timeout(timeout),
        None => target,
    };
    let run = std::process::id().to_string();
    interrupt::block_on(async {
        let bar = Bar::new(shared, "reading");
        let mut reader = Reader::connect(&target, limits, &run).await?;
        let place = target.place();
        let snapshot = collect(&mut reader, &target, name, scope, tool(), &bar).await;
        bar.clear();
        snapshot.with_context(|| format!("cannot read {place}"))
    })
}
