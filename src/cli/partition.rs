//! `pgassay partition`.

use super::args::Shared;
use super::change_args::PlainFormat;
use super::config::Config;
use super::partition_args::{ListArgs, PartitionArgs, PartitionCommand};
use super::{connection, convert, exit, months, output, partition_advise, partition_new, retire, split};
use crate::model::plan::Name;
use crate::model::snapshot::{Facet, Snapshot};
use crate::model::survey::Manager;
use crate::partition::survey;
use crate::report::{escape, write_survey, write_survey_json};
use crate::store::read_snapshot;
use anyhow::{Result, bail};

pub(super) fn run(shared: &Shared, args: &PartitionArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    match &args.command {
        PartitionCommand::List(list) => self::list(shared, &config, list),
        PartitionCommand::Advise(advise) => partition_advise::run(shared, &config, advise),
        PartitionCommand::New(new) => partition_new::run(&config, new),
        PartitionCommand::Create(create) => months::create(shared, &config, create),
        PartitionCommand::Maintain(maintain) => months::maintain(shared, &config, maintain),
        PartitionCommand::Convert(convert) => convert::run(shared, &config, convert),
        PartitionCommand::Split(args) => split::run(shared, &config, args),
        PartitionCommand::Retire(retire) => retire::run(shared, &config, retire),
    }
}

fn list(shared: &Shared, config: &Config, args: &ListArgs) -> Result<u8> {
    let snapshot = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => connection::partitions_of(shared, config, args.target.as_deref())?,
    };
    is_read(&snapshot)?;
    let mut survey = survey(&snapshot, connection::tool());
    let names: Vec<Name> = survey.tables.iter().map(|table| table.table.clone()).collect();
    let find = |text: &String| named(&names, text, &survey.target.database);
    let wanted = args.table.iter().map(find).collect::<Result<Vec<Name>>>()?;
    survey.tables.retain(|table| wanted.is_empty() || wanted.contains(&table.table));
    for table in &mut survey.tables {
        table.manager = keeper(&snapshot.managers, &table.table).cloned();
    }
    for gap in snapshot.gaps.iter().filter(|gap| matters(gap.facet)) {
        tell!("warning: {} not read in full ({})", gap.facet.name(), escape(&gap.reason));
    }
    output::print_with(|out| match args.format {
        PlainFormat::Table => write_survey(&survey, output::style(shared), out),
        PlainFormat::Json => write_survey_json(&survey, out),
    })?;
    let is_whole = !snapshot.gaps.iter().any(|gap| gap.is_failure && matters(gap.facet));
    Ok(if is_whole { exit::OK } else { exit::INCOMPLETE })
}

fn matters(facet: Facet) -> bool {
    matches!(facet, Facet::Partitions | Facet::Relations | Facet::Indexes)
}

pub(super) fn is_read(snapshot: &Snapshot) -> Result<()> {
    if let Some(gap) = snapshot.gap(Facet::Partitions) {
        bail!("partitions were not read: {}\n  next: {}", gap.reason, gap.remedy);
    }
    Ok(())
}

/// Who keeps a table.
pub(super) fn keeper<'a>(managers: &'a [Manager], table: &Name) -> Option<&'a Manager> {
    managers.iter().find(|manager| manager.table == format!("{}.{}", table.schema, table.name))
}

/// Says so where another program keeps a table too, which may undo what we do to it, or do it again.
pub(super) fn warn_of_keeper(managers: &[Manager], table: &Name) {
    if keeper(managers, table).is_some() {
        tell!("warning: {} is kept by pg_partman too", escape(&table.to_string()));
    }
}

/// The table that a text names: with its schema, or without where only one has that name.
pub(super) fn named(tables: &[Name], text: &str, database: &str) -> Result<Name> {
    let says = |name: &&Name| {
        text == name.to_string() || text == format!("{}.{}", name.schema, name.name) || text == name.name
    };
    match tables.iter().filter(says).collect::<Vec<_>>().as_slice() {
        [only] => Ok((*only).clone()),
        [] => bail!("no partitioned table {text} in database {database}; `pgassay partition list` shows all"),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            bail!("several tables are called {text}: write {}", names.join(" or "))
        }
    }
}
