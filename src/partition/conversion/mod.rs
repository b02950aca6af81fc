//! A plain table becomes a partitioned one, without its rows being copied: where it is cut, what stands in the way, and
//! the plan.

mod names;
mod obstacles;
mod splitting;

pub use obstacles::allowances;
pub use splitting::{Splittable, splitting, wide};

use super::key::Key;
use super::month::Month;
use super::naming::Naming;
use super::zone::Zone;
use crate::ddl::{Draftsman, Drawing, Wanted, creations, quoted};
use crate::model::adoption::{AdoptForm, AdoptedIndex, Inventory, KeySwap, PrepareForm, SeenObstacle, SeenTable};
use crate::model::finding::fingerprint;
use crate::model::partition::{Edge, Likeness, PartitionForm, Range};
use crate::model::plan::{Change, Estimate, FindingRef, IndexForm, Name, Plan, Trimmings};
use crate::model::snapshot::{Snapshot, Tool};
use crate::model::units;
use chrono::{DateTime, TimeDelta, Utc};
use names::Names;

/// The rule that a conversion answers.
const RULE: &str = "large_unpartitioned_table";

/// What the name of the CHECK begins with; the first month that it keeps out follows.
const CHECK: &str = "pgassay_before_";

/// The boundary is so far ahead: rows of it are refused from the preparation to the adoption.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// The adoption comes so long before the boundary, as a key without a zone may be written in any.
const MARGIN: TimeDelta = TimeDelta::days(1);

/// Bytes a second at which the table is assumed to be read. A guess.
const BYTES_PER_SECOND: f64 = 100.0 * 1024.0 * 1024.0;

/// What is wished.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The table.
    pub table: Name,
    /// The key column.
    pub key: String,
    /// The first month with a partition of its own; none: the first that is two weeks ahead.
    pub from: Option<Month>,
    /// How many months get one at once.
    pub months: u16,
    /// The zone whose months they are; none: UTC.
    pub zone: Option<Zone>,
    /// Obstacles that are allowed.
    pub allow: Vec<String>,
}

/// What was seen of the table.
#[derive(Debug, Clone)]
pub struct Convertible {
    /// The table.
    pub table: SeenTable,
    /// Owner, privileges and the like.
    pub likeness: Likeness,
    /// What stands in the way.
    pub obstacles: Vec<SeenObstacle>,
}

/// Where the table is cut.
struct Cut {
    key: Key,
    zone: Zone,
    first: Month,
    boundary: String,
    deadline: DateTime<Utc>,
}

/// The plan of a conversion; or why there is none, a line each.
pub fn conversion(wish: &Conversion, found: Convertible, snapshot: &Snapshot, tool: Tool) -> Result<Plan, Vec<String>> {
    let Convertible { table: mut seen, likeness, mut obstacles } = found;
    let key_type = seen.key_type.clone().ok_or_else(|| vec![format!("{} has no column {}", wish.table, wish.key)])?;
    let cut = cut(wish, &key_type, seen.boundary.as_deref(), snapshot.captured_at).map_err(|why| vec![why])?;
    if obstacles.iter().any(|one| one.kind == "primary_key") {
        let is_identity = seen
            .inventory
            .indexes
            .iter()
            .any(|index| index.is_replica_identity && index.constraint_type.as_deref() == Some("p"));
        let object = wish.table.to_string();
        obstacles.extend(is_identity.then(|| SeenObstacle { kind: "replica_identity".to_owned(), object }));
    } else {
        // It stays as it is, and views with it.
        obstacles.retain(|one| one.kind != "view_by_key");
    }
    let (refusals, prices) = obstacles::judged(&obstacles, &wish.allow);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut names = Names::of(snapshot, &wish.table.schema);
    let draft = Draft::of(wish, &key_type, &cut, &mut seen, likeness, &obstacles, snapshot, &mut names);
    let (prepare, adopt, estimate) = draft.map_err(|why| vec![why])?;
    let months = months(wish, &cut, &adopt, &names).map_err(|why| vec![why])?;
    let mut wanted = vec![preparation(wish, &cut, prepare, estimate, prices), adoption(wish, &cut, adopt)];
    wanted.extend(months);
    wanted.push(analysis(&wish.table, reference(&wish.table), "the successor has no statistics of its own yet"));
    Ok(chained(creations(wanted, Vec::new(), snapshot, tool)))
}

