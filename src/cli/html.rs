//! What only the page shows beside the findings: the changes that would mend them, and the trends of earlier runs.

use super::args::FormatArg;
use super::config::Config;
use super::connection;
use super::history_store::{Store, is_database};
use crate::compare::{Chronicle, trends};
use crate::ddl::{Wish, propose};
use crate::model::history::{Kept, Run, Tally};
use crate::model::snapshot::Snapshot;
use crate::model::trend::Terms;
use crate::model::verdict::Verdict;
use crate::report::escape;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Earlier runs that are read for the trends.
const RUNS: usize = 30;

/// Statements, tables and databases that are followed, the heaviest.
const TOP: usize = 20;

/// A page is asked for, on standard output or as a file.
pub(super) fn is_wanted(format: FormatArg, files: &[(FormatArg, PathBuf)]) -> bool {
    format == FormatArg::Html || files.iter().any(|(format, _)| *format == FormatArg::Html)
}

/// Adds both; returns why there are no trends, where that is not by choice.
pub(super) fn complete(
    verdict: &mut Verdict,
    config: &Config,
    history: Option<&str>,
    snapshot: &Snapshot,
) -> Option<String> {
    add_changes(verdict, snapshot);
    let error = add_trends(verdict, config, history?, snapshot).err()?;
    Some(format!("no trends in the page: {}", escape(&format!("{error:#}"))))
}

/// Proposes what would mend the findings, in each database by itself.
pub(super) fn add_changes(verdict: &mut Verdict, snapshot: &Snapshot) {
    let plan = |database: &String| {
        let is_own = |wish: &Wish| wish.object.database.as_ref().is_none_or(|own| own == database);
        let wishes: Vec<Wish> = verdict.unwaived().map(Wish::from).filter(is_own).collect();
        propose(&wishes, &snapshot.of_database(database), connection::tool())
    };
    verdict.changes = verdict.databases.iter().map(plan).collect();
}

/// Says what became of the target over the last runs of a history, this one among them; nothing where it is the first.
fn add_trends(verdict: &mut Verdict, config: &Config, history: &str, snapshot: &Snapshot) -> Result<()> {
    if !is_database(history) && !Path::new(history).exists() {
        return Ok(());
    }
    let place = Run::of(snapshot, snapshot.captured_at, None).place();
    let store = Store::at(config, history)?;
    let mut holdings = store.holdings()?;
    holdings.runs.retain(|kept| kept.run.place() == place && kept.run.captured_at < snapshot.captured_at);
    let earlier: Vec<&Kept> = holdings.runs.iter().rev().take(RUNS).rev().collect();
    if earlier.is_empty() {
        return Ok(());
    }
    let terms = Terms { top: TOP, ..Terms::default() };
    let mut chronicle = Chronicle::new(terms.min_calls);
    store.read(&earlier, |kept, read| match read {
        Ok(read) => chronicle.add(read, kept.run.findings),
        Err(error) => tell!("warning: {}: left out", escape(&error.to_string())),
    })?;
    chronicle.add(snapshot.clone(), Some(Tally::of(verdict)));
    verdict.trends = Some(trends(&chronicle, &place, &terms, &|_, _, _| true, connection::tool()));
    Ok(())
}
