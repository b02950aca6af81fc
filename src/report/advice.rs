//! Advice for people and for programs: each proposal with what it serves, saves and takes, what could go, and
//! the account of what was looked at.

use super::page::{bold, lines};
use super::words::{cut_flat, noun};
use super::{Style, escape};
use crate::model::advice::{Account, Advice, Caveat, CurvePoint, Proposal, Removal, Served, ValuesCost};
use crate::model::units;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Statements of one proposal that are shown; JSON has all.
const SHOWN: usize = 5;

/// Longest statement shown, in characters.
const STATEMENT: usize = 120;

/// Writes the advice for people.
pub fn write_advice(advice: &Advice, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", bold(&escape(&head(advice)), style))?;
    lines(&[outcome(advice)], style, out)?;
    for proposal in &advice.proposals {
        writeln!(out)?;
        let name = format!("{}  {}", proposal.id, proposal.kind.name());
        let object = format!("{} on {}", proposal.name, proposal.table);
        writeln!(out, "{}  {}", bold(&name, style), escape(&object))?;
        lines(&told(proposal), style, out)?;
    }
    section("CURVE", &curve(advice), style, out)?;
    section("COULD GO", &advice.removals.iter().map(removal).collect::<Vec<_>>(), style, out)?;
    section(
        "NOT IF",
        &caveats(advice).into_iter().map(|(text, whose)| format!("{text}{whose}")).collect::<Vec<_>>(),
        style,
        out,
    )?;
    section("ACCOUNT", &account(&advice.account), style, out)
}

/// Writes the advice as JSON, version 1.
pub fn write_advice_json(advice: &Advice, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, advice)?;
    writeln!(out)
}

fn section(title: &str, told: &[String], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", bold(title, style))?;
    lines(told, style, out)
}

/// `2 indexes for database shop, read 2026-11-20 06:03 UTC`
pub(super) fn head(advice: &Advice) -> String {
    let at = advice.captured_at.format("%F %H:%M UTC");
    let target = &advice.target.database;
    match advice.proposals.len() {
        0 => format!("no index to create for database {target}, read {at}"),
        1 => format!("1 index to create for database {target}, read {at}"),
        count => format!("{count} indexes to create for database {target}, read {at}"),
    }
}

/// What all of it saves.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn outcome(advice: &Advice) -> String {
    let workload = &advice.workload;
    let window = units::millis(workload.window_seconds as f64 * 1000.0);
    let (what, before, after) = match workload.weigh_by.as_str() {
        "time" => ("execution time", units::millis(workload.before), units::millis(workload.after)),
        _ => ("calls × cost", units::count(workload.before), units::count(workload.after)),
    };
    if advice.proposals.is_empty() {
        return format!("{what} of the planned statements in {window}: {before}");
    }
    let basis =
        if advice.account.estimate.is_some() { "pgassay's own costs, no planner was asked" } else { "planner costs" };
    format!(
        "{what} of the planned statements in {window}: {before} → about {after}, {} less, which is {} an hour; an estimate by {basis}",
        share(workload.saved_share()),
        units::millis(workload.saved_ms_per_hour)
    )
}

pub(super) fn share(share: f64) -> String {
    format!("{} %", units::short(100.0 * share))
}

/// `12 MiB, 3 indexes: leaves 4.52 % of the execution time by estimate`: what is left tells the last ones apart.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn curve(advice: &Advice) -> Vec<String> {
    let what = if advice.workload.weigh_by == "time" { "execution time" } else { "calls × cost" };
    let told = |point: &CurvePoint| {
        let (room, left) = (units::bytes(point.bytes as f64), units::significant(100.0 * (1.0 - point.saved_share)));
        let indexes = if point.indexes == 1 { "index" } else { "indexes" };
        format!("{room}, {} {indexes}: leaves {left} % of the {what} by estimate", point.indexes)
    };
    advice.curve.iter().map(told).collect()
}

fn told(proposal: &Proposal) -> Vec<String> {
    let mut told = vec![format!("{};", proposal.definition)];
    told.extend(replaces(proposal));
    told.extend([saves(proposal), takes(proposal)]);
    told.extend(
        proposal.serves.iter().take(SHOWN).flat_map(|one| [Some(served(one)), spread(one), visits(one)]).flatten(),
    );
    if proposal.serves.len() > SHOWN {
        told.push(format!("… and {} more statements", proposal.serves.len() - SHOWN));
    }
    told
}

/// `in the place of s.a, s.b, which could go once it is used: 8 MiB more room in all`
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn replaces(proposal: &Proposal) -> Option<String> {
    let names: Vec<String> = proposal.replaces.iter().map(ToString::to_string).collect();
    let change = if proposal.net_bytes < 0 { "less" } else { "more" };
    let room = units::bytes(proposal.net_bytes.abs() as f64);
    (!names.is_empty()).then(|| {
        format!("in the place of {}, which could go once it is used: {room} {change} room in all", names.join(", "))
    })
}

