//! How a month is partitioned again, so that the next one can be.
//!
//! Bounds of sub-partitions are copied as they are, so they must not be of one month alone.

use super::month::Month;
use super::naming;
use super::survey::{Tables, name, place};
use crate::model::partition::{Edge, Likeness, Subpartition, Subpartitioning};
use crate::model::plan::Name;
use crate::model::snapshot::Partition;
use crate::statement::{list_bound, partition_key_columns, range_bound};
use std::collections::BTreeSet;

/// What lies below a partition.
#[derive(Debug, Clone)]
pub(super) struct Below<'a> {
    key: &'a str,
    partitions: Vec<(&'a Partition, Option<Below<'a>>)>,
    doubt: Option<String>,
}

/// The month that another one is made like, and that other one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) sibling: (&'a str, Option<Month>),
    pub(super) new: (&'a str, Month),
}

impl<'a> Below<'a> {
    /// What lies below a partition of a table that is cut by the column `time`; none below a leaf. `earlier` is an older
    /// one that is partitioned in the same way. An error says why it cannot be copied.
    pub(super) fn of(
        tables: &Tables<'a>,
        month: &'a Partition,
        earlier: Option<&'a Partition>,
        time: &str,
    ) -> Result<Option<Self>, String> {
        if month.is_leaf {
            return Ok(None);
        }
        let rows = rows(tables, month);
        let Some(first) = rows.first() else {
            return Err(format!("{} is partitioned again, and has no partitions", name(month)));
        };
        for row in &rows {
            if row.is_foreign {
                return Err(format!("{}, below {}, is a foreign table", name(row), name(month)));
            }
            if row.is_detach_pending {
                return Err(format!("{}, below {}, is half detached: finish that first", name(row), name(month)));
            }
        }
        let older = earlier.map(|earlier| self::rows(tables, earlier)).unwrap_or_default();
        let doubt = stands_still(month, &rows, &older, time)?;
        let below = |row: &'a Partition| {
            let counterpart = older.iter().find(|older| older.bound == row.bound && !older.is_leaf);
            Ok((row, Self::of(tables, row, counterpart.copied(), time)?))
        };
        let partitions = rows.iter().map(|row| below(row)).collect::<Result<_, String>>()?;
        Ok(Some(Self { key: &first.key_definition, partitions, doubt }))
    }

    /// All that lies below, in the order in which [`Subpartitioning`] has it.
    pub(super) fn names(&self) -> Vec<Name> {
        let below = self.partitions.iter();
        below
            .flat_map(|(row, below)| {
                std::iter::once(name(row)).chain(below.iter().flat_map(Self::names).collect::<Vec<_>>())
            })
            .collect()
    }

    /// When its bounds are not those of another month, as far as can be told.
    pub(super) fn doubts(&self) -> Vec<String> {
        let below = self.partitions.iter().flat_map(|(_, below)| below.iter().flat_map(Self::doubts));
        self.doubt.iter().cloned().chain(below.collect::<Vec<_>>()).collect()
    }

    /// The same below another month.
    pub(super) fn again(&self, turn: Turn<'_>) -> Result<Subpartitioning, String> {
        let partitions = self.partitions.iter().map(|(row, below)| {
            let own = row.name.as_deref().unwrap_or_default();
            let told = naming::below(own, turn.sibling, turn.new).ok_or_else(|| {
                format!(
                    "the name of {}, below {}, does not hold its month, so that there is none for that of {}: rename it",
                    name(row),
                    turn.sibling.0,
                    turn.new.1
                )
            });
            Ok(Subpartition {
                name: Name::new(row.schema.as_deref().unwrap_or_default(), &told??),
                bound: row.bound.clone().unwrap_or_default(),
                likeness: Likeness::default(),
                below: below.as_ref().map(|below| below.again(turn)).transpose()?,
            })
        });
        Ok(Subpartitioning { key: self.key.to_owned(), partitions: partitions.collect::<Result<_, String>>()? })
    }
}

/// The partitions of a partition.
fn rows<'a>(tables: &Tables<'a>, row: &Partition) -> Vec<&'a Partition> {
    let rows = tables.get(&place(row)).map(Vec::as_slice).unwrap_or_default();
    rows.iter().copied().filter(|row| row.name.is_some()).collect()
}

