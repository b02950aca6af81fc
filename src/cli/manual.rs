//! `pgassay man`: manual pages, of one command or of all.

use super::args::{Cli, ManArgs};
use anyhow::{Context, Result, anyhow};
use clap::{Command, CommandFactory};
use std::fs;
use std::path::Path;

pub(super) fn run(args: &ManArgs) -> Result<u8> {
    let mut program = Cli::command();
    program.build();
    match &args.into {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            write_all(&program, folder)?;
        }
        None => super::print(&page(find(&program, &args.command)?)?)?,
    }
    Ok(super::exit::OK)
}

fn find<'a>(program: &'a Command, words: &[String]) -> Result<&'a Command> {
    words.iter().try_fold(program, |command, word| {
        command.find_subcommand(word).ok_or_else(|| anyhow!("no command `{word}`; `pgassay --help` lists them"))
    })
}

/// This command's page and those below it, as `pgassay-rules-test.1`; `help` has none, as `--help` says all it could.
fn write_all(command: &Command, folder: &Path) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    command.get_subcommands().filter(|below| below.get_name() != "help").try_for_each(|below| write_all(below, folder))
}

fn page(command: &Command) -> Result<String> {
    // What is below `help` repeats every command.
    let command = command.clone().mut_subcommands(|below| {
        let is_help = below.get_name() == "help";
        below.hide(is_help)
    });
    let mut page = Vec::new();
    let source = concat!("pgassay ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).manual("PostgreSQL performance").render(&mut page)?;
    Ok(String::from_utf8(page)?)
}
