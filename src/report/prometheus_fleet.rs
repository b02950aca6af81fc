//! Many targets as metrics of Prometheus: which were read, and what was found in each. Names are other than those of a
//! target's own file, so that both may lie in one folder.

use super::prometheus::{Labels, Sample, metric};
use crate::model::finding::Severity;
use crate::model::fleet::{Audited, Ending, Overview};
use std::io::{self, Write};

/// Writes the overview as gauges.
#[allow(clippy::cast_precision_loss, reason = "counts")]
pub fn write_overview_prometheus(overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
    let base: Labels = vec![("shard", overview.shard.clone().unwrap_or_else(|| "1/1".to_owned()))];
    let of = |target: &Audited, more: Labels| [&base[..], &[("target", target.name.clone())], &more].concat();
    let each = |value: fn(&Audited) -> Option<f64>| -> Vec<Sample> {
        overview.targets.iter().filter_map(|target| Some((of(target, Vec::new()), value(target)?))).collect()
    };
    let up = each(|target| Some(f64::from(u8::from(target.run.is_some()))));
    metric(out, "pgassay_fleet_target_up", "The target was read: 1", up)?;
    let ended = |target: &Audited| (of(target, vec![("ending", target.ending.name().to_owned())]), 1.0);
    let endings = overview.targets.iter().map(ended).collect();
    metric(out, "pgassay_fleet_target_ending", "How the audit of the target ended", endings)?;
    let read_at = each(|target| target.run.as_ref().map(|run| run.captured_at.timestamp() as f64));
    metric(
        out,
        "pgassay_fleet_target_captured_timestamp_seconds",
        "When the target was read, by its clock, Unix time",
        read_at,
    )?;
    let read = overview.targets.iter().filter(|target| target.run.is_some());
    let found = read.flat_map(|target| {
        [Severity::Critical, Severity::Warning, Severity::Info]
            .map(|severity| (of(target, vec![("severity", severity.name().to_owned())]), target.count(severity) as f64))
    });
    metric(out, "pgassay_fleet_target_findings", "Open findings of the target", found.collect())?;
    let endings =
        [Ending::Audited, Ending::Incomplete, Ending::Failed, Ending::TimedOut, Ending::NotReached].map(|ending| {
            let count = overview.targets.iter().filter(|target| target.ending == ending).count();
            ([&base[..], &[("ending", ending.name().to_owned())]].concat(), count as f64)
        });
    metric(out, "pgassay_fleet_targets", "Targets of the shard", endings.to_vec())?;
    let exit_code = vec![(base, f64::from(overview.summary.exit_code))];
    metric(out, "pgassay_fleet_exit_code", "Exit code of the run", exit_code)
}
