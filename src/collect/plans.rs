//! Generic plans of the statements with the largest totals, for the rules that look into plans.

use super::gap::gap_of;
use super::{Access, Collector};
use crate::model::object::identifier;
use crate::model::snapshot::{
    Column, Facet, Function, Gap, Plan, Relation, RelationName, Role, Snapshot, Statement, StatementKind,
};
use crate::postgres::{ConnectError, Reader, Type, pick};
use crate::statement::calls;
use crate::whatif::{Question, compared, plan};
use std::collections::{BTreeMap, BTreeSet};

/// Explains the `top` statements of all audited databases, each in its own.
pub(super) async fn fill(
    collector: &Collector<'_>,
    first: &Reader,
    access: Access<'_>,
    top: usize,
    snapshot: &mut Snapshot,
) {
    if top == 0 {
        collector.gap(not_asked()).await;
        return;
    }
    collector.progress.started("plans");
    let wanted = chosen(snapshot, collector.server.is_superuser, top);
    let (readable, closed): (Vec<&Statement>, Vec<&Statement>) =
        wanted.into_iter().partition(|statement| may_read(statement, &snapshot.relations));
    let (mut plans, mut functions) = (Vec::new(), Vec::new());
    for database in &snapshot.audited {
        let own: Vec<&Statement> = readable.iter().copied().filter(|row| row.database == *database).collect();
        let found = if *database == collector.server.database {
            explained(collector, first, database, &own, snapshot).await
        } else if own.is_empty() {
            continue;
        } else {
            first.rest().await;
            match collector.enter(access, database).await {
                Ok(reader) => explained(collector, &reader, database, &own, snapshot).await,
                Err(error) => {
                    collector.gap(closed_since(database, &error)).await;
                    continue;
                }
            }
        };
        plans.extend(found.0);
        functions.extend(found.1);
    }
    if !closed.is_empty() {
        collector.gap(not_readable(closed.len(), plans.len(), &collector.server.role)).await;
    }
    if let Some(gap) = late(&plans) {
        collector.gap(gap).await;
    }
    snapshot.plans = plans;
    snapshot.functions = functions;
    collector.progress.finished("plans");
}

/// Asks for the plans of statements of one database, and for what their conditions call.
async fn explained(
    collector: &Collector<'_>,
    reader: &Reader,
    database: &str,
    statements: &[&Statement],
    snapshot: &Snapshot,
) -> (Vec<Plan>, Vec<Function>) {
    let types = ColumnTypes::new(&snapshot.columns, database);
    let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
    let mut plans = Vec::new();
    for statement in statements {
        let search_path = search_path(statement, &snapshot.roles, &snapshot.relations);
        let question = Question {
            database,
            fingerprint: &statement.fingerprint,
            text: &statement.text,
            search_path: &search_path,
        };
        plans.push(plan(reader, collector.server.major(), question, &column_type).await);
    }
    let names = called(&plans);
    if names.is_empty() {
        return (plans, Vec::new());
    }
    let sql = pick("functions", 0, 0).map_or("", |query| query.sql);
    match reader.read(sql, &[(&names, Type::TEXT_ARRAY)]).await {
        Ok(functions) => (plans, functions),
        Err(error) => {
            let gap = gap_of(Facet::Plans, Some(database), &error, &collector.server.role);
            let reason = format!("what their functions are could not be read: {}", gap.reason);
            collector.gap(Gap { partial: true, reason, ..gap }).await;
            (plans, Vec::new())
        }
    }
}

/// Names of what looks like a function in conditions and orders of plans. `TRIM(BOTH FROM …)`, as plans print it from 14 on,
/// is one of three.
fn called(plans: &[Plan]) -> Vec<String> {
    let texts = plans.iter().filter_map(|plan| plan.plan.as_ref()).flat_map(compared);
    let mut names: BTreeSet<String> =
        texts.filter_map(calls).flat_map(|calls| calls.functions).map(|call| call.name).collect();
    if names.remove("trim") {
        names.extend(["btrim", "ltrim", "rtrim"].map(str::to_owned));
    }
    names.into_iter().collect()
}

