//! The adopted past is cut into months: which ones, and the plan.

use super::names::Names;
use super::{analysis, chained, unbound};
use crate::ddl::{Wanted, creations, quoted};
use crate::model::adoption::{SeenObstacle, SeenTable};
use crate::model::catalog::SeenPartitioned;
use crate::model::finding::fingerprint;
use crate::model::partition::{Edge, Likeness, Range};
use crate::model::plan::{Change, Estimate, FindingRef, Name, Plan};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::split::{Oldest, SplitForm, SplitPart};
use crate::model::units;
use crate::partition::creation::Site;
use crate::partition::month::Month;
use crate::partition::naming::Naming;

/// What a split is for, by name.
const RULE: &str = "partition_split";

/// Months that one split makes unless told otherwise: all are swapped in under one lock, for some milliseconds each.
const MONTHS: u16 = 60;

/// Bytes a second at which rows are assumed to be copied and compared. A guess.
const BYTES_PER_SECOND: f64 = 20.0 * 1024.0 * 1024.0;

/// What was seen of the table and of its wide partition.
#[derive(Debug, Clone)]
pub struct Splittable {
    /// The table.
    pub table: SeenTable,
    /// What decides how a partition of it is made.
    pub seen: SeenPartitioned,
    /// The wide partition.
    pub wide: Wide,
    /// `pg_class.oid` of it.
    pub oid: i64,
    /// How it is.
    pub likeness: Likeness,
    /// Its least key.
    pub oldest: Oldest,
    /// What stands in the way.
    pub obstacles: Vec<SeenObstacle>,
}

/// A partition of all before a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide {
    /// The partition.
    pub name: Name,
    /// What it holds.
    pub range: Range,
    /// The month that it ends before.
    pub until: Month,
}

/// The partition of a table that holds all before a month.
pub fn wide(site: &Site<'_>) -> Result<Wide, String> {
    if let Some(default) = site.default() {
        return Err(format!(
            "{default} is a DEFAULT partition, which would be read under lock for each month: detach it first"
        ));
    }
    let first = site
        .layout
        .parts
        .iter()
        .find(|part| part.range.as_ref().is_some_and(|range| matches!(range.from.as_slice(), [Edge::Minvalue])));
    let none = || format!("no partition of {} holds all before a month: there is nothing to split", site.table);
    let part = first.ok_or_else(none)?;
    if !part.partition.is_leaf || part.partition.is_foreign {
        let name = part.partition.name.as_deref().unwrap_or_default();
        return Err(format!("{name} is a foreign table or partitioned again: months cannot take its place"));
    }
    let until = part.slice.and_then(|slice| site.zone.begins(slice.to)).ok_or_else(none)?;
    let range = part.range.clone().ok_or_else(none)?;
    let (schema, name) = (part.partition.schema.as_deref(), part.partition.name.as_deref());
    Ok(Wide { name: Name::new(schema.unwrap_or_default(), name.unwrap_or_default()), range, until })
}

/// Why what was found keeps a partition from being split.
fn refusal(SeenObstacle { kind, object }: &SeenObstacle) -> Option<String> {
    let why = match kind.as_str() {
        "published_unnamed" => format!(
            "the publication {object} is of all tables or of a schema, and would tell subscribers of the copied rows, in tables that they do not have; publish tables by name"
        ),
        "publication" => format!(
            "the publication {object} tells of partitions by their own names, and subscribers have no months; ALTER PUBLICATION … SET (publish_via_partition_root = true)"
        ),
        "key_type" => {
            format!("the primary key has a type of an extension ({object}), by which rows are not compared here")
        }
        "after_trigger" => format!(
            "the row trigger {object} runs after a change, and what it changes in turn would come to the months out of order; drop it for as long as the split takes"
        ),
        _ => return None,
    };
    Some(why)
}

