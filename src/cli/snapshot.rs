//! `pgassay snapshot`.

use super::args::{Shared, SnapshotArgs};
use super::config::Config;
use super::{connection, exit, history_store, settings};
use crate::store::write_snapshot;
use anyhow::Result;

pub(super) fn run(shared: &Shared, args: &SnapshotArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let custom = settings::library(&config, &args.rules)?.custom;
    let snapshot =
        connection::snapshot_of(shared, &config, args.target.as_deref(), &args.limits, Some(&args.databases), custom)?;
    if let Some(path) = &args.output {
        write_snapshot(path, &snapshot)?;
    }
    if let Some(history) = args.history.as_ref().or(config.history.store.as_ref()) {
        history_store::keep(&config, history, &snapshot, None)?;
    }
    for gap in snapshot.gaps.iter().filter(|_| !shared.quiet) {
        tell!("not read: {} ({}); {}", gap.facet.name(), gap.reason, gap.remedy);
    }
    Ok(if snapshot.gaps.iter().any(|gap| gap.is_failure) { exit::INCOMPLETE } else { exit::OK })
}
