//! The binary: all it does is in `pgassay::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(pgassay::cli::run())
}
