//! The table of queries: `sql/<facet>.sql`, and the variants by server major or extension version.

/// From which version on a variant holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// Everywhere else.
    Base,
    /// This server major and up.
    Major(i32),
    /// This minor version of the extension and up, `1.9` being 9.
    Extension(i32),
}

/// What pg_partman keeps, of the extension in this schema, which is quoted.
#[must_use]
pub fn managers(schema: &str) -> String {
    format!(
        "select 'pg_partman' as name, pg_catalog.current_database()::text as database, c.parent_table::text as \"table\", \
         c.premake::int4 as premake, c.retention::text as retention from {schema}.part_config c order by c.parent_table"
    )
}

/// How far a Citus database reaches beyond this server: other nodes, and tables whose rows are there. Documented tables of
/// the extension, which everybody may read: <https://docs.citusdata.com/en/stable/develop/api_metadata.html>.
pub const CITUS: &str = "select \
    (select pg_catalog.count(*) from pg_catalog.pg_dist_node n \
     where n.isactive and n.noderole::text = 'primary' and n.groupid <> 0) as workers, \
    (select pg_catalog.count(*) from pg_catalog.pg_dist_partition) as tables";

/// One file of `sql/`.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// The file's stem without the version: usually a facet.
    pub name: &'static str,
    /// From which version on.
    pub since: Since,
    /// Its text.
    pub sql: &'static str,
}

macro_rules! queries {
    ($($name:literal $since:expr, $file:literal;)*) => {
        /// Every file of `sql/`, one line each, sorted by file.
        pub const QUERIES: &[Query] = &[$(Query { name: $name, since: $since, sql: include_str!(concat!("../../sql/", $file)) }),*];
    };
}

use Since::{Base, Extension, Major};

queries! {
    "change_activity" Base, "change_activity.sql";
    "change_adoption" Base, "change_adoption.sql";
    "change_adoption_obstacles" Base, "change_adoption_obstacles.sql";
    "change_blockers" Base, "change_blockers.sql";
    "change_census" Base, "change_census.sql";
    "change_indexes" Base, "change_indexes.sql";
    "change_leftovers" Base, "change_leftovers.sql";
    "change_likeness" Base, "change_likeness.sql";
    "change_orphans" Base, "change_orphans.sql";
    "change_own" Base, "change_own.sql";
    "change_partitioned" Base, "change_partitioned.sql";
    "change_relations" Base, "change_relations.sql";
    "change_replication" Base, "change_replication.sql";
    "change_server" Base, "change_server.sql";
    "change_split_obstacles" Base, "change_split_obstacles.sql";
    "change_statistics" Base, "change_statistics.sql";
    "change_table" Base, "change_table.sql";
    "change_waits" Base, "change_waits.sql";
    "checkpoints" Major(17), "checkpoints.17.sql";
    "checkpoints" Major(18), "checkpoints.18.sql";
    "checkpoints" Base, "checkpoints.sql";
    "columns" Base, "columns.sql";
    "constraints" Base, "constraints.sql";
    "database_times" Major(14), "database_times.14.sql";
    "database_times" Base, "database_times.sql";
    "databases" Major(14), "databases.14.sql";
    "databases" Base, "databases.sql";
    "extensions" Base, "extensions.sql";
    "foreign_keys" Base, "foreign_keys.sql";
    "functions" Base, "functions.sql";
    "indexes" Major(15), "indexes.15.sql";
    "indexes" Major(16), "indexes.16.sql";
    "indexes" Base, "indexes.sql";
    "io" Major(16), "io.16.sql";
    "io" Major(18), "io.18.sql";
    "locks" Major(14), "locks.14.sql";
    "locks" Base, "locks.sql";
    "may_hide" Major(15), "may_hide.15.sql";
    "may_hide" Base, "may_hide.sql";
    "measure_functions" Base, "measure_functions.sql";
    "partitions" Major(14), "partitions.14.sql";
    "partitions" Base, "partitions.sql";
    "prepared_transactions" Base, "prepared_transactions.sql";
    "progress" Major(14), "progress.14.sql";
    "progress" Major(17), "progress.17.sql";
    "progress" Base, "progress.sql";
    "relations" Major(16), "relations.16.sql";
    "relations" Base, "relations.sql";
    "replication" Base, "replication.sql";
    "roles" Base, "roles.sql";
    "sequences" Base, "sequences.sql";
    "server" Base, "server.sql";
    "session_samples" Base, "session_samples.sql";
    "sessions" Base, "sessions.sql";
    "settings" Base, "settings.sql";
    "slots" Major(17), "slots.17.sql";
    "slots" Base, "slots.sql";
    "statement_texts" Base, "statement_texts.sql";
    "statements" Extension(11), "statements.ext11.sql";
    "statements" Extension(9), "statements.ext9.sql";
    "statements" Base, "statements.sql";
    "statements_info" Extension(9), "statements_info.ext9.sql";
    "statements_info" Base, "statements_info.sql";
    "system_identifier" Base, "system_identifier.sql";
    "wal" Major(14), "wal.14.sql";
    "wal" Base, "wal.sql";
    "whatif_values" Base, "whatif_values.sql";
}

/// The variant of a query for this server major and extension minor version.
#[must_use]
pub fn pick(name: &str, major: i32, extension: i32) -> Option<&'static Query> {
    let holds = |since: Since| match since {
        Base => true,
        Major(least) => major >= least,
        Extension(least) => extension >= least,
    };
    QUERIES.iter().filter(|query| query.name == name && holds(query.since)).max_by_key(|query| query.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_variant_that_holds_is_picked() {
        let since = |name, major, extension| pick(name, major, extension).map(|query| query.since);
        assert_eq!(since("indexes", 14, 0), Some(Base));
        assert_eq!(since("indexes", 15, 0), Some(Major(15)));
        assert_eq!(since("indexes", 18, 0), Some(Major(16)));
        assert_eq!(since("statements", 18, 8), Some(Base));
        assert_eq!(since("statements", 18, 10), Some(Extension(9)));
        assert_eq!(since("statements", 17, 12), Some(Extension(11)));
        assert_eq!(since("nothing", 17, 12), None);
    }
}
