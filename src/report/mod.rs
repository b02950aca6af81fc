//! A verdict in many formats. Renderers write what the verdict says: they decide no severity and no
//! exit code, and do not know where their output goes.

mod advice;
mod advice_markdown;
mod csv;
mod github;
mod gitlab;
mod history;
mod html;
mod json;
mod junit;
mod markdown;
mod measured;
mod measurement;
mod page;
mod partition_advice;
mod plan;
mod prometheus;
mod sarif;
mod saturation;
mod survey;
mod table;
mod trend;
mod trend_formats;
mod words;

pub use crate::model::escape::escape;
pub use advice::{write_advice, write_advice_json};
pub use advice_markdown::write_advice_markdown;
pub use history::{write_holdings, write_holdings_json, write_kept};
pub use json::report_schema;
pub use measured::{write_measured, write_measured_json};
pub use measurement::{write_measurement, write_measurement_csv, write_measurement_json, write_measurement_markdown};
pub use partition_advice::{write_partition_advice, write_partition_advice_json};
pub use plan::write_plan;
pub use prometheus::write_saturation_prometheus;
pub use saturation::{write_saturation, write_saturation_json};
pub use survey::{write_survey, write_survey_json};
pub use trend::{write_trends, write_trends_json};
pub use trend_formats::{write_trends_csv, write_trends_markdown, write_trends_prometheus};

use crate::model::verdict::Verdict;
use std::io::{self, Write};

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Table,
    /// For programs, version 1.
    Json,
    /// For pull requests and chats.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
    /// Code quality report of GitLab.
    Gitlab,
    /// RFC 4180, one finding a row.
    Csv,
    /// One page for a browser, which asks for nothing else.
    Html,
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
        Format::Markdown => markdown::write(verdict, out),
        Format::Sarif => sarif::write(verdict, out),
        Format::Junit => junit::write(verdict, out),
        Format::Github => github::write(verdict, out),
        Format::Gitlab => gitlab::write(verdict, out),
        Format::Csv => csv::write(verdict, out),
        Format::Html => html::write(verdict, out),
    }
}
