//! A table that becomes the first partition of its successor, without a row being copied or read: the SQL there and
//! back, and the judgement of a catalog.
//!
//! The successor is built while the table is in use. Then, in one transaction that locks it against everything, names
//! and sequences go over, the table is attached, and a census of the catalog is held against that of before.

mod census;
mod successor;

pub(super) use census::since;
pub(super) use successor::revoked;

use super::partition::transaction;
use super::quote::{literal, qualified, quoted};
use super::sql::{blocking, create_concurrently, drop_concurrently, trimmings, waiting};
use super::state::{self, Half, State};
use crate::model::adoption::{AdoptForm, PrepareForm};
use crate::model::catalog::{Catalog, SeenRelation};
use crate::model::plan::{Name, Statement};

/// The strongest lock there is.
const ACCESS_EXCLUSIVE: &str = "ACCESS EXCLUSIVE";

/// The index of the new key, then the CHECK and its proof.
pub(super) fn prepare(form: &PrepareForm) -> Vec<Statement> {
    let index = form.index.iter().flat_map(|index| [vec![create_concurrently(index)], trimmings(index)].concat());
    index.chain([check(form), prove(form)]).collect()
}

/// The CHECK, not proved yet; rows of the boundary and beyond are refused from then on.
#[must_use]
pub fn check(form: &PrepareForm) -> Statement {
    let key = quoted(&form.key);
    let sql = format!(
        "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({key} IS NOT NULL AND {key} < {}::{}) NOT VALID",
        qualified(&form.table),
        quoted(&form.check),
        literal(&form.boundary),
        form.key_type
    );
    blocking(sql, ACCESS_EXCLUSIVE, &form.table)
}

/// Its proof, which reads the table while it is in use.
#[must_use]
pub fn prove(form: &PrepareForm) -> Statement {
    let sql = format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", qualified(&form.table), quoted(&form.check));
    waiting(sql, &form.table)
}

/// Takes the CHECK away.
#[must_use]
pub fn drop_check(form: &PrepareForm) -> Statement {
    let sql = format!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", qualified(&form.table), quoted(&form.check));
    blocking(sql, ACCESS_EXCLUSIVE, &form.table)
}

/// Takes the CHECK and the index away.
pub(super) fn withdraw(form: &PrepareForm) -> Vec<Statement> {
    let index = form.index.iter().map(|index| drop_concurrently(&index.name, &index.table));
    std::iter::once(drop_check(form)).chain(index).collect()
}

/// The transaction in which the table is adopted.
pub(super) fn adopt(form: &AdoptForm) -> Statement {
    transaction(successor::adopt(form), ACCESS_EXCLUSIVE, &form.table)
}

/// The index of the key that was, then the transaction in which the table is itself again.
pub(super) fn release(form: &AdoptForm) -> Vec<Statement> {
    let index = form.swap.iter().map(|swap| create_concurrently(&swap.restored));
    index.chain([transaction(successor::release(form), ACCESS_EXCLUSIVE, &form.table)]).collect()
}

/// Where the table of a plan is.
enum Place {
    /// Under its own name, as ever.
    Itself,
    /// The partition of its successor.
    Adopted,
    /// Somewhere else, or it is another one.
    Foreign(State),
}

fn place(table: &Name, legacy: &Name, oid: i64, catalog: &Catalog) -> Place {
    let is_under = |row: &SeenRelation| super::partition::is_under(row, table);
    match (catalog.relation(table), catalog.relation(legacy)) {
        (Some(own), _) if own.oid == oid && own.kind == "r" && own.parent_name.is_none() => Place::Itself,
        (Some(own), Some(leaf)) if own.kind == "p" && leaf.oid == oid && is_under(leaf) => Place::Adopted,
        _ => Place::Foreign(State::Foreign(format!("{table} is another table than at planning: plan again"))),
    }
}

/// Whether a table is ready to be adopted.
pub(super) fn prepared(form: &PrepareForm, catalog: &Catalog) -> State {
    match place(&form.table, &form.legacy, form.oid, catalog) {
        Place::Foreign(state) => return state,
        Place::Adopted => return State::Done(format!("{} is adopted", form.table)),
        Place::Itself => {}
    }
    let index = form.index.as_ref().map_or(State::Done(String::new()), |index| state::create(index, catalog));
    let own = catalog.relation(&form.table);
    let check = own.and_then(|own| own.boundary.as_deref());
    let is_proved = own.is_some_and(|own| own.is_boundary_valid);
    match (index, check) {
        (State::Foreign(what), _) => State::Foreign(what),
        (_, Some(other)) if other != form.check => State::Foreign(format!(
            "{} has {other} of an earlier plan: drop that constraint, or take that run back",
            form.table
        )),
        (State::Done(_), Some(_)) if is_proved => State::Done(format!("{} is ready", form.table)),
        (State::Half(Half::Building { pid, application }), _) => State::Half(Half::Building { pid, application }),
        (State::Todo, None) => State::Todo,
        (State::Done(_), None) if form.index.is_none() => State::Todo,
        _ => State::Half(Half::Incomplete),
    }
}

/// Whether nothing of the preparation is left.
pub(super) fn withdrawn(form: &PrepareForm, catalog: &Catalog) -> State {
    match place(&form.table, &form.legacy, form.oid, catalog) {
        Place::Foreign(state) => return state,
        // A step before this one releases it.
        Place::Adopted => return State::Todo,
        Place::Itself => {}
    }
    let index = form.index.as_ref().map_or(State::Done(String::new()), |index| state::dropped(index, catalog));
    let own = catalog.relation(&form.table);
    let has_check = own.is_some_and(|own| own.boundary.as_deref() == Some(&form.check));
    match (index, has_check) {
        (State::Done(_), false) => State::Done(format!("{} is as it was", form.table)),
        (State::Foreign(what), _) => State::Foreign(what),
        _ => State::Todo,
    }
}