/// Every relation that the statement names and that is known here may be read by the role. Asking for the
/// others would only fill the server's log with refusals.
fn may_read(statement: &Statement, relations: &[Relation]) -> bool {
    let is_named = |row: &&Relation| {
        row.database == statement.database
            && statement
                .relations
                .iter()
                .any(|name| name.name == row.name && name.schema.as_ref().is_none_or(|schema| *schema == row.schema))
    };
    relations.iter().filter(is_named).all(|row| row.is_selectable)
}

fn not_readable(closed: usize, explained: usize, role: &str) -> Gap {
    let role = identifier(role);
    Gap {
        partial: explained > 0,
        reason: format!(
            "{closed} of {} statements were not explained: this role may not read their tables",
            closed + explained
        ),
        remedy: format!(
            "grant pg_read_all_data to {role}; (before 14: grant usage on schema … to {role}; grant select on all tables in schema … to {role};)"
        ),
        ..not_asked()
    }
}

/// Statements that could be planned at another time.
fn late(plans: &[Plan]) -> Option<Gap> {
    let late = plans.iter().filter(|plan| plan.unplannable.as_deref() == Some("timeout")).count();
    let statements = if plans.len() == 1 { "statement" } else { "statements" };
    let were = if late == 1 { "was" } else { "were" };
    (late > 0).then(|| Gap {
        partial: late < plans.len(),
        reason: format!(
            "{late} of {} {statements} {were} not explained within --lock-timeout or --statement-timeout: their tables are locked, planning is slow, or a standby cancelled it",
            plans.len()
        ),
        remedy: "try again when the locks are gone, or raise them".to_owned(),
        ..not_asked()
    })
}

fn not_asked() -> Gap {
    Gap {
        facet: Facet::Plans,
        database: None,
        partial: false,
        reason: "no statement was explained".to_owned(),
        sqlstate: None,
        remedy: "--plans 50".to_owned(),
        is_failure: false,
    }
}

/// A database that could be read a moment ago.
fn closed_since(database: &str, error: &ConnectError) -> Gap {
    Gap {
        database: Some(database.to_owned()),
        reason: format!("no statement of it was explained: {}", error.cause),
        sqlstate: error.sqlstate.clone(),
        remedy: error.next.clone(),
        is_failure: true,
        ..not_asked()
    }
}

/// Statements that have plans the role may see, by total time. A text that was cut cannot be planned.
fn chosen(snapshot: &Snapshot, is_superuser: bool, top: usize) -> Vec<&Statement> {
    // EXPLAIN needs the privileges of the statement: a reading role would only fill the server's log.
    let may = |kind: StatementKind| match kind {
        StatementKind::Select => true,
        StatementKind::Utility => false,
        _ => is_superuser,
    };
    let is_whole = |row: &&Statement| may(row.kind) && !row.text.ends_with(" …");
    let mut own: Vec<&Statement> = snapshot.statements.iter().filter(is_whole).collect();
    let total = |row: &Statement| row.counters.total_exec_time_ms;
    own.sort_by(|a, b| {
        let names = (&a.database, &a.fingerprint).cmp(&(&b.database, &b.fingerprint));
        total(b).total_cmp(&total(a)).then(names)
    });
    own.truncate(top);
    own
}

/// Columns by the names of relation and column.
#[derive(Debug)]
pub struct ColumnTypes<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a Column>>);

impl<'a> ColumnTypes<'a> {
    /// Those of a database.
    #[must_use]
    pub fn new(columns: &'a [Column], database: &str) -> Self {
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for column in columns.iter().filter(|column| column.database == database) {
            by_name.entry((column.relation.as_str(), column.name.as_str())).or_default().push(column);
        }
        Self(by_name)
    }

