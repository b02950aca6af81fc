//! A plain table becomes a partitioned one, without its rows being copied: where it is cut, what stands in the way, and
//! the plan.

mod draft;
mod held;
mod names;
mod splitting;

pub use splitting::{Splittable, splitting, wide};

use super::creation::detachable;
use super::key::{Key, Unit};
use super::month::Month;
use super::naming::Naming;
use super::obstacle;
use super::zone::Zone;
use crate::ddl::{Wanted, creations, literal, quoted};
use crate::model::adoption::{AdoptForm, Inventory, PrepareForm, SeenKeys, SeenObstacle, SeenTable};
use crate::model::finding::fingerprint;
use crate::model::partition::{Likeness, PartitionForm, Range};
use crate::model::plan::{Change, Estimate, FindingRef, Name, Plan};
use crate::model::snapshot::{Snapshot, Tool};
use chrono::{DateTime, TimeDelta, Utc};
use draft::Draft;
use names::Names;

/// The rule that a conversion answers.
const RULE: &str = "large_unpartitioned_table";

/// What the name of the CHECK begins with; the first month that it keeps out follows.
const CHECK: &str = "pgassay_before_";

/// The boundary is so far ahead: rows of it are refused from the preparation to the adoption.
const AHEAD: TimeDelta = TimeDelta::days(14);

/// The adoption comes so long before the boundary, as a key without a zone may be written in any.
const MARGIN: TimeDelta = TimeDelta::days(1);

/// What is wished.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// The table.
    pub table: Name,
    /// The key column.
    pub key: String,
    /// What a key that is a number counts since 1970.
    pub unit: Option<Unit>,
    /// The first month with a partition of its own; none: the first that is two weeks ahead.
    pub from: Option<Month>,
    /// How many months get one at once.
    pub months: u16,
    /// The zone whose months they are; none: UTC.
    pub zone: Option<Zone>,
    /// Obstacles that are allowed.
    pub allow: Vec<String>,
}

impl Conversion {
    /// What the key holds is to be looked at: it may order rows by time, as wished, and the table was not made ready before,
    /// when it was looked at.
    #[must_use]
    pub fn needs_keys(&self, table: &SeenTable) -> bool {
        table.boundary.is_none()
            && table.key_type.as_ref().is_some_and(|key_type| Key::declared(&self.key, key_type, self.unit).is_ok())
    }
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
    /// What the key holds at its ends; none where that was not seen.
    pub keys: Option<SeenKeys>,
}

/// Where the table is cut.
struct Cut {
    key: Key,
    key_type: String,
    zone: Zone,
    first: Month,
    boundary: String,
    deadline: DateTime<Utc>,
}

impl Cut {
    /// The name of the CHECK.
    fn check(&self) -> String {
        format!("{CHECK}{}", self.first.to_string().replace('-', "_"))
    }
}

