//! Many targets in one run: does memory grow with their number?

use crate::Fallible;
use crate::catalog::{AUDITOR, partitioned};
use crate::child::{Run, watch};
use crate::live::Live;
use crate::pgassay;
use crate::table::{Series, Table, Unit};
use std::os::unix::fs::symlink;

/// Servers that the one server pretends to be: folders that lead to its socket.
const SERVERS: usize = 8;

/// Targets of a run.
const TARGETS: [usize; 2] = [20, 200];

impl Live<'_> {
    /// Peak memory and wall time of a run over a few targets, and of one over ten times as many.
    pub(crate) fn fleets(&self, table: &mut Table) -> Fallible<()> {
        let folders = (0..SERVERS).map(|number| {
            let folder = self.folder.join(format!("server-{number}"));
            symlink(self.cluster.socket(), &folder)?;
            Ok(folder)
        });
        let folders = folders.collect::<Fallible<Vec<_>>>()?;
        table.section("many targets, an almost empty database each");
        for count in TARGETS {
            let config = self.folder.join(format!("{count}.yaml"));
            let target = |number: usize| {
                let dsn = self.cluster.dsn(AUDITOR, &partitioned(0));
                let socket = self.cluster.socket().display().to_string();
                let dsn = dsn.replace(&socket, &folders[number % SERVERS].display().to_string());
                format!("  target-{number}: {{url: \"{dsn}\"}}\n")
            };
            let targets: String = (0..count).map(target).collect();
            std::fs::write(&config, format!("targets:\n{targets}"))?;
            let run = || {
                let mut command = pgassay();
                command.arg("audit").arg("--config").arg(&config).args(["--targets", "*", "--servers-at-once", "4"]);
                command.args(["--jobs", "2", "--fail-on", "never", "--format", "json"]);
                watch(&mut command, &[0])
            };
            let runs = (0..self.runs).map(|_| run()).collect::<Fallible<Vec<Run>>>()?;
            table.row(
                &format!("{count} targets, peak memory"),
                Unit::Megabytes,
                &Series::of(&runs, |run| run.peak_mb),
                None,
            );
            table.row(
                &format!("{count} targets, wall time"),
                Unit::Millis,
                &Series::of(&runs, |run| run.wall_ms),
                None,
            );
        }
        Ok(())
    }
}
