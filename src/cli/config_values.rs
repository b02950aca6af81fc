//! Values of the config, held to what the flags allow when the file is read, and not when one is used.

use super::config::Config;
use super::partition_args::MAX_MONTHS;
use super::{history, history_store, pool, settings};
use crate::partition::{Keep, Zone};
use crate::rules::Problem;
use anyhow::Result;

/// Refuses what no command could use, with its place.
pub(super) fn check(config: &Config, file: &str, text: &str) -> Result<(), Problem> {
    let refuse = |path: &[&str], message: String| Problem::at(file, text, path, None, message);
    for (path, is_out, words) in numbers(config) {
        if is_out {
            return Err(refuse(&path, format!("{} should be {words}", path[1])));
        }
    }
    for (path, value, parse) in quantities(config) {
        if let Some(error) = value.and_then(|value| parse(path[1], value).err()) {
            return Err(refuse(&path, error.to_string()));
        }
    }
    partitions(config).map_err(|(path, message)| refuse(path, message))
}

/// Place, whether the number is out of bounds, and those.
fn numbers(config: &Config) -> [([&'static str; 2], bool, &'static str); 6] {
    let out = |number: Option<u16>, least: u16| number.is_some_and(|number| !(least..=64).contains(&number));
    let (connection, fleet, change) = (&config.connection, &config.fleet, &config.change);
    [
        (["connection", "jobs"], out(connection.jobs, 1), "between 1 and 64"),
        (["connection", "top"], connection.top == Some(0), "at least 1"),
        (["fleet", "servers_at_once"], out(fleet.servers_at_once, 1), "between 1 and 64"),
        (["pool", "cores"], config.pool.cores == Some(0), "at least 1"),
        (["advise", "max_indexes"], config.advise.max_indexes == Some(0), "at least 1"),
        (["change", "parallel_workers"], out(change.parallel_workers, 0), "between 0 and 64"),
    ]
}

/// Place, text, and how its command reads it.
type Quantity<'a> = ([&'static str; 2], Option<&'a String>, fn(&str, &str) -> Result<()>);

fn quantities(config: &Config) -> [Quantity<'_>; 12] {
    let time = |name: &str, text: &str| settings::duration(name, text).map(drop);
    let size = |name: &str, text: &str| settings::bytes(name, text).map(drop);
    let Config { connection, change, .. } = config;
    [
        (["connection", "statement_timeout"], connection.statement_timeout.as_ref(), time),
        (["connection", "lock_timeout"], connection.lock_timeout.as_ref(), time),
        (["connection", "connect_timeout"], connection.connect_timeout.as_ref(), time),
        (["connection", "sample"], connection.sample.as_ref(), time),
        (["fleet", "target_timeout"], config.fleet.target_timeout.as_ref(), time),
        (["pool", "target_wait"], config.pool.target_wait.as_ref(), |_, text| pool::wait(text).map(drop)),
        (["advise", "budget"], config.advise.budget.as_ref(), size),
        (["change", "max_wait"], change.max_wait.as_ref(), time),
        (["change", "max_replica_lag"], change.max_replica_lag.as_ref(), time),
        (["change", "max_slot_wal"], change.max_slot_wal.as_ref(), size),
        (["change", "maintenance_work_mem"], change.maintenance_work_mem.as_ref(), size),
        (["history", "keep"], config.history.keep.as_ref(), keep_of(config.history.store.as_deref())),
    ]
}

/// How long runs are kept: months in a database, whose partitions are of months, a time in a folder.
fn keep_of(store: Option<&str>) -> fn(&str, &str) -> Result<()> {
    let months: fn(&str, &str) -> Result<()> = |_, text| history::months(text).map(drop);
    match store {
        Some(store) if history_store::is_database(store) => months,
        Some(_) => |name, text| settings::long_duration(name, text).map(drop),
        // Which one the command line says.
        None => |name, text| settings::long_duration(name, text).map(drop).or_else(|_| history::months(text).map(drop)),
    }
}

/// Zones and months.
fn partitions(config: &Config) -> Result<(), (&'static [&'static str], String)> {
    let own = &config.partition;
    let counts = own.tables.iter().filter_map(|table| table.premake).chain(own.premake);
    if let Some(months) = counts.into_iter().find(|months| *months > MAX_MONTHS) {
        return Err((&["partition"], format!("premake: {months} should be at most {MAX_MONTHS}")));
    }
    if let Some(Err(error)) = own.window.as_ref().map(|text| settings::duration("window", text)) {
        return Err((&["partition", "window"], error.to_string()));
    }
    let zones = own.tables.iter().filter_map(|table| table.zone.as_deref());
    if let Some(zone) = zones.into_iter().find(|name| Zone::named(name).is_none()) {
        return Err((&["partition", "tables", "zone"], format!("zone: `{zone}` is no time zone of the IANA database")));
    }
    let keeps = own.tables.iter().filter_map(|table| table.keep.as_deref());
    if let Some(why) = keeps.into_iter().find_map(|text| text.parse::<Keep>().err()) {
        return Err((&["partition", "tables", "keep"], format!("keep: {why}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::cli::config::Config;

    #[test]
    fn values_are_refused_where_they_stand() {
        for (text, told) in [
            ("connection: {jobs: 65}", "1:14: jobs should be between 1 and 64"),
            ("connection: {statement_timeout: 15}", "1:14: statement_timeout: `15` has no unit"),
            ("connection:\n  lock_timeout: soon", "2:3: lock_timeout: "),
            ("connection: {connect_timeout: 2d}", "1:14: connect_timeout: `2d` should be between 1ms and 1d"),
            ("connection: {sample: 10}", "1:14: sample: `10` has no unit"),
            ("fleet: {target_timeout: 0}", "1:9: target_timeout: `0` should be between"),
            ("pool: {target_wait: 2min}", "1:8: target-wait: `2min` should be between"),
            ("advise: {budget: 2}", "1:10: budget: `2` has no unit"),
            ("change:\n  max_wait: 1d\n  max_slot_wal: ten", "3:3: max_slot_wal: "),
            ("partition: {window: 2}", "1:13: window: `2` has no unit"),
            ("history: {keep: 90}", "1:11: keep: `90` has no unit"),
        ] {
            let said = Config::parse("c.yaml", text).expect_err(text).to_string();
            assert!(said.starts_with(&format!("c.yaml:{told}")), "{text}: {said}");
        }
        for text in ["history: {keep: 90d}", "history: {keep: 24 months}", "connection: {sample: 10s}"] {
            assert!(Config::parse("c.yaml", text).is_ok(), "{text}");
        }
    }
}