/// The plan of a conversion; or why there is none, a line each.
pub fn conversion(wish: &Conversion, found: Convertible, snapshot: &Snapshot, tool: Tool) -> Result<Plan, Vec<String>> {
    let Convertible { table: seen, likeness, mut obstacles, keys } = found;
    let key_type = seen.key_type.clone().ok_or_else(|| vec![format!("{} has no column {}", wish.table, wish.key)])?;
    let cut = cut(wish, &key_type, seen.boundary.as_deref(), snapshot.captured_at).map_err(|why| vec![why])?;
    if let (Some(check), Some(says)) = (&seen.boundary, &seen.boundary_definition) {
        let is_ours = says.contains(&format!("{} IS NOT NULL", quoted(&wish.key))) && says_before(says, &cut.boundary);
        if !is_ours && *check == cut.check() {
            return Err(vec![format!(
                "{check} is there and says {says}; next: ALTER TABLE … DROP CONSTRAINT, or convert as it was prepared"
            )]);
        }
    }
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
    let (mut refusals, prices) = obstacle::judged(&obstacles, &wish.allow);
    if wish.needs_keys(&seen) {
        refusals.extend(held::refusal(wish, &cut, keys.as_ref()));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let names = Names::of(snapshot, &wish.table.schema);
    let swaps = obstacles.iter().any(|one| one.kind == "primary_key");
    let mut draft = Draft { wish, cut: &cut, snapshot, names };
    let (prepare, adopt, estimate) = draft.forms(seen, likeness, swaps).map_err(|why| vec![why])?;
    let months = months(wish, &cut, &adopt, &draft.names).map_err(|why| vec![why])?;
    let mut wanted = vec![preparation(wish, &cut, prepare, estimate, prices), adoption(wish, &cut, adopt)];
    wanted.extend(months);
    wanted.push(analysis(&wish.table, reference(&wish.table), "the successor has no statistics of its own yet"));
    Ok(chained(creations(wanted, Vec::new(), snapshot, tool)))
}

/// The definition of a CHECK has this bound; the server prints an `integer` without quotes.
fn says_before(definition: &str, boundary: &str) -> bool {
    definition.contains(&literal(boundary)) || definition.contains(&format!(" < {boundary})"))
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
    let key = Key::declared(&wish.key, key_type, wish.unit)?;
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
    Ok(Cut { key, key_type: key_type.to_owned(), zone, first, boundary, deadline })
}

fn preparation(wish: &Conversion, cut: &Cut, form: PrepareForm, estimate: Estimate, prices: Vec<String>) -> Wanted {
    let deadline = cut.deadline.format("%F %H:%M UTC");
    let mut caveats: Vec<String> = prices.into_iter().map(|price| format!("this must not be: {price}")).collect();
    caveats.push(format!(
        "rows of {} and later are written already: they stop it, and are refused from now on until the table is adopted",
        cut.first
    ));
    if cut.key == Key::UuidV7 {
        caveats.push(format!(
            "{} holds UUIDs of another version than 7: they stop it, and are refused from now on",
            wish.key
        ));
    }
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
    let naming = naming(wish, cut, names);
    let likeness = month_likeness(&adopt.likeness, &adopt.inventory, &wish.table);
    let edge = |month: Month| cut.key.edge(cut.zone, month).map(|edge| vec![edge]);
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
            likeness: likeness.clone(),
            ..PartitionForm::default()
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

/// Of a long name the end gives way to the month, and to a number where another table's months have that name.
fn naming(wish: &Conversion, cut: &Cut, names: &Names) -> Naming {
    let months: Vec<Month> = (0..i32::from(wish.months)).filter_map(|nr| cut.first.plus(nr)).collect();
    let is_free =
        |naming: &Naming| months.iter().filter_map(|month| naming.name(*month).ok()).all(|name| !names.has(&name));
    let standard = Naming::standard(&wish.table.name);
    let mut others = (1..100).filter_map(|number| Naming::numbered(&wish.table.name, number));
    if is_free(&standard) { standard } else { others.find(is_free).unwrap_or(standard) }
}

/// A month identifies rows by its part of the table's index.
fn month_likeness(likeness: &Likeness, inventory: &Inventory, table: &Name) -> Likeness {
    let index = inventory.indexes.iter().find(|index| index.is_replica_identity);
    Likeness { replica_index: index.map(|index| Name::new(&table.schema, &index.name)), ..unbound(likeness, table) }
}

/// What months take from a table: not its publications, as they are published with their parent.
fn unbound(likeness: &Likeness, table: &Name) -> Likeness {
    Likeness { publications: Vec::new(), ..detachable(likeness, table) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::zone::tests::any_zone;
    use proptest::prelude::*;

    fn wish(from: Option<&str>, zone: Option<Zone>) -> Conversion {
        Conversion {
            table: Name::new("log", "steps"),
            key: "at".to_owned(),
            unit: None,
            from: from.map(|text| text.parse().expect("a month")),
            months: 3,
            zone,
            allow: Vec::new(),
        }
    }

    fn boundary(now: &str, from: Option<&str>, ready: Option<&str>) -> Result<String, String> {
        cut(&wish(from, None), "timestamp with time zone", ready, now.parse().expect("a time")).map(|cut| cut.boundary)
    }

    #[test]
    fn the_boundary_is_two_weeks_ahead_or_where_it_was_to_be() {
        let first = |month: &str| Ok(format!("{month}-01 00:00:00+00"));
        assert_eq!(boundary("2026-11-17T00:00:00Z", None, None), first("2026-12"));
        assert_eq!(boundary("2026-11-17T00:00:01Z", None, None), first("2027-01"));
        assert_eq!(boundary("2026-11-20T00:00:00Z", None, Some("pgassay_before_2026_12")), first("2026-12"));
        assert_eq!(boundary("2026-11-20T00:00:00Z", Some("2027-03"), None), first("2027-03"));
        assert!(boundary("2026-11-30T00:00:00Z", Some("2026-12"), None).is_err(), "less than a day");
        assert!(boundary("2026-12-02T00:00:00Z", None, Some("pgassay_before_2026_12")).is_err(), "it has begun");
        let now = "2026-11-17T00:00:00Z".parse().expect("a time");
        assert!(cut(&wish(None, None), "text", None, now).is_err());
        assert!(cut(&wish(None, Zone::named("Asia/Tokyo")), "date", None, now).is_err(), "a date has no zone");
    }

    #[test]
    fn the_bound_of_a_check_is_the_whole_of_it() {
        for (says, is_so) in [
            ("CHECK (((at IS NOT NULL) AND (at < 1767225600)))", true),
            ("CHECK (((at IS NOT NULL) AND (at < '1767225600'::bigint)))", true),
            ("CHECK (((at IS NOT NULL) AND (at < '1767225600000'::bigint)))", false),
            ("CHECK (((at IS NOT NULL) AND (at < 17672256000)))", false),
        ] {
            assert_eq!(says_before(says, "1767225600"), is_so, "{says}");
        }
    }

    #[test]
    fn a_month_has_no_policies_that_name_the_table() {
        let policy = |using: &str| crate::model::partition::Policy {
            using: Some(using.to_owned()),
            ..crate::model::partition::Policy::default()
        };
        let of = |policies| Likeness { policies, publications: vec!["news".to_owned()], ..Likeness::default() };
        let table = Name::new("log", "Steps");
        let plain = unbound(&of(vec![policy("x > 1")]), &table);
        assert_eq!((plain.policies.len(), plain.publications.len()), (1, 0));
        let bound = unbound(
            &of(vec![policy("x > 1"), policy("(EXISTS ( SELECT FROM u WHERE (u.id = \"Steps\".id)))")]),
            &table,
        );
        assert_eq!(bound.policies, vec![], "one alone would let through what the other holds back");
    }

    proptest! {
        #[test]
        fn the_boundary_begins_a_month_and_lies_ahead(zone in any_zone(), seconds in 0..4_000_000_000i64) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            let cut = cut(&wish(None, Some(zone)), "timestamp with time zone", None, now).expect("a boundary");
            let start = cut.key.instant(&cut.boundary).expect("an instant");
            prop_assert_eq!(zone.begins(start), Some(cut.first));
            prop_assert!(start - now >= AHEAD && start - now <= AHEAD + TimeDelta::days(33));
            prop_assert!(cut.deadline > now);
        }
    }
}
