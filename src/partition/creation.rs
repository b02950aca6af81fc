//! Which months a table lacks, and the plan that makes them.

use super::below::{Below, Turn};
use super::bound::Slice;
use super::layout::{Layout, Part};
use super::month::Month;
use super::naming::Naming;
use super::runway::is_month;
use super::survey::{Tables, name, place};
use super::zone::Zone;
use crate::ddl::{Wanted, creations, quoted};
use crate::model::catalog::{SeenPartitioned, Strayed};
use crate::model::finding::fingerprint;
use crate::model::partition::{DefaultPartition, Drain, Edge, Likeness, PartitionForm, Range, Subpartitioning};
use crate::model::plan::{Change, Estimate, FindingRef, Left, Name, Plan};
use crate::model::snapshot::{Partition, Snapshot, Tool};
use crate::model::units;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// The rule that a month is made for.
const RULE: &str = "partition_runway";

/// Bytes a second at which a DEFAULT partition is assumed to be looked through. A guess.
const BYTES_PER_SECOND: f64 = 100.0 * 1024.0 * 1024.0;

/// A month that no partition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The month.
    pub month: Month,
    /// The name that its partition gets.
    pub name: Name,
    /// What it will hold.
    pub range: Range,
    /// How it is partitioned again, as yet without what those of its sibling are.
    pub below: Option<Subpartitioning>,
}

/// A table whose months are to be made.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// The table.
    pub table: Name,
    /// Its partitions.
    pub layout: Layout<'a>,
    /// Key columns; an expression is an empty text.
    pub key_columns: &'a [String],
    /// The zone whose months they are.
    pub zone: Zone,
    /// What lies below the newest partition, or why another one is not made like it.
    below: Result<Option<Below<'a>>, String>,
}

impl<'a> Site<'a> {
    /// A table of these. `wished` is the zone that was asked for, `session` the one that decides where several fit;
    /// `now` is when.
    pub fn of(
        table: &Name,
        tables: &Tables<'a>,
        wished: Option<Zone>,
        session: Option<Zone>,
        now: DateTime<Utc>,
    ) -> Result<Self, String> {
        let rows = tables.get(&(table.schema.as_str(), table.name.as_str())).map(Vec::as_slice).unwrap_or_default();
        let first = rows.first().ok_or_else(|| format!("{table} is no partitioned table"))?;
        let layout = Layout::of(rows)
            .ok_or_else(|| format!("{table} is cut by {}, of which its bounds say no time", first.key_definition))?;
        if let Some(part) = layout.parts.iter().find(|part| part.slice.is_some_and(|slice| slice.is_endless())) {
            return Err(format!(
                "{} has no end: detach it, and attach it with one, before months can follow",
                path(part.partition)
            ));
        }
        let newest = layout.slices().into_iter().rfind(Slice::is_bounded);
        if newest.is_some_and(|slice| !is_month(&slice)) {
            return Err(format!("{table}: its newest partition is no month of the calendar"));
        }
        let zone = zone(table, &layout, wished, session, now)?;
        let below = below(&layout, tables, &first.key_columns);
        Ok(Self { table: table.clone(), layout, key_columns: &first.key_columns, zone, below })
    }

    /// The newest partition, DEFAULT left out, which a new one is made like.
    #[must_use]
    pub fn sibling(&self) -> Option<Name> {
        self.layout.newest().map(|part| name(part.partition))
    }

    /// The DEFAULT partition.
    #[must_use]
    pub fn default(&self) -> Option<Name> {
        self.layout.default_part().map(name)
    }

    /// The tables that a new month is made like: the newest partition and what lies below it, or else the table itself.
    #[must_use]
    pub fn models(&self) -> Vec<Name> {
        let below = self.below.iter().flatten().flat_map(Below::names);
        std::iter::once(self.sibling().unwrap_or_else(|| self.table.clone())).chain(below).collect()
    }