/// Statistics at the end.
fn analysis(table: &Name, finding: FindingRef, why: &str) -> Wanted {
    let basis = "reads at most 30,000 blocks of each table at the default statistics target".to_owned();
    Wanted {
        change: Change::Analyze { table: table.clone() },
        estimate: Estimate { basis, ..Estimate::default() },
        why: format!("{}: {why}", finding.rule),
        caveats: Vec::new(),
        finding,
    }
}

/// Each step depends on the one before it.
fn chained(mut plan: Plan) -> Plan {
    for step in plan.steps.iter_mut().skip(1) {
        step.depends_on = vec![step.id - 1];
    }
    plan
}

fn reference(table: &Name) -> FindingRef {
    let object = table.to_string();
    FindingRef { rule: RULE.to_owned(), fingerprint: fingerprint(&format!("{RULE}:{object}")), object }
}

fn cut(wish: &Conversion, key_type: &str, ready: Option<&str>, now: DateTime<Utc>) -> Result<Cut, String> {
    let key = Key::of(key_type, [])
        .ok_or_else(|| format!("{} is {key_type}: a table is cut by date, timestamp or timestamptz", wish.key))?;
    let zone = match wish.zone {
        Some(zone) if !key.has_zone() && zone != Zone::UTC => {
            return Err(format!("{} is {key_type}, which has no time zone", wish.key));
        }
        zone => zone.unwrap_or(Zone::UTC),
    };
    let out_of_range = || "the server's clock is out of range".to_owned();
    let ahead = now + AHEAD;
    let current = zone.month_of(ahead).ok_or_else(out_of_range)?;
    let next = if zone.start_of(current) >= ahead { Some(current) } else { current.plus(1) };
    // One that was made ready is adopted where it was to be.
    let ready = ready.and_then(|name| name.strip_prefix(CHECK)?.replace('_', "-").parse().ok());
    let first = wish.from.or(ready).or(next).ok_or_else(out_of_range)?;
    let start = zone.start_of(first);
    let deadline = start - MARGIN;
    if deadline <= now {
        return Err(format!(
            "{first} begins too soon, or has begun: the first month with a partition of its own must lie ahead"
        ));
    }
    let boundary = key.value(start).ok_or_else(|| format!("{first} has no value of the key's type"))?;
    Ok(Cut { key, zone, first, boundary, deadline })
}

/// The forms of a conversion in the making.
struct Draft;

impl Draft {
    #[allow(clippy::too_many_arguments, reason = "what a conversion is made of")]
    fn of(
        wish: &Conversion,
        key_type: &str,
        cut: &Cut,
        seen: &mut SeenTable,
        likeness: Likeness,
        obstacles: &[SeenObstacle],
        snapshot: &Snapshot,
        names: &mut Names,
    ) -> Result<(PrepareForm, AdoptForm, Estimate), String> {
        let schema = &wish.table.schema;
        let legacy = Name::new(schema, &names.free(&wish.table.name, "_legacy"));
        let building = Name::new(schema, &names.free(&wish.table.name, "_successor"));
        let check = format!("{CHECK}{}", cut.first.to_string().replace('-', "_"));
        let sets_not_null = !seen.is_key_not_null;
        let mut apart = Vec::new();
        if sets_not_null {
            apart.push(format!("not null: {}", wish.key));
        }
        let is_short = |kind: &str| obstacles.iter().any(|one| one.kind == kind);
        let mut key = None;
        let inventory = &mut seen.inventory;
        let swap = is_short("primary_key");
        let made = format!("{}_key", legacy.name);
        let is_made = |index: &AdoptedIndex| index.name == made && index.is_unique && index.constraint.is_none();
        // Of an earlier run that made the table ready.
        let ready = inventory.indexes.iter().position(is_made).filter(|_| swap && seen.boundary.is_some());
        let ready = ready.map(|at| inventory.indexes.remove(at).name);
        for index in &mut inventory.indexes {
            let is_key = index.constraint_type.as_deref() == Some("p");
            let stays = (index.is_unique && !index.has_key) || index.constraint_type.as_deref() == Some("x");
            if (is_key && swap) || stays {
                apart.extend(index.constraint.iter().map(|name| format!("constraint {name}")));
                apart.push(format!("index {}", index.name));
            }
            if is_key && swap {
                key = Some(index.clone());
            } else if stays {
                continue;
            }
            index.legacy = Some(match index.name.strip_prefix(wish.table.name.as_str()) {
                Some(rest) => names.free(&legacy.name, rest),
                None => names.free(&index.name, "_legacy"),
            });
        }
        for one in &mut inventory.statistics {
            one.legacy = Some(names.free(&one.name.name, "_legacy"));
        }
        let mut estimate = read(snapshot, &wish.table);
        let mut index = None;
        let swap = match key {
            Some(old) => {
                let (form, price, swap) = keys(wish, &old, &legacy, ready, snapshot, names)?;
                estimate.bytes = price.bytes;
                estimate.peak_bytes = price.peak_bytes;
                estimate.seconds = Some(estimate.seconds.unwrap_or(0.0) + price.seconds.unwrap_or(0.0));
                index = Some(form);
                apart.push(format!("index {}", swap.index));
                Some(swap)
            }
            None => None,
        };
        let prepare = PrepareForm {
            table: wish.table.clone(),
            legacy: legacy.clone(),
            oid: seen.oid,
            index,
            check: check.clone(),
            key: wish.key.clone(),
            key_type: key_type.to_owned(),
            boundary: cut.boundary.clone(),
        };
        let adopt = AdoptForm {
            table: wish.table.clone(),
            legacy,
            building,
            oid: seen.oid,
            key: wish.key.clone(),
            boundary: cut.boundary.clone(),
            check,
            deadline: cut.deadline,
            has_compression: snapshot.server.version_num >= 140_000,
            sets_not_null,
            swap,
            apart,
            likeness,
            inventory: std::mem::take(&mut seen.inventory),
        };
        Ok((prepare, adopt, estimate))
    }
}

