//! `pgassay plan`.

use super::args::Shared;
use super::change::{self, Job};
use super::change_args::PlanArgs;
use super::config::Config;
use super::settings::Loaded;
use super::{connection, exit, settings};
use crate::audit::judge;
use crate::ddl::{Wish, propose};
use crate::model::plan::Plan;
use crate::model::verdict::RuleStatus;
use crate::report::escape;
use crate::store::{Wishes, read_snapshot, read_wishes};
use anyhow::{Result, bail};

pub(super) fn run(shared: &Shared, args: &PlanArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let Made { plan, failed } = plan(shared, &config, args)?;
    for what in &failed {
        tell!("warning: {}: what it would have shown is not in this plan", escape(what));
    }
    change::write(&plan, &args.files, shared, args.change.yes)?;
    if !change::goes_on(&args.change, &args.files, args.from.is_none()) || plan.steps.is_empty() {
        return Ok(if failed.is_empty() { exit::OK } else { exit::INCOMPLETE });
    }
    let target = connection::target_of(&config, args.target.as_deref())?;
    change::carry_out(
        shared,
        &config,
        &Job { target: &target, plan: &plan, undoes: None, is_shown: true },
        &args.change,
    )
}

/// A plan, and what could not be looked at for it.
struct Made {
    plan: Plan,
    failed: Vec<String>,
}

fn plan(shared: &Shared, config: &Config, args: &PlanArgs) -> Result<Made> {
    let Loaded { library, custom } = settings::library(config, &args.choice.filter.rules)?;
    let judging = settings::settings(config, &args.choice, &library, None, None)?;
    let named = args.from_report.as_deref().map(read_wishes).transpose()?;
    let snapshot = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => connection::snapshot_of(shared, config, args.target.as_deref(), &args.limits, None, custom)?,
    };
    settings::check_schemas(shared, &judging.selection, &[&snapshot])?;
    let gaps = snapshot.gaps.iter().filter(|gap| gap.is_failure);
    let mut failed: Vec<String> = gaps.map(|gap| format!("{} not read ({})", gap.facet.name(), gap.reason)).collect();
    let wishes = match named {
        Some(Wishes { wishes, system_identifier }) => {
            let (then, now) = (system_identifier, snapshot.server.system_identifier.as_ref());
            if then.is_some() && now.is_some() && then.as_ref() != now {
                bail!("--from-report: the report is of another server (system_identifier)");
            }
            let takes = |wish: &Wish| {
                let rule = library.find(&wish.finding.rule);
                rule.is_none_or(|(rule, _)| judging.selection.takes(rule))
                    && judging.selection.takes_schema(wish.object.schema.as_deref())
            };
            wishes.into_iter().filter(takes).collect()
        }
        None => {
            let verdict = judge(&snapshot, &library, &judging, connection::tool());
            failed.extend(verdict.rules.iter().filter_map(|rule| match &rule.status {
                RuleStatus::Failed(reason) => Some(format!("rule {} failed ({reason})", rule.id)),
                _ => None,
            }));
            verdict.unwaived().map(Wish::from).collect::<Vec<_>>()
        }
    };
    Ok(Made { plan: propose(&wishes, &snapshot, connection::tool()), failed })
}