    /// When months like the newest partition would not hold their rows as it does.
    fn doubts(&self) -> Vec<String> {
        self.below.iter().flatten().flat_map(Below::doubts).collect()
    }

    /// The months from one to another that no partition holds, the first first.
    pub fn missing(&self, first: Month, last: Month) -> Result<Vec<Missing>, String> {
        let naming = self.layout.naming(self.zone).unwrap_or_else(|| Naming::standard(&self.table.name));
        let schema = self.sibling().map_or_else(|| self.table.schema.clone(), |sibling| sibling.schema);
        let mut missing = Vec::new();
        for month in (0..=last.since(first)).filter_map(|nr| first.plus(nr)) {
            if let Some(range) = self.range(month)? {
                let name = naming.name(month)?;
                let below = self.below(month, &name)?;
                missing.push(Missing { month, name: Name::new(&schema, &name), range, below });
            }
        }
        Ok(missing)
    }

    /// How a month of this name is partitioned again.
    fn below(&self, month: Month, name: &str) -> Result<Option<Subpartitioning>, String> {
        let Some(below) = self.below.as_ref().map_err(|why| by_hand(&self.table, why))? else { return Ok(None) };
        let Some(newest) = self.layout.newest().map(|part| part.partition) else { return Ok(None) };
        let held = self.layout.months(self.zone).find(|(_, row)| place(row) == place(newest));
        let sibling = (place(newest).1, held.map(|(month, _)| month));
        below.again(Turn { sibling, new: (name, month) }).map(Some)
    }

    /// The range of a month; none where it is held.
    fn range(&self, month: Month) -> Result<Option<Range>, String> {
        let next = month.plus(1).ok_or_else(|| format!("{month} is the last month that can be written"))?;
        let (from, start) = self.edge(month)?;
        let (to, end) = self.edge(next)?;
        let wanted = Slice { from: start, to: end };
        let held = |part: &&Part<'_>| part.slice.is_some_and(|slice| slice.overlaps(&wanted));
        let mut reached = start;
        for part in self.layout.parts.iter().filter(held) {
            let slice = part.slice.unwrap_or(wanted);
            if slice.from <= reached {
                reached = reached.max(slice.to);
            }
        }
        if reached >= end {
            return Ok(None);
        }
        match self.layout.parts.iter().find(held) {
            None => Ok(Some(Range { from, to })),
            Some(part) => Err(format!(
                "{month} is held in part by {} ({}): make the rest by hand",
                path(part.partition),
                part.partition.bound.as_deref().unwrap_or_default()
            )),
        }
    }

    /// Where a month begins: as a neighbour writes it, so that they meet.
    fn edge(&self, month: Month) -> Result<(Vec<Edge>, DateTime<Utc>), String> {
        for part in &self.layout.parts {
            let (Some(range), Some(slice)) = (&part.range, part.slice) else { continue };
            for (edges, at) in [(&range.to, slice.to), (&range.from, slice.from)] {
                if self.zone.begins(at) != Some(month) {
                    continue;
                }
                if edges.iter().skip(1).any(|edge| *edge != Edge::Minvalue) {
                    let bound = part.partition.bound.as_deref().unwrap_or_default();
                    return Err(format!(
                        "{} is cut by another column too ({bound}), and so would be new months: make those by hand",
                        path(part.partition)
                    ));
                }
                return Ok((edges.clone(), at));
            }
        }
        let at = self.zone.start_of(month);
        let first = self.layout.key.edge(self.zone, month)?;
        let rest = self.key_columns.iter().skip(1).map(|_| Edge::Minvalue);
        Ok((std::iter::once(first).chain(rest).collect(), at))
    }
}

