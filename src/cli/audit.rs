//! `pgassay audit`.

use super::args::{AuditArgs, Shared};
use super::config::Config;
use super::{connection, output, settings};
use crate::audit::judge;
use crate::store::{read_snapshot, write_snapshot};
use anyhow::Result;

pub(super) fn run(shared: &Shared, args: &AuditArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let library = settings::library(&config, &args.choice.rules)?;
    let judging = settings::settings(&config, &args.choice, &library, args.min_severity, args.fail_on)?;
    let format = settings::format(&config, args.format)?;
    let files = output::parse_outputs(&args.output)?;
    let snapshot = match &args.from {
        Some(path) => read_snapshot(path)?,
        None => connection::snapshot_of(shared, &config, args.target.as_deref(), &args.limits)?,
    };
    if let Some(path) = &args.save {
        write_snapshot(path, &snapshot)?;
    }
    let verdict = judge(&snapshot, &library, &judging, connection::tool());
    output::write(shared, &verdict, format, &files)?;
    Ok(verdict.exit_code())
}