/// What it takes to read the table once.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn read(snapshot: &Snapshot, table: &Name) -> Estimate {
    let own = snapshot.relations.iter().find(|row| row.schema == table.schema && row.name == table.name);
    let bytes = own.map_or(0, |row| row.bytes) as f64;
    Estimate {
        seconds: Some(bytes / BYTES_PER_SECOND),
        basis: format!(
            "{} are read for the CHECK, at an assumed 100 MiB/s; the index by rows × widths",
            units::bytes(bytes)
        ),
        ..Estimate::default()
    }
}

/// The index of the new primary key, what it takes, and how it takes the place of the old one.
fn keys(
    wish: &Conversion,
    old: &AdoptedIndex,
    legacy: &Name,
    ready: Option<String>,
    snapshot: &Snapshot,
    names: &mut Names,
) -> Result<(IndexForm, Estimate, KeySwap), String> {
    let listed = |columns: &[String]| columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let before = format!("PRIMARY KEY ({})", listed(&old.columns));
    let definition = old.constraint_definition.as_deref().unwrap_or_default();
    let rest =
        definition.strip_prefix(&before).ok_or_else(|| format!("the primary key is not understood: {definition}"))?;
    let timings = [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"];
    let timing = timings.into_iter().find(|timing| rest.ends_with(timing)).unwrap_or_default();
    let include = rest.strip_suffix(timing).unwrap_or(rest);
    let all: Vec<String> = old.columns.iter().chain([&wish.key]).cloned().collect();
    let columns = format!("({}){include}", listed(&all));
    let drawing = Drawing {
        table: wish.table.clone(),
        words: all.clone(),
        columns: all,
        using: format!("btree {columns}"),
        predicate: None,
    };
    let (form, estimate) = Draftsman::of(snapshot).index(&drawing)?;
    let trimmings = Trimmings { tablespace: old.tablespace.clone(), ..Trimmings::default() };
    let index = ready.unwrap_or_else(|| names.free(&legacy.name, "_key"));
    let form = IndexForm {
        name: Name::new(&wish.table.schema, &index),
        is_unique: true,
        is_by_name: true,
        trimmings: trimmings.clone(),
        ..form
    };
    let restored = IndexForm {
        name: Name::new(&wish.table.schema, &names.free(&old.name, "_restored")),
        table: legacy.clone(),
        is_unique: true,
        is_by_name: true,
        using: old.using.clone(),
        trimmings,
        ..IndexForm::default()
    };
    let name = old.constraint.clone().unwrap_or_else(|| old.name.clone());
    Ok((form, estimate, KeySwap { name, index, columns, timing: timing.to_owned(), restored }))
}

fn preparation(wish: &Conversion, cut: &Cut, form: PrepareForm, estimate: Estimate, prices: Vec<String>) -> Wanted {
    let deadline = cut.deadline.format("%F %H:%M UTC");
    let mut caveats: Vec<String> = prices.into_iter().map(|price| format!("this must not be: {price}")).collect();
    caveats.push(format!(
        "rows of {} and later are written already: they stop it, and are refused from now on until the table is adopted",
        cut.first
    ));
    caveats.push("VACUUM of the table is due: it waits while the CHECK is proved".to_owned());
    Wanted {
        why: format!(
            "{RULE}: {} is adopted without being read under lock when all its rows provably lie before {}; deadline of the adoption: {deadline}",
            wish.table, cut.boundary
        ),
        change: Change::PrepareAdoption(Box::new(form)),
        estimate,
        caveats,
        finding: reference(&wish.table),
    }
}

fn adoption(wish: &Conversion, cut: &Cut, form: AdoptForm) -> Wanted {
    let zone = if cut.key.has_zone() { format!(" in {}", cut.zone) } else { String::new() };
    let mut caveats = vec![
        "those who read or write the table cannot wait for a moment: it is locked against everything while names go over".to_owned(),
        format!("it may have to be taken back later: undo loses nothing until the first row of {} is written, and stops from then on", cut.first),
    ];
    if !form.inventory.references.is_empty() {
        let names: Vec<String> = form.inventory.references.iter().map(ToString::to_string).collect();
        caveats.push(format!("{} cannot be locked too, as foreign keys refer there", names.join(" and ")));
    }
    Wanted {
        why: format!(
            "{RULE}: {} becomes {}, the partition of all before {}{zone}; its successor has its name and all that it has; deadline: {}",
            wish.table,
            form.legacy,
            cut.first,
            cut.deadline.format("%F %H:%M UTC")
        ),
        change: Change::AdoptTable(Box::new(form)),
        estimate: Estimate { basis: "a change of the catalog alone".to_owned(), ..Estimate::default() },
        caveats,
        finding: reference(&wish.table),
    }
}

/// The first months, made like the old table.
fn months(wish: &Conversion, cut: &Cut, adopt: &AdoptForm, names: &Names) -> Result<Vec<Wanted>, String> {
    let naming = Naming::standard(&wish.table.name);
    let likeness = month_likeness(&adopt.likeness, &adopt.inventory, &wish.table);
    let edge = |month: Month| {
        let value =
            cut.key.value(cut.zone.start_of(month)).ok_or_else(|| format!("{month} has no value of the key's type"))?;
        Ok::<_, String>(vec![Edge::Value(value)])
    };
    let mut wanted = Vec::new();
    for nr in 0..i32::from(wish.months) {
        let ends = cut.first.plus(nr).and_then(|month| Some((month, month.plus(1)?)));
        let (month, next) = ends.ok_or("the months end with the year 9999")?;
        let name = naming.name(month)?;
        if names.has(&name) {
            return Err(format!("the name {name} is taken, and {month} needs it"));
        }
        let form = PartitionForm {
            name: Name::new(&wish.table.schema, &name),
            table: wish.table.clone(),
            range: Range { from: edge(month)?, to: edge(next)? },
            has_compression: adopt.has_compression,
            references: adopt.inventory.references.clone(),
            default: None,
            likeness: likeness.clone(),
        };
        wanted.push(Wanted {
            change: Change::CreatePartition(form),
            estimate: Estimate { basis: "a change of the catalog alone".to_owned(), ..Estimate::default() },
            why: format!("{RULE}: no partition holds {month} yet"),
            caveats: Vec::new(),
            finding: reference(&wish.table),
        });
    }
    Ok(wanted)
}

/// A month identifies rows by its part of the table's index.
fn month_likeness(likeness: &Likeness, inventory: &Inventory, table: &Name) -> Likeness {
    let index = inventory.indexes.iter().find(|index| index.is_replica_identity);
    Likeness { replica_index: index.map(|index| Name::new(&table.schema, &index.name)), ..unbound(likeness, table) }
}

/// What months take from a table: not its publications, as they are published with their parent; and not policies with a
/// subquery, which are written with the table's name: then a month, read by its own name, lets nobody through.
fn unbound(likeness: &Likeness, table: &Name) -> Likeness {
    let own = format!("{}.", quoted(&table.name));
    let names = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(&own));
    let is_bound = likeness.policies.iter().any(|policy| names(&policy.using) || names(&policy.check));
    let policies = if is_bound { Vec::new() } else { likeness.policies.clone() };
    Likeness { publications: Vec::new(), policies, ..likeness.clone() }
}