/// The plan of a split; or why there is none.
/// `months` are those that get a partition each at most, the newest; what is older stays together.
pub fn splitting(
    site: &Site<'_>,
    found: Splittable,
    months: Option<u16>,
    snapshot: &Snapshot,
    tool: Tool,
) -> Result<Plan, String> {
    let Splittable { table: seen, seen: terms, wide, oid, likeness, oldest, obstacles } = found;
    let table = &site.table;
    if terms.is_referenced {
        return Err(format!(
            "foreign keys refer to {table}: the server would look through their tables under lock; drop them first"
        ));
    }
    if snapshot.server.version_num < 140_000 {
        return Err("PostgreSQL 13 cannot read a range of blocks: a split needs 14".to_owned());
    }
    if let Some(why) = obstacles.iter().find_map(refusal) {
        return Err(why);
    }
    let is_deferrable = |definition: &String| definition.contains(" DEFERRABLE");
    if seen.inventory.indexes.iter().any(|index| index.constraint_definition.as_ref().is_some_and(is_deferrable)) {
        return Err(
            "a key is DEFERRABLE, by which a copied row cannot be known in time: make it again without".to_owned()
        );
    }
    let key = seen.inventory.indexes.iter().find(|index| index.constraint_type.as_deref() == Some("p"));
    let primary_key = key.map(|key| key.columns.clone());
    let primary_key =
        primary_key.ok_or_else(|| format!("{table} has no primary key, by which its copied rows are known"))?;
    let first = first(site, &wide, &oldest, months)?;
    let mut names = Names::of(snapshot, &wide.name.schema);
    let parts = parts(site, &wide, first, &mut names)?;
    let form = SplitForm {
        table: table.clone(),
        staging: Name::new(&wide.name.schema, &names.free(&table.name, "_split")),
        oid,
        key: site.key_columns.first().cloned().unwrap_or_default(),
        key_type: seen.key_type.unwrap_or_default(),
        primary_key,
        columns: terms.columns,
        parts,
        foreign_keys: seen.inventory.foreign_keys,
        references: terms.references,
        likeness: unbound(&likeness, &wide.name),
        range: wide.range,
        wide: wide.name,
    };
    let plan = creations(steps(form, first, snapshot), Vec::new(), snapshot, tool);
    Ok(chained(plan))
}

/// The first month that gets a partition of its own.
fn first(site: &Site<'_>, wide: &Wide, oldest: &Oldest, months: Option<u16>) -> Result<Month, String> {
    let key = site.key_columns.first().map_or_else(String::new, |key| quoted(key));
    let begin = match oldest {
        Oldest::NoRows => return Err(format!("{} holds no rows: there is nothing to split", wide.name)),
        Oldest::Unknown if months.is_none() => {
            return Err(format!(
                "its oldest row was not found in time, as where no index begins with {key}\n  next: CREATE INDEX CONCURRENTLY ON {} ({key}); or say with --months how many of its newest months get a partition each",
                wide.name
            ));
        }
        Oldest::Unknown => None,
        Oldest::Key(least) => {
            let month = site.layout.key.moment(least).and_then(|at| site.zone.month_of(at));
            if month.is_none() && months.is_none() {
                return Err(format!(
                    "{} begins with {least}, which is in no month: say with --months how many of its newest months get a partition each",
                    wide.name
                ));
            }
            month
        }
    };
    let most = i32::from(months.unwrap_or(MONTHS));
    let bound = wide.until.plus(-most).ok_or_else(|| format!("--months {most} reaches beyond the year 1"))?;
    Ok(begin.map_or(bound, |begin| begin.max(bound)))
}

