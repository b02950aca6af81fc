//! The SQL that makes a role for audits with no more privileges than the gaps of a report ask for.

use crate::ddl::{literal, quoted};
use crate::model::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How the role comes to what only readers of the data are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// By `pg_read_all_data`, from 14 on.
    AllData,
    /// By grants schema by schema.
    BySchema,
}

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct RoleWish<'a> {
    /// Name of the role.
    pub role: &'a str,
    /// How it comes to what readers of the data are shown.
    pub access: Access,
}

/// A provider, by a role that it keeps for itself, and who may make roles there.
const PROVIDERS: [(&str, &str, &str); 5] = [
    ("rdsadmin", "Amazon RDS or Aurora", "the master user"),
    ("azuresu", "Azure Database for PostgreSQL", "the server admin"),
    ("cloudsqladmin", "Cloud SQL", "the user postgres"),
    ("cloud_admin", "Neon", "the project's owner role"),
    ("supabase_admin", "Supabase", "the user postgres"),
];

/// The SQL, for the server and database of the snapshot. It can be run again.
#[must_use]
pub fn role_sql(snapshot: &Snapshot, wish: RoleWish<'_>) -> String {
    let server = &snapshot.server;
    let (role, database) = (quoted(wish.role), quoted(&server.database));
    let mut sql = String::new();
    let provider = PROVIDERS.iter().find(|(own, ..)| snapshot.roles.iter().any(|role| role.name == *own));
    let (place, who) = provider.map_or((String::new(), "a superuser"), |(_, name, who)| (format!(" of {name}"), *who));
    let _ = writeln!(
        sql,
        "-- A role for pgassay on PostgreSQL {}{place}, database {database}. It reads the catalog and statistics.\n\
         -- Run this as {who}, and again whenever you like; it changes nothing but this role{}.\n\
         -- Then let it in: a password (\\password {role} in psql), a certificate, or a line of pg_hba.conf.",
        server.version,
        if wish.access == Access::BySchema { " and default privileges" } else { "" }
    );
    let _ = writeln!(
        sql,
        "do $pgassay$\nbegin\n  if not exists (select from pg_catalog.pg_roles where rolname = {}) then\n    \
         create role {role} login;\n  end if;\nend\n$pgassay$;\n\
         alter role {role} set default_transaction_read_only = on;\n\
         grant connect on database {database} to {role};\n\n\
         -- Statements and sessions of other roles, standbys, settings, sizes.\n\
         grant pg_monitor to {role};\n",
        literal(wish.role)
    );
    sql.push_str(
        "-- Statistics of columns, values of sequences and EXPLAIN, which PostgreSQL has only for those who may read\n\
         -- the data. An audit reads no table of yours with it. Without it these are gaps in the report, and nothing else changes.\n",
    );
    match wish.access {
        Access::AllData => {
            let _ = writeln!(sql, "grant pg_read_all_data to {role};");
        }
        Access::BySchema => by_schema(&mut sql, snapshot, &role),
    }
    sql.push_str(&hiding_note(server.major(), &role));
    sql.push_str(&statements_note(snapshot));
    sql
}

/// What a superuser alone can give, and nobody at most providers: so it is not asked for.
fn hiding_note(major: i32, role: &str) -> String {
    if major < HIDING_SINCE {
        return String::new();
    }
    format!(
        "\n-- If you like: the questions that pgassay asks leave no entries in {STATEMENTS} then. A superuser can grant it.\n\
         -- grant set on parameter {STATEMENTS}.track to {role};\n"
    )
}

fn by_schema(sql: &mut String, snapshot: &Snapshot, role: &str) {
    let schemas = schemas(snapshot);
    let _ =
        writeln!(sql, "-- Of this database only: for another one make it anew there; and for schemas that come later.");
    for name in schemas.keys() {
        let schema = quoted(name);
        let _ = writeln!(
            sql,
            "grant usage on schema {schema} to {role};\ngrant select on all tables in schema {schema} to {role};\n\
             grant select on all sequences in schema {schema} to {role};"
        );
    }
    let owned = schemas.iter().flat_map(|(name, owners)| owners.iter().map(move |owner| (name, owner)));
    for (at, (name, owner)) in owned.enumerate() {
        if at == 0 {
            sql.push_str("\n-- What their owners make later.\n");
        }
        let (schema, owner) = (quoted(name), quoted(owner));
        for what in ["tables", "sequences"] {
            let _ = writeln!(
                sql,
                "alter default privileges for role {owner} in schema {schema} grant select on {what} to {role};"
            );
        }
    }
}

