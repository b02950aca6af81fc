//! Completions for a shell, with what may stand after each flag.

use super::args::Cli;
use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell;

/// The script that the shell reads.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut hinted(Cli::command()), "pgassay", &mut out);
    out
}

fn hinted(command: Command) -> Command {
    command.mut_args(|arg| if let Some(hint) = hint(&arg) { arg.value_hint(hint) } else { arg }).mut_subcommands(hinted)
}

/// By the name of its value, which `--help` shows; none where the values are known words.
fn hint(arg: &Arg) -> Option<ValueHint> {
    if !arg.get_possible_values().is_empty() {
        return None;
    }
    let names = arg.get_value_names()?;
    Some(match names.first()?.as_str() {
        "FILE" | "SNAPSHOT" | "REPORT" | "PLAN" | "BASE" | "HEAD" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        "DIR|FILE" | "DIR|URL" => ValueHint::AnyPath,
        "COMMAND" => ValueHint::CommandString,
        "ADDRESS" => ValueHint::EmailAddress,
        _ => ValueHint::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &[&str], flag: &str) -> ValueHint {
        let command = path.iter().fold(hinted(Cli::command()), |at, word| at.find_subcommand(word).cloned().unwrap());
        command.get_arguments().find(|arg| arg.get_id() == flag).unwrap().get_value_hint()
    }

    #[test]
    fn files_folders_and_neither_are_told_apart() {
        for (path, flag, wanted) in [
            (&["audit"][..], "from", ValueHint::FilePath),
            (&["audit"], "target", ValueHint::Other),
            (&["audit"], "history", ValueHint::AnyPath),
            (&["apply"], "state", ValueHint::DirPath),
            (&["init", "cron"], "hook", ValueHint::CommandString),
            (&["rules", "check"], "paths", ValueHint::AnyPath),
        ] {
            assert_eq!(of(path, flag), wanted, "{path:?} {flag}");
        }
    }
}
