//! `pgassay audit`.

use super::args::{AuditArgs, Shared};
use super::config::Config;
use super::settings::Loaded;
use super::{connection, history_store, html, output, settings};
use crate::audit::{Gate, Settings, judge};
use crate::compare::{Baseline, since};
use crate::facts::grown;
use crate::model::snapshot::Snapshot;
use crate::model::verdict::Verdict;
use crate::report::escape;
use crate::rules::{Library, matches_glob};
use crate::store::{read_baseline, read_snapshot, write_snapshot};
use anyhow::{Result, anyhow, bail};
use std::path::{Path, PathBuf};

pub(super) fn run(shared: &Shared, args: &AuditArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let Loaded { library, custom } = settings::library(&config, &args.choice.rules)?;
    let judging = settings::settings(&config, &args.choice, &library, args.min_severity, args.fail_on)?;
    if !library.rules.iter().any(|rule| !Gate::judges(rule) && judging.selection.takes(rule)) {
        bail!("no rule is left to judge one snapshot by: what changed between two is judged by `pgassay diff`");
    }
    let format = settings::format(&config, args.format)?;
    let files = output::parse_outputs(&args.output)?;
    let gates_new_only = args.fail_on_new || config.audit.fail_on_new;
    let baseline = baseline(&config, args.baseline.as_deref(), gates_new_only)?;
    let earlier = args.since.as_deref().map(read_snapshot).transpose()?;
    // What was read from a file is kept only when asked for: it may come from the history itself.
    let history = args.history.as_ref().or(config.history.store.as_ref().filter(|_| args.from.is_none()));
    let mut snapshot = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => connection::snapshot_of(
            shared,
            &config,
            args.target.as_deref(),
            &args.limits,
            Some(&args.databases),
            custom,
        )?,
    };
    if let Some(path) = &args.save {
        write_snapshot(path, &snapshot)?;
    }
    // What is to be kept is the reader's word, and no part of what the server said.
    let said = snapshot.managers.len();
    snapshot.managers.extend(config.keepers());
    for glob in unmatched(&judging.selection.schemas, &snapshot).iter().filter(|_| !shared.quiet) {
        eprintln!("--schema {glob}: no schema of that name has a table");
    }
    let mut verdict = match earlier {
        None => judge(&snapshot, &library, &judging, connection::tool()),
        Some(earlier) => judge_since(&earlier, &snapshot, &library, judging)?,
    };
    if let Some((path, baseline)) = &baseline {
        let refused = |message| anyhow!("baseline {}: {message}", path.display());
        baseline.mark(&mut verdict, gates_new_only).map_err(refused)?;
        if verdict.baseline.is_some_and(|compared| compared.is_of_other_cluster) && !shared.quiet {
            eprintln!(
                "baseline {}: it is of another cluster; findings are compared by rule and object",
                path.display()
            );
        }
    }
    if html::is_wanted(format, &files) {
        html::add_changes(&mut verdict, &snapshot);
        let trends = history.map_or(Ok(()), |history| html::add_trends(&mut verdict, &config, history, &snapshot));
        if let Err(error) = trends {
            eprintln!("warning: no trends in the page: {}", escape(&format!("{error:#}")));
        }
    }
    output::write(shared, &verdict, format, &files)?;
    if let Some(history) = history {
        snapshot.managers.truncate(said);
        history_store::keep(&config, history, &snapshot, Some(&verdict))?;
    }
    Ok(verdict.exit_code())
}

/// The verdict over what was counted between two snapshots. That statistics began a short while ago is what was
/// asked for, and no finding.
fn judge_since(earlier: &Snapshot, later: &Snapshot, library: &Library, mut judging: Settings) -> Result<Verdict> {
    let delta = since(earlier, later).map_err(|reason| anyhow!("--since: {reason}"))?;
    judging.selection.skip.push("stats_reset_recently".to_owned());
    let verdict = judge(&delta.snapshot, library, &judging, connection::tool());
    let window = verdict.window.clone().of_two_snapshots(delta.notes);
    let vitals = grown(verdict.vitals.clone(), earlier);
    Ok(Verdict { window, vitals, ..verdict })
}

/// Schemas asked for of which nothing is there to judge: most likely misspelt.
fn unmatched<'a>(globs: &'a [String], snapshot: &Snapshot) -> Vec<&'a String> {
    let is_there = |glob: &&String| snapshot.relations.iter().any(|relation| matches_glob(glob, &relation.schema));
    globs.iter().filter(|glob| !is_there(glob)).collect()
}

/// The baseline of the flag, else of the config, and its name. Read before the server is, so that a
/// wrong file costs nothing.
fn baseline(config: &Config, flag: Option<&Path>, gates_new_only: bool) -> Result<Option<(PathBuf, Baseline)>> {
    match flag.or(config.audit.baseline.as_deref()) {
        Some(path) => Ok(Some((path.to_owned(), read_baseline(path)?))),
        None if gates_new_only => {
            Err(anyhow!("--fail-on-new needs a baseline: name the JSON report of an earlier run with --baseline"))
        }
        None => Ok(None),
    }
}
