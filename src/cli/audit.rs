//! `pgassay audit`.

use super::args::{AuditArgs, Shared};
use super::config::Config;
use super::settings::Loaded;
use super::{connection, fleet, history_store, html, output, settings};
use crate::audit::{Gate, Settings, judge};
use crate::compare::{Baseline, since};
use crate::facts::grown;
use crate::model::snapshot::{CustomFacet, Snapshot};
use crate::model::verdict::Verdict;
use crate::rules::Library;
use crate::store::{read_baseline, read_snapshot};
use anyhow::{Result, anyhow, bail};
use std::path::{Path, PathBuf};

pub(super) fn run(shared: &Shared, args: &AuditArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let bench = Bench::of(&config, args)?;
    if !args.fleet.targets.is_empty() {
        return fleet::run(shared, &config, args, &bench);
    }
    let format = settings::format(&config, args.format);
    let files = output::parse_outputs(&args.output)?;
    let baseline = bench.baseline_file.as_deref().map(named_baseline).transpose()?;
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
            bench.custom.clone(),
        )?,
    };
    let saved = output::save(args.save.as_deref(), &snapshot);
    settings::check_schemas(shared, &bench.settings.selection, &[&snapshot])?;
    let mut verdict = match earlier {
        None => bench.judge(&config, &mut snapshot),
        Some(earlier) => bench.judge_since(&config, &earlier, &mut snapshot)?,
    };
    if let Some((path, baseline)) = &baseline
        && let Some(note) = bench.mark(path, baseline, &mut verdict)?
        && !shared.quiet
    {
        tell!("{note}");
    }
    if html::is_wanted(format, &files) {
        let note = html::complete(&mut verdict, &config, history.map(String::as_str), &snapshot);
        note.iter().for_each(|note| tell!("warning: {note}"));
    }
    let written = output::write_files(&verdict, &files);
    let shown = output::show(shared, &verdict, format);
    let kept = history.map_or(Ok(()), |history| history_store::keep(&config, history, &snapshot, Some(&verdict)));
    output::all([saved, written, kept])?;
    shown?;
    Ok(verdict.exit_code())
}

/// What an audit judges by: rules, thresholds, waivers, the gate.
pub(super) struct Bench {
    library: Library,
    /// Facets of packs, which are to be read.
    pub(super) custom: Vec<CustomFacet>,
    pub(super) settings: Settings,
    /// The baseline of the flag, else of the config.
    pub(super) baseline_file: Option<PathBuf>,
    gates_new_only: bool,
}

impl Bench {
    fn of(config: &Config, args: &AuditArgs) -> Result<Self> {
        let Loaded { library, custom } = settings::library(config, &args.choice.filter.rules)?;
        let mut settings = settings::settings(config, &args.choice, &library, args.min_severity, args.fail_on)?;
        if !args.fleet.targets.is_empty() {
            // A waiver is for one target or another: that most have no use for it is no finding.
            settings.selection.skip.push("waiver_unused".to_owned());
        }
        if !library.rules.iter().any(|rule| !Gate::judges(rule) && settings.selection.takes(rule)) {
            bail!("no rule is left to judge one snapshot by: what changed between two is judged by `pgassay diff`");
        }
        let gates_new_only = args.fail_on_new || config.audit.fail_on_new;
        let baseline_file = args.baseline.as_ref().or(config.audit.baseline.as_ref()).cloned();
        if gates_new_only && baseline_file.is_none() {
            bail!("--fail-on-new needs a baseline: name the JSON report of an earlier run with --baseline");
        }
        Ok(Self { library, custom, settings, baseline_file, gates_new_only })
    }

    pub(super) fn judge(&self, config: &Config, snapshot: &mut Snapshot) -> Verdict {
        with_keepers(config, snapshot, |snapshot| judge(snapshot, &self.library, &self.settings, connection::tool()))
    }

    fn judge_since(&self, config: &Config, earlier: &Snapshot, later: &mut Snapshot) -> Result<Verdict> {
        with_keepers(config, later, |later| judge_since(earlier, later, &self.library, self.settings.clone()))
    }

    /// Marks what is new; returns what there is to say of the baseline.
    pub(super) fn mark(&self, path: &Path, baseline: &Baseline, verdict: &mut Verdict) -> Result<Option<String>> {
        let refused = |message| anyhow!("baseline {}: {message}", path.display());
        baseline.mark(verdict, self.gates_new_only).map_err(refused)?;
        let is_of_other_cluster = verdict.baseline.is_some_and(|compared| compared.is_of_other_cluster);
        Ok(is_of_other_cluster.then(|| {
            format!("baseline {}: it is of another cluster; findings are compared by rule and object", path.display())
        }))
    }
}

/// What is to be kept of tables is the reader's word, and no part of what the server said.
fn with_keepers<T>(config: &Config, snapshot: &mut Snapshot, judge: impl FnOnce(&Snapshot) -> T) -> T {
    let said = snapshot.managers.len();
    snapshot.managers.extend(config.keepers());
    let judged = judge(snapshot);
    snapshot.managers.truncate(said);
    judged
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

/// Read before the server is, so that a wrong file costs nothing.
fn named_baseline(path: &Path) -> Result<(PathBuf, Baseline)> {
    Ok((path.to_owned(), read_baseline(path)?))
}
