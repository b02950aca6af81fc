//! What must hold before a plan touches a server: refusals, a line each, and warnings.

use super::naming::MAX_NAME_BYTES;
use super::sql::leaf_form;
use super::state::{Half, State, state, twin};
use crate::model::catalog::{Behind, Catalog, Holder, Leftover, SeenServer};
use crate::model::plan::{Change, LockClass, Name, Plan, Step};
use crate::model::units;
use std::collections::BTreeSet;
use std::time::Duration;

/// A transaction that has been open for so long is not just passing, in seconds.
const LASTING: f64 = 60.0;

/// How far a run may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Longest wait for locks and other transactions, per statement.
    pub max_wait: Duration,
    /// Replay lag of a standby above which nothing is begun.
    pub max_replica_lag: Duration,
    /// WAL that a slot may keep before nothing more is begun, in bytes.
    pub max_slot_wal_bytes: i64,
    /// Room on the server's disk, in bytes, as the user says: SQL cannot tell.
    pub free_disk_bytes: Option<i64>,
}

/// What was seen of the server before anything was begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The server.
    pub server: SeenServer,
    /// Its identity; none when the role may not read it.
    pub system_identifier: Option<String>,
    /// A session of ours may not write (`default_transaction_read_only`).
    pub is_read_only: bool,
    /// A transaction pooler stands between.
    pub is_pooled: bool,
    /// The objects of the plan.
    pub catalog: Catalog,
    /// Transactions that a build would wait for.
    pub holders: Vec<Holder>,
    /// Standbys and slots.
    pub behind: Vec<Behind>,
    /// What earlier commands left.
    pub leftovers: Vec<Leftover>,
}

/// The outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// Why nothing may be done.
    pub refusals: Vec<String>,
    /// What will make it slow, or should be known.
    pub warnings: Vec<String>,
}

/// Looks at everything before anything is begun. `ours` is the application name of an earlier run that is
/// being resumed: its build is no stranger's.
#[must_use]
pub fn preflight(plan: &Plan, steps: &[&Step], site: &Site, limits: &Limits, ours: Option<&str>) -> Preflight {
    let mut found = Preflight::default();
    found.refusals.extend(server(plan, steps, site));
    for step in steps {
        let said = |text: String| format!("step {}: {text}", step.id);
        found.refusals.extend(self::step(plan, step, site, ours).into_iter().map(said));
    }
    found.refusals.extend(room(steps, limits));
    found.refusals.extend(behind(&site.behind, limits));
    let has = |class| steps.iter().flat_map(|step| &step.statements).any(|sql| sql.class == class);
    let is_lasting = |holder: &&Holder| holder.prepared.is_some() || holder.seconds.is_none_or(|age| age >= LASTING);
    let waits = steps.iter().flat_map(|step| &step.statements).any(|one| one.sql.contains(" CONCURRENTLY "));
    let lasting = site.holders.iter().filter(|holder| waits && is_lasting(holder));
    found
        .warnings
        .extend(lasting.map(|holder| format!("what is done CONCURRENTLY will wait for {}", holder_text(holder))));
    let mentioned = |name: &Name| steps.iter().any(|step| step.change.object() == name);
    let strangers = site.leftovers.iter().filter(|left| !mentioned(&Name::new(&left.schema, &left.name)));
    found.warnings.extend(strangers.map(|left| {
        format!("{} is {}, and no step of this plan repairs it", Name::new(&left.schema, &left.name), left.state)
    }));
    if has(LockClass::Blocking) && site.server.standbys > 0 {
        found.warnings.push("exclusive locks are replayed on standbys, where they cancel or delay queries".to_owned());
    }
    found.warnings.extend(hidden(site));
    found
}

/// A limit that holds for nobody.
fn hidden(site: &Site) -> Option<String> {
    let hidden: Vec<&str> = site.behind.iter().filter(|row| row.is_hidden).map(|row| row.what.as_str()).collect();
    (!hidden.is_empty()).then(|| {
        format!(
            "how far {} is behind is not shown to {}, so that --max-replica-lag does not hold: GRANT pg_read_all_stats, or pg_monitor, to that role",
            hidden.join(" and "),
            site.server.role
        )
    })
}

