//! Partitions made and taken back: their SQL, and the judgement of a catalog.
//!
//! A partition is made by itself, with what is below it, and then attached, in one transaction: CREATE TABLE …
//! PARTITION OF would lock the partitioned table against everything.

use super::quote::{literal, qualified, quoted};
use super::state::{State, kind};
use crate::model::catalog::{Catalog, SeenRelation};
use crate::model::partition::{
    AnalyzedColumn, DefaultPartition, Edge, Grant, Likeness, PartitionForm, Policy, Range, Subpartitioning,
};
use crate::model::plan::{LockClass, Name, Statement};
use crate::statement::range_bound;

/// Milliseconds that one command may take while everybody waits, the wait for the lock left out: a scan or a build that
/// nobody expected is rolled back.
pub(super) const WINDOW_MS: u64 = 1_000;

pub(super) fn hurried() -> String {
    format!("SET LOCAL statement_timeout = {WINDOW_MS}")
}

/// Makes a partition like its siblings, moves rows of its range there where that is wished, and attaches it.
pub(super) fn create(form: &PartitionForm) -> Statement {
    let (table, name) = (qualified(&form.table), qualified(&form.name));
    let mut commands = Vec::new();
    if let Some(default) = &form.default {
        commands.push(window(default));
    }
    commands.push(table_like(form, &form.name, &form.likeness, form.below.as_ref()));
    commands.extend(alike(&form.name, &form.likeness));
    for (_, part) in form.subpartitions() {
        commands.push(table_like(form, &part.name, &part.likeness, part.below.as_ref()));
        commands.extend(alike(&part.name, &part.likeness));
    }
    let below = form.subpartitions().into_iter().map(|(parent, part)| {
        format!("ALTER TABLE {} ATTACH PARTITION {} {}", qualified(parent), qualified(&part.name), part.bound)
    });
    // While nobody waits, but where that would leave them without identity.
    let (early, late): (Vec<String>, Vec<String>) = below.partition(|_| !form.has_identity);
    commands.extend(early);
    // Those who write lock in this order: what a row refers to, the table, its partition.
    commands.extend(form.references.iter().map(|name| lock(name, "SHARE ROW EXCLUSIVE")));
    commands.push(format!("LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE"));
    commands.extend(form.default.iter().map(|default| lock(&default.name, "ACCESS EXCLUSIVE")));
    commands.extend(form.default.iter().filter_map(|default| moved(form, default)));
    commands.push(format!("ALTER TABLE {table} ATTACH PARTITION {name} {}", bound(&form.range)));
    commands.extend(late);
    commands.extend(replica_identity(&form.name, &form.likeness));
    commands.extend(form.subpartitions().iter().filter_map(|(_, part)| replica_identity(&part.name, &part.likeness)));
    let (strongest, on) = match (&form.default, form.references.first()) {
        (Some(default), _) => ("ACCESS EXCLUSIVE", &default.name),
        (None, Some(reference)) => ("SHARE ROW EXCLUSIVE", reference),
        (None, None) => ("SHARE UPDATE EXCLUSIVE", &form.table),
    };
    transaction(commands, strongest, on)
}