    /// The type of a column, where all relations that the statement may mean agree.
    #[must_use]
    pub fn of(&self, relation: &RelationName, name: &str) -> Option<String> {
        let is_meant = |column: &&&Column| relation.schema.as_ref().is_none_or(|schema| *schema == column.schema);
        let mut meant = self.0.get(&(relation.name.as_str(), name))?.iter().filter(is_meant);
        let first = meant.next()?;
        meant.all(|column| column.type_name == first.type_name).then(|| first.type_name.clone())
    }
}

/// The role's own search_path, else PostgreSQL's default; then the schemas of the relations that only
/// one schema has by that name, so that texts of an application with a path of its own are understood.
fn search_path(statement: &Statement, roles: &[Role], relations: &[Relation]) -> String {
    let user = statement.users.first().map_or("", String::as_str);
    let own = roles.iter().find(|role| role.name == user).and_then(|role| {
        role.settings.iter().find_map(|setting| setting.strip_prefix("search_path=")).map(str::to_owned)
    });
    let mut path = own.unwrap_or_else(|| "\"$user\", public".to_owned()).replace("\"$user\"", &identifier(user));
    for name in statement.relations.iter().filter(|name| name.schema.is_none()) {
        let schemas: BTreeSet<&str> = relations
            .iter()
            .filter(|row| row.name == name.name && row.database == statement.database)
            .map(|row| row.schema.as_str())
            .collect();
        if let (1, Some(only)) = (schemas.len(), schemas.first().map(|only| identifier(only)))
            && !path.split(',').any(|own| own.trim() == only)
        {
            path = format!("{path}, {only}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_that_came_too_late_are_a_gap() {
        let plan = |why: Option<&str>| Plan { unplannable: why.map(str::to_owned), ..Plan::default() };
        assert_eq!(late(&[plan(None), plan(Some("no_relation"))]), None);
        let gap = late(&[plan(None), plan(Some("timeout"))]).expect("a gap");
        assert!(gap.partial && !gap.is_failure && gap.reason.starts_with("1 of 2 statements was not"), "{gap:?}");
        assert!(!late(&[plan(Some("timeout"))]).expect("a gap").partial);
    }

    #[test]
    fn functions_are_known_by_their_names_in_pg_proc() {
        let filter = serde_json::json!({"Filter": "((TRIM(BOTH FROM t.note) = $1) AND (lower(t.name) = $2))"});
        let plan = Plan { plan: Some(filter), ..Plan::default() };
        assert_eq!(called(&[plan]), ["and", "btrim", "lower", "ltrim", "rtrim"]);
    }

    #[test]
    fn names_are_resolved_as_the_application_would() {
        let statement = Statement {
            database: "d".into(),
            users: vec!["web".into()],
            relations: vec![RelationName { schema: None, name: "orders".into() }],
            ..Statement::default()
        };
        let relation = |schema: &str| Relation {
            database: "d".into(),
            schema: schema.into(),
            name: "orders".into(),
            ..Relation::default()
        };
        assert_eq!(search_path(&statement, &[], &[relation("shop")]), "web, public, shop");
        assert_eq!(search_path(&statement, &[], &[relation("a"), relation("b")]), "web, public");
        assert_eq!(search_path(&statement, &[], &[relation("public")]), "web, public");
        let twice = Statement {
            relations: [statement.relations.clone(), vec![RelationName { schema: None, name: "items".into() }]]
                .concat(),
            ..statement.clone()
        };
        let both = [relation("shop"), Relation { name: "items".into(), ..relation("shop") }];
        assert_eq!(search_path(&twice, &[], &both), "web, public, shop");
        let role = Role { name: "web".into(), settings: vec!["search_path=tenant1".into()], ..Role::default() };
        assert_eq!(search_path(&statement, &[role], &[]), "tenant1");
    }
}