/// What lies below the newest partition of a table.
fn below<'a>(layout: &Layout<'a>, tables: &Tables<'a>, key: &[String]) -> Result<Option<Below<'a>>, String> {
    let Some(newest) = layout.newest().map(|part| part.partition) else { return Ok(None) };
    if newest.is_foreign {
        return Err(format!("{}, its newest partition, is a foreign table", path(newest)));
    }
    let cut = |row: &Partition| tables.get(&place(row))?.first().map(|row| row.key_definition.as_str());
    let mut others = layout.parts.iter().filter(|part| part.slice.is_some()).map(|part| part.partition);
    let earlier = others.rfind(|row| place(row) != place(newest) && !row.is_leaf && cut(row) == cut(newest));
    Below::of(tables, newest, earlier, key.first().map(String::as_str).unwrap_or_default())
}

fn by_hand(table: &Name, why: &str) -> String {
    format!(
        "{why}; each new month would be like it: make those by hand\n  next: 1. CREATE TABLE … (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY EXCLUDING INDEXES) [PARTITION BY …]\n        2. its partitions; with an identity column, from PostgreSQL 17 on, only after 3.\n        3. ALTER TABLE {table} ATTACH PARTITION …, for which nobody waits who reads or writes"
    )
}

fn path(row: &Partition) -> String {
    name(row).to_string()
}

/// The zone whose months a table is cut by.
fn zone(
    table: &Name,
    layout: &Layout<'_>,
    wished: Option<Zone>,
    session: Option<Zone>,
    now: DateTime<Utc>,
) -> Result<Zone, String> {
    let fitting = layout.zones(session);
    let Some(likely) = fitting.first().copied() else {
        let why = match layout.stray() {
            Some((zone, row)) => format!("{} is not cut by {zone}, as those before it are", path(row)),
            None => "its partitions are not months of the calendar".to_owned(),
        };
        return Err(format!("{table}: {why}"));
    };
    if let Some(wished) = wished {
        return match (layout.key.has_zone(), fitting.contains(&wished)) {
            (true, true) => Ok(wished),
            (true, false) => Err(format!("{table} is cut by months of {likely}, and {wished} would not meet them")),
            (false, _) if wished == Zone::UTC => Ok(wished),
            (false, _) => Err(format!("{table}: its key has no time zone")),
        };
    }
    if layout.ends().is_empty() {
        // Nothing tells: new tables are cut by UTC.
        return Ok(Zone::UTC);
    }
    // All that fit cut the past alike; what counts is the next years.
    let coming = |zone: Zone| -> Vec<DateTime<Utc>> {
        let first = Zone::UTC.month_of(now);
        first.iter().flat_map(|first| (1..=36).filter_map(|nr| Some(zone.start_of(first.plus(nr)?)))).collect()
    };
    let expected = coming(likely);
    let is_rival = |other: Zone| match Some(likely) == session {
        true => other == Zone::UTC,
        false => other.is_common() || !likely.is_common(),
    };
    let doubt = |other: &&Zone| likely != Zone::UTC && is_rival(**other) && coming(**other) != expected;
    match fitting.iter().find(doubt) {
        Some(other) => {
            Err(format!("{table}: its months are those of {likely} as well as of {other}: say which with --zone"))
        }
        None => Ok(likely),
    }
}

/// What is known of a table beyond its partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// How [`Site::models`] are, in their order.
    pub likenesses: Vec<Likeness>,
    /// What decides how a partition is made.
    pub seen: SeenPartitioned,
    /// Rows of DEFAULT that are of one of the missing months, by its number.
    pub strayed: Vec<Strayed>,
}

/// How far DEFAULT may be disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultTerms {
    /// Rows are moved out of it.
    pub drains: bool,
    /// Longest time that it is locked, in milliseconds.
    pub window_ms: u64,
}

