//! The SQL of each change, with the lock that each statement takes.
//!
//! Lock levels as `pg_locks` shows them on 13 to 18; `tests/live/ddl_locks.rs` asserts them.

use super::adoption;
use super::partition;
use super::quote::{literal, qualified, quoted};
use super::retire;
use super::split;
use crate::model::plan::{Change, IndexForm, Leaf, LockClass, Name, Statement, StatisticsForm, Trimmings};

/// Conflicts with itself, VACUUM and other DDL; not with reading or writing rows.
const SHARE_UPDATE_EXCLUSIVE: &str = "SHARE UPDATE EXCLUSIVE";
/// Conflicts with writing rows.
const SHARE: &str = "SHARE";
/// Conflicts with everything.
const ACCESS_EXCLUSIVE: &str = "ACCESS EXCLUSIVE";

pub(super) fn waiting(sql: String, on: &Name) -> Statement {
    Statement {
        sql,
        then: Vec::new(),
        class: LockClass::Waiting,
        lock: SHARE_UPDATE_EXCLUSIVE.to_owned(),
        on: on.clone(),
    }
}

pub(super) fn blocking(sql: String, lock: &str, on: &Name) -> Statement {
    Statement { sql, then: Vec::new(), class: LockClass::Blocking, lock: lock.to_owned(), on: on.clone() }
}

/// All statements of a change, in order.
#[must_use]
pub fn statements(change: &Change) -> Vec<Statement> {
    match change {
        Change::CreateIndex(index) if index.is_partitioned => partitioned(index),
        Change::CreateIndex(index) => [vec![create_concurrently(index)], trimmings(index)].concat(),
        Change::DropIndex(index) if index.is_partitioned => {
            let twins = index.leaves.iter().filter_map(|leaf| leaf.twin.as_deref());
            let again = twins.flat_map(|twin| [vec![create_concurrently(twin)], trimmings(twin)].concat());
            std::iter::once(drop_parent(index)).chain(again).collect()
        }
        Change::DropIndex(index) => vec![drop_concurrently(&index.name, &index.table)],
        Change::ReindexIndex { index, .. } => vec![reindex(index)],
        Change::Analyze { table } => vec![waiting(format!("ANALYZE {}", qualified(table)), table)],
        Change::CreateStatistics(form) => vec![create_statistics(form)],
        Change::DropStatistics(form) => {
            vec![blocking(format!("DROP STATISTICS {}", qualified(&form.name)), SHARE_UPDATE_EXCLUSIVE, &form.table)]
        }
        Change::SetReloption { table, option, to, .. } => vec![set_reloption(table, option, to.as_deref())],
        Change::CreatePartition(form) => vec![partition::create(form)],
        Change::DropPartition(form) => vec![partition::drop(form)],
        Change::DetachPartition(form) => vec![retire::detach(form)],
        Change::AttachPartition(form) => vec![retire::attach(form)],
        Change::DropDetached(form) => retire::drop(form),
        Change::PrepareAdoption(form) => adoption::prepare(form),
        Change::WithdrawPreparation(form) => adoption::withdraw(form),
        Change::AdoptTable(form) => vec![adoption::adopt(form)],
        Change::ReleaseTable(form) => adoption::release(form),
        Change::BeginSplit(form) => vec![split::begin(form)],
        Change::AbandonSplit(form) => vec![split::abandon(form)],
        Change::CopyRows(form) => vec![split::copy(form), split::counted(form)],
        Change::FinishSplit(form) => split::finish(form),
    }
}

/// The change that takes this one back; none where nothing is to be taken back.
#[must_use]
pub fn inverse(change: &Change) -> Option<Change> {
    match change.clone() {
        Change::CreateIndex(index) => Some(Change::DropIndex(index)),
        Change::DropIndex(index) => Some(Change::CreateIndex(IndexForm { is_by_name: true, ..index })),
        Change::ReindexIndex { .. }
        | Change::Analyze { .. }
        | Change::DropDetached(_)
        | Change::CopyRows(_)
        | Change::FinishSplit(_) => None,
        Change::CreateStatistics(form) => Some(Change::DropStatistics(form)),
        Change::DropStatistics(form) => Some(Change::CreateStatistics(form)),
        Change::CreatePartition(form) => Some(Change::DropPartition(form)),
        Change::DropPartition(form) => Some(Change::CreatePartition(form)),
        Change::DetachPartition(form) => Some(Change::AttachPartition(form)),
        Change::AttachPartition(form) => Some(Change::DetachPartition(form)),
        Change::PrepareAdoption(form) => Some(Change::WithdrawPreparation(form)),
        Change::WithdrawPreparation(form) => Some(Change::PrepareAdoption(form)),
        Change::AdoptTable(form) => Some(Change::ReleaseTable(form)),
        Change::ReleaseTable(form) => Some(Change::AdoptTable(form)),
        Change::BeginSplit(form) => Some(Change::AbandonSplit(form)),
        Change::AbandonSplit(form) => Some(Change::BeginSplit(form)),
        Change::SetReloption { table, option, from, to } => {
            Some(Change::SetReloption { table, option, from: to, to: from })
        }
    }
}