/// The bounds below one month are those below another, by the key and by what an older month has. What is still to be asked is
/// returned.
fn stands_still(
    month: &Partition,
    rows: &[&Partition],
    older: &[&Partition],
    time: &str,
) -> Result<Option<String>, String> {
    let Some(first) = rows.first() else { return Ok(None) };
    let (month, key) = (name(month), &first.key_definition);
    if first.strategy == "hash" {
        return match is_whole_hash(rows) {
            true => Ok(None),
            false => Err(format!("{month} is partitioned again by {key}, and not every remainder has a partition")),
        };
    }
    let columns = partition_key_columns(key)
        .ok_or_else(|| format!("{month} is partitioned again by {key}, which cannot be read now: try again"))?;
    if columns.contains(time) {
        return Err(format!(
            "{month} is partitioned again by {key}: by its time, so that bounds are of that month alone"
        ));
    }
    let is_range = first.strategy == "range";
    let is_dated = first.key_types.iter().any(|kind| {
        let is_time = kind == "date" || kind.starts_with("timestamp");
        is_time || (is_range && kind.is_empty())
    });
    let has_default = rows.iter().any(|row| row.bound.as_deref() == Some("DEFAULT"));
    let takes_all = has_default || (is_range && is_whole_range(rows));
    let Some(other) = older.first() else {
        return match is_dated || (is_range && !takes_all) {
            true => Err(format!(
                "{month} is partitioned again by {key}, and no older month tells whether its bounds move on"
            )),
            false => Ok(Some(format!(
                "the bounds below {month}, by {key}, are of that month alone: no older month tells, and they are copied"
            ))),
        };
    };
    let other = Name::new(&other.parent_schema, &other.parent_name);
    let lacking: Vec<&str> = bounds(older).difference(&bounds(rows)).copied().collect();
    if lacking.is_empty() && (!(is_range || is_dated) || older.len() == rows.len()) {
        return Ok(None);
    }
    if is_range || is_dated {
        return Err(format!(
            "{month} is partitioned again by {key}, and not by the bounds that {other} has: they move on, nobody says how"
        ));
    }
    if values(older).is_some_and(|old| values(rows).is_some_and(|new| old.is_subset(&new)))
        && (has_default || !lacking.contains(&"DEFAULT"))
    {
        return Ok(None);
    }
    let lacking = lacking.join(", ");
    match has_default {
        true => {
            Ok(Some(format!("the rows of {lacking} must not go to DEFAULT: {other} has these bounds, {month} has not")))
        }
        false => Err(format!("{month} is partitioned again by {key}, and lacks bounds that {other} has: {lacking}")),
    }
}

fn bounds<'a>(rows: &[&'a Partition]) -> BTreeSet<&'a str> {
    rows.iter().filter_map(|row| row.bound.as_deref()).collect()
}

/// What list partitions hold; none where that cannot be read.
fn values(rows: &[&Partition]) -> Option<BTreeSet<String>> {
    let bounds = bounds(rows).into_iter().filter(|bound| *bound != "DEFAULT");
    bounds.map(list_bound).try_fold(BTreeSet::new(), |all, some| Some(all.into_iter().chain(some?).collect()))
}

/// Hash partitions of which every row has one. They never overlap, and every modulus divides the largest.
fn is_whole_hash(rows: &[&Partition]) -> bool {
    let modulus = |bound: &str| -> Option<u64> {
        bound.split_once("modulus ")?.1.split_once(',')?.0.parse().ok().filter(|modulus| *modulus > 0)
    };
    let all: Option<Vec<u64>> = rows.iter().map(|row| modulus(row.bound.as_deref()?)).collect();
    all.is_some_and(|all| {
        let largest = all.iter().copied().max().unwrap_or(1);
        all.iter().map(|modulus| largest / modulus).sum::<u64>() == largest
    })
}

/// Ranges from MINVALUE to MAXVALUE without a gap. They never overlap.
fn is_whole_range(rows: &[&Partition]) -> bool {
    let ranges: Option<Vec<_>> = rows.iter().map(|row| range_bound(row.bound.as_deref()?)).collect();
    let Some(ranges) = ranges else { return false };
    let meets = |edges: &[Edge]| ranges.iter().any(|other| other.to == edges);
    ranges.iter().any(|range| range.to.first() == Some(&Edge::Maxvalue))
        && ranges.iter().any(|range| range.from.first() == Some(&Edge::Minvalue))
        && ranges.iter().all(|range| range.from.first() == Some(&Edge::Minvalue) || meets(&range.from))
}

#[cfg(test)]
mod tests;
