//! Partitions that leave their table: detached, attached again, dropped at last. Their SQL, and the judgement of
//! a catalog.

use super::partition::{bound, holds, is_under, lock, lock_only, transaction};
use super::quote::{literal, qualified, quoted};
use super::state::{Half, State};
use crate::model::catalog::{Catalog, SeenRelation};
use crate::model::partition::{DetachForm, DetachedForm};
use crate::model::plan::{LockClass, Name, Statement};

/// Concurrently where that is possible: then nobody who reads or writes waits, and the table keeps a CHECK of its
/// bound, which spares the scan when it comes back.
pub(super) fn detach(form: &DetachForm) -> Statement {
    let (table, name) = (qualified(&form.table), qualified(&form.name));
    if form.is_concurrent {
        return Statement {
            sql: format!("ALTER TABLE {table} DETACH PARTITION {name} CONCURRENTLY"),
            then: Vec::new(),
            class: LockClass::Waiting,
            lock: "SHARE UPDATE EXCLUSIVE".to_owned(),
            on: form.table.clone(),
        };
    }
    let mut commands: Vec<String> = form.references.iter().map(|name| lock(name, "SHARE ROW EXCLUSIVE")).collect();
    commands.push(lock_only(&form.table, "ACCESS EXCLUSIVE"));
    commands.push(format!("ALTER TABLE {table} DETACH PARTITION {name}"));
    transaction(commands, "ACCESS EXCLUSIVE", &form.table)
}

/// Ends a concurrent detach that was broken off: there is no way back from it.
#[must_use]
pub fn finalize(form: &DetachForm) -> Statement {
    let mut commands: Vec<String> = form.references.iter().map(|name| lock(name, "SHARE ROW EXCLUSIVE")).collect();
    commands.push(lock_only(&form.table, "SHARE UPDATE EXCLUSIVE"));
    commands.push(format!(
        "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
        qualified(&form.table),
        qualified(&form.name)
    ));
    transaction(commands, "SHARE UPDATE EXCLUSIVE", &form.table)
}

/// Takes it back in. Its own foreign keys become parts of the table's, for which what they refer to is locked.
pub(super) fn attach(form: &DetachForm) -> Statement {
    let mut commands: Vec<String> = form.references.iter().map(|name| lock(name, "ACCESS EXCLUSIVE")).collect();
    commands.push(lock_only(&form.table, "SHARE UPDATE EXCLUSIVE"));
    let (table, name) = (qualified(&form.table), qualified(&form.name));
    commands.push(format!("ALTER TABLE {table} ATTACH PARTITION {name} {}", bound(&form.range)));
    // Of the table that comes back, which nobody but who knows its name reads.
    transaction(commands, "ACCESS EXCLUSIVE", form.references.first().unwrap_or(&form.name))
}

/// Foreign keys one by one, then the table, if it is still no partition.
pub(super) fn drop(form: &DetachedForm) -> Vec<Statement> {
    let name = qualified(&form.name);
    let key = |key: &String| {
        let sql = format!("ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {}", quoted(key));
        transaction(vec![sql], "ACCESS EXCLUSIVE", &form.name)
    };
    let said = format!("{} is a partition again, and is kept", form.name).replace('%', "%%");
    let guard = format!(
        "begin if exists (select from pg_class where oid = {}::regclass and (relispartition or oid <> {})) \
         then raise exception {} using errcode = 'object_in_use'; end if; end",
        literal(&name),
        form.oid,
        literal(&said)
    );
    let commands =
        vec![lock(&form.name, "ACCESS EXCLUSIVE"), format!("DO {}", literal(&guard)), format!("DROP TABLE {name}")];
    form.keys.iter().map(key).chain([transaction(commands, "ACCESS EXCLUSIVE", &form.name)]).collect()
}

/// The partition, if it still is the one of the plan.
fn own<'a>(catalog: &'a Catalog, name: &Name, oid: i64) -> Result<Option<&'a SeenRelation>, State> {
    match catalog.relation(name) {
        Some(own) if own.oid != oid => Err(State::Foreign(format!("{name} is another table than at planning"))),
        seen => Ok(seen),
    }
}

/// Whether a partition is a table of its own.
pub(super) fn detached(form: &DetachForm, catalog: &Catalog) -> State {
    let own = match own(catalog, &form.name, form.oid) {
        Ok(Some(own)) => own,
        Ok(None) => return State::Done(format!("{} is gone", form.name)),
        Err(foreign) => return foreign,
    };
    if own.parent_name.is_none() {
        return State::Done(format!("{} is a table of its own", form.name));
    }
    if !is_under(own, &form.table) || !holds(own, &form.range) {
        return State::Foreign(format!("{} is attached otherwise than at planning", form.name));
    }
    if own.is_detach_pending {
        return State::Half(Half::Detaching);
    }
    let mut siblings = catalog.partitions(&form.table);
    if form.is_concurrent && siblings.any(|row| row.bound.as_deref() == Some("DEFAULT")) {
        return State::Foreign(format!(
            "{} has a DEFAULT partition now, beside which nothing is detached concurrently: plan again",
            form.table
        ));
    }
    State::Todo
}

