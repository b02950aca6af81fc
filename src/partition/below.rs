//! How a month is partitioned again, so that the next one can be.
//!
//! Bounds of sub-partitions are copied as they are, so they must not be of one month alone.

use super::month::Month;
use super::naming;
use super::survey::{Tables, name, place};
use crate::model::partition::{Likeness, Subpartition, Subpartitioning};
use crate::model::plan::Name;
use crate::model::snapshot::Partition;
use crate::statement::partition_key_columns;

/// What lies below a partition.
#[derive(Debug, Clone)]
pub(super) struct Below<'a> {
    key: &'a str,
    partitions: Vec<(&'a Partition, Option<Below<'a>>)>,
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
        stands_still(month, &rows, &older, time)?;
        let below = |row: &'a Partition| {
            let counterpart = older.iter().find(|older| older.bound == row.bound && !older.is_leaf);
            Ok((row, Self::of(tables, row, counterpart.copied(), time)?))
        };
        let partitions = rows.iter().map(|row| below(row)).collect::<Result<_, String>>()?;
        Ok(Some(Self { key: &first.key_definition, partitions }))
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

/// The bounds below one month are those below another, by the key and by what an older month has.
fn stands_still(month: &Partition, rows: &[&Partition], older: &[&Partition], time: &str) -> Result<(), String> {
    let Some(first) = rows.first().filter(|first| first.strategy != "hash") else { return Ok(()) };
    let (month, key) = (name(month), &first.key_definition);
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
    let bounds = |rows: &[&Partition]| {
        let mut bounds: Vec<Option<String>> = rows.iter().map(|row| row.bound.clone()).collect();
        bounds.sort();
        bounds
    };
    match (older.first(), bounds(rows) == bounds(older)) {
        (Some(_), true) => Ok(()),
        (Some(other), false) if is_range || is_dated => Err(format!(
            "{month} is partitioned again by {key}, and not by the bounds that {}.{} has: they move on, nobody says how",
            other.parent_schema, other.parent_name
        )),
        (None, _) if is_dated => {
            Err(format!("{month} is partitioned again by {key}, and no older month tells whether its bounds move on"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
