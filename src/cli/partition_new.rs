//! `pgassay partition new`.

use super::config::Config;
use super::partition_args::NewArgs;
use super::{connection, exit, interrupt};
use crate::apply::Scout;
use crate::ddl::fresh;
use crate::model::blueprint::Blueprint;
use crate::model::plan::Name;
use crate::partition::{Month, Order, Zone, after, described};
use anyhow::{Result, anyhow, bail};

pub(super) fn run(config: &Config, args: &NewArgs) -> Result<u8> {
    let blueprint = match (args.column.as_slice(), args.from) {
        ([], _) => like(config, args)?,
        (columns, Some(first)) => {
            let order = order(args, whole(&args.table)?, first);
            described(columns, &args.primary_key, &order).map_err(|why| anyhow!("{why}"))?
        }
        (_, None) => bail!("--from says the first month: without a server nobody knows the time"),
    };
    super::print(&fresh(&blueprint))?;
    Ok(exit::OK)
}

/// After a table that is there.
fn like(config: &Config, args: &NewArgs) -> Result<Blueprint> {
    let target = connection::target_of(config, args.target.as_deref())?;
    let table = whole(&args.table)?;
    let name = args.name.as_deref().map_or_else(|| Ok(table.clone()), whole)?;
    interrupt::block_on(async {
        let scout = Scout::connect(&target, connection::run_name()).await?;
        let server = scout.server().await?;
        let none = || {
            anyhow!("no table {table} in database {}: write it with its schema, as in public.events", server.database)
        };
        let seen = scout.table(&table).await?.ok_or_else(none)?;
        let likeness = scout.likeness(&table).await?.ok_or_else(none)?;
        let first = args.from.or_else(|| Zone::UTC.month_of(server.now));
        let first = first.ok_or_else(|| anyhow!("the server's clock is out of range"))?;
        after(&table, &seen, likeness, &order(args, name, first)).map_err(|why| anyhow!("{why}"))
    })
}

/// A name with its schema, which is `public` where it is not said.
fn whole(text: &str) -> Result<Name> {
    match text.split('.').collect::<Vec<_>>().as_slice() {
        [name] if !name.is_empty() => Ok(Name::new("public", name)),
        [schema, name] if !schema.is_empty() && !name.is_empty() => Ok(Name::new(schema, name)),
        _ => bail!("`{text}`: write a table as public.events"),
    }
}

fn order(args: &NewArgs, name: Name, first: Month) -> Order {
    let unit = args.epoch.map(Into::into);
    Order { name, by: args.by.clone(), unit, first, ahead: args.months }
}
