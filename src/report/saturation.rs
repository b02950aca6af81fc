//! How saturated connections and pools are, for people and for programs: verdict, evidence, lines over time, the
//! sizing curve and the settings to change.

use super::page::{bold, lines, paint};
use super::{Style, escape};
use crate::model::saturation::{
    CurvePoint, DatabaseLoad, Flow, Judgement, Point, PoolLoad, PoolerLoad, Saturation, ServerLoad, Sizing, Spread,
};
use crate::model::units;
use std::io::{self, Write};

/// Columns of a line over time.
const COLUMNS: usize = 40;

/// Classes of waits and databases that are shown; JSON has all.
const SHOWN: usize = 4;

const RED: &str = "1;31";
const GREEN: &str = "1;32";

/// Writes it for people.
pub fn write_saturation(seen: &Saturation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let at = seen.captured_at.map(|at| format!(", {}", at.format("%F %H:%M:%S UTC"))).unwrap_or_default();
    let watched = units::millis(1000.0 * seen.sample_seconds);
    writeln!(out, "watched for {watched}{at}; a mean wait of {} is aimed at", units::millis(seen.target_wait_ms))?;
    if let Some(server) = &seen.server {
        title("server", &server.judgement, style, out)?;
        lines(&server_lines(server), style, out)?;
    }
    for pooler in &seen.poolers {
        let version = pooler.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        title(&format!("PgBouncer{version} at {}", pooler.name), &pooler.judgement, style, out)?;
        lines(&pooler_lines(pooler), style, out)?;
        for pool in &pooler.pools {
            title(&format!("pool {} of {}", pool.database, pool.user), &pool.judgement, style, out)?;
            lines(&pool_lines(pool), style, out)?;
        }
    }
    if !seen.gaps.is_empty() {
        writeln!(out, "\n{}", bold("NOT LOOKED AT", style))?;
        let told = seen
            .gaps
            .iter()
            .flat_map(|gap| [format!("{}: {}", gap.facet.name(), gap.reason), format!("→ {}", gap.remedy)]);
        lines(&told.collect::<Vec<_>>(), style, out)?;
    }
    Ok(())
}

/// Writes it as JSON, version 1.
pub fn write_saturation_json(seen: &Saturation, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, seen)?;
    writeln!(out)
}

fn title(what: &str, judgement: &Judgement, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let color = if judgement.verdict.is_saturated() { RED } else { GREEN };
    writeln!(out, "\n{}  {}", bold(&escape(what), style), paint(judgement.verdict.name(), color, style))
}

fn judged(judgement: &Judgement) -> Vec<String> {
    let remedy = judgement.remedy.iter().map(|remedy| format!("→ {remedy}"));
    std::iter::once(judgement.reason.clone()).chain(remedy).collect()
}

