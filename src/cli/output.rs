//! Where reports go: standard output in the terminal's own width and colours, or files.

use super::args::{FormatArg, Shared, When};
use crate::model::snapshot::Snapshot;
use crate::model::verdict::Verdict;
use crate::report::{Format, Style, render};
use crate::store::{write_open, write_snapshot, write_whole};
use anyhow::{Result, anyhow, bail};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Width of a report that goes to a file or a pipe.
const PLAIN_WIDTH: u16 = 100;

/// How it looks there.
pub(super) const PLAIN: Style = Style { width: PLAIN_WIDTH, color: false };

pub(super) fn style(shared: &Shared) -> Style {
    let is_terminal = io::stdout().is_terminal();
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let color = match shared.color {
        When::Always => true,
        When::Never => false,
        When::Auto => is_terminal && !wants_none && !is_dumb,
    };
    Style { width: width(is_terminal), color }
}

/// COLUMNS, else the terminal's, else a fixed one so that files do not differ by where they were made.
fn width(is_terminal: bool) -> u16 {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let measured = if is_terminal { terminal_width() } else { None };
    set.or(measured).unwrap_or(PLAIN_WIDTH)
}

fn terminal_width() -> Option<u16> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}

fn format_of(arg: FormatArg) -> Format {
    match arg {
        FormatArg::Table => Format::Table,
        FormatArg::Json => Format::Json,
        FormatArg::Markdown => Format::Markdown,
        FormatArg::Sarif => Format::Sarif,
        FormatArg::Junit => Format::Junit,
        FormatArg::Github => Format::Github,
        FormatArg::Gitlab => Format::Gitlab,
        FormatArg::Csv => Format::Csv,
        FormatArg::Prometheus => Format::Prometheus,
        FormatArg::Html => Format::Html,
    }
}

/// Writes the report to standard output.
pub(super) fn show(shared: &Shared, verdict: &Verdict, format: FormatArg) -> Result<()> {
    print_with(|out| render(verdict, format_of(format), style(shared), out))
}

/// Writes to standard output. That nobody reads on (`| head`) changes neither what is done nor how it ends.
pub(super) fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    is_read_through(write).map(drop)
}

/// As [`print_with`]; says whether somebody still reads, for what would go on writing.
pub(super) fn is_read_through(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<bool> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

/// Writes the report to files: to all that can be written, and says which cannot.
pub(super) fn write_files(verdict: &Verdict, files: &[(FormatArg, PathBuf)]) -> Result<()> {
    let write = |(format, path): &(FormatArg, PathBuf)| {
        let mut text = Vec::new();
        render(verdict, format_of(*format), PLAIN, &mut text)?;
        write_file(*format, path, &text)
    };
    all(files.iter().map(write))
}

/// Of several things that were tried, all that failed, as one error.
pub(super) fn all(tried: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let failed: Vec<String> = tried.into_iter().filter_map(|done| Some(format!("{:#}", done.err()?))).collect();
    if failed.is_empty() { Ok(()) } else { Err(anyhow!("{}", failed.join("; "))) }
}

/// Told before a server is read, as without its folder the file cannot be written.
pub(super) fn has_folder(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => bail!("cannot write {}: there is no folder {}", path.display(), folder.display()),
        None => Ok(()),
    }
}

/// Writes a snapshot, where it is to be kept in a file.
pub(super) fn save(path: Option<&Path>, snapshot: &Snapshot) -> Result<()> {
    let saved = path.map_or(Ok(()), |path| write_snapshot(path, snapshot));
    saved.map_err(|error| anyhow!("cannot write {error}"))
}

/// Writes a file whole or not at all. Metrics are for a program of another user.
pub(super) fn write_file(format: FormatArg, path: &Path, text: &[u8]) -> Result<()> {
    let write = if format == FormatArg::Prometheus { write_open } else { write_whole };
    write(path, text).map_err(|error| anyhow!("cannot write {error}"))
}

/// Reads `json=report.json`.
pub(super) fn parse_outputs(texts: &[String]) -> Result<Vec<(FormatArg, PathBuf)>> {
    let parse = |text: &String| {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or_else(|| anyhow!("--output {text}: write FORMAT=FILE"))?;
        let format = <FormatArg as clap::ValueEnum>::from_str(format, false)
            .map_err(|_| anyhow!("--output {text}: the format should be {}", FormatArg::names()))?;
        Ok((format, PathBuf::from(file)))
    };
    texts.iter().map(parse).collect()
}
