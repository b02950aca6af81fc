//! The schema of a history, version by version, and what roles need of it.

use super::ArchiveError;
use crate::ddl::quoted;

/// The versions, from the first on: each makes the next of the one before.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("1.sql")];

/// The table with the runs.
pub const TABLE: &str = "pgassay.run";

/// The newest version, which this program reads and writes.
pub(super) fn newest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// This program fits a history of that version; none: there is none.
pub(super) fn fits(place: &str, version: Option<i32>) -> Result<(), ArchiveError> {
    let newest = newest();
    match version.unwrap_or(0) {
        found if found == newest => Ok(()),
        found if found > newest => Err(ArchiveError::new(
            format!("the history in {place} has version {found}, this program knows {newest}"),
            "use the pgassay that made it, or a newer one",
        )),
        found => Err(ArchiveError::new(
            format!("the history in {place} has version {found}, this program needs {newest}"),
            "bring it up with `pgassay history init --yes`",
        )),
    }
}

/// What makes version `version` of the one before, and says so.
pub(super) fn step(version: i32, sql: &str, tool: &str) -> String {
    let tool = tool.replace('\'', "''");
    format!("{sql}\ninsert into pgassay.migration (version, tool) values ({version}, '{tool}');\n")
}

/// Grants: a writer may add runs and neither read nor change them, a reader may read them.
pub(super) fn grants(writers: &[String], readers: &[String]) -> String {
    let grant = |role: &String, what: &str| {
        let role = quoted(role);
        format!(
            "grant usage on schema pgassay to {role};\ngrant select on pgassay.migration to {role};\n\
             grant {what} on {TABLE} to {role};\n"
        )
    };
    let writers = writers.iter().map(|role| grant(role, "insert"));
    writers.chain(readers.iter().map(|role| grant(role, "select"))).collect()
}

/// All of it as a script for psql, of a database that has no history yet.
#[must_use]
pub fn script(writers: &[String], readers: &[String], tool: &str) -> String {
    let mut text = "begin;\n".to_owned();
    for (version, sql) in (1..).zip(MIGRATIONS) {
        text.push_str(&step(version, sql, tool));
    }
    text.push_str(&grants(writers, readers));
    text.push_str("commit;\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_quoted_and_versions_counted() {
        let text = script(&["au\"di'tor".to_owned()], &["dash".to_owned()], "pga'ssay");
        assert!(text.contains("grant insert on pgassay.run to \"au\"\"di'tor\";"), "{text}");
        assert!(text.contains("grant select on pgassay.run to dash;"), "{text}");
        assert!(text.contains("values (1, 'pga''ssay');"), "{text}");
        assert!(fits("db", Some(newest())).is_ok());
        assert!(fits("db", Some(newest() + 1)).is_err_and(|error| error.to_string().contains("a newer one")));
        assert!(fits("db", None).is_err_and(|error| error.to_string().contains("history init")));
    }
}
