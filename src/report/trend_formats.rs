//! Trends for pull requests, spreadsheets and Prometheus.

use super::csv::cell;
use super::markdown::{code, folded, prose};
use super::prometheus::{Sample, metric};
use super::trend::{drift, head, is_change, line, object, outcome, remarks, step};
use crate::model::trend::{Summary, Trend, Trends};
use std::io::{self, Write};

const HEADER: &str = "course,kind,database,object,metric,unit,values,before,after,change_pct,step_confidence_pct,\
                      slope_per_day,tau,drift_confidence_pct,last";

/// Writes what changed as Markdown.
pub fn write_trends_markdown(trends: &Trends, out: &mut dyn Write) -> io::Result<()> {
    let mut text = format!("## pgassay: {}\n\n{}\n\n", prose(&head(trends)), prose(&outcome(trends)));
    let changed: Vec<&Trend> = trends.trends.iter().filter(|trend| is_change(trend)).collect();
    if !changed.is_empty() {
        text.push_str("| | metric | of | last values | all values | |\n|---|---|---|---|---|---|\n");
    }
    for trend in changed {
        let said = |text: Option<String>| text.map(|text| prose(&text)).unwrap_or_default();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            trend.course.name(),
            trend.metric,
            code(&object(trend)),
            said(step(trend)),
            said(drift(trend)),
            line(trend)
        ));
    }
    let items: Vec<String> = remarks(trends).iter().map(|remark| format!("- {}\n", prose(remark))).collect();
    text.push('\n');
    text.push_str(&folded("To know", &items));
    out.write_all(text.as_bytes())
}

/// Writes them as CSV (RFC 4180), one a row.
pub fn write_trends_csv(trends: &Trends, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{HEADER}\r\n")?;
    for trend in &trends.trends {
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let (recent, whole) = (trend.recent, trend.whole);
        let row = [
            cell(trend.course.name()),
            cell(trend.kind.name()),
            cell(trend.database.as_deref().unwrap_or_default()),
            cell(&trend.object),
            cell(trend.metric),
            cell(trend.unit),
            trend.points.len().to_string(),
            number(recent.map(|recent| recent.before)),
            number(recent.map(|recent| recent.after)),
            number(recent.and_then(|recent| recent.change_pct)),
            number(recent.map(|recent| recent.confidence_pct)),
            number(whole.map(|whole| whole.slope_per_day)),
            number(whole.map(|whole| whole.tau)),
            number(whole.map(|whole| whole.confidence_pct)),
            number(trend.points.last().map(|point| point.value)),
        ];
        write!(out, "{}\r\n", row.join(","))?;
    }
    Ok(())
}

/// Writes how many there are, and each that changed, as gauges of Prometheus.
#[allow(clippy::cast_precision_loss, reason = "counts")]
pub fn write_trends_prometheus(trends: &Trends, out: &mut dyn Write) -> io::Result<()> {
    let Summary { degrading, improving, rising, falling, stable, unknown } = trends.summary;
    let courses = [
        ("degrading", degrading),
        ("improving", improving),
        ("rising", rising),
        ("falling", falling),
        ("stable", stable),
        ("unknown", unknown),
    ];
    let target = || ("target", trends.target.clone());
    let counts = courses.map(|(course, count)| (vec![target(), ("course", course.to_owned())], count as f64));
    metric(out, "pgassay_trends", "Trends by course", counts.to_vec())?;
    let last = trends.span.map(|span| (vec![target()], span.to.timestamp() as f64));
    metric(
        out,
        "pgassay_trend_last_run_seconds",
        "When the last run read the server, Unix time",
        last.into_iter().collect(),
    )?;
    let changed = |value: fn(&Trend) -> Option<f64>| -> Vec<Sample> {
        let sample = |trend: &Trend| {
            let labels = [
                target(),
                ("kind", trend.kind.name().to_owned()),
                ("database", trend.database.clone().unwrap_or_default()),
                ("object", trend.object.clone()),
                ("metric", trend.metric.to_owned()),
                ("unit", trend.unit.to_owned()),
                ("course", trend.course.name().to_owned()),
            ];
            Some((labels.to_vec(), value(trend)?))
        };
        trends.trends.iter().filter(|trend| is_change(trend)).filter_map(sample).collect()
    };
    let value = |trend: &Trend| trend.points.last().map(|point| point.value);
    metric(out, "pgassay_trend_value", "Last value of a metric that changed", changed(value))?;
    let slope = |trend: &Trend| trend.whole.map(|whole| whole.slope_per_day);
    metric(out, "pgassay_trend_slope_per_day", "Theil-Sen slope of a metric that changed", changed(slope))
}