/// Whether a table is a partition again.
pub(super) fn attached(form: &DetachForm, catalog: &Catalog) -> State {
    let own = match own(catalog, &form.name, form.oid) {
        Ok(Some(own)) => own,
        Ok(None) => return State::Foreign(format!("{} is gone: its rows are in a backup at best", form.name)),
        Err(foreign) => return foreign,
    };
    match (own.parent_name.is_some(), is_under(own, &form.table) && holds(own, &form.range), own.is_detach_pending) {
        (false, ..) => State::Todo,
        (true, true, true) => State::Half(Half::Detaching),
        (true, true, false) => State::Done(format!("{} is attached", form.name)),
        (true, false, _) => State::Foreign(format!("{} is attached otherwise than before", form.name)),
    }
}

/// Whether a detached table is gone.
pub(super) fn dropped(form: &DetachedForm, catalog: &Catalog) -> State {
    match own(catalog, &form.name, form.oid) {
        Ok(None) => State::Done(format!("{} is gone", form.name)),
        Ok(Some(own)) if own.parent_name.is_some() => State::Foreign(format!("{} is a partition again", form.name)),
        Ok(Some(_)) => State::Todo,
        Err(foreign) => foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::partition::{Edge, Range};

    fn form(is_concurrent: bool) -> DetachForm {
        let edge = |day: &str| vec![Edge::Value(day.to_owned())];
        DetachForm {
            name: Name::new("log", "steps_2024_01"),
            table: Name::new("log", "steps"),
            range: Range { from: edge("2024-01-01"), to: edge("2024-02-01") },
            oid: 7,
            is_concurrent,
            references: vec![Name::new("log", "users")],
        }
    }

    fn seen(parent: Option<&str>, oid: i64, is_detach_pending: bool) -> SeenRelation {
        SeenRelation {
            schema: "log".to_owned(),
            name: "steps_2024_01".to_owned(),
            oid,
            parent_schema: parent.map(|_| "log".to_owned()),
            parent_name: parent.map(str::to_owned),
            bound: parent.map(|_| "FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')".to_owned()),
            is_detach_pending,
            ..SeenRelation::default()
        }
    }

    fn catalog(relations: Vec<SeenRelation>) -> Catalog {
        Catalog { relations, ..Catalog::default() }
    }

    fn is_foreign(state: &State) -> bool {
        matches!(state, State::Foreign(_))
    }

    #[test]
    fn it_leaves_concurrently_where_it_can() {
        let (with, without) = (detach(&form(true)), detach(&form(false)));
        assert_eq!(with.sql, "ALTER TABLE log.steps DETACH PARTITION log.steps_2024_01 CONCURRENTLY");
        assert_eq!((with.class, with.then.len()), (LockClass::Waiting, 0), "alone in its message");
        assert_eq!((without.class, without.lock.as_str()), (LockClass::Blocking, "ACCESS EXCLUSIVE"));
        assert!(finalize(&form(true)).commands().any(|sql| sql.ends_with(" FINALIZE")));
    }

    #[test]
    fn how_far_a_detach_is() {
        let judge = |relations| detached(&form(true), &catalog(relations));
        assert_eq!(judge(vec![seen(Some("steps"), 7, false)]), State::Todo);
        assert_eq!(judge(vec![seen(Some("steps"), 7, true)]), State::Half(Half::Detaching));
        assert!(matches!(judge(vec![seen(None, 7, false)]), State::Done(_)));
        assert!(matches!(judge(vec![]), State::Done(_)));
        assert!(is_foreign(&judge(vec![seen(Some("steps"), 8, false)])), "a namesake");
        assert!(is_foreign(&judge(vec![seen(Some("walks"), 7, false)])));
        let default = SeenRelation {
            name: "rest".to_owned(),
            bound: Some("DEFAULT".to_owned()),
            ..seen(Some("steps"), 9, false)
        };
        assert!(is_foreign(&judge(vec![seen(Some("steps"), 7, false), default.clone()])), "DEFAULT came");
        assert_eq!(detached(&form(false), &catalog(vec![seen(Some("steps"), 7, false), default])), State::Todo);
    }

    #[test]
    fn how_far_the_way_back_is() {
        let judge = |relations| attached(&form(true), &catalog(relations));
        assert_eq!(judge(vec![seen(None, 7, false)]), State::Todo);
        assert_eq!(judge(vec![seen(Some("steps"), 7, true)]), State::Half(Half::Detaching), "forward first");
        assert!(matches!(judge(vec![seen(Some("steps"), 7, false)]), State::Done(_)));
        assert!(is_foreign(&judge(vec![])), "dropped");
        assert!(is_foreign(&judge(vec![seen(Some("walks"), 7, false)])));
    }

    #[test]
    fn only_what_is_no_partition_is_dropped() {
        let gone = DetachedForm {
            name: form(true).name,
            table: form(true).table,
            oid: 7,
            keys: vec!["Steps_fkey".to_owned()],
        };
        let judge = |relations| dropped(&gone, &catalog(relations));
        assert_eq!(judge(vec![seen(None, 7, false)]), State::Todo);
        assert!(is_foreign(&judge(vec![seen(Some("steps"), 7, false)])));
        assert!(is_foreign(&judge(vec![seen(None, 8, false)])), "a namesake");
        assert!(matches!(judge(vec![]), State::Done(_)));
        let all = drop(&gone);
        assert_eq!(all[0].sql, "ALTER TABLE log.steps_2024_01 DROP CONSTRAINT IF EXISTS \"Steps_fkey\"");
        let last: Vec<&str> = all[1].commands().collect();
        assert!(last[1].starts_with("DO '") && last[2] == "DROP TABLE log.steps_2024_01", "{last:?}");
    }
}
