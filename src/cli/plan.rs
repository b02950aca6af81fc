//! `pgassay plan`.

use super::args::Shared;
use super::change::{self, Job};
use super::change_args::PlanArgs;
use super::config::Config;
use super::settings::Loaded;
use super::{connection, exit, output, settings};
use crate::audit::judge;
use crate::ddl::{Wish, propose, script};
use crate::model::plan::Plan;
use crate::report::write_plan as write_report;
use crate::store::{read_snapshot, read_wishes, write_plan, write_text};
use anyhow::Result;
use std::io::{self, IsTerminal, Write};

pub(super) fn run(shared: &Shared, args: &PlanArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let plan = plan(shared, &config, args)?;
    if let Some(path) = &args.output {
        write_plan(path, &plan)?;
    }
    if let Some(path) = &args.sql {
        write_text(path, &script(&plan))?;
    }
    let writes_only = args.output.is_some() || args.sql.is_some();
    if !(writes_only && shared.quiet) {
        let mut out = io::BufWriter::new(io::stdout().lock());
        write_report(&plan, output::style(shared), &mut out)?;
        out.flush()?;
    }
    // Files alone were asked for, or nobody is there to be asked.
    let may_ask = io::stdin().is_terminal() && io::stdout().is_terminal();
    let carries_out = args.change.yes || args.change.dry_run || (may_ask && !writes_only && args.from.is_none());
    if !carries_out || plan.steps.is_empty() {
        return Ok(exit::OK);
    }
    let target = connection::target_of(&config, args.target.as_deref())?;
    change::carry_out(
        shared,
        &config,
        &Job { target: &target, plan: &plan, undoes: None, is_shown: true },
        &args.change,
    )
}

fn plan(shared: &Shared, config: &Config, args: &PlanArgs) -> Result<Plan> {
    let Loaded { library, custom } = settings::library(config, &args.choice.rules)?;
    let judging = settings::settings(config, &args.choice, &library, None, None)?;
    let named = args.from_report.as_deref().map(read_wishes).transpose()?;
    let snapshot = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => connection::snapshot_of(shared, config, args.target.as_deref(), &args.limits, custom)?,
    };
    let wishes = match named {
        Some(wishes) => {
            let takes =
                |wish: &Wish| library.find(&wish.finding.rule).is_none_or(|(rule, _)| judging.selection.takes(rule));
            wishes.into_iter().filter(takes).collect()
        }
        None => {
            let verdict = judge(&snapshot, &library, &judging, connection::tool());
            verdict.open().map(Wish::from).collect::<Vec<_>>()
        }
    };
    Ok(propose(&wishes, &snapshot, connection::tool()))
}
