//! A change against the catalog: the catalog is the truth about what was done, whatever a journal says.

use super::adoption;
use super::partition;
use super::retire;
use super::split;
use super::sql::{create_concurrently, leaf_form};
use crate::model::catalog::{Catalog, SeenIndex, SeenStatistics};
use crate::model::plan::{Change, IndexForm, Leaf, Name, StatisticsForm, Trimmings};
use crate::statement::is_same_index;
use chrono::{DateTime, Utc};

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing is done.
    Todo,
    /// Begun and not finished.
    Half(Half),
    /// Nothing is left to do, and why.
    Done(String),
    /// The object is not what the plan expects, and what it is.
    Foreign(String),
}

/// What was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Half {
    /// A session builds the index right now.
    Building {
        /// Its process.
        pid: i32,
        /// Its application.
        application: String,
    },
    /// The index is there and no query can use it.
    Invalid {
        /// Every write maintains it.
        is_ready: bool,
    },
    /// The index is there and valid, and lacks its comment or the like.
    Bare,
    /// Of a partitioned index, something is there and something is not.
    Incomplete,
    /// The partition is hidden, and not detached yet.
    Detaching,
}

/// Judges one change. `planned_at` is when the server was read for the plan.
#[must_use]
pub fn state(change: &Change, catalog: &Catalog, planned_at: DateTime<Utc>) -> State {
    let is_to_go = matches!(change, Change::DropDetached(_));
    if catalog.relation(change.table()).is_none() && !is_to_go {
        return State::Foreign(format!("table {} is gone", change.table()));
    }
    match change {
        Change::CreateIndex(form) => create(form, catalog),
        Change::DropIndex(form) => dropped(form, catalog),
        Change::ReindexIndex { index, was_valid, bytes } => rebuilt(index, *was_valid, *bytes, catalog),
        Change::Analyze { table } => analyzed(table, catalog, planned_at),
        Change::CreateStatistics(form) => created_statistics(form, catalog),
        Change::DropStatistics(form) => dropped_statistics(form, catalog),
        Change::CreatePartition(form) => partition::created(form, catalog),
        Change::DropPartition(form) => partition::dropped(form, catalog),
        Change::DetachPartition(form) => retire::detached(form, catalog),
        Change::AttachPartition(form) => retire::attached(form, catalog),
        Change::DropDetached(form) => retire::dropped(form, catalog),
        Change::PrepareAdoption(form) => adoption::prepared(form, catalog),
        Change::WithdrawPreparation(form) => adoption::withdrawn(form, catalog),
        Change::AdoptTable(form) => adoption::adopted(form, catalog),
        Change::ReleaseTable(form) => adoption::released(form, catalog),
        Change::BeginSplit(form) => split::begun(form, catalog),
        Change::AbandonSplit(form) => split::abandoned(form, catalog),
        Change::CopyRows(form) | Change::FinishSplit(form) => split::finished(form, catalog),
        Change::SetReloption { table, option, from, to } => set(table, option, from.as_deref(), to.as_deref(), catalog),
    }
}

/// The index on this table that the form describes, whatever its name.
fn is_form(index: &SeenIndex, form: &IndexForm) -> bool {
    // The tablespace is no part of what an index says.
    let bare = IndexForm { trimmings: Trimmings::default(), ..form.clone() };
    is_same_index(&index.definition, &create_concurrently(&bare).sql)
}

pub(super) fn create(form: &IndexForm, catalog: &Catalog) -> State {
    if let Some(index) = catalog.index(&form.name) {
        if !is_form(index, form) {
            return State::Foreign(format!("{} is there with another definition: {}", form.name, index.definition));
        }
        return match (index.is_usable(), form.is_partitioned) {
            (true, _) if !index.has(&form.trimmings) => State::Half(Half::Bare),
            (true, _) => State::Done(format!("{} is there and valid", form.name)),
            (false, true) => State::Half(Half::Incomplete),
            (false, false) => unusable(index, catalog),
        };
    }
    if let Some(other) = catalog.relation(&form.name) {
        return State::Foreign(format!("the name {} is taken by {}", form.name, kind(&other.kind)));
    }
    let twin = catalog.indexes.iter().find(|index| {
        !form.is_by_name
            && index.is_usable()
            && index.schema == form.table.schema
            && index.table == form.table.name
            && is_form(index, form)
    });
    twin.map_or(State::Todo, |twin| State::Done(format!("{} is the same index", twin.name())))
}