/// One for what is older, then the months.
fn parts(site: &Site<'_>, wide: &Wide, first: Month, names: &mut Names) -> Result<Vec<SplitPart>, String> {
    let count = wide.until.since(first);
    let naming = site.layout.naming(site.zone).unwrap_or_else(|| Naming::standard(&site.table.name));
    let edge = |month: Month| site.layout.key.edge(site.zone, month).map(|edge| vec![edge]);
    let older = names.free(&naming.name(first)?, "_before");
    let older = Name::new(&wide.name.schema, &older);
    let mut parts = vec![SplitPart { name: older, range: Range { from: vec![Edge::Minvalue], to: edge(first)? } }];
    for month in (0..count).filter_map(|nr| first.plus(nr)) {
        let next = month.plus(1).ok_or("the months end with the year 9999")?;
        let to = if next == wide.until { wide.range.to.clone() } else { edge(next)? };
        let name = naming.name(month)?;
        if names.has(&name) {
            return Err(format!("the name {name} is taken, and {month} needs it"));
        }
        let name = Name::new(&wide.name.schema, &name);
        parts.push(SplitPart { name, range: Range { from: edge(month)?, to } });
    }
    Ok(parts)
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn steps(form: SplitForm, first: Month, snapshot: &Snapshot) -> Vec<Wanted> {
    let object = form.table.to_string();
    let finding = FindingRef { rule: RULE.to_owned(), fingerprint: fingerprint(&format!("{RULE}:{object}")), object };
    let own = snapshot.relations.iter().find(|row| row.schema == form.wide.schema && row.name == form.wide.name);
    let indexes = snapshot.indexes.iter().filter(|row| row.schema == form.wide.schema && row.table == form.wide.name);
    let bytes = own.map_or(0, |row| row.bytes + row.toast_bytes) + indexes.map(|row| row.bytes).sum::<i64>();
    let nothing = || Estimate { basis: "a change of the catalog alone".to_owned(), ..Estimate::default() };
    let copied = Estimate {
        bytes,
        peak_bytes: bytes,
        seconds: Some(bytes as f64 / BYTES_PER_SECOND),
        basis: format!("the size of {}, copied at an assumed {} a second", form.wide, units::bytes(BYTES_PER_SECOND)),
    };
    let compared = Estimate { seconds: Some(bytes as f64 * 2.0 / BYTES_PER_SECOND), ..nothing() };
    let count = form.parts.len().saturating_sub(1);
    let (table, form) = (form.table.clone(), Box::new(form));
    let wanted = |change: Change, estimate, why: String, caveats: &[&str]| Wanted {
        change,
        estimate,
        why: format!("{RULE}: {why}"),
        caveats: caveats.iter().map(|caveat| (*caveat).to_owned()).collect(),
        finding: finding.clone(),
    };
    vec![
        wanted(
            Change::BeginSplit(form.clone()),
            nothing(),
            format!(
                "{count} empty months from {first} on and one partition for what is older, beside {}, and a trigger that keeps them in step with it",
                form.wide
            ),
            &["its rows are written often: each write is done twice until the end"],
        ),
        wanted(
            Change::CopyRows(form.clone()),
            copied,
            "its rows go there, some blocks at a time, each locked against change until its batch commits; begun again it goes on".to_owned(),
            &["the disk has no room for them twice"],
        ),
        wanted(
            Change::FinishSplit(form.clone()),
            compared,
            format!("both are compared, and the months take its place; {} stays as a table, for you to drop", form.wide),
            &[
                "those who read or write the table cannot wait for a moment: it is locked against everything while the months are attached",
                "it must be taken back: after this step undo changes nothing",
            ],
        ),
        analysis(&table, finding.clone(), "the months have no statistics yet"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::layout::tests::rows;
    use crate::partition::survey::grouped;
    use chrono::DateTime;

    #[test]
    fn the_newest_months_are_cut_and_the_oldest_row_begins() {
        let rows = rows(
            "timestamp with time zone",
            &[
                ("t_legacy", "MINVALUE", "'2027-01-01 00:00:00+00'"),
                ("t_2027_01", "'2027-01-01 00:00:00+00'", "'2027-02-01 00:00:00+00'"),
            ],
        );
        let table = Name::new("public", "t");
        let site = Site::of(&table, &grouped(&rows), None, None, DateTime::UNIX_EPOCH).expect("a table by months");
        let wide = wide(&site).expect("all before a month");
        let begin = |oldest: &Oldest, months| first(&site, &wide, oldest, months).map(|month| month.to_string());
        let since = |text: &str| Oldest::Key(text.to_owned());
        let said = |month: &str| Ok(month.to_owned());
        assert_eq!(begin(&since("2026-03-07 11:00:00+00"), None), said("2026-03"));
        assert_eq!(begin(&since("2026-03-07 11:00:00+00"), Some(2)), said("2026-11"));
        assert_eq!(begin(&since("1999-03-07 11:00:00+00"), None), said("2022-01"), "sixty at most");
        assert_eq!(begin(&Oldest::Unknown, Some(7)), said("2026-06"));
        assert!(
            begin(&Oldest::Unknown, None)
                .is_err_and(|why| why.contains("CREATE INDEX CONCURRENTLY ON public.t_legacy"))
        );
        assert!(begin(&Oldest::NoRows, None).is_err());
        assert!(begin(&since("-infinity"), None).is_err_and(|why| why.contains("in no month: say with --months")));
        assert_eq!(begin(&since("-infinity"), Some(7)), said("2026-06"));
        let mut deep = rows.clone();
        deep[0].is_leaf = false;
        let site = Site::of(&table, &grouped(&deep), None, None, DateTime::UNIX_EPOCH).expect("a table by months");
        assert!(super::wide(&site).is_err_and(|why| why.contains("t_legacy is a foreign table or partitioned again")));
    }
}