/// Takes a partition back that holds no rows.
pub(super) fn drop(form: &PartitionForm) -> Statement {
    let name = qualified(&form.name);
    let full = format!("{} holds rows, and is kept", form.name).replace('%', "%%");
    let guard = format!(
        "begin if exists (select from {name}) then raise exception {} using errcode = 'object_in_use'; end if; {}end",
        literal(&full),
        strangers(form)
    );
    let mut commands = vec![hurried()];
    commands.extend(form.references.iter().map(|name| lock(name, "SHARE ROW EXCLUSIVE")));
    commands.push(lock_only(&form.table, "ACCESS EXCLUSIVE"));
    commands.push(format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"));
    // Rows that a policy hides from its owner are rows.
    commands.push(format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY"));
    commands.push(format!("DO {}", literal(&guard)));
    commands.push(format!("DROP TABLE {name}"));
    transaction(commands, "ACCESS EXCLUSIVE", &form.table)
}

/// Stops where somebody else made a partition below it.
fn strangers(form: &PartitionForm) -> String {
    if form.below.is_none() {
        return String::new();
    }
    let told = format!("{} has partitions that this run did not make, and is kept", form.name).replace('%', "%%");
    let made = std::iter::once(&form.name).chain(form.subpartitions().into_iter().map(|(_, part)| &part.name));
    let made: Vec<String> = made.map(|name| literal(&qualified(name))).collect();
    format!(
        "if exists (select from pg_partition_tree({}) t where not exists (select from unnest(array[{}]) made \
         where to_regclass(made) = t.relid)) then raise exception {} using errcode = 'object_in_use'; end if; ",
        literal(&qualified(&form.name)),
        made.join(", "),
        literal(&told)
    )
}

pub(super) fn transaction(commands: Vec<String>, strongest: &str, on: &Name) -> Statement {
    let mut commands = commands.into_iter();
    Statement {
        sql: commands.next().unwrap_or_default(),
        then: commands.collect(),
        class: LockClass::Blocking,
        lock: strongest.to_owned(),
        on: on.clone(),
    }
}

pub(super) fn lock(name: &Name, mode: &str) -> String {
    format!("LOCK TABLE {} IN {mode} MODE", qualified(name))
}

pub(super) fn lock_only(name: &Name, mode: &str) -> String {
    format!("LOCK TABLE ONLY {} IN {mode} MODE", qualified(name))
}

/// Two statements at most take time while DEFAULT is locked: rows are moved, and those that stay are looked
/// through.
fn window(default: &DefaultPartition) -> String {
    let statements = if default.drain.is_some() { 2 } else { 1 };
    format!("SET LOCAL statement_timeout = {}", (default.window_ms / statements).max(1))
}

/// A table with the columns of the partitioned one.
fn table_like(form: &PartitionForm, name: &Name, likeness: &Likeness, below: Option<&Subpartitioning>) -> String {
    let (unlogged, storage) = kept_as(likeness);
    let again = below.map(|below| format!(" PARTITION BY {}", below.key)).unwrap_or_default();
    let compression = if form.has_compression { " INCLUDING COMPRESSION" } else { "" };
    // No identity: it would be one of its own, from 1. Indexes and keys come with ATTACH.
    format!(
        "CREATE {unlogged}TABLE {} (LIKE {} INCLUDING COMMENTS{compression} INCLUDING CONSTRAINTS INCLUDING DEFAULTS \
         INCLUDING GENERATED INCLUDING STATISTICS INCLUDING STORAGE){again}{storage}",
        qualified(name),
        qualified(&form.table)
    )
}

/// How a partition is kept: what stands before TABLE, and what behind its columns or bound.
pub(super) fn kept_as(likeness: &Likeness) -> (&'static str, String) {
    let unlogged = if likeness.is_unlogged { "UNLOGGED " } else { "" };
    let method = likeness.access_method.as_deref().filter(|method| *method != "heap");
    let method = method.map(|method| format!(" USING {}", quoted(method))).unwrap_or_default();
    let options: Vec<String> = likeness.options.iter().filter_map(|option| self::option(option)).collect();
    let options = if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
    let space =
        likeness.tablespace.as_deref().map(|space| format!(" TABLESPACE {}", quoted(space))).unwrap_or_default();
    (unlogged, format!("{method}{options}{space}"))
}

/// `fillfactor=85` as `fillfactor = '85'`.
fn option(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=')?;
    let name: Vec<String> = name.splitn(2, '.').map(quoted).collect();
    Some(format!("{} = {}", name.join("."), literal(value)))
}

/// Owner, what ANALYZE is told, privileges and row security.
pub(super) fn alike(name: &Name, likeness: &Likeness) -> Vec<String> {
    let table = qualified(name);
    let mut commands = Vec::new();
    if !likeness.owner.is_empty() {
        commands.push(format!("ALTER TABLE {table} OWNER TO {}", quoted(&likeness.owner)));
    }
    commands.extend(likeness.analyzed.iter().flat_map(|column| analyzed(&table, column)));
    // Before anybody is let in.
    if likeness.has_row_security {
        commands.push(format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
    }
    if likeness.forces_row_security {
        commands.push(format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"));
    }
    commands.extend(likeness.policies.iter().map(|policy| self::policy(&table, policy)));
    commands.extend(likeness.grants.iter().map(|grant| self::grant(&table, grant)));
    commands
}

fn analyzed(table: &str, column: &AnalyzedColumn) -> Vec<String> {
    let alter = format!("ALTER TABLE {table} ALTER COLUMN {}", quoted(&column.name));
    let target = column.target.map(|target| format!("{alter} SET STATISTICS {target}"));
    let options: Vec<String> = column.options.iter().filter_map(|option| self::option(option)).collect();
    let options = (!options.is_empty()).then(|| format!("{alter} SET ({})", options.join(", ")));
    target.into_iter().chain(options).collect()
}

pub(super) fn role(name: Option<&str>) -> String {
    name.map_or_else(|| "PUBLIC".to_owned(), quoted)
}

pub(super) fn grant(table: &str, grant: &Grant) -> String {
    let column = grant.column.as_deref().map(|column| format!(" ({})", quoted(column))).unwrap_or_default();
    let privileges: Vec<String> = grant.privileges.iter().map(|privilege| format!("{privilege}{column}")).collect();
    let on = if grant.is_grantable { " WITH GRANT OPTION" } else { "" };
    format!("GRANT {} ON TABLE {table} TO {}{on}", privileges.join(", "), role(grant.grantee.as_deref()))
}

fn policy(table: &str, policy: &Policy) -> String {
    let kind = if policy.is_permissive { "PERMISSIVE" } else { "RESTRICTIVE" };
    let roles: Vec<String> = policy.roles.iter().map(|name| role(name.as_deref())).collect();
    let using = policy.using.as_deref().map(|text| format!(" USING ({text})")).unwrap_or_default();
    let check = policy.check.as_deref().map(|text| format!(" WITH CHECK ({text})")).unwrap_or_default();
    format!(
        "CREATE POLICY {} ON {table} AS {kind} FOR {} TO {}{using}{check}",
        quoted(&policy.name),
        policy.command,
        roles.join(", ")
    )
}

/// The name of the index that ATTACH makes is known only then.
pub(super) fn replica_identity(name: &Name, likeness: &Likeness) -> Option<String> {
    let table = qualified(name);
    match (likeness.replica_identity.as_str(), &likeness.replica_index) {
        ("full", _) => Some(format!("ALTER TABLE {table} REPLICA IDENTITY FULL")),
        ("nothing", _) => Some(format!("ALTER TABLE {table} REPLICA IDENTITY NOTHING")),
        ("index", Some(parent)) => {
            let (own, of) = (literal(&table), literal(&qualified(parent)));
            let body = format!(
                "declare own name; begin \
                 select c.relname into strict own from pg_index i join pg_class c on c.oid = i.indexrelid \
                 where i.indrelid = {own}::regclass and {of}::regclass in (select pg_partition_ancestors(c.oid)); \
                 execute 'ALTER TABLE ' || {own} || ' REPLICA IDENTITY USING INDEX ' || quote_ident(own); end"
            );
            Some(format!("DO {}", literal(&body)))
        }
        _ => None,
    }
}

fn moved(form: &PartitionForm, default: &DefaultPartition) -> Option<String> {
    let drain = default.drain.as_ref()?;
    let columns: Vec<String> = drain.columns.iter().map(|column| quoted(column)).collect();
    let columns = columns.join(", ");
    Some(format!(
        "WITH moved AS (DELETE FROM {} WHERE {} RETURNING {columns}) \
         INSERT INTO {} ({columns}) SELECT {columns} FROM moved",
        qualified(&default.name),
        within(&drain.key, &form.range)?,
        qualified(&form.name)
    ))
}

/// The key lies in a range, by its leading column; none where that has no two ends.
fn within(key: &str, range: &Range) -> Option<String> {
    let (Edge::Value(from), Edge::Value(to)) = (range.from.first()?, range.to.first()?) else { return None };
    let key = quoted(key);
    Some(format!("{key} >= {} AND {key} < {}", literal(from), literal(to)))
}

/// Counts the rows of a DEFAULT partition that are of each of these ranges: rows of [`Strayed`].
///
/// [`Strayed`]: crate::model::catalog::Strayed
#[must_use]
pub fn strayed(default: &Name, key: &str, ranges: &[&Range]) -> Option<String> {
    let (table, column) = (qualified(default), quoted(key));
    let one = |(nr, range): (usize, &&Range)| {
        Some(format!(
            "select {nr} as nr, pg_catalog.count(*) as rows, pg_catalog.min({column})::text as first, \
             pg_catalog.max({column})::text as last from {table} where {} having pg_catalog.count(*) > 0",
            within(key, range)?
        ))
    };
    let parts = ranges.iter().enumerate().map(one).collect::<Option<Vec<_>>>()?;
    Some(format!("{} order by nr", parts.join(" union all ")))
}

/// `FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`
pub(super) fn bound(range: &Range) -> String {
    let edges = |edges: &[Edge]| {
        let edge = |edge: &Edge| match edge {
            Edge::Minvalue => "MINVALUE".to_owned(),
            Edge::Maxvalue => "MAXVALUE".to_owned(),
            Edge::Value(value) => literal(value),
        };
        edges.iter().map(edge).collect::<Vec<_>>().join(", ")
    };
    format!("FOR VALUES FROM ({}) TO ({})", edges(&range.from), edges(&range.to))
}

pub(super) fn holds(relation: &SeenRelation, range: &Range) -> bool {
    relation.bound.as_deref().and_then(range_bound).as_ref() == Some(range)
}

pub(super) fn is_under(relation: &SeenRelation, table: &Name) -> bool {
    relation.parent_schema.as_deref() == Some(&table.schema) && relation.parent_name.as_deref() == Some(&table.name)
}

/// Whether a partition is there.
pub(super) fn created(form: &PartitionForm, catalog: &Catalog) -> State {
    if let Some(own) = catalog.relation(&form.name) {
        return match (is_under(own, &form.table), holds(own, &form.range), own.is_detach_pending) {
            (true, _, true) => State::Foreign(format!("{} is half detached: its range is hidden", form.name)),
            (true, true, false) => State::Done(format!("{} is there", form.name)),
            (true, false, false) => State::Foreign(format!(
                "{} is there with another bound: {}",
                form.name,
                own.bound.as_deref().unwrap_or("")
            )),
            (false, ..) => State::Foreign(format!("the name {} is taken by {}", form.name, kind(&own.kind))),
        };
    }
    if let Some(other) = catalog.partitions(&form.table).find(|row| holds(row, &form.range)) {
        return State::Done(format!("{} holds its range", Name::new(&other.schema, &other.name)));
    }
    if let Some(taken) = form.subpartitions().iter().find_map(|(_, part)| catalog.relation(&part.name)) {
        let name = Name::new(&taken.schema, &taken.name);
        return State::Foreign(format!("the name {name} is taken by {}", kind(&taken.kind)));
    }
    let default = catalog.partitions(&form.table).find(|row| row.bound.as_deref() == Some("DEFAULT"));
    let default = default.map(|row| Name::new(&row.schema, &row.name));
    if default.as_ref() != form.default.as_ref().map(|default| &default.name) {
        return State::Foreign(format!(
            "the DEFAULT partition of {} came or went since planning: plan again",
            form.table
        ));
    }
    State::Todo
}

/// Whether a partition is gone.
pub(super) fn dropped(form: &PartitionForm, catalog: &Catalog) -> State {
    match catalog.relation(&form.name) {
        None => State::Done(format!("{} is gone", form.name)),
        Some(own) if is_under(own, &form.table) && holds(own, &form.range) && !own.is_detach_pending => State::Todo,
        Some(_) => State::Foreign(format!("{} is not the partition any more that was made", form.name)),
    }
}

#[cfg(test)]
mod tests;