fn unusable(index: &SeenIndex, catalog: &Catalog) -> State {
    let table = catalog.relation(&Name::new(&index.schema, &index.table));
    match table.and_then(|table| Some((table.builder_pid?, table.builder_application.clone()))) {
        Some((pid, application)) => State::Half(Half::Building { pid, application: application.unwrap_or_default() }),
        None => State::Half(Half::Invalid { is_ready: index.is_ready }),
    }
}

pub(super) fn dropped(form: &IndexForm, catalog: &Catalog) -> State {
    let Some(index) = catalog.index(&form.name) else {
        let is_half = form.leaves.iter().any(|leaf| !is_dropped(form, leaf, catalog));
        return if is_half { State::Half(Half::Incomplete) } else { State::Done(format!("{} is gone", form.name)) };
    };
    if let Some(changed) = differs(index, form) {
        return changed;
    }
    if let Some(keeper) = form.keeper.as_ref().filter(|keeper| !does_work(catalog, keeper)) {
        return State::Foreign(format!("{keeper}, which should do the work of {}, is gone or unusable", form.name));
    }
    if let Some(constraint) = &index.constraint_name {
        return State::Foreign(format!("{} backs the constraint {constraint}", form.name));
    }
    if index.is_replica_identity {
        return State::Foreign(format!("{} is the replica identity of {}", form.name, form.table));
    }
    if index.parent_name.is_some() {
        return State::Foreign(format!("{} is part of a partitioned index", form.name));
    }
    if index.is_usable() || form.is_partitioned { State::Todo } else { unusable(index, catalog) }
}

fn does_work(catalog: &Catalog, index: &Name) -> bool {
    catalog.index(index).is_some_and(SeenIndex::is_usable)
}

/// With the parent gone, a partition has no index of ours, and its own one again.
fn is_dropped(form: &IndexForm, leaf: &Leaf, catalog: &Catalog) -> bool {
    let ours = leaf_form(form, leaf);
    match &leaf.twin {
        _ if catalog.relation(&leaf.table).is_none() => true,
        Some(twin) => does_work(catalog, &twin.name),
        None => !catalog.index(&leaf.index).is_some_and(|index| index.parent_name.is_none() && is_form(index, &ours)),
    }
}

/// An index of a partition that can be attached to a new one of the partitioned table.
#[must_use]
pub fn twin<'a>(catalog: &'a Catalog, form: &IndexForm, leaf: &Leaf) -> Option<&'a SeenIndex> {
    let wanted = leaf_form(form, leaf);
    catalog.indexes.iter().find(|index| index.is_usable() && index.parent_name.is_none() && is_form(index, &wanted))
}

fn rebuilt(form: &IndexForm, was_valid: bool, bytes: i64, catalog: &Catalog) -> State {
    let Some(index) = catalog.index(&form.name) else {
        return State::Foreign(format!("{} is gone", form.name));
    };
    if let Some(changed) = differs(index, form) {
        return changed;
    }
    match (index.is_usable(), was_valid) {
        (true, false) => State::Done(format!("{} is valid again", form.name)),
        (true, true) if has_shrunk(bytes, index.bytes) => {
            State::Done(format!("{} is smaller than at planning: it was built anew", form.name))
        }
        (true, true) => State::Todo,
        // An index that was broken at planning is what this change is for.
        (false, _) => match unusable(index, catalog) {
            State::Half(Half::Invalid { .. }) => State::Todo,
            other => other,
        },
    }
}

