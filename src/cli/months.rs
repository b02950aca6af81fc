//! `pgassay partition create` and `maintain`: the months that tables lack.

use super::args::Shared;
use super::change::{self, Job};
use super::change_args::{ChangeArgs, FileArgs};
use super::config::Config;
use super::partition::{is_read, keeper, named, warn_of_keeper};
use super::partition_args::{CreateArgs, DefaultArgs, MaintainArgs};
use super::{connection, exit, interrupt, settings};
use crate::apply::Scout;
use crate::model::partition::Range;
use crate::model::plan::{Name, Plan};
use crate::model::snapshot::{Facet, Snapshot};
use crate::partition::{DefaultTerms, Evidence, Missing, Month, Site, Tables, Zone, by_table, creation, session_zone};
use crate::postgres::{ReadError, Target};
use crate::report::escape;
use anyhow::{Context, Result, anyhow, bail};

/// Months beyond the current one, unless told otherwise.
pub(super) const PREMAKE: u16 = 3;

/// Longest lock of a DEFAULT partition, unless told otherwise.
const WINDOW: &str = "1s";

/// Months that one run looks through: a hundred years.
const MAX_SPAN: i32 = 1_200;

/// What one table should have.
struct Order {
    table: String,
    months: u16,
    from: Option<Month>,
    to: Option<Month>,
    zone: Option<Zone>,
    /// It was named on the command line, so that another program's table is meant too.
    is_told: bool,
}

pub(super) fn create(shared: &Shared, config: &Config, args: &CreateArgs) -> Result<u8> {
    let order = Order {
        table: args.table.clone(),
        months: args.months,
        from: args.from,
        to: args.to,
        zone: args.zone,
        is_told: true,
    };
    let target = connection::target_of(config, args.target.as_deref())?;
    let desk = Desk::open(shared, config, target, &args.default)?;
    let Made { plan, left_out } = desk.plan(&[order])?;
    if let Some(why) = left_out.into_iter().next() {
        bail!("{why}");
    }
    if plan.steps.is_empty() && plan.left.is_empty() {
        return nothing_to_do(shared, "nothing to do: the months are there\n");
    }
    desk.carry_out(shared, config, &plan, &args.files, &args.change)
}

pub(super) fn maintain(shared: &Shared, config: &Config, args: &MaintainArgs) -> Result<u8> {
    let orders = orders(config, &args.table)?;
    let target = connection::target_of(config, args.target.as_deref())?;
    let desk = Desk::open(shared, config, target, &args.default)?;
    let Made { plan, left_out } = desk.plan(&orders)?;
    for why in &left_out {
        let (why, next) = why.split_once('\n').unwrap_or((why, ""));
        tell!("warning: {}: left out", escape(why));
        next.lines().for_each(|line| tell!("{}", escape(line)));
    }
    let is_whole = |code: u8| if code == exit::OK && !left_out.is_empty() { exit::INCOMPLETE } else { code };
    if plan.steps.is_empty() && plan.left.is_empty() {
        let done = if left_out.is_empty() { "nothing to do: the months are there\n" } else { "" };
        return nothing_to_do(shared, done).map(is_whole);
    }
    desk.carry_out(shared, config, &plan, &args.files, &args.change).map(is_whole)
}

fn nothing_to_do(shared: &Shared, text: &str) -> Result<u8> {
    if !shared.quiet {
        super::print(text)?;
    }
    Ok(exit::OK)
}

/// The tables of the config, or those that were named, with what the config says of them.
fn orders(config: &Config, wanted: &[String]) -> Result<Vec<Order>> {
    let own = &config.partition;
    let premake = own.premake.unwrap_or(PREMAKE);
    if wanted.is_empty() && own.tables.is_empty() {
        bail!(
            "no table to maintain: name some in the config, as in\n  partition: {{tables: [{{table: public.events, premake: 3}}]}}\nor with --table"
        );
    }
    let configured = own.tables.iter().filter(|table| wanted.is_empty() || wanted.contains(&table.table));
    let mut orders: Vec<Order> = configured
        .map(|table| Order {
            table: table.table.clone(),
            months: table.premake.unwrap_or(premake),
            from: None,
            to: None,
            zone: table.zone.as_deref().and_then(Zone::named),
            is_told: wanted.contains(&table.table),
        })
        .collect();
    let others = wanted.iter().filter(|name| !own.tables.iter().any(|table| table.table == **name));
    orders.extend(others.map(|name| Order {
        table: name.clone(),
        months: premake,
        from: None,
        to: None,
        zone: None,
        is_told: true,
    }));
    Ok(orders)
}

/// A plan, and tables of which none could be made.
struct Made {
    plan: Plan,
    left_out: Vec<String>,
}

