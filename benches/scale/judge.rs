//! The second half of an audit alone, inside this process: load, facts, rules, report.

use crate::Fallible;
use crate::table::{Series, Table, Unit};
use chrono::TimeDelta;
use pgassay::audit::{Settings, field_index, judge};
use pgassay::facts::with_facts;
use pgassay::model::snapshot::{Snapshot, Tool};
use pgassay::report::{Format, Style, render};
use pgassay::rules::{Library, builtin_sources};
use pgassay::store::read_snapshot;
use std::path::Path;
use std::time::Instant;

pub(crate) fn measure(table: &mut Table, file: &Path, runs: usize) -> Fallible<()> {
    let library = Library::load(builtin_sources(), &field_index()).map_err(|problems| format!("{problems:?}"))?;
    let mut snapshot = None;
    table.section("rules, on the stored snapshot");
    let load = timed(runs, || snapshot = read_snapshot(file).ok());
    let mut snapshot = snapshot.ok_or("the snapshot cannot be read")?;
    table.row("read the file", Unit::Millis, &load, None);
    let found = stages(table, &snapshot, &library, runs);
    table.note(&format!("{} rules, {found} findings", library.rules.len()));

    // Large, in use for two months, one index in ten unused: rules that wait for old counters run too, and find.
    snapshot.captured_at += TimeDelta::days(60);
    for (number, index) in snapshot.indexes.iter_mut().enumerate() {
        index.scans = if number % 10 == 0 { 0 } else { 1000 };
        index.bytes = 100 << 20;
    }
    table.section("the same after 60 days, indexes large, 1 in 10 unused");
    let found = stages(table, &snapshot, &library, runs);
    table.note(&format!("{} rules, {found} findings", library.rules.len()));
    Ok(())
}

fn stages(table: &mut Table, snapshot: &Snapshot, library: &Library, runs: usize) -> usize {
    let settings = Settings::default();
    let rows = timed(runs, || {
        with_facts(snapshot, |facts| facts.tables.into_iter().for_each(|facet| facet.rows.for_each(drop)))
    });
    table.row("rows of all facets, without a cell", Unit::Millis, &rows, None);
    let mut verdict = judge(snapshot, library, &settings, Tool::default());
    let both = timed(runs, || verdict = judge(snapshot, library, &settings, Tool::default()));
    table.row("facts and all rules: snapshot to verdict", Unit::Millis, &both, Some(300.0));
    let style = Style { width: 100, color: false };
    let rendering = timed(runs, || drop(render(&verdict, Format::Json, style, &mut Vec::new())));
    table.row("report as JSON", Unit::Millis, &rendering, None);
    verdict.findings.len()
}

fn timed(runs: usize, mut work: impl FnMut()) -> Series {
    let once = |_| {
        let since = Instant::now();
        work();
        since.elapsed().as_secs_f64() * 1000.0
    };
    Series((0..runs).map(once).collect())
}