fn server(plan: &Plan, steps: &[&Step], site: &Site) -> Vec<String> {
    let server = &site.server;
    let mut refusals = Vec::new();
    let mut refuse = |holds: bool, text: String| {
        if holds {
            refusals.push(text);
        }
    };
    refuse(server.is_standby, "the server is a standby: name the primary".to_owned());
    refuse(site.is_pooled, "a transaction pooler stands between: name the server's own address and port".to_owned());
    refuse(
        site.is_read_only,
        format!("default_transaction_read_only is on for {}: SET it off for this role, or use another", server.role),
    );
    refuse(
        server.database != plan.target.database,
        format!("connected to database {}, the plan is for {}", server.database, plan.target.database),
    );
    let is_other = matches!((&plan.target.system_identifier, &site.system_identifier), (Some(a), Some(b)) if a != b);
    refuse(is_other, "this is another cluster than the plan was made on (system_identifier)".to_owned());
    // BUG #17485: CREATE INDEX and REINDEX CONCURRENTLY could miss rows, mended in 14.4.
    let is_unsafe = (140_000..140_004).contains(&server.version_num);
    let builds = steps.iter().any(|step| matches!(step.change, Change::CreateIndex(_) | Change::ReindexIndex { .. }));
    refuse(
        is_unsafe && builds,
        format!(
            "PostgreSQL 14.{} builds corrupt indexes CONCURRENTLY: update to 14.4 or later",
            server.version_num % 100
        ),
    );
    refusals
}

fn step(plan: &Plan, step: &Step, site: &Site, ours: Option<&str>) -> Vec<String> {
    let mut refusals = Vec::new();
    let half = match state(&step.change, &site.catalog, plan.captured_at) {
        State::Done(_) => return refusals,
        State::Foreign(what) => {
            refusals.push(what);
            return refusals;
        }
        State::Half(half) => Some(half),
        State::Todo => None,
    };
    if let Some(table) = site.catalog.relation(step.change.table()) {
        if !table.is_owner {
            let text = format!(
                "{} belongs to {}, and {} may not act as that role",
                step.change.table(),
                table.owner,
                site.server.role
            );
            refusals.push(text);
        }
        for schema in created_in(&step.change) {
            let known = site.catalog.relations.iter().find(|row| row.schema == *schema);
            if known.is_some_and(|row| !row.may_create) {
                refusals.push(format!("{} may not create in schema {schema}", site.server.role));
            }
        }
    }
    if half == Some(Half::Detaching) && ours.is_none() {
        refusals.push(format!(
            "{} is half detached already: finish it with ALTER TABLE {} DETACH PARTITION {} FINALIZE",
            step.change.object(),
            step.change.table(),
            step.change.object()
        ));
    }
    refusals.extend(owners(step, site));
    refusals.extend(late(step, site));
    refusals.extend(builds(step, half, site, ours));
    refusals.extend(names(step));
    refusals.extend(leaves(plan, step, site, ours));
    refusals
}

/// Partitions are given to the owners of those they are made like, which are partitions of the table too.
fn owners(step: &Step, site: &Site) -> Vec<String> {
    let Change::CreatePartition(form) = &step.change else { return Vec::new() };
    let below = form.subpartitions().into_iter().map(|(_, part)| &part.likeness);
    let owners: BTreeSet<&str> = std::iter::once(&form.likeness).chain(below).map(|own| own.owner.as_str()).collect();
    let barred = |owner: &&str| site.catalog.relations.iter().any(|row| row.owner == **owner && !row.is_owner);
    let is_table = |owner: &str| site.catalog.relation(&form.table).is_some_and(|table| table.owner == owner);
    let barred = owners.into_iter().filter(|owner| !is_table(owner)).filter(barred);
    barred
        .map(|owner| {
            format!(
                "{} or a partition below it is to belong to {owner}, and {} may not act as that role",
                form.name, site.server.role
            )
        })
        .collect()
}

/// A table is adopted well before the rows come that it will refuse.
fn late(step: &Step, site: &Site) -> Option<String> {
    let Change::AdoptTable(form) = &step.change else { return None };
    (site.server.now >= form.deadline).then(|| {
        format!(
            "too late to adopt {}, it was to be by {}: plan again",
            form.table,
            form.deadline.format("%F %H:%M UTC")
        )
    })
}

/// The schemas that a change makes something in.
fn created_in(change: &Change) -> BTreeSet<&String> {
    let one = match change {
        Change::CreateIndex(form) => Some(&form.table.schema),
        Change::CreateStatistics(form) => Some(&form.table.schema),
        Change::CreatePartition(form) => Some(&form.name.schema),
        Change::AdoptTable(form) => Some(&form.table.schema),
        _ => None,
    };
    one.into_iter().chain(below(change).map(|name| &name.schema)).collect()
}

/// The partitions below one that a change makes.
fn below(change: &Change) -> impl Iterator<Item = &Name> {
    let is_made = matches!(change, Change::CreatePartition(_));
    change.more_names().into_iter().filter(move |_| is_made)
}