/// A database whose months are planned.
struct Desk {
    target: Target,
    snapshot: Snapshot,
    terms: DefaultTerms,
}

impl Desk {
    fn open(shared: &Shared, config: &Config, target: Target, args: &DefaultArgs) -> Result<Self> {
        let window = args.window.as_deref().or(config.partition.window.as_deref()).unwrap_or(WINDOW);
        let window = settings::duration("window", window)?;
        let terms = DefaultTerms {
            drains: args.drain_default,
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        };
        let snapshot = interrupt::block_on(connection::partitions(shared, &target))?;
        is_read(&snapshot)?;
        // Whose tables they are is told by pg_partman, where the role may ask it.
        for gap in snapshot.gaps.iter().filter(|gap| gap.facet == Facet::Partitions) {
            tell!("warning: {}\n  next: {}", escape(&gap.reason), escape(&gap.remedy));
        }
        Ok(Self { target, snapshot, terms })
    }

    fn plan(&self, orders: &[Order]) -> Result<Made> {
        interrupt::block_on(async {
            let scout = Scout::connect(&self.target, connection::run_name()).await?;
            let tables = by_table(&self.snapshot);
            let names: Vec<Name> = tables.keys().map(|(schema, name)| Name::new(schema, name)).collect();
            let (mut sites, mut left_out) = (Vec::new(), Vec::new());
            for order in orders {
                let site = named(&names, &order.table, &self.snapshot.target.database)
                    .and_then(|table| self.site(order, &table, &tables));
                match site {
                    Ok(found) => sites.push(found),
                    Err(error) => left_out.push(format!("{error:#}")),
                }
            }
            let mut wanted = Vec::new();
            for (site, missing) in &sites {
                if !missing.is_empty() {
                    wanted.push((site, missing.clone(), evidence(&scout, site, missing).await?));
                }
            }
            Ok(Made { plan: creation(wanted, self.terms, &self.snapshot, connection::tool()), left_out })
        })
    }

    fn site<'a>(&self, order: &Order, table: &Name, tables: &Tables<'a>) -> Result<(Site<'a>, Vec<Missing>)> {
        if keeper(&self.snapshot.managers, table).is_some() && !order.is_told {
            bail!("{table} is kept by pg_partman: name it with --table, or take it out of part_config");
        }
        warn_of_keeper(&self.snapshot.managers, table);
        let now = self.snapshot.captured_at;
        let of = Site::of(table, tables, order.zone, session_zone(&self.snapshot), now);
        let site = of.map_err(|why| anyhow!("{why}"))?;
        let current = site.zone.month_of(now).ok_or_else(|| anyhow!("the server's clock is out of range"))?;
        let first = order.from.unwrap_or(current);
        let ahead = || current.plus(order.months.into());
        let last = order.to.or_else(ahead).ok_or_else(|| anyhow!("the months end with the year 9999"))?;
        if first > last {
            bail!("the first month, {first}, is behind the last, {last}: see --from and --to");
        }
        if last.since(first) > MAX_SPAN {
            bail!("{first} to {last} are more than {MAX_SPAN} months");
        }
        let missing = site.missing(first, last).map_err(|why| anyhow!("{table}: {why}"))?;
        Ok((site, missing))
    }

    fn carry_out(
        &self,
        shared: &Shared,
        config: &Config,
        plan: &Plan,
        files: &FileArgs,
        args: &ChangeArgs,
    ) -> Result<u8> {
        let left = if plan.left.is_empty() { exit::OK } else { exit::INCOMPLETE };
        let job = Job { target: &self.target, plan, undoes: None, is_shown: true };
        let code = change::finish(shared, config, &job, files, args)?;
        Ok(if code == exit::OK { left } else { code })
    }
}

/// What is known of a table whose months are missing.
async fn evidence(scout: &Scout, site: &Site<'_>, missing: &[Missing]) -> Result<Evidence> {
    let gone = || anyhow!("{} went away while it was looked at: try again", site.table);
    let likenesses = scout.likenesses(&site.models()).await?.ok_or_else(gone)?;
    let seen = scout.partitioned(&site.table).await?.ok_or_else(gone)?;
    let key = site.key_columns.first().filter(|key| !key.is_empty());
    let strayed = match (site.default(), key) {
        (Some(default), Some(key)) => {
            let ranges: Vec<&Range> = missing.iter().map(|one| &one.range).collect();
            let counted = scout.strayed(&default, key, &ranges).await;
            counted
                .map_err(|error: ReadError| {
                    anyhow!(
                        "{}\n  next: an index on {key} makes it quick; the role must be allowed to read it",
                        error.message
                    )
                })
                .with_context(|| format!("rows of the missing months could not be counted in DEFAULT {default}"))?
        }
        _ => Vec::new(),
    };
    Ok(Evidence { likenesses, seen, strayed })
}
