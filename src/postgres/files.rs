//! The files libpq looks into: the password file and the service file.

use super::conninfo::Params;
use super::error::TargetError;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The environment of the process, handed in so that nothing below the command line reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// Home directory.
    pub home: Option<PathBuf>,
    /// Login name, the default user.
    pub login: Option<String>,
}

impl Surroundings {
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A file below the home directory, when it exists.
    pub(super) fn home_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name)).filter(|path| path.exists())
    }
}

/// The password for a connection out of the password file; none when no line fits. What is no plain file is ignored, as
/// by libpq: `/dev/null` is how one says that there is none. A file that others may read is refused, where libpq ignores it.
pub(super) fn password(
    path: &Path,
    host: &str,
    port: u16,
    dbname: &str,
    user: &str,
) -> Result<Option<String>, TargetError> {
    let shown = path.display();
    let Some(metadata) = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file) else { return Ok(None) };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(TargetError(format!("password file {shown} can be read by others; run `chmod 600 {shown}`")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| TargetError(format!("password file {shown}: {error}")))?;
    let host = if host.starts_with("/var/run/postgresql") || host == "/tmp" { "localhost" } else { host };
    let wanted = [host, &port.to_string(), dbname, user];
    Ok(text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = split_fields(line);
        let [own @ .., password] = fields.as_slice() else { return None };
        let fits = own.len() == 4 && own.iter().zip(wanted).all(|(field, value)| field == "*" || field == value);
        fits.then(|| password.clone())
    }))
}

/// Splits at `:`, backslash escapes the next character. The fifth field is the rest.
fn split_fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '\\' => fields[last].extend(chars.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields[last].push(c),
        }
    }
    fields
}

/// The parameters of one service, from the first file that has it.
pub(super) fn service(name: &str, surroundings: &Surroundings) -> Result<Params, TargetError> {
    let own = surroundings
        .variable("PGSERVICEFILE")
        .map(PathBuf::from)
        .or_else(|| surroundings.home_file(".pg_service.conf"));
    let shared = surroundings
        .variable("PGSYSCONFDIR")
        .map(|folder| Path::new(folder).join("pg_service.conf"))
        .or_else(|| Some(PathBuf::from("/etc/postgresql-common/pg_service.conf")));
    for path in own.into_iter().chain(shared) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if let Some(params) = section(&text, name) {
            return Ok(params);
        }
    }
    Err(TargetError(format!("no service `{name}` in ~/.pg_service.conf, PGSERVICEFILE or pg_service.conf")))
}

fn section(text: &str, name: &str) -> Option<Params> {
    let header = format!("[{name}]");
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != header);
    lines.next()?;
    let body = lines.take_while(|line| !line.starts_with('['));
    let pairs = body.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    Some(pairs.map(|(keyword, value)| (keyword.trim().to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fitting_line_gives_the_password() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        std::fs::write(&path, "# hosts\ndb1:5432:*:u:first\n*:*:shop:u:pa\\:ss\\\\word\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        assert!(password(&path, "db2", 5432, "shop", "u").is_err(), "a file others can read is refused");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
        let of = |host| password(&path, host, 5432, "shop", "u").expect("readable");
        assert_eq!(of("db1").as_deref(), Some("first"));
        assert_eq!(of("db2").as_deref(), Some("pa:ss\\word"));
        assert_eq!(password(&path, "db2", 5432, "shop", "other").expect("readable"), None);
        for none in [&folder.path().join("none"), folder.path(), Path::new("/dev/null")] {
            assert_eq!(password(none, "h", 1, "d", "u"), Ok(None), "{}", none.display());
        }
    }

    #[test]
    fn a_service_is_a_section() {
        let params =
            section("[a]\nhost=x\n\n# c\n[shop]\nhost = db1\nport=5433\n[z]\nhost=y\n", "shop").expect("a section");
        assert_eq!(
            params.into_iter().collect::<Vec<_>>(),
            [("host".into(), "db1".into()), ("port".into(), "5433".into())]
        );
        assert_eq!(section("[a]\n", "b"), None);
    }
}
