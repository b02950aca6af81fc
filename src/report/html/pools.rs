//! Pools: who was served and who waited, and the wait that each size would have.

use super::svg::{self, Caption, Column};
use crate::model::saturation::{CurvePoint, Point, PoolLoad, PoolerLoad, Sizing};
use crate::model::units;
use crate::report::escape;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct PoolFigure {
    name: String,
    verdict: &'static str,
    is_saturated: bool,
    reason: String,
    remedy: String,
    settings: String,
    series: String,
    most: String,
    seconds: String,
    curve: String,
    basis: String,
    rows: Vec<CurveRow>,
}

#[derive(Serialize)]
struct CurveRow {
    servers: i64,
    busy: String,
    wait: String,
    note: &'static str,
}

pub(super) fn figures(poolers: &[PoolerLoad]) -> Vec<PoolFigure> {
    let pools = poolers.iter().flat_map(|pooler| pooler.pools.iter().map(move |pool| (pooler, pool)));
    pools.enumerate().map(|(at, (pooler, pool))| figure(at, pooler, pool)).collect()
}

fn figure(at: usize, pooler: &PoolerLoad, pool: &PoolLoad) -> PoolFigure {
    let name = format!("{} of {} at {}", pool.database, pool.user, pooler.name);
    let most = pool.series.iter().map(|point| point.active.max(point.waiting)).max().unwrap_or(0).max(1);
    let lines: Vec<String> = pool.settings.iter().map(|change| change.line.clone()).collect();
    PoolFigure {
        verdict: pool.judgement.verdict.name(),
        is_saturated: pool.judgement.verdict.is_saturated(),
        reason: escape(&pool.judgement.reason),
        remedy: pool.judgement.remedy.as_deref().map(escape).unwrap_or_default(),
        settings: super::card::block(&lines.join("\n")),
        series: if pool.series.len() > 1 { series(at, &name, pool, most) } else { String::new() },
        most: most.to_string(),
        seconds: pool.series.last().map(|point| units::millis(1000.0 * point.at_seconds)).unwrap_or_default(),
        curve: pool.sizing.as_ref().map(|sizing| curve(at, &name, pool, sizing)).unwrap_or_default(),
        basis: pool.sizing.as_ref().map(basis).unwrap_or_default(),
        rows: pool.sizing.iter().flat_map(|sizing| sizing.curve.iter().map(|point| row(pool, sizing, point))).collect(),
        name: escape(&name),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of connections")]
fn series(at: usize, name: &str, pool: &PoolLoad, most: i64) -> String {
    let caption = Caption {
        id: &format!("series-{at}"),
        title: format!("Connections of pool {name}"),
        description: format!(
            "server connections at work: mean {}, peak {}; clients waiting: mean {}, peak {}",
            units::short(pool.active.mean),
            pool.active.peak,
            units::short(pool.waiting.mean),
            pool.waiting.peak
        ),
    };
    let of = |value: fn(&Point) -> i64| {
        pool.series.iter().map(|point| (point.at_seconds, value(point) as f64)).collect::<Vec<_>>()
    };
    svg::lines(&caption, most as f64, &[("first", of(|point| point.active)), ("alert", of(|point| point.waiting))])
}

/// The wait with each size; where the queue would grow the column is as high as it gets.
fn curve(at: usize, name: &str, pool: &PoolLoad, sizing: &Sizing) -> String {
    let longest = sizing.curve.iter().filter_map(|point| point.wait_ms).fold(0.0_f64, f64::max).max(f64::MIN_POSITIVE);
    let columns: Vec<Column> = sizing
        .curve
        .iter()
        .map(|point| Column {
            class: match point.wait_ms {
                _ if point.servers == sizing.servers => "now",
                None => "over",
                Some(_) => "past",
            },
            height: point.wait_ms.map_or(1.0, |wait| wait / longest),
            label: format!("{} server connections: {}{}", point.servers, wait(point), note(pool, sizing, point)),
        })
        .collect();
    let advised = sizing.wait_ms.map(|wait| format!(" with a mean wait of {}", units::millis(wait)));
    let caption = Caption {
        id: &format!("curve-{at}"),
        title: format!("Mean wait by size of pool {name}, by estimate"),
        description: format!("{} server connections are enough{}", sizing.servers, advised.unwrap_or_default()),
    };
    svg::columns(&caption, &columns)
}

fn basis(sizing: &Sizing) -> String {
    let variability = if sizing.variability_is_measured { "measured" } else { "assumed" };
    format!("by estimate: Erlang C, variability {} {variability}", units::short(sizing.variability))
}

fn wait(point: &CurvePoint) -> String {
    point.wait_ms.map_or("the queue grows".to_owned(), units::millis)
}

fn note(pool: &PoolLoad, sizing: &Sizing, point: &CurvePoint) -> &'static str {
    match (point.servers == sizing.servers, pool.pool_size == Some(point.servers)) {
        (true, true) => " (as it is, and enough)",
        (true, false) => " (enough)",
        (false, true) => " (as it is)",
        (false, false) => "",
    }
}

fn row(pool: &PoolLoad, sizing: &Sizing, point: &CurvePoint) -> CurveRow {
    CurveRow {
        servers: point.servers,
        busy: super::figures::percent(point.utilization),
        wait: wait(point),
        note: note(pool, sizing, point),
    }
}
