//! `pgassay diff`.

use super::args::{DatabaseArgs, FailOnArg, Profile, SeverityArg, Shared};
use super::config::Config;
use super::diff_args::{DiffArgs, GateArg};
use super::settings::Loaded;
use super::{connection, output, settings};
use crate::audit::{Gate, Settings, judge_changes};
use crate::compare::{Comparison, Side};
use crate::model::snapshot::{CustomFacet, Snapshot};
use crate::rules::Library;
use crate::store::read_snapshot;
use anyhow::{Result, anyhow, bail};
use std::path::{Path, PathBuf};

pub(super) fn run(shared: &Shared, args: &DiffArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let Loaded { library, custom } = settings::library(&config, &args.choice.filter.rules)?;
    let judging = judging(&config, args, &library)?;
    let gate = gate(args.gate.or(config.diff.gate));
    if !library.rules.iter().any(|rule| gate.takes(rule) && judging.selection.takes(rule)) {
        bail!("no rule of --gate {} is left by --only, --skip and --profile: nothing would be compared", gate.name());
    }
    let format = settings::format(&config, args.format);
    let files = output::parse_outputs(&args.output)?;
    let base = read_snapshot(&args.base)?;
    let earlier = |path: &Option<PathBuf>| path.as_deref().map(read_snapshot).transpose();
    let (base_since, head_since) = (earlier(&args.base_since)?, earlier(&args.head_since)?);
    let head = if Path::new(&args.head).is_file() {
        read_snapshot(Path::new(&args.head))?
    } else {
        live(shared, &config, args, custom, &base)?
    };
    settings::check_schemas(shared, &judging.selection, &[&base, &head])?;
    let before = Side { snapshot: &base, since: base_since.as_ref() };
    let after = Side { snapshot: &head, since: head_since.as_ref() };
    let comparison = Comparison::of(before, after).map_err(|reason| anyhow!(reason))?;
    let verdict = judge_changes(&comparison, &library, &judging, gate, connection::tool());
    if gate == Gate::Plan && verdict.diff.as_ref().is_some_and(|diff| diff.planned == 0) {
        bail!(
            "no statement has a plan in BASE and in HEAD, of one major: --gate plan has nothing to compare; take the snapshots with --plans, as a role that may read the tables"
        );
    }
    let written = output::write_files(&verdict, &files);
    let shown = output::show(shared, &verdict, format);
    written?;
    shown?;
    Ok(verdict.exit_code())
}

/// What the judge runs with. Which rules an audit runs is the config's; which changes are judged is the gate's.
fn judging(config: &Config, args: &DiffArgs, library: &Library) -> Result<Settings> {
    let min_severity = args.min_severity.or(config.diff.min_severity).unwrap_or(SeverityArg::Info);
    let fail_on = args.fail_on.or(config.diff.fail_on).unwrap_or(FailOnArg::Warning);
    let mut own = settings::settings(config, &args.choice, library, Some(min_severity), Some(fail_on))?;
    own.selection.only.clone_from(&args.choice.filter.only);
    own.selection.static_only = args.choice.filter.profile == Some(Profile::Static);
    Ok(own)
}

/// HEAD as the server is now.
fn live(
    shared: &Shared,
    config: &Config,
    args: &DiffArgs,
    custom: Vec<CustomFacet>,
    base: &Snapshot,
) -> Result<Snapshot> {
    let named = Path::new(&args.head);
    if args.head.ends_with(".json") || args.head.ends_with(".zst") {
        bail!("{}: there is no such file", named.display());
    }
    // The databases that BASE has, as a target names one.
    let own = DatabaseArgs {
        database: if base.audited.len() > 1 { base.audited.clone() } else { Vec::new() },
        ..DatabaseArgs::default()
    };
    connection::snapshot_of(shared, config, Some(&args.head), &args.limits, Some(&own), custom)
}

pub(super) fn gate(arg: Option<GateArg>) -> Gate {
    match arg {
        None | Some(GateArg::Work) => Gate::Work,
        Some(GateArg::Time) => Gate::Time,
        Some(GateArg::Plan) => Gate::Plan,
    }
}
