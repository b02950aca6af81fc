//! Figures as one table: least, median, most, and the target beside them.

use crate::child::Run;
use pgassay::model::units;

/// What the figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Megabytes,
    Count,
    Ratio,
}

/// Figures of several runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    pub(crate) fn of(runs: &[Run], figure: fn(&Run) -> f64) -> Self {
        Self(runs.iter().map(figure).collect())
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        match sorted.len() {
            0 => 0.0,
            length if length % 2 == 1 => sorted[length / 2],
            length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
        }
    }

    /// One series divided by another, run by run.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other.max(f64::MIN_POSITIVE)).collect())
    }
}

/// The printed table, 100 columns wide at most.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<String>,
    missed: Vec<String>,
}

impl Table {
    pub(crate) fn section(&mut self, title: &str) {
        self.lines.push(String::new());
        self.lines.push(format!("{title:<44} {:>11} {:>11} {:>11}   target", "least", "median", "most"));
    }

    pub(crate) fn row(&mut self, what: &str, unit: Unit, series: &Series, target: Option<f64>) {
        let (sorted, median) = (series.sorted(), series.median());
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return };
        let verdict = target.map_or(String::new(), |target| {
            let met = median <= target;
            if !met {
                self.missed.push(what.to_owned());
            }
            format!("≤ {} {}", words(target, unit), if met { "met" } else { "MISSED" })
        });
        let line = format!(
            "  {what:<42} {:>11} {:>11} {:>11}   {verdict}",
            words(*least, unit),
            words(median, unit),
            words(*most, unit)
        );
        self.lines.push(line.trim_end().to_owned());
    }

    pub(crate) fn note(&mut self, text: &str) {
        self.lines.push(format!("  {text}"));
    }

    pub(crate) fn text(&self) -> String {
        let missed = match self.missed.len() {
            0 => "Every target is met by the median.".to_owned(),
            _ => format!("Missed by the median: {}.", self.missed.join("; ")),
        };
        format!("{}\n\n{missed}\n", self.lines.join("\n").trim_start_matches('\n'))
    }
}

fn words(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Millis => units::millis(value),
        Unit::Megabytes => units::bytes(value * 1024.0 * 1024.0),
        Unit::Count => units::count(value),
        Unit::Ratio => format!("{value:.2}"),
    }
}
