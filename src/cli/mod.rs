//! The command line: arguments, config, terminal. Sees everything; alone uses the environment and
//! the standard streams.

/// A line on standard error. Where nobody reads it any more `eprintln!` would panic, in the middle of a change too.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod advise;
mod advise_args;
mod apply;
mod args;
mod audit;
mod change;
mod change_args;
mod completions;
mod config;
mod config_values;
mod connection;
mod convert;
mod demo;
mod diff;
mod diff_args;
mod fault;
mod fleet;
mod fleet_args;
mod fleet_files;
mod history;
mod history_args;
mod history_store;
mod html;
mod init;
mod init_args;
mod interrupt;
mod manual;
mod measure;
mod measure_args;
mod months;
mod output;
#[cfg(test)]
mod pages;
mod partition;
mod partition_advise;
mod partition_args;
mod partition_new;
mod plan;
mod pool;
mod pool_args;
mod progress_bar;
mod retire;
mod rules;
mod runs;
mod settings;
mod snapshot;
mod split;
mod trend;
mod verify;
mod version;

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser;

/// Exit codes; the table in the README says the same.
pub mod exit {
    /// Ran; nothing at or above `--fail-on`.
    pub const OK: u8 = 0;
    /// Ran; findings at or above `--fail-on`.
    pub const FOUND: u8 = 1;
    /// Could not run: usage, config, connection.
    pub const UNABLE: u8 = 2;
    /// Ran, but a facet or a rule failed, and nothing reached the gate.
    pub const INCOMPLETE: u8 = 3;
    /// A change was refused by pre-flight; nothing was done.
    pub const REFUSED: u8 = 4;
    /// A change stopped half-way; the journal says what to do.
    pub const STOPPED: u8 = 5;
    /// A fault of ours: `EX_SOFTWARE` of sysexits.h.
    pub const FAULT: u8 = 70;
}

/// Runs the program and says how it ended.
#[must_use]
pub fn run() -> u8 {
    fault::guard(run_command)
}

fn run_command() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => {
            // Help and version come this way too.
            let code = if help.use_stderr() { exit::UNABLE } else { exit::OK };
            let _ = help.print();
            return code;
        }
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            tell!("pgassay: {error:#}");
            exit::UNABLE
        }
    }
}

fn dispatch(cli: Cli) -> Result<u8> {
    match cli.command {
        Command::Audit(args) => audit::run(&cli.shared, &args),
        Command::Snapshot(args) => snapshot::run(&cli.shared, &args),
        Command::Diff(args) => diff::run(&cli.shared, &args),
        Command::Advise(args) => advise::run(&cli.shared, &args),
        Command::Plan(args) => plan::run(&cli.shared, &args),
        Command::Apply(args) => apply::run(&cli.shared, &args),
        Command::Verify(args) => verify::run(&cli.shared, &args),
        Command::Measure(args) => measure::run(&cli.shared, &args),
        Command::Pool(args) => pool::run(&cli.shared, &args),
        Command::Partition(args) => partition::run(&cli.shared, &args),
        Command::History(args) => history::run(&cli.shared, &args),
        Command::Rules(args) => rules::run(&cli.shared, &args),
        Command::Init(args) => init::run(&cli.shared, &args),
        Command::Demo(args) => demo::run(&cli.shared, &args),
        Command::Completions { shell } => {
            print(&String::from_utf8_lossy(&completions::script(shell)))?;
            Ok(exit::OK)
        }
        Command::Man(args) => manual::run(&args),
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<()> {
    output::print_with(|out| out.write_all(text.as_bytes()))
}