/// By a quarter. An index grows and never shrinks but by being built anew.
fn has_shrunk(before: i64, now: i64) -> bool {
    now <= before / 4 * 3 && before > 0
}

fn differs(index: &SeenIndex, form: &IndexForm) -> Option<State> {
    let is_other = index.table != form.table.name || !is_form(index, form);
    is_other.then(|| State::Foreign(format!("{} changed since planning: {}", form.name, index.definition)))
}

fn analyzed(table: &Name, catalog: &Catalog, planned_at: DateTime<Utc>) -> State {
    match catalog.relation(table).and_then(|relation| relation.analyzed_at) {
        Some(at) if at > planned_at => State::Done(format!("{table} was analyzed at {}", at.format("%F %T UTC"))),
        _ => State::Todo,
    }
}

fn is_statistics(row: &SeenStatistics, form: &StatisticsForm) -> bool {
    let mut kinds = form.kinds.clone();
    kinds.sort();
    row.table_schema == form.table.schema
        && row.table == form.table.name
        && row.columns == form.columns
        && (kinds.is_empty() || row.kinds == kinds)
}

fn created_statistics(form: &StatisticsForm, catalog: &Catalog) -> State {
    let named = catalog.statistics.iter().find(|row| row.schema == form.name.schema && row.name == form.name.name);
    if named.is_some_and(|row| !is_statistics(row, form)) {
        return State::Foreign(format!("{} is there with another definition", form.name));
    }
    let same = named.or_else(|| catalog.statistics.iter().find(|row| is_statistics(row, form)));
    same.map_or(State::Todo, |row| State::Done(format!("{} is there", Name::new(&row.schema, &row.name))))
}

fn dropped_statistics(form: &StatisticsForm, catalog: &Catalog) -> State {
    let named = catalog.statistics.iter().find(|row| row.schema == form.name.schema && row.name == form.name.name);
    match named {
        None => State::Done(format!("{} is gone", form.name)),
        Some(row) if is_statistics(row, form) => State::Todo,
        Some(_) => State::Foreign(format!("{} changed since planning", form.name)),
    }
}

fn set(table: &Name, option: &str, from: Option<&str>, to: Option<&str>, catalog: &Catalog) -> State {
    let options = catalog.relation(table).map(|relation| relation.options.as_slice()).unwrap_or_default();
    let now = options.iter().find_map(|set| set.strip_prefix(option)?.strip_prefix('='));
    let said = now.map_or_else(|| "not set".to_owned(), |now| format!("{option}={now}"));
    if now == to {
        State::Done(format!("{table}: {said}"))
    } else if now == from {
        State::Todo
    } else {
        State::Foreign(format!("{table}: {said}, which is not what it was at planning"))
    }
}