/// Builds of strangers on the tables of a step.
fn builds(step: &Step, half: Option<Half>, site: &Site, ours: Option<&str>) -> Option<String> {
    let wants_alone = !matches!(step.change, Change::SetReloption { .. } | Change::DropStatistics(_));
    let running = match half {
        Some(Half::Building { pid, application }) => Some((pid, application)),
        _ => site
            .catalog
            .relation(step.change.table())
            .and_then(|table| Some((table.builder_pid?, table.builder_application.clone().unwrap_or_default()))),
    };
    let (pid, application) = running.filter(|(_, application)| wants_alone && Some(application.as_str()) != ours)?;
    Some(format!("pid {pid} ({application}) is building an index on {}: let it finish", step.change.table()))
}

fn names(step: &Step) -> Vec<String> {
    let creates = match &step.change {
        Change::CreateIndex(form) => Some(&form.name),
        Change::CreateStatistics(form) => Some(&form.name),
        Change::CreatePartition(form) => Some(&form.name),
        _ => None,
    };
    let long = creates.into_iter().chain(below(&step.change)).filter(|name| name.name.len() > MAX_NAME_BYTES);
    long.map(|name| format!("{name} is longer than {MAX_NAME_BYTES} bytes and would be cut")).collect()
}

/// Partitions that came since planning have no name for their index yet; those of the plan must let us make it.
fn leaves(plan: &Plan, step: &Step, site: &Site, ours: Option<&str>) -> Vec<String> {
    let Change::CreateIndex(form) = &step.change else { return Vec::new() };
    if !form.is_partitioned {
        return Vec::new();
    }
    let catalog = &site.catalog;
    let known = |name: &Name| form.leaves.iter().any(|leaf| leaf.table == *name);
    let served = |name: &Name| {
        let mut indexes = catalog.indexes.iter();
        indexes.any(|index| index.schema == name.schema && index.table == name.name && index.is_part_of(&form.name))
    };
    let partitions = catalog.partitions(&form.table).map(|row| Name::new(&row.schema, &row.name));
    let new = partitions.filter(|name| !known(name) && !served(name));
    let mut refusals: Vec<String> =
        new.map(|name| format!("partition {name} came since planning: plan again")).collect();
    for leaf in &form.leaves {
        // One that is retired since planning is left out.
        let is_there = catalog.relation(&leaf.table).is_some();
        if is_there && !served(&leaf.table) && twin(catalog, form, leaf).is_none() {
            let alone = Step { change: Change::CreateIndex(leaf_form(form, leaf)), ..step.clone() };
            refusals.extend(self::step(plan, &alone, site, ours));
        }
    }
    refusals
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn room(steps: &[&Step], limits: &Limits) -> Option<String> {
    let free = limits.free_disk_bytes?;
    // Created indexes stay, rebuilt ones need room one after the other; what is freed may come too late.
    let stays: i64 = steps.iter().map(|step| step.estimate.bytes.max(0)).sum();
    let passing = steps.iter().map(|step| step.estimate.peak_bytes - step.estimate.bytes.max(0)).max().unwrap_or(0);
    let needed = stays + passing.max(0);
    (needed > free).then(|| {
        format!("needs about {} on disk, --free-disk says {}", units::bytes(needed as f64), units::bytes(free as f64))
    })
}

/// Standbys and slots that are too far behind to be given more.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub fn behind(rows: &[Behind], limits: &Limits) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        let lag = row.lag_seconds.unwrap_or(0.0);
        if lag > limits.max_replica_lag.as_secs_f64() {
            let (lag, most) = (units::millis(lag * 1000.0), limits.max_replica_lag.as_secs_f64() * 1000.0);
            found.push(format!("{} is {lag} behind, --max-replica-lag is {}", row.what, units::millis(most)));
        }
        let kept = row.retained_bytes.unwrap_or(0);
        if kept > limits.max_slot_wal_bytes {
            let (kept, most) = (units::bytes(kept as f64), units::bytes(limits.max_slot_wal_bytes as f64));
            found.push(format!("{} keeps {kept} of WAL, --max-slot-wal is {most}", row.what));
        }
    }
    found
}

/// `pid 4711 (app=api, role clerk), idle in transaction for 14 min`.
#[must_use]
pub fn holder_text(holder: &Holder) -> String {
    let age = holder.seconds.map(|seconds| format!(" for {}", units::millis(seconds * 1000.0))).unwrap_or_default();
    if let Some(name) = &holder.prepared {
        return format!("the prepared transaction {name:?}{age}: commit or roll it back");
    }
    let pid = holder.pid.unwrap_or(0);
    let application = holder.application.as_deref().filter(|text| !text.is_empty()).unwrap_or("no name");
    let role = holder.role.as_deref().unwrap_or("unknown");
    let state = holder.state.as_deref().unwrap_or("in an unknown state");
    format!(
        "pid {pid} (application {application}, role {role}), {state}{age}; to end it: SELECT pg_terminate_backend({pid})"
    )
}

#[cfg(test)]
mod tests;