/// The plan that makes the missing months of these tables.
#[must_use]
pub fn creation(
    tables: Vec<(&Site<'_>, Vec<Missing>, Evidence)>,
    terms: DefaultTerms,
    snapshot: &Snapshot,
    tool: Tool,
) -> Plan {
    let has_compression = snapshot.server.version_num >= 140_000;
    let (mut wanted, mut left) = (Vec::new(), Vec::new());
    for (site, missing, evidence) in tables {
        for (nr, one) in (0..).zip(missing) {
            let strayed = evidence.strayed.iter().find(|row| row.nr == nr);
            match form(site, one.clone(), &evidence, strayed, terms, has_compression) {
                Ok(form) => wanted.push(self::wanted(site, &one, form, &evidence, strayed)),
                Err(reason) => left.push(Left {
                    finding: reference(&site.table),
                    reason,
                    advice: format!("create {} for {}", one.name, one.month),
                }),
            }
        }
    }
    creations(wanted, left, snapshot, tool)
}

/// What a table has, for another: not policies with a subquery, which are written with the table's name: then the other,
/// read by its own name, lets nobody through.
pub(super) fn detachable(likeness: &Likeness, table: &Name) -> Likeness {
    let own = format!("{}.", quoted(&table.name));
    let names = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(&own));
    let is_bound =
        likeness.policies.iter().any(|policy| policy.is_bound || names(&policy.using) || names(&policy.check));
    let policies = if is_bound { Vec::new() } else { likeness.policies.clone() };
    Likeness { policies, alone: Vec::new(), ..likeness.clone() }
}

fn reference(table: &Name) -> FindingRef {
    let object = table.to_string();
    FindingRef { rule: RULE.to_owned(), fingerprint: fingerprint(&format!("{RULE}:{object}")), object }
}

fn form(
    site: &Site<'_>,
    missing: Missing,
    evidence: &Evidence,
    strayed: Option<&Strayed>,
    terms: DefaultTerms,
    has_compression: bool,
) -> Result<PartitionForm, String> {
    let drain = match (site.default(), strayed) {
        (Some(default), Some(rows)) => Some(drained(site, &default, &missing, rows, evidence, terms)?),
        _ => None,
    };
    let models = site.models();
    let own = evidence.likenesses.iter().zip(&models);
    let mut likenesses = own.map(|(likeness, model)| detachable(likeness, model));
    let likeness = likenesses.next().unwrap_or_default();
    let mut below = missing.below;
    like_siblings(&mut below, &mut likenesses);
    Ok(PartitionForm {
        name: missing.name,
        table: site.table.clone(),
        range: missing.range,
        has_compression,
        references: evidence.seen.references.clone(),
        default: site.default().map(|name| DefaultPartition { name, window_ms: terms.window_ms, drain }),
        likeness,
        below,
        has_identity: evidence.seen.has_identity,
    })
}

/// Gives what is below a month what those of its sibling are.
fn like_siblings(below: &mut Option<Subpartitioning>, likenesses: &mut impl Iterator<Item = Likeness>) {
    for part in below.iter_mut().flat_map(|below| &mut below.partitions) {
        part.likeness = likenesses.next().unwrap_or_default();
        like_siblings(&mut part.below, likenesses);
    }
}

/// What it takes to move the rows, or why they are not moved.
#[allow(clippy::cast_precision_loss, reason = "for people")]
fn drained(
    site: &Site<'_>,
    default: &Name,
    missing: &Missing,
    rows: &Strayed,
    evidence: &Evidence,
    terms: DefaultTerms,
) -> Result<Drain, String> {
    let count = units::count(rows.rows as f64);
    let told = format!("{count} rows of {} are in {default} ({} to {})", missing.month, rows.first, rows.last);
    let obstacle = if evidence.seen.default_kind.as_deref() == Some("f") {
        Some("it is a foreign table, or has one below it")
    } else if evidence.seen.is_referenced {
        Some("foreign keys refer to the table, and a DELETE would reach their rows")
    } else if missing.below.is_some() && evidence.seen.has_identity {
        Some("the table has an identity column, so that the partitions of a month are attached after it")
    } else if missing.below.as_ref().is_some_and(leaves_out) {
        Some("below the month is a list or a range without DEFAULT, which may not take them all")
    } else if evidence.seen.default_has_triggers {
        Some("a DELETE there calls triggers")
    } else {
        None
    };
    match (obstacle, terms.drains) {
        (Some(why), _) => Err(format!("{told}, and they are not moved: {why}")),
        (None, false) => {
            Err(format!("{told}: --drain-default moves them, with DEFAULT locked for as long as --window allows"))
        }
        (None, true) => Ok(Drain {
            key: site.key_columns.first().cloned().unwrap_or_default(),
            columns: evidence.seen.columns.clone(),
        }),
    }
}

