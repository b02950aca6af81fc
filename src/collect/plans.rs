//! Generic plans of the statements with the largest totals, for the rules that look into plans.

use super::Collector;
use crate::model::object::identifier;
use crate::model::snapshot::{Column, Facet, Gap, Relation, RelationName, Role, Snapshot, Statement, StatementKind};
use crate::postgres::Reader;
use crate::whatif::{Question, plan};
use std::collections::{BTreeMap, BTreeSet};

/// Explains the `top` statements of the database the reader is connected to.
pub(super) async fn fill(collector: &Collector<'_>, reader: &Reader, top: usize, snapshot: &mut Snapshot) {
    if top == 0 {
        collector.gap(not_asked()).await;
        return;
    }
    collector.progress.started("plans");
    let database = snapshot.target.database.clone();
    let types = ColumnTypes::new(&snapshot.columns, &database);
    let wanted = chosen(snapshot, collector.server.is_superuser, &database, top);
    let (readable, closed): (Vec<&Statement>, Vec<&Statement>) =
        wanted.into_iter().partition(|statement| may_read(statement, &snapshot.relations));
    let mut plans = Vec::new();
    for statement in readable {
        let search_path = search_path(statement, &snapshot.roles, &snapshot.relations);
        let question = Question {
            database: &database,
            fingerprint: &statement.fingerprint,
            text: &statement.text,
            search_path: &search_path,
        };
        let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
        plans.push(plan(reader, collector.server.major(), question, &column_type).await);
    }
    if !closed.is_empty() {
        collector.gap(not_readable(closed.len(), plans.len(), &collector.server.role)).await;
    }
    for other in snapshot.audited.iter().filter(|name| **name != database) {
        collector.gap(elsewhere(other)).await;
    }
    snapshot.plans = plans;
    collector.progress.finished("plans");
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

/// Plans are asked for over the first database's sessions only.
fn elsewhere(database: &str) -> Gap {
    Gap {
        database: Some(database.to_owned()),
        reason: "only statements of the first database are explained".to_owned(),
        remedy: format!("audit {} by itself", identifier(database)),
        ..not_asked()
    }
}

/// Statements that have plans the role may see, by total time. A text that was cut cannot be planned.
fn chosen<'a>(snapshot: &'a Snapshot, is_superuser: bool, database: &str, top: usize) -> Vec<&'a Statement> {
    // EXPLAIN needs the privileges of the statement: a reading role would only fill the server's log.
    let may = |kind: StatementKind| match kind {
        StatementKind::Select => true,
        StatementKind::Utility => false,
        _ => is_superuser,
    };
    let is_whole = |row: &&Statement| may(row.kind) && !row.text.ends_with(" …");
    let mut own: Vec<&Statement> =
        snapshot.statements.iter().filter(|row| row.database == database).filter(is_whole).collect();
    let total = |row: &Statement| row.counters.total_exec_time_ms;
    own.sort_by(|a, b| total(b).total_cmp(&total(a)).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    own.truncate(top);
    own
}

/// Columns by the names of relation and column.
struct ColumnTypes<'a>(BTreeMap<(&'a str, &'a str), Vec<&'a Column>>);

impl<'a> ColumnTypes<'a> {
    fn new(columns: &'a [Column], database: &str) -> Self {
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for column in columns.iter().filter(|column| column.database == database) {
            by_name.entry((column.relation.as_str(), column.name.as_str())).or_default().push(column);
        }
        Self(by_name)
    }

    /// The type of a column, where all relations that the statement may mean agree.
    fn of(&self, relation: &RelationName, name: &str) -> Option<String> {
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
        if let (1, Some(only)) = (schemas.len(), schemas.first()) {
            path = format!("{path}, {}", identifier(only));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let role = Role { name: "web".into(), settings: vec!["search_path=tenant1".into()], ..Role::default() };
        assert_eq!(search_path(&statement, &[role], &[]), "tenant1");
    }
}
