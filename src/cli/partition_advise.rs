//! `pgassay partition advise`.

use super::advise::{has_statements, workload};
use super::args::Shared;
use super::change_args::PlainFormat;
use super::config::Config;
use super::partition_args::PartitionAdviseArgs;
use super::{connection, exit, output, settings};
use crate::model::snapshot::{Facet, Snapshot};
use crate::partition::partition_advice;
use crate::report::{escape, write_partition_advice, write_partition_advice_json};
use crate::store::read_snapshot;
use anyhow::{Result, bail};

pub(super) fn run(shared: &Shared, config: &Config, args: &PartitionAdviseArgs) -> Result<u8> {
    let min_bytes = settings::bytes("min-size", &args.min_size)?;
    let earlier = args.since.as_deref().map(read_snapshot).transpose()?;
    let snapshot = workload(shared, config, args.target.as_deref(), args.from.as_deref(), &args.limits)?;
    has_statements(&snapshot)?;
    let earlier = earlier.map(|earlier| earlier.of_database(&snapshot.target.database));
    if let Some(earlier) = &earlier {
        is_earlier(earlier, &snapshot)?;
    }
    let advice = partition_advice(&snapshot, earlier.as_ref(), min_bytes, connection::tool());
    for gap in snapshot.gaps.iter().filter(|gap| matters(gap.facet)) {
        tell!("warning: {} not read in full ({})", gap.facet.name(), escape(&gap.reason));
    }
    output::print_with(|out| match args.format {
        PlainFormat::Table => write_partition_advice(&advice, output::style(shared), out),
        PlainFormat::Json => write_partition_advice_json(&advice, out),
    })?;
    let is_whole = !snapshot.gaps.iter().any(|gap| gap.is_failure && matters(gap.facet));
    Ok(if is_whole { exit::OK } else { exit::INCOMPLETE })
}

fn matters(facet: Facet) -> bool {
    matches!(
        facet,
        Facet::Statements
            | Facet::Relations
            | Facet::Columns
            | Facet::Indexes
            | Facet::Constraints
            | Facet::ForeignKeys
    )
}

fn is_earlier(earlier: &Snapshot, later: &Snapshot) -> Result<()> {
    let (one, other) = (&earlier.server.system_identifier, &later.server.system_identifier);
    if one.is_some() && other.is_some() && one != other {
        bail!("--since: that snapshot is of another server");
    }
    if earlier.relations.is_empty() {
        bail!("--since: that snapshot has nothing of database {}", later.target.database);
    }
    if earlier.captured_at >= later.captured_at {
        bail!("--since: that snapshot is not earlier: it is of {}", earlier.captured_at.format("%F %H:%M UTC"));
    }
    Ok(())
}
