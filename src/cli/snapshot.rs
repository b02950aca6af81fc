//! `pgassay snapshot`.

use super::args::{Shared, SnapshotArgs};
use super::config::Config;
use super::{connection, exit, history_store, output, settings};
use crate::report::escape;
use anyhow::Result;

pub(super) fn run(shared: &Shared, args: &SnapshotArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    args.output.as_deref().map_or(Ok(()), output::has_folder)?;
    let custom = settings::library(&config, &args.rules)?.custom;
    let snapshot =
        connection::snapshot_of(shared, &config, args.target.as_deref(), &args.limits, Some(&args.databases), custom)?;
    let saved = output::save(args.output.as_deref(), &snapshot);
    let history = args.history.as_ref().or(config.history.store.as_ref());
    let kept = history.map_or(Ok(()), |history| history_store::keep(&config, history, &snapshot, None));
    for gap in snapshot.gaps.iter().filter(|_| !shared.quiet) {
        tell!("not read: {}", escape(&format!("{} ({}); {}", gap.facet.name(), gap.reason, gap.remedy)));
    }
    output::all([saved, kept])?;
    Ok(if snapshot.gaps.iter().any(|gap| gap.is_failure) { exit::INCOMPLETE } else { exit::OK })
}