/// Some row may find no place: a level is by list or range, and has no DEFAULT.
fn leaves_out(below: &Subpartitioning) -> bool {
    let is_open = !below.key.starts_with("HASH") && below.partitions.iter().all(|part| part.bound != "DEFAULT");
    is_open || below.partitions.iter().filter_map(|part| part.below.as_ref()).any(leaves_out)
}

/// Partitions that keep the default replica identity, though their models have another.
fn unidentified(likenesses: &[Likeness]) -> Option<String> {
    let is_alone = |own: &Likeness| own.replica_identity == "index" && own.replica_index.is_none();
    likenesses.iter().any(is_alone).then(|| {
        "its sibling's replica identity, or that of a partition below it, is an index that the partitioned table does not have: it gets the default one, and UPDATE and DELETE fail where they are published and it has no primary key".to_owned()
    })
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn wanted(
    site: &Site<'_>,
    missing: &Missing,
    form: PartitionForm,
    evidence: &Evidence,
    strayed: Option<&Strayed>,
) -> Wanted {
    let zone = if site.layout.key.has_zone() { format!(" in {}", site.zone) } else { String::new() };
    let mut caveats = Vec::new();
    if let Some(default) = &form.default {
        caveats.push(format!(
            "those who read or write {} cannot wait: it is locked against everything and looked through, for {} at most",
            default.name,
            units::millis(default.window_ms as f64)
        ));
    }
    if let Some(rows) = strayed {
        let count = units::count(rows.rows as f64);
        caveats
            .push(format!("the move of {count} rows must be taken back one day: undo keeps a month that holds rows"));
    }
    caveats.extend(site.doubts());
    let is_bound = |(own, model): (&Likeness, Name)| detachable(own, &model).policies.len() < own.policies.len();
    if evidence.likenesses.iter().zip(site.models()).any(is_bound) {
        caveats.push("the policies of its sibling ask for other tables by that one's name, and are left out: read by its own name it lets nobody through".to_owned());
    }
    let published: BTreeSet<&str> =
        evidence.likenesses.iter().flat_map(|own| &own.publications).map(String::as_str).collect();
    let models = site.models();
    let own = evidence.likenesses.iter().zip(&models);
    let alone: Vec<String> =
        own.flat_map(|(likeness, model)| likeness.alone.iter().map(move |what| format!("{what} on {model}"))).collect();
    if !alone.is_empty() {
        caveats.push(format!(
            "it needs from the start what its sibling alone has, and the table has not: {}: make it there by hand",
            alone.join(", ")
        ));
    }
    if !published.is_empty() {
        let names = published.into_iter().collect::<Vec<_>>().join(", ");
        caveats.push(format!(
            "it must be published at once by its own name, as its sibling is in {names}: add it there by hand"
        ));
    }
    caveats.extend(unidentified(&evidence.likenesses));
    let estimate = match &form.default {
        Some(_) => Estimate {
            seconds: Some(evidence.seen.default_bytes as f64 / BYTES_PER_SECOND),
            basis: "DEFAULT is read from end to end, at an assumed 100 MiB/s".to_owned(),
            ..Estimate::default()
        },
        None => Estimate { basis: "a change of the catalog alone".to_owned(), ..Estimate::default() },
    };
    Wanted {
        change: Change::CreatePartition(form),
        estimate,
        why: format!("{RULE}: no partition holds {}{zone}", missing.month),
        caveats,
        finding: reference(&site.table),
    }
}

#[cfg(test)]
mod tests;