/// `CREATE INDEX CONCURRENTLY` of an index on a plain table.
#[must_use]
pub fn create_concurrently(index: &IndexForm) -> Statement {
    waiting(create(index, "CONCURRENTLY ", &index.name.name, &qualified(&index.table)), &index.table)
}

/// The parent of a partitioned index, invalid until each partition has its part.
#[must_use]
pub fn create_parent(index: &IndexForm) -> Statement {
    let on = format!("ONLY {}", qualified(&index.table));
    blocking(create(index, "", &index.name.name, &on), SHARE, &index.table)
}

/// The index of one leaf partition. The comment and the like are the parent's own.
#[must_use]
pub fn leaf_form(index: &IndexForm, leaf: &Leaf) -> IndexForm {
    let tablespace = index.trimmings.tablespace.clone();
    IndexForm {
        name: leaf.index.clone(),
        table: leaf.table.clone(),
        is_by_name: true,
        is_partitioned: false,
        leaves: Vec::new(),
        trimmings: Trimmings { tablespace, ..Trimmings::default() },
        ..index.clone()
    }
}

/// Hangs the index of a partition under the parent's. Planning opens all indexes of a table, so
/// queries of that partition queue behind it.
#[must_use]
pub fn attach(parent: &Name, child: &Name, table: &Name) -> Statement {
    let sql = format!("ALTER INDEX {} ATTACH PARTITION {}", qualified(parent), qualified(child));
    blocking(sql, &format!("{ACCESS_EXCLUSIVE} on the index"), table)
}

fn create(index: &IndexForm, how: &str, name: &str, on: &str) -> String {
    let unique = if index.is_unique { "UNIQUE " } else { "" };
    let tablespace = index.trimmings.tablespace.as_deref();
    let tablespace = tablespace.map(|space| format!(" TABLESPACE {}", quoted(space))).unwrap_or_default();
    let predicate = index.predicate.as_deref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
    let name = quoted(name);
    format!("CREATE {unique}INDEX {how}{name} ON {on} USING {}{tablespace}{predicate}", index.using)
}

fn partitioned(index: &IndexForm) -> Vec<Statement> {
    let mut all = vec![create_parent(index)];
    for leaf in &index.leaves {
        all.push(create_concurrently(&leaf_form(index, leaf)));
        all.push(attach(&index.name, &leaf.index, &leaf.table));
    }
    [all, trimmings(index)].concat()
}

/// The index of a partitioned table, with what is attached to it.
#[must_use]
pub fn drop_parent(index: &IndexForm) -> Statement {
    blocking(format!("DROP INDEX {}", qualified(&index.name)), ACCESS_EXCLUSIVE, &index.table)
}

/// `DROP INDEX CONCURRENTLY`.
#[must_use]
pub fn drop_concurrently(index: &Name, table: &Name) -> Statement {
    waiting(format!("DROP INDEX CONCURRENTLY {}", qualified(index)), table)
}

/// `REINDEX INDEX CONCURRENTLY`.
#[must_use]
pub fn reindex(index: &IndexForm) -> Statement {
    waiting(format!("REINDEX INDEX CONCURRENTLY {}", qualified(&index.name)), &index.table)
}

/// What makes an index whole after it was built.
#[must_use]
pub fn trimmings(index: &IndexForm) -> Vec<Statement> {
    let name = qualified(&index.name);
    let own = |sql| blocking(sql, &format!("{SHARE_UPDATE_EXCLUSIVE} on the index"), &index.table);
    let comment = index.trimmings.comment.as_deref();
    let comment = comment.map(|text| own(format!("COMMENT ON INDEX {name} IS {}", literal(text))));
    let targets = index.trimmings.statistics.iter();
    let targets = targets
        .map(|(column, target)| own(format!("ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}")));
    let cluster = index.trimmings.is_clustered.then(|| {
        let sql = format!("ALTER TABLE {} CLUSTER ON {}", qualified(&index.table), quoted(&index.name.name));
        blocking(sql, SHARE_UPDATE_EXCLUSIVE, &index.table)
    });
    comment.into_iter().chain(targets).chain(cluster).collect()
}

fn create_statistics(form: &StatisticsForm) -> Statement {
    let kinds = if form.kinds.is_empty() { String::new() } else { format!("({}) ", form.kinds.join(", ")) };
    let columns: Vec<String> = form.columns.iter().map(|column| quoted(column)).collect();
    let (name, table) = (qualified(&form.name), qualified(&form.table));
    let sql = format!("CREATE STATISTICS {name} {kinds}ON {} FROM {table}", columns.join(", "));
    blocking(sql, SHARE_UPDATE_EXCLUSIVE, &form.table)
}

fn set_reloption(table: &Name, option: &str, to: Option<&str>) -> Statement {
    let action = match to {
        Some(value) => format!("SET ({option} = {})", literal(value)),
        None => format!("RESET ({option})"),
    };
    blocking(format!("ALTER TABLE {} {action}", qualified(table)), SHARE_UPDATE_EXCLUSIVE, table)
}
