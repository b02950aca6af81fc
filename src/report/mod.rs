//! A verdict in many formats. Renderers write what the verdict says: they decide no severity and no
//! exit code, and do not know where their output goes.

mod escape;
mod json;
mod table;

pub use escape::escape;
pub use json::report_schema;

use crate::model::verdict::Verdict;
use std::io::{self, Write};

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Table,
    /// For programs, version 1.
    Json,
}

/// How a table looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: u16,
    /// Colours may be used.
    pub color: bool,
}

/// Writes the verdict in one format.
pub fn render(verdict: &Verdict, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => table::write(verdict, style, out),
        Format::Json => json::write(verdict, out),
    }
}