/// Schemas of the database that hold tables, sequences or `pg_stat_statements`, and who owns tables there.
fn schemas(snapshot: &Snapshot) -> BTreeMap<String, BTreeSet<String>> {
    let database = &snapshot.server.database;
    let mut schemas: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for relation in snapshot.relations.iter().filter(|row| row.database == *database) {
        let owners = schemas.entry(relation.schema.clone()).or_default();
        if !relation.is_extension_member {
            owners.insert(relation.owner.clone());
        }
    }
    let sequences = snapshot.sequences.iter().filter(|row| row.database == *database).map(|row| &row.schema);
    let extensions = snapshot.extensions.iter().filter(|row| row.database == *database && row.name == STATEMENTS);
    for schema in sequences.chain(extensions.map(|row| &row.schema)) {
        schemas.entry(schema.clone()).or_default();
    }
    schemas
}

const STATEMENTS: &str = "pg_stat_statements";

/// Privileges on settings came with this major.
const HIDING_SINCE: i32 = 15;

/// What no role can give itself.
fn statements_note(snapshot: &Snapshot) -> String {
    let database = &snapshot.server.database;
    if snapshot.extensions.iter().any(|row| row.database == *database && row.name == STATEMENTS) {
        return String::new();
    }
    let preload = match snapshot.server.statements_preloaded {
        Some(true) => String::new(),
        _ => format!("\n-- and, if it is not there yet, {STATEMENTS} in shared_preload_libraries, then a restart"),
    };
    format!(
        "\n-- This database lacks {STATEMENTS}, on which most rules about queries rest; it is no matter of the role:\n\
         -- create extension {STATEMENTS};{preload}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Extension, Relation, Role, Tool};

    fn shop() -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), chrono::DateTime::UNIX_EPOCH);
        snapshot.server.version = "16.4".to_owned();
        snapshot.server.version_num = 160_004;
        snapshot.server.database = "Shop".to_owned();
        let relation = |schema: &str, owner: &str, member| Relation {
            database: "Shop".to_owned(),
            schema: schema.to_owned(),
            owner: owner.to_owned(),
            is_extension_member: member,
            ..Relation::default()
        };
        snapshot.relations =
            vec![relation("app", "ann", false), relation("app", "Bob", false), relation("gis", "postgres", true)];
        snapshot
    }

    fn sql(snapshot: &Snapshot, access: Access) -> String {
        role_sql(snapshot, RoleWish { role: "aud'it", access })
    }

    #[test]
    fn names_are_quoted_as_names_and_as_texts() {
        let sql = sql(&shop(), Access::AllData);
        assert!(sql.contains("rolname = 'aud''it'") && sql.contains("create role \"aud'it\" login;"), "{sql}");
        assert!(
            sql.contains("on database \"Shop\" to") && sql.contains("grant pg_read_all_data to \"aud'it\";"),
            "{sql}"
        );
    }

    #[test]
    fn to_be_kept_out_of_the_statistics_is_offered_where_it_can_be_granted() {
        let (mut shop, offer) = (shop(), "-- grant set on parameter pg_stat_statements.track to \"aud'it\";");
        assert!(sql(&shop, Access::AllData).contains(offer));
        shop.server.version_num = 140_012;
        assert!(!sql(&shop, Access::AllData).contains("parameter"));
    }

    #[test]
    fn by_schema_grants_what_is_there_and_what_its_owners_will_make() {
        let sql = sql(&shop(), Access::BySchema);
        assert!(!sql.contains("pg_read_all_data"), "{sql}");
        assert!(sql.contains("grant usage on schema gis to"), "{sql}");
        for owner in ["ann", "\"Bob\""] {
            assert!(sql.contains(&format!("for role {owner} in schema app grant select on sequences")), "{sql}");
        }
        assert!(!sql.contains("for role postgres"), "an extension makes no tables of its own: {sql}");
    }

    #[test]
    fn what_the_provider_calls_its_admin_is_said() {
        let mut shop = shop();
        assert!(sql(&shop, Access::AllData).contains("Run this as a superuser"));
        shop.roles = vec![Role { name: "rdsadmin".to_owned(), ..Role::default() }];
        assert!(sql(&shop, Access::AllData).contains("16.4 of Amazon RDS or Aurora, database \"Shop\""));
        assert!(sql(&shop, Access::AllData).contains("Run this as the master user"));
    }

    #[test]
    fn the_extension_is_told_where_it_lacks() {
        let mut shop = shop();
        assert!(sql(&shop, Access::AllData).contains("-- create extension pg_stat_statements;\n-- and"));
        shop.extensions = vec![Extension {
            database: "Shop".to_owned(),
            name: STATEMENTS.to_owned(),
            schema: "Closed".to_owned(),
            ..Extension::default()
        }];
        assert!(!sql(&shop, Access::AllData).contains("create extension"));
        assert!(sql(&shop, Access::BySchema).contains("grant usage on schema \"Closed\""));
    }
}