pub(super) fn saves(proposal: &Proposal) -> String {
    let (count, share) = (proposal.serves.len(), share(proposal.saved_share));
    let hourly = units::millis(proposal.saved_ms_per_hour);
    let unchecked = if proposal.planner_checked { "" } else { "; not checked by the planner" };
    format!("saves about {hourly} an hour, {share} of the workload, in {count} {}{unchecked}", noun(count, "statement"))
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn takes(proposal: &Proposal) -> String {
    let size = |bytes: i64| units::bytes(bytes as f64);
    let seconds =
        proposal.estimate.seconds.map(|seconds| format!(", about {} to build", units::millis(seconds * 1000.0)));
    let other = proposal.hypopg_bytes.map(|bytes| format!(" (HypoPG: {})", size(bytes)));
    format!(
        "takes at most about {}{}{}",
        size(proposal.estimate.bytes),
        other.unwrap_or_default(),
        seconds.unwrap_or_default()
    )
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn served(served: &Served) -> String {
    let (text, _) = cut_flat(&served.text, STATEMENT);
    let others =
        if served.uses.len() > 1 { format!(", by {} of them together", served.uses.len()) } else { String::new() };
    format!(
        "q:{} cost {} → {}{others}; {} calls, {}: {}",
        served.fingerprint,
        units::count(served.cost_before),
        units::count(served.cost_after),
        units::count(served.calls as f64),
        units::millis(served.total_ms),
        text
    )
}

/// Shares of the cost that are saved differ by this much: the values decide.
const VALUES_DECIDE: f64 = 0.1;

/// `by values: rare 32,511 → 5, common 32,511 → 32,511`
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn spread(served: &Served) -> Option<String> {
    let decides = |other: &&ValuesCost| (other.saved_share() - served.saved_share()).abs() >= VALUES_DECIDE;
    served.spread.iter().find(decides)?;
    let own = served.values.map(|values| ValuesCost {
        values,
        cost_before: served.cost_before,
        cost_after: served.cost_after,
    });
    let mut all: Vec<ValuesCost> = served.spread.iter().copied().chain(own).collect();
    all.sort_by_key(|cost| cost.values);
    let told = all.iter().map(|cost| {
        let ValuesCost { values, cost_before, cost_after } = cost;
        format!("{} {} → {}", values.name(), units::count(*cost_before), units::count(*cost_after))
    });
    Some(format!("by values: {}", told.collect::<Vec<_>>().join(", ")))
}

/// `visits 600,000 rows a call by index one by one, 0 without`: where that is felt.
pub(super) fn visits(served: &Served) -> Option<String> {
    let visits = served.visits.filter(|visits| visits.are_felt())?;
    let (before, after) = (units::count(visits.before), units::count(visits.after));
    Some(format!(
        "visits about {after} rows a call by index one by one, {before} without: may take longer, see repeated_visits"
    ))
}

/// Each caveat once, with the proposals it is about where that is not all.
pub(super) fn caveats(advice: &Advice) -> Vec<(String, String)> {
    let mut by_text: BTreeMap<&Caveat, Vec<u32>> = BTreeMap::new();
    for proposal in &advice.proposals {
        for caveat in &proposal.caveats {
            by_text.entry(caveat).or_default().push(proposal.id);
        }
    }
    let told = |(caveat, ids): (&Caveat, Vec<u32>)| {
        let numbers: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let is_all = ids.len() == advice.proposals.len();
        let whose = if is_all { String::new() } else { format!(" [{}]", numbers.join(", ")) };
        (format!("{} ({})", caveat.text, caveat.code), whose)
    };
    by_text.into_iter().map(told).collect()
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn removal(removal: &Removal) -> String {
    let after = removal.after_proposal.map(|number| format!(", once {number} is there and used")).unwrap_or_default();
    let keeper = removal.keeper.as_ref().map(|keeper| format!("; {keeper} does its work")).unwrap_or_default();
    format!(
        "{} on {}: frees {} ({}){keeper}{after}",
        removal.name,
        removal.table,
        units::bytes(removal.bytes as f64),
        removal.reasons.join(", ")
    )
}

/// What was looked at, a line each.
#[allow(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn account(account: &Account) -> Vec<String> {
    let statements = &account.statements;
    let time = statements.time_share.map(|part| format!(", {} of the database's execution time", share(part)));
    let mut told =
        vec![format!("{} of {} statements planned{}", statements.planned, statements.read, time.unwrap_or_default())];
    let mut missed: Vec<String> =
        statements.unplannable.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let counts = [
        (statements.without_tables, "on catalogs, partitions or functions alone"),
        (statements.not_asked, "not asked about"),
    ];
    missed.extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    if !missed.is_empty() {
        told.push(format!("not advised on: {}", missed.join(", ")));
    }
    let entries = [(statements.below_top, "below --top"), (statements.hidden, "hidden from the role")];
    let entries: Vec<String> = entries
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", units::count(*count as f64)))
        .collect();
    if !entries.is_empty() {
        told.push(format!("entries whose texts were not read: {}", entries.join(", ")));
    }
    let budget = account
        .budget_bytes
        .map_or("no budget".to_owned(), |bytes| format!("a budget of {}", units::bytes(bytes as f64)));
    let counted = |number: usize, word| format!("{} {}", units::count(number as f64), noun(number, word));
    let candidates = counted(account.candidates, "candidate");
    let time = units::millis(account.seconds * 1000.0);
    let questions = counted(account.what_if_calls, "question");
    let sessions = format!("{} {}", account.sessions, noun(account.sessions, "session"));
    let weighed = match &account.estimate {
        Some(why) => format!("weighed by the built-in estimate in {time}, as {why}"),
        None => format!("{questions} to the planner in {time} over {sessions}"),
    };
    told.push(format!("{candidates}, {weighed}; {budget}, {} indexes a table", account.max_indexes));
    if !account.unknown_functions.is_empty() {
        told.push(format!(
            "no index was looked for on expressions that call {}: the snapshot does not tell what these functions are",
            account.unknown_functions.join(", ")
        ));
    }
    if account.below_threshold > 0 {
        told.push(format!(
            "{} left out that would save less than {} % of the workload and less than {} % of each statement",
            account.below_threshold,
            units::short(account.least_share_pct),
            units::short(account.least_statement_pct)
        ));
    }
    told.extend(account.what_if.as_ref().map(|place| format!("the planner of {place} was asked")));
    told
}
