//! `pgassay partition retire`: months that are older than what is kept.

use super::args::Shared;
use super::change::{self, Job};
use super::config::Config;
use super::partition::{is_read, named, warn_of_keeper};
use super::partition_args::RetireArgs;
use super::{connection, exit, interrupt, settings};
use crate::apply::{Run, Scout, StepEnd};
use crate::model::partition::DetachedForm;
use crate::model::plan::{Change, Name, Plan};
use crate::model::snapshot::Snapshot;
use crate::partition::{Keep, Leaving, Quarantined, by_table, overdue, retirement, session_zone, weights};
use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// How long a detached table is kept before `--drop` drops it, unless told otherwise.
const QUARANTINE: &str = "7d";

pub(super) fn run(shared: &Shared, config: &Config, args: &RetireArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let snapshot = interrupt::block_on(connection::partitions(shared, &target))?;
    is_read(&snapshot)?;
    let tables = by_table(&snapshot);
    let names: Vec<Name> = tables.keys().map(|(schema, name)| Name::new(schema, name)).collect();
    let table = named(&names, &args.table, &snapshot.target.database)?;
    warn_of_keeper(&snapshot.managers, &table);
    let keep = keep(config, args, &table)?;
    let quarantine = settings::long_duration("quarantine", args.quarantine.as_deref().unwrap_or(QUARANTINE))?;
    let before = snapshot.captured_at - TimeDelta::from_std(quarantine)?;
    let out = if args.drop {
        detached(&Run::all(&change::state_folder(config, args.change.state.as_deref())?)?, &snapshot, &table, before)
    } else {
        Vec::new()
    };
    let plan = interrupt::block_on(async {
        let scout = Scout::connect(&target, connection::run_name()).await?;
        plan(&scout, &snapshot, &table, keep, out).await
    })?;
    if plan.steps.is_empty() {
        if !shared.quiet {
            super::print(&format!("nothing to do: no partition of {table} is older than what is kept, {keep}\n"))?;
        }
        return Ok(exit::OK);
    }
    let job = Job { target: &target, plan: &plan, undoes: None, is_shown: true };
    change::finish(shared, config, &job, &args.files, &args.change)
}

/// What the flag says, else the config.
fn keep(config: &Config, args: &RetireArgs, table: &Name) -> Result<Keep> {
    let path = format!("{}.{}", table.schema, table.name);
    let configured = config.partition.tables.iter().find(|row| row.table == args.table || row.table == path);
    match (args.keep, configured.and_then(|row| row.keep.as_deref())) {
        (Some(keep), _) => Ok(keep),
        (None, Some(text)) => text.parse().map_err(|why| anyhow!("keep: {why}")),
        (None, None) => bail!("how long are rows of {table} kept? Say so with --keep '24 months', or in the config"),
    }
}

/// Tables that runs of this machine detached from this one, last before that time.
fn detached(
    runs: &[Run],
    snapshot: &Snapshot,
    table: &Name,
    before: DateTime<Utc>,
) -> Vec<(DetachedForm, DateTime<Utc>)> {
    let own = runs.iter().filter(|run| {
        let target = &run.header.plan.target;
        target.database == snapshot.target.database && target.system_identifier == snapshot.server.system_identifier
    });
    // What came back and left again has the same OID: only the newest of its ways counts.
    let mut newest = BTreeMap::new();
    for (run, step) in own.flat_map(|run| run.header.plan.steps.iter().map(move |step| (run, step))) {
        let (Change::DetachPartition(form) | Change::AttachPartition(form)) = &step.change else { continue };
        let end = run.steps.get(&step.id).and_then(|story| story.end.as_ref());
        let Some((end, at, _)) = end.filter(|(end, ..)| *end != StepEnd::Failed) else { continue };
        if form.table == *table && newest.get(&form.oid).is_none_or(|(_, since, _)| since < at) {
            let is_out = end.is_good() && matches!(step.change, Change::DetachPartition(_));
            newest.insert(form.oid, (form, *at, is_out));
        }
    }
    let out = newest.into_values().filter(|(_, since, is_out)| *is_out && *since <= before);
    out.map(|(form, since, _)| {
        let keys = snapshot.foreign_keys.iter();
        let keys = keys.filter(|key| key.schema == form.name.schema && key.table == form.name.name);
        let keys = keys.map(|key| key.name.clone()).collect();
        (DetachedForm { name: form.name.clone(), table: table.clone(), oid: form.oid, keys }, since)
    })
    .collect()
}

async fn plan(
    scout: &Scout,
    snapshot: &Snapshot,
    table: &Name,
    keep: Keep,
    out: Vec<(DetachedForm, DateTime<Utc>)>,
) -> Result<Plan> {
    let tables = by_table(snapshot);
    let rows = tables.get(&(table.schema.as_str(), table.name.as_str())).map_or(&[][..], Vec::as_slice);
    let found =
        overdue(table, rows, session_zone(snapshot), snapshot.captured_at, keep).map_err(|why| anyhow!("{why}"))?;
    let seen = scout.partitioned(table).await?.ok_or_else(|| anyhow!("{table} went away while it was looked at"))?;
    if seen.is_referenced && !found.is_empty() {
        bail!(
            "foreign keys refer to {table}: the server must prove that none of them needs a partition that leaves, and may read whole tables under lock for that\n  next: drop these keys, or detach by hand in a quiet moment"
        );
    }
    if let Some(pending) = rows.iter().find(|row| row.is_detach_pending) {
        let name = pending.name.as_deref().unwrap_or_default();
        bail!(
            "{name} is half detached already, and nothing else can be meanwhile\n  next: ALTER TABLE {table} DETACH PARTITION {name} FINALIZE, or `pgassay apply resume` where it was begun here"
        );
    }
    let named = |row: &crate::model::snapshot::Partition| {
        Name::new(row.schema.as_deref().unwrap_or_default(), row.name.as_deref().unwrap_or_default())
    };
    let wanted: Vec<Name> =
        found.iter().map(|one| named(one.partition)).chain(out.iter().map(|(form, _)| form.name.clone())).collect();
    let relations = scout.relations(&wanted).await?;
    let relation = |name: &Name| relations.iter().find(|row| row.schema == name.schema && row.name == name.name);
    let weigh = weights(snapshot);
    let leaving = found.into_iter().filter_map(|one| {
        let name = named(one.partition);
        let (rows, bytes) = weigh(&name);
        Some(Leaving { oid: relation(&name)?.oid, range: one.range, to: one.to, rows, bytes, name })
    });
    let leaving: Vec<Leaving> = leaving.collect();
    let quarantined = out.into_iter().filter_map(|(form, since)| {
        // One that was attached again, or made anew, is not ours to drop.
        relation(&form.name).filter(|row| row.oid == form.oid && row.parent_name.is_none())?;
        let (rows, bytes) = weigh(&form.name);
        Some(Quarantined { form, since, rows, bytes })
    });
    let quarantined: Vec<Quarantined> = quarantined.collect();
    Ok(retirement(table, &seen, &leaving, &quarantined, keep, snapshot, connection::tool()))
}
