//! `pgassay partition split`: the adopted past becomes months.

use super::args::Shared;
use super::change::{self, Job};
use super::config::Config;
use super::partition::{is_read, named};
use super::partition_args::SplitArgs;
use super::{connection, interrupt};
use crate::apply::Scout;
use crate::model::plan::{Name, Plan};
use crate::model::snapshot::Snapshot;
use crate::partition::{Site, Splittable, by_table, session_zone, splitting, wide};
use anyhow::{Result, anyhow};

pub(super) fn run(shared: &Shared, config: &Config, args: &SplitArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let snapshot = interrupt::block_on(connection::glance(shared, &target))?;
    is_read(&snapshot)?;
    let plan = interrupt::block_on(async {
        let scout = Scout::connect(&target, connection::run_name()).await?;
        plan(&scout, &snapshot, args).await
    })?;
    let job = Job { target: &target, plan: &plan, undoes: None, is_shown: true };
    change::finish(shared, config, &job, &args.files, &args.change)
}

async fn plan(scout: &Scout, snapshot: &Snapshot, args: &SplitArgs) -> Result<Plan> {
    let tables = by_table(snapshot);
    let names: Vec<Name> = tables.keys().map(|(schema, name)| Name::new(schema, name)).collect();
    let table = named(&names, &args.table, &snapshot.target.database)?;
    let of = Site::of(&table, &tables, args.zone, session_zone(snapshot), snapshot.captured_at);
    let site = of.map_err(|why| anyhow!("{why}"))?;
    let wide = wide(&site).map_err(|why| anyhow!("{why}"))?;
    let gone = || anyhow!("{table} went away while it was looked at: try again");
    let key = site.key_columns.first().map(String::as_str).unwrap_or_default();
    let own = scout.relations(std::slice::from_ref(&wide.name)).await?;
    let found = Splittable {
        table: scout.adoptable(&table, key).await?.ok_or_else(gone)?,
        seen: scout.partitioned(&table).await?.ok_or_else(gone)?,
        oid: own.first().ok_or_else(gone)?.oid,
        likeness: scout.likeness(&wide.name).await?.ok_or_else(gone)?,
        obstacles: scout.split_obstacles(&table).await?,
        oldest: scout.oldest(&wide.name, key).await?,
        wide,
    };
    splitting(&site, found, args.months, snapshot, connection::tool())
        .map_err(|why| anyhow!("{table} is not split: {why}"))
}