/// `pg_class.relkind` in words.
pub(super) fn kind(relkind: &str) -> &'static str {
    match relkind {
        "r" | "p" => "a table",
        "v" => "a view",
        "m" => "a materialized view",
        "S" => "a sequence",
        "f" => "a foreign table",
        "c" => "a type",
        _ => "another relation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::SeenRelation;

    fn form() -> IndexForm {
        IndexForm {
            name: Name::new("public", "t_x_idx"),
            table: Name::new("public", "t"),
            using: "btree (x)".to_owned(),
            ..IndexForm::default()
        }
    }

    fn seen(name: &str, definition: &str) -> SeenIndex {
        SeenIndex {
            schema: "public".to_owned(),
            name: name.to_owned(),
            table: "t".to_owned(),
            definition: format!("CREATE INDEX {name} ON public.t USING {definition}"),
            is_valid: true,
            is_ready: true,
            is_live: true,
            ..SeenIndex::default()
        }
    }

    fn catalog(indexes: Vec<SeenIndex>) -> Catalog {
        let table = SeenRelation {
            schema: "public".to_owned(),
            name: "t".to_owned(),
            options: vec!["fillfactor=85".to_owned()],
            ..SeenRelation::default()
        };
        Catalog { relations: vec![table], indexes, ..Catalog::default() }
    }

    fn judge(change: &Change, catalog: &Catalog) -> State {
        state(change, catalog, DateTime::UNIX_EPOCH)
    }

    fn is_foreign(state: &State) -> bool {
        matches!(state, State::Foreign(_))
    }

    fn is_done(state: &State) -> bool {
        matches!(state, State::Done(_))
    }

    #[test]
    fn an_index_to_create() {
        let create = Change::CreateIndex(form());
        assert_eq!(judge(&create, &catalog(vec![])), State::Todo);
        assert!(is_done(&judge(&create, &catalog(vec![seen("t_x_idx", "btree (x)")]))));
        assert!(is_done(&judge(&create, &catalog(vec![seen("other", "btree (x)")]))), "the same under another name");
        assert!(is_foreign(&judge(&create, &catalog(vec![seen("t_x_idx", "btree (y)")]))));
        assert!(is_foreign(&judge(&create, &Catalog::default())), "its table is gone");
        let invalid = SeenIndex { is_valid: false, ..seen("t_x_idx", "btree (x)") };
        assert_eq!(judge(&create, &catalog(vec![invalid.clone()])), State::Half(Half::Invalid { is_ready: true }));
        let mut building = catalog(vec![invalid]);
        building.relations[0].builder_pid = Some(7);
        assert!(matches!(judge(&create, &building), State::Half(Half::Building { pid: 7, .. })));
        let by_name = Change::CreateIndex(IndexForm { is_by_name: true, ..form() });
        assert_eq!(
            judge(&by_name, &catalog(vec![seen("other", "btree (x)")])),
            State::Todo,
            "a dropped twin comes back"
        );
        let elsewhere = SeenIndex { is_valid: false, ..seen("other", "btree (x)") };
        assert_eq!(judge(&create, &catalog(vec![elsewhere])), State::Todo, "an invalid twin does no work");
    }

    #[test]
    fn an_index_to_drop() {
        let drop = Change::DropIndex(form());
        assert!(is_done(&judge(&drop, &catalog(vec![]))));
        assert_eq!(judge(&drop, &catalog(vec![seen("t_x_idx", "btree (x)")])), State::Todo);
        assert!(is_foreign(&judge(&drop, &catalog(vec![seen("t_x_idx", "btree (x, y)")]))), "changed since planning");
        let mut key = seen("t_x_idx", "btree (x)");
        key.constraint_name = Some("t_key".to_owned());
        assert!(is_foreign(&judge(&drop, &catalog(vec![key]))));
    }

    #[test]
    fn an_index_to_build_anew() {
        let rebuild = |was_valid| Change::ReindexIndex { index: form(), was_valid, bytes: 8192 };
        let valid = catalog(vec![SeenIndex { bytes: 8192, ..seen("t_x_idx", "btree (x)") }]);
        assert!(is_done(&judge(&rebuild(false), &valid)));
        assert_eq!(judge(&rebuild(true), &valid), State::Todo);
        assert!(is_foreign(&judge(&rebuild(true), &catalog(vec![]))));
        let sized = |bytes| SeenIndex { bytes, ..seen("t_x_idx", "btree (x)") };
        let shrunk = |before, now| {
            let rebuild = Change::ReindexIndex { index: form(), was_valid: true, bytes: before };
            is_done(&judge(&rebuild, &catalog(vec![sized(now)])))
        };
        assert!(shrunk(1000, 700) && !shrunk(1000, 800) && !shrunk(0, 0), "its size tells that it was done");
    }

    #[test]
    fn an_option_to_set() {
        let table = Name::new("public", "t");
        let set = |from: Option<&str>, to: Option<&str>| Change::SetReloption {
            table: table.clone(),
            option: "fillfactor".to_owned(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let catalog = catalog(vec![]);
        assert_eq!(judge(&set(Some("85"), None), &catalog), State::Todo);
        assert!(is_done(&judge(&set(None, Some("85")), &catalog)));
        assert!(is_foreign(&judge(&set(Some("70"), None), &catalog)));
    }
}