/// Whether a table is adopted. It is, or it is not: nothing is half done.
pub(super) fn adopted(form: &AdoptForm, catalog: &Catalog) -> State {
    match place(&form.table, &form.legacy, form.oid, catalog) {
        Place::Itself => State::Todo,
        Place::Adopted => State::Done(format!("{} is its first partition", form.legacy)),
        Place::Foreign(state) => state,
    }
}

/// Whether a table is itself again.
pub(super) fn released(form: &AdoptForm, catalog: &Catalog) -> State {
    match place(&form.table, &form.legacy, form.oid, catalog) {
        Place::Itself => State::Done(format!("{} is a plain table", form.table)),
        Place::Adopted => State::Todo,
        Place::Foreign(state) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::adoption::Inventory;
    use crate::model::partition::Likeness;
    use chrono::DateTime;

    fn name(name: &str) -> Name {
        Name::new("log", name)
    }

    fn form() -> AdoptForm {
        AdoptForm {
            table: name("steps"),
            legacy: name("steps_legacy"),
            building: name("steps_successor"),
            oid: 7,
            key: "at".to_owned(),
            boundary: "2027-01-01".to_owned(),
            check: "pgassay_before_2027_01".to_owned(),
            deadline: DateTime::UNIX_EPOCH,
            has_compression: true,
            sets_not_null: false,
            swap: None,
            apart: Vec::new(),
            likeness: Likeness::default(),
            inventory: Inventory { references: vec![name("users")], ..Inventory::default() },
        }
    }

    fn prepare_form() -> PrepareForm {
        let AdoptForm { table, legacy, oid, check, key, boundary, .. } = form();
        PrepareForm { table, legacy, oid, index: None, check, key, key_type: "date".to_owned(), boundary }
    }

    fn seen(relation: &str, oid: i64, kind: &str, parent: Option<&str>) -> SeenRelation {
        SeenRelation {
            schema: "log".to_owned(),
            name: relation.to_owned(),
            oid,
            kind: kind.to_owned(),
            parent_schema: parent.map(|_| "log".to_owned()),
            parent_name: parent.map(str::to_owned),
            ..SeenRelation::default()
        }
    }

    fn catalog(relations: Vec<SeenRelation>) -> Catalog {
        Catalog { relations, ..Catalog::default() }
    }

    #[test]
    fn the_table_is_known_by_its_number() {
        let plain = catalog(vec![seen("steps", 7, "r", None)]);
        let done = catalog(vec![seen("steps", 9, "p", None), seen("steps_legacy", 7, "r", Some("steps"))]);
        assert_eq!(adopted(&form(), &plain), State::Todo);
        assert!(matches!(released(&form(), &plain), State::Done(_)));
        assert!(matches!(adopted(&form(), &done), State::Done(_)));
        assert_eq!(released(&form(), &done), State::Todo);
        assert!(matches!(prepared(&prepare_form(), &done), State::Done(_)), "what made it ready has served");
        let other = catalog(vec![seen("steps", 8, "r", None)]);
        let stray = catalog(vec![seen("steps", 9, "p", None), seen("steps_legacy", 7, "r", None)]);
        for foreign in [other, stray] {
            assert!(matches!(adopted(&form(), &foreign), State::Foreign(_)));
            assert!(matches!(released(&form(), &foreign), State::Foreign(_)));
        }
    }

    #[test]
    fn a_check_must_be_proved_to_count() {
        let judge = |boundary: Option<&str>, is_boundary_valid| {
            let own = SeenRelation {
                boundary: boundary.map(str::to_owned),
                is_boundary_valid,
                ..seen("steps", 7, "r", None)
            };
            let all = catalog(vec![own]);
            (prepared(&prepare_form(), &all), withdrawn(&prepare_form(), &all))
        };
        let ours = Some("pgassay_before_2027_01");
        assert!(matches!(judge(None, false), (State::Todo, State::Done(_))));
        assert_eq!(judge(ours, false), (State::Half(Half::Incomplete), State::Todo));
        assert!(matches!(judge(ours, true), (State::Done(_), State::Todo)));
        assert!(matches!(judge(Some("pgassay_before_2026_12"), true).0, State::Foreign(_)), "an earlier plan's");
    }

    #[test]
    fn nobody_is_locked_out_before_the_successor_is_built() {
        let one = adopt(&form());
        let all: Vec<&str> = one.commands().collect();
        let at =
            |text: &str| all.iter().position(|sql| sql.contains(text)).unwrap_or_else(|| panic!("{text}: {all:#?}"));
        let exclusive = at("LOCK TABLE log.users IN ACCESS EXCLUSIVE MODE");
        assert!(at("SHARE UPDATE EXCLUSIVE") < at("CREATE TABLE log.steps_successor"));
        assert!(at("CREATE TABLE log.steps_successor") < exclusive, "{all:#?}");
        assert!(
            exclusive < at("LOCK TABLE ONLY log.steps IN ACCESS EXCLUSIVE MODE"),
            "in the order of those who write"
        );
        assert!(at("SET LOCAL statement_timeout") < at("ATTACH PARTITION log.steps_legacy"));
        assert!(
            all.last().is_some_and(|sql| sql.starts_with("DROP FUNCTION"))
                && all[all.len() - 2].contains("nothing is lost")
        );
        assert_eq!((one.class, one.lock.as_str()), (crate::model::plan::LockClass::Blocking, "ACCESS EXCLUSIVE"));
    }
}
