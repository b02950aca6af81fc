//! `pgassay partition convert`: a plain table becomes a partitioned one.

use super::args::Shared;
use super::change::{self, Job};
use super::config::Config;
use super::partition_args::ConvertArgs;
use super::{connection, interrupt};
use crate::apply::Scout;
use crate::model::plan::{Change, Name, Plan};
use crate::model::snapshot::{RelationKind, Snapshot};
use crate::partition::{Conversion, Convertible, conversion};
use crate::postgres::Target;
use crate::report::escape;
use anyhow::{Result, anyhow, bail};

pub(super) fn run(shared: &Shared, config: &Config, args: &ConvertArgs) -> Result<u8> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let snapshot = interrupt::block_on(connection::glance(shared, &target))?;
    let table = plain(&snapshot, &args.table)?;
    let plan = plan(&target, &snapshot, &table, args)?;
    let job = Job { target: &target, plan: &plan, undoes: None, is_shown: true };
    if args.rehearse {
        let step = plan.steps.iter().find(|step| matches!(step.change, Change::AdoptTable(_)));
        let step = step.ok_or_else(|| anyhow!("the plan adopts nothing"))?;
        return change::try_out(shared, config, &job, step, &args.change);
    }
    change::finish(shared, config, &job, &args.files, &args.change)
}

/// The table that a text names.
fn plain(snapshot: &Snapshot, text: &str) -> Result<Name> {
    let says =
        |name: &Name| text == name.to_string() || text == format!("{}.{}", name.schema, name.name) || text == name.name;
    let all = snapshot.relations.iter().map(|row| (row, Name::new(&row.schema, &row.name)));
    let found: Vec<_> = all.filter(|(_, name)| says(name)).collect();
    match found.as_slice() {
        [(row, name)] if row.kind == RelationKind::PartitionedTable => {
            bail!("{name} is partitioned already; `pgassay partition create` makes its months")
        }
        [(_, name)] => Ok(name.clone()),
        [] => bail!("no table {text} in database {}", snapshot.target.database),
        several => {
            let names: Vec<String> = several.iter().map(|(_, name)| name.to_string()).collect();
            bail!("several tables are called {text}: write {}", names.join(" or "))
        }
    }
}

fn plan(target: &Target, snapshot: &Snapshot, table: &Name, args: &ConvertArgs) -> Result<Plan> {
    let wish = Conversion {
        table: table.clone(),
        key: args.by.clone(),
        unit: args.epoch.map(Into::into),
        from: args.from,
        months: args.months,
        zone: args.zone,
        allow: args.allow.clone(),
    };
    let found = interrupt::block_on(async {
        let scout = Scout::connect(target, connection::run_name()).await?;
        let gone = || anyhow!("{table} went away while it was looked at: try again");
        let seen = scout.adoptable(table, &args.by).await?.ok_or_else(gone)?;
        Ok(Convertible {
            keys: if wish.needs_keys(&seen) { scout.keys(table, &args.by).await? } else { None },
            table: seen,
            likeness: scout.likeness(table).await?.ok_or_else(gone)?,
            obstacles: scout.obstacles(table, &args.by).await?,
        })
    })?;
    conversion(&wish, found, snapshot, connection::tool()).map_err(|why| {
        let lines: Vec<String> = why.iter().map(|line| format!("\n  {}", escape(line))).collect();
        anyhow!("{table} is not converted:{}", lines.concat())
    })
}