fn share(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// `mean 3.2, peak 7`
fn told(spread: Spread) -> String {
    format!("mean {}, peak {}", units::short(spread.mean), spread.peak)
}

fn server_lines(server: &ServerLoad) -> Vec<String> {
    let mut text = judged(&server.judgement);
    if server.looks > 0 {
        text.push(format!("active  {}  {}", line(&server.series, |point| point.active), told(server.active)));
    }
    if server.waiting_for_locks.peak > 0 {
        let waiting = line(&server.series, |point| point.waiting);
        text.push(format!("on locks {waiting}  {}", told(server.waiting_for_locks)));
    }
    if server.idle_in_transaction.peak > 0 {
        let oldest = server
            .oldest_transaction_seconds
            .map(|seconds| format!(", the oldest transaction {} old", units::millis(1000.0 * seconds)));
        text.push(format!("idle in transaction: {}{}", told(server.idle_in_transaction), oldest.unwrap_or_default()));
    }
    if !server.waits.is_empty() {
        let waits: Vec<String> =
            server.waits.iter().take(SHOWN).map(|row| format!("{} {}", row.wait, share(row.share))).collect();
        text.push(format!("active sessions wait for: {}", waits.join(", ")));
    }
    text.extend(server.blockers.iter().take(SHOWN).map(|row| {
        let state = row.state.as_ref().map(|state| format!(" ({state})")).unwrap_or_default();
        let who =
            if row.pid == 0 { "a prepared transaction".to_owned() } else { format!("process {}{state}", row.pid) };
        format!("{} wait behind {who}", row.waiting)
    }));
    text.extend(
        server.limits.iter().map(|row| format!("{}: {} of {} sessions at the peak", row.of, row.peak, row.limit)),
    );
    text.extend(server.databases.iter().take(SHOWN).map(database));
    if server.missed > 0 {
        text.push(format!("{} looks were not answered", server.missed));
    }
    text
}

fn database(row: &DatabaseLoad) -> String {
    let mean =
        |mean: Option<f64>, what: &str| mean.map(|mean| format!(", {} {what}", units::short(mean))).unwrap_or_default();
    format!(
        "database {}, as its sessions report when a transaction ends: {} transactions a second{}{}{}",
        row.database,
        units::short(row.transactions_per_second),
        mean(row.mean_sessions, "sessions"),
        mean(row.mean_active, "active"),
        mean(row.mean_idle_in_transaction, "idle in transaction on average")
    )
}

fn pooler_lines(pooler: &PoolerLoad) -> Vec<String> {
    judged(&pooler.judgement).into_iter().chain(pooler.notes.iter().cloned()).collect()
}

fn pool_lines(pool: &PoolLoad) -> Vec<String> {
    let mut text = judged(&pool.judgement);
    let mode = pool.pool_mode.as_deref().unwrap_or("unknown");
    let size = pool.pool_size.map(|size| format!("size {size}")).unwrap_or_else(|| "size unknown".to_owned());
    let reserve =
        if pool.reserve_pool_size > 0 { format!(" and {} in reserve", pool.reserve_pool_size) } else { String::new() };
    text.push(format!("{mode} mode, {size}{reserve}; clients: {}", told(pool.clients)));
    text.extend(pool.limits.iter().map(|row| format!("{}: {} of {} at the peak", row.of, row.peak, row.limit)));
    text.push(format!("active  {}  {}", line(&pool.series, |point| point.active), told(pool.active)));
    text.push(format!("waiting {}  {}", line(&pool.series, |point| point.waiting), told(pool.waiting)));
    let states = [("clients", &pool.client_states), ("server connections", &pool.server_states)];
    let states: Vec<String> = states
        .iter()
        .filter(|(_, states)| !states.is_empty())
        .map(|(what, states)| {
            let counts: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!("{what}: {}", counts.join(", "))
        })
        .collect();
    if !states.is_empty() {
        text.push(format!("when it began, {}", states.join("; ")));
    }
    text.extend(pool.flow.as_ref().map(flow));
    if let Some(sizing) = &pool.sizing {
        text.extend(sized(sizing, pool));
    }
    text.extend(pool.settings.iter().map(|change| {
        let from = change.from.map(|from| format!(" (now {from})")).unwrap_or_default();
        format!("set  {}{from}    in {}", change.line, change.place)
    }));
    text
}

fn flow(flow: &Flow) -> String {
    let by_estimate = if flow.is_shared { ", this pool's part of its database's by estimate" } else { "" };
    let wanted = if flow.wanted_rate > 1.05 * flow.rate {
        format!("; the same clients would ask for {} a second if nobody waited", units::short(flow.wanted_rate))
    } else {
        String::new()
    };
    format!(
        "{} transactions a second, {} each after a wait of {}{by_estimate}{wanted}: {} connections' work",
        units::short(flow.rate),
        units::millis(flow.service_ms),
        units::millis(flow.wait_ms),
        units::short(flow.offered_load)
    )
}

fn sized(sizing: &Sizing, pool: &PoolLoad) -> Vec<String> {
    let enough = if pool.settings.is_empty() { "enough" } else { "advised" };
    let capped = sizing.capped_by.as_ref().map(|why| format!("the size is bounded: {why}"));
    let measured = if sizing.variability_is_measured { "measured" } else { "assumed" };
    let basis =
        format!("mean wait by estimate (Erlang C × {} for variability, {measured})", units::short(sizing.variability));
    let mut text: Vec<String> = capped.into_iter().collect();
    if !sizing.curve.is_empty() {
        text.push(format!("{basis}:"));
        text.extend(sizing.curve.iter().map(|point| {
            let is_size = Some(point.servers) == pool.pool_size;
            let marks = [(point.servers == sizing.servers, enough), (is_size, "as it is")];
            let marks: Vec<&str> = marks.iter().filter(|(holds, _)| *holds).map(|(_, mark)| *mark).collect();
            curve(point, &marks.join(", "))
        }));
    }
    text
}

fn curve(point: &CurvePoint, mark: &str) -> String {
    let wait = point.wait_ms.map_or_else(|| "grows without end".to_owned(), units::millis);
    let mark = if mark.is_empty() { String::new() } else { format!("  ← {mark}") };
    format!("{:>4} connections, {:>5} busy: {wait}{mark}", point.servers, share(point.utilization))
}

/// A line over time: each column the highest of the looks it stands for, against the highest of all.
fn line(series: &[Point], of: fn(&Point) -> i64) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<i64> = series.iter().map(of).collect();
    let top = values.iter().copied().max().unwrap_or(0).max(1);
    let columns = values.len().min(COLUMNS);
    let column = |number: usize| {
        let (from, to) = (number * values.len() / columns, (number + 1) * values.len() / columns);
        let high = values.iter().take(to).skip(from).copied().max().unwrap_or(0).max(0);
        let level = usize::try_from((high * 7 + top - 1) / top).unwrap_or(0);
        LEVELS.get(level).copied().unwrap_or('█')
    };
    (0..columns).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_peaks_whatever_its_length() {
        let series = |values: &[i64]| -> Vec<Point> {
            values.iter().map(|value| Point { active: *value, ..Point::default() }).collect()
        };
        assert_eq!(line(&series(&[0, 1, 4, 7]), |point| point.active), "▁▂▅█");
        assert_eq!(line(&[], |point| point.active), "");
        assert_eq!(line(&series(&[0, 0]), |point| point.active), "▁▁");
        let mut long = vec![0; 400];
        long[217] = 9;
        let drawn = line(&series(&long), |point| point.active);
        assert_eq!((drawn.chars().count(), drawn.matches('█').count()), (COLUMNS, 1));
    }
}
