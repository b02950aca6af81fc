//! Trends over the runs of a history, a line each: what degrades first.

use super::figures;
use super::svg::{self, Caption};
use crate::model::trend::{Course, Point, Trend, Trends};
use crate::report::escape;
use crate::report::trend::{drift, head, is_change, object, outcome, remarks, step, value};
use serde::Serialize;

/// Trends shown; `history trend` has all.
const SHOWN: usize = 40;

#[derive(Serialize)]
pub(super) struct TrendFigure {
    head: String,
    outcome: String,
    rows: Vec<TrendRow>,
    left_out: usize,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct TrendRow {
    course: &'static str,
    class: &'static str,
    metric: &'static str,
    object: String,
    text: String,
    line: String,
    first: String,
    last: String,
    said: Vec<String>,
}

/// Changes, and where there are none the lines of the heaviest.
pub(super) fn figure(trends: &Trends) -> TrendFigure {
    let told: Vec<&Trend> = trends.trends.iter().filter(|trend| trend.points.len() > 1).collect();
    let changes: Vec<&Trend> = told.iter().copied().filter(|trend| is_change(trend)).collect();
    let shown = if changes.is_empty() { &told } else { &changes };
    TrendFigure {
        head: escape(&head(trends)),
        outcome: outcome(trends),
        rows: shown.iter().take(SHOWN).enumerate().map(|(at, trend)| row(at, trend)).collect(),
        left_out: trends.trends.len().saturating_sub(shown.len().min(SHOWN)),
        remarks: remarks(trends).iter().map(|text| escape(text)).collect(),
    }
}

fn row(at: usize, trend: &Trend) -> TrendRow {
    let name = object(trend);
    let said: Vec<String> = [
        step(trend).map(|step| format!("the last {step}")),
        drift(trend).map(|drift| format!("over all {} values {drift}", trend.points.len())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let ends = |point: Option<&Point>| point.map(|point| value(point.value, trend.unit)).unwrap_or_default();
    let (first, last) = (ends(trend.points.first()), ends(trend.points.last()));
    let caption = Caption {
        id: &format!("trend-{at}"),
        title: format!("{} of {name}", trend.metric),
        description: format!("from {first} to {last} in {} values: {}", trend.points.len(), trend.course.name()),
    };
    let most = trend.points.iter().map(|point| point.value).fold(0.0_f64, f64::max);
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let points = trend.points.iter().map(|point| (point.at.timestamp() as f64, point.value)).collect();
    let class = match trend.course {
        Course::Degrading => "alert",
        Course::Improving => "good",
        _ => "first",
    };
    TrendRow {
        course: trend.course.name(),
        class,
        metric: trend.metric,
        object: escape(&name),
        text: trend.text.as_deref().map(|text| figures::on_line(text).0).unwrap_or_default(),
        line: svg::lines(&caption, most, &[(class, points)]),
        first,
        last,
        said,
    }
}
