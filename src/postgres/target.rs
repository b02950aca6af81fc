//! Where to connect: what the user said, filled up from service file, environment and defaults,
//! in libpq's order.

use super::conninfo::{Params, parse};
use super::error::TargetError;
use super::files::{Surroundings, password, service};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs};

/// Variables of libpq and the keyword each fills.
const VARIABLES: &[(&str, &str)] = &[
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGDATABASE", "dbname"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGOPTIONS", "options"),
    ("PGPASSFILE", "passfile"),
    ("PGPASSWORD", "password"),
    ("PGPORT", "port"),
    ("PGSERVICE", "service"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGUSER", "user"),
];

/// Variables of libpq that change security and are not implemented.
const REFUSED: &[&str] = &[
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGSSLCERTMODE",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLMINPROTOCOLVERSION",
];

/// The database that is PgBouncer's admin console.
const CONSOLE: &str = "pgbouncer";

/// Variables that are about who connects and how, and not about where to.
const OF_CONSOLES: &[&str] = &[
    "PGCHANNELBINDING",
    "PGCONNECT_TIMEOUT",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGSSLROOTCERT",
    "PGUSER",
];

/// How the channel is protected: libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Files for TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// CA certificates; the system's where none is named.
    pub(super) root: Option<PathBuf>,
    /// Client certificate and key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

/// A server and database to connect to. Does not print its password.
#[derive(Clone, PartialEq)]
pub struct Target {
    pub(super) config: Config,
    pub(super) protection: Protection,
    pub(super) files: TlsFiles,
    pub(super) connect_timeout: Duration,
    /// Host names, addresses or socket directories, joined by commas.
    pub host: String,
    /// Port or socket number of the first host.
    pub port: u16,
    /// Database.
    pub database: String,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.place())
    }
}

impl Target {
    /// Reads a target as the user wrote it; an empty text means the environment alone.
    pub fn resolve(text: &str, surroundings: &Surroundings) -> Result<Self, TargetError> {
        let mut params = parse(text)?;
        let named = params.get("service").map(String::as_str).or_else(|| surroundings.variable("PGSERVICE"));
        if let Some(name) = named {
            for (keyword, value) in service(name, surroundings)? {
                params.entry(keyword).or_insert(value);
            }
        }
        for (variable, keyword) in VARIABLES {
            if let Some(value) = surroundings.variable(variable) {
                params.entry((*keyword).to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        refuse(surroundings)?;
        build(&params, surroundings)
    }

    /// Reads where the admin console of a PgBouncer is: as a target, but at port 6432 and database `pgbouncer`, and
    /// of the environment only credentials, TLS and time-outs, as the rest is about the server.
    pub fn console(text: &str, surroundings: &Surroundings) -> Result<Self, TargetError> {
        let mut params = parse(text)?;
        if params.contains_key("service") {
            return Err(TargetError("a service names a server; give the console's host and port".to_owned()));
        }
        if params.get("dbname").is_some_and(|name| name != CONSOLE) {
            return Err(TargetError(format!("the console is the database `{CONSOLE}` of PgBouncer, and no other")));
        }
        if ["host", "port"].iter().any(|keyword| params.get(*keyword).is_some_and(|value| value.contains(','))) {
            return Err(TargetError("several hosts are several consoles: name each by itself".to_owned()));
        }
        // It takes no start-up options, and is neither primary nor standby.
        for keyword in ["options", "target_session_attrs", "load_balance_hosts"] {
            params.remove(keyword);
        }
        for (variable, keyword) in VARIABLES.iter().filter(|(variable, _)| OF_CONSOLES.contains(variable)) {
            if let Some(value) = surroundings.variable(variable) {
                params.entry((*keyword).to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        refuse(surroundings)?;
        params.entry("port".to_owned()).or_insert_with(|| "6432".to_owned());
        params.insert("dbname".to_owned(), CONSOLE.to_owned());
        build(&params, surroundings)
    }

    /// Host, port and database, for people.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        self.config.dbname(name);
        name.clone_into(&mut self.database);
        self
    }

    /// The same target with another time to wait for a connection.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }
}

/// Security that is asked for and not implemented is refused, wherever it is asked for.
fn refuse(surroundings: &Surroundings) -> Result<(), TargetError> {
    match REFUSED.iter().find(|variable| surroundings.variable(variable).is_some()) {
        Some(variable) => Err(TargetError(format!("{variable} is set and not supported; unset it"))),
        None => Ok(()),
    }
}

fn build(params: &Params, surroundings: &Surroundings) -> Result<Target, TargetError> {
    let get = |keyword: &str| params.get(keyword).map(String::as_str).filter(|value| !value.is_empty());
    let mut config = Config::new();
    let ports = ports(get("port").unwrap_or("5432"))?;
    let user = get("user")
        .or(surroundings.login.as_deref())
        .ok_or_else(|| TargetError("no user: give one, or set PGUSER".to_owned()))?;
    let database = get("dbname").unwrap_or(user);
    let host = get("host").or(get("hostaddr")).map_or_else(|| default_host(ports[0]), str::to_owned);
    let hosts: Vec<&str> = host.split(',').collect();
    if ports.len() != 1 && ports.len() != hosts.len() {
        return Err(TargetError(format!("{} ports for {} hosts", ports.len(), hosts.len())));
    }
    hosts.iter().for_each(|host| {
        config.host(*host);
    });
    ports.iter().for_each(|port| {
        config.port(*port);
    });
    if let Some(addresses) = get("hostaddr").filter(|_| get("host").is_some()) {
        for address in addresses.split(',') {
            config.hostaddr(address.parse().map_err(|_| TargetError("hostaddr should be IP addresses".to_owned()))?);
        }
    }
    config.user(user).dbname(database);
    if let Some(options) = get("options") {
        config.options(options);
    }
    if let Some(secret) = secret(params, surroundings, hosts[0], ports[0], database, user)? {
        config.password(secret);
    }
    let protection = if hosts.iter().all(|host| host.starts_with('/')) {
        // libpq: TLS is not for unix sockets.
        Protection::Disable
    } else {
        protection(get("sslmode"), get("sslrootcert"))?
    };
    apply_choices(&mut config, params, protection)?;
    let timeout = get("connect_timeout").map_or(Ok(10), str::parse::<u64>);
    let timeout = timeout.map_err(|_| TargetError("connect_timeout should be whole seconds".to_owned()))?;
    Ok(Target {
        config,
        protection,
        files: tls_files(params, surroundings),
        connect_timeout: Duration::from_secs(if timeout == 0 { 3600 } else { timeout.max(2) }),
        port: ports[0],
        database: database.to_owned(),
        host,
    })
}

fn ports(text: &str) -> Result<Vec<u16>, TargetError> {
    let read = |port: &str| if port.is_empty() { Ok(5432) } else { port.parse::<u16>() };
    let ports: Result<Vec<u16>, _> = text.split(',').map(read).collect();
    ports
        .ok()
        .filter(|ports| !ports.contains(&0))
        .ok_or_else(|| TargetError("port should be a number from 1 to 65535".to_owned()))
}

/// The socket directory that has a server's socket, else localhost.
fn default_host(port: u16) -> String {
    let has_socket = |folder: &&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
    ["/var/run/postgresql", "/tmp"]
        .iter()
        .find(|folder| has_socket(folder))
        .map_or("localhost", |folder| folder)
        .to_owned()
}

fn secret(
    params: &Params,
    surroundings: &Surroundings,
    host: &str,
    port: u16,
    database: &str,
    user: &str,
) -> Result<Option<String>, TargetError> {
    if let Some(given) = params.get("password") {
        return Ok(Some(given.clone()));
    }
    let path = params.get("passfile").map(PathBuf::from).or_else(|| surroundings.home_file(".pgpass"));
    path.map_or(Ok(None), |path| password(&path, host, port, database, user))
}

fn protection(sslmode: Option<&str>, root: Option<&str>) -> Result<Protection, TargetError> {
    if root == Some("system") {
        // libpq: anybody can have a certificate of a public CA, so only the name tells who it is.
        return match sslmode {
            None | Some("verify-full") => Ok(Protection::VerifyFull),
            Some(_) => Err(TargetError("sslrootcert=system goes with sslmode=verify-full only".to_owned())),
        };
    }
    Ok(match sslmode.unwrap_or("prefer") {
        "disable" => Protection::Disable,
        "allow" => Protection::Allow,
        "prefer" => Protection::Prefer,
        // libpq: a CA file that is named is also used.
        "require" if root.is_some() => Protection::VerifyCa,
        "require" => Protection::Require,
        "verify-ca" => Protection::VerifyCa,
        "verify-full" => Protection::VerifyFull,
        _ => {
            let known = "disable, allow, prefer, require, verify-ca, verify-full";
            return Err(TargetError(format!("sslmode should be one of {known}")));
        }
    })
}

fn apply_choices(config: &mut Config, params: &Params, protection: Protection) -> Result<(), TargetError> {
    config.ssl_mode(match protection {
        Protection::Disable | Protection::Allow => SslMode::Disable,
        Protection::Prefer => SslMode::Prefer,
        _ => SslMode::Require,
    });
    let refused = |keyword: &str, known: &str| TargetError(format!("{keyword} should be one of {known}"));
    if let Some(value) = params.get("target_session_attrs") {
        config.target_session_attrs(match value.as_str() {
            "any" => TargetSessionAttrs::Any,
            "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
            "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
            _ => return Err(refused("target_session_attrs", "any, read-write, read-only, primary, standby")),
        });
    }
    keepalives(config, params)?;
    if let Some(value) = params.get("channel_binding") {
        config.channel_binding(match value.as_str() {
            "disable" => ChannelBinding::Disable,
            "prefer" => ChannelBinding::Prefer,
            "require" => ChannelBinding::Require,
            _ => return Err(refused("channel_binding", "disable, prefer, require")),
        });
    }
    if let Some(value) = params.get("load_balance_hosts") {
        config.load_balance_hosts(match value.as_str() {
            "disable" => LoadBalanceHosts::Disable,
            "random" => LoadBalanceHosts::Random,
            _ => return Err(refused("load_balance_hosts", "disable, random")),
        });
    }
    match params.get("sslnegotiation").map(String::as_str) {
        None | Some("postgres") => {}
        Some("direct") => {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        Some(_) => return Err(refused("sslnegotiation", "postgres, direct")),
    }
    Ok(())
}

/// TCP keepalives and time-outs, in whole seconds or milliseconds as libpq takes them; 0: the system's.
fn keepalives(config: &mut Config, params: &Params) -> Result<(), TargetError> {
    let number = |keyword: &str| {
        let read =
            |text: &String| text.parse::<u32>().map_err(|_| TargetError(format!("{keyword} should be a whole number")));
        params
            .get(keyword)
            .map(read)
            .transpose()
            .map(|number| number.filter(|number| *number > 0 || keyword == "keepalives"))
    };
    if let Some(switch) = number("keepalives")? {
        config.keepalives(switch != 0);
    }
    if let Some(seconds) = number("keepalives_idle")? {
        config.keepalives_idle(Duration::from_secs(seconds.into()));
    }
    if let Some(seconds) = number("keepalives_interval")? {
        config.keepalives_interval(Duration::from_secs(seconds.into()));
    }
    if let Some(count) = number("keepalives_count")? {
        config.keepalives_retries(count);
    }
    if let Some(millis) = number("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(millis.into()));
    }
    if params.get("gssencmode").is_some_and(|mode| mode == "require") {
        return Err(TargetError("gssencmode=require is not supported; use TLS".to_owned()));
    }
    Ok(())
}

fn tls_files(params: &Params, surroundings: &Surroundings) -> TlsFiles {
    let named = |keyword: &str| params.get(keyword).filter(|path| !path.is_empty()).map(PathBuf::from);
    let root = named("sslrootcert").filter(|path| path.as_os_str() != "system");
    let names_system = params.get("sslrootcert").is_some_and(|path| path == "system");
    let certificate = named("sslcert").or_else(|| surroundings.home_file(".postgresql/postgresql.crt"));
    let key = named("sslkey").or_else(|| surroundings.home_file(".postgresql/postgresql.key"));
    TlsFiles {
        root: root.or_else(|| if names_system { None } else { surroundings.home_file(".postgresql/root.crt") }),
        client: certificate.zip(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            home: None,
            login: Some("me".to_owned()),
        }
    }

    #[test]
    fn what_is_said_wins_over_the_environment() {
        let around =
            surroundings(&[("PGHOST", "envhost"), ("PGPORT", "6000"), ("PGDATABASE", "envdb"), ("PGUSER", "envuser")]);
        let target = Target::resolve("postgres://db1/shop", &around).expect("a target");
        assert_eq!(target.place(), "db1:6000/shop");
        assert_eq!(target.config.get_user(), Some("envuser"));
        assert_eq!(Target::resolve("", &around).expect("a target").place(), "envhost:6000/envdb");
    }

    #[test]
    fn the_database_defaults_to_the_user_and_the_user_to_the_login() {
        assert_eq!(Target::resolve("host=db1", &surroundings(&[])).expect("a target").place(), "db1:5432/me");
    }

    #[test]
    fn a_target_does_not_print_its_password() {
        let target = Target::resolve("postgres://u:S3cret@db1/shop", &surroundings(&[])).expect("a target");
        assert!(!format!("{target:?}").contains("S3cret"));
    }

    #[test]
    fn a_console_has_a_place_of_its_own() {
        let around = surroundings(&[
            ("PGHOST", "envhost"),
            ("PGPORT", "5433"),
            ("PGDATABASE", "envdb"),
            ("PGUSER", "envuser"),
            ("PGOPTIONS", "-c x=1"),
        ]);
        let of = |text: &str| Target::console(text, &around);
        let console = of("postgres://db1").expect("a console");
        assert_eq!(console.place(), "db1:6432/pgbouncer");
        assert_eq!((console.config.get_user(), console.config.get_options()), (Some("envuser"), None));
        assert_eq!(of("host=/run port=6000 user=stats").expect("a console").place(), "/run:6000/pgbouncer");
        for text in ["postgres://db1/shop", "host=a,b", "service=shop", "host=a sslmode=maybe"] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        for text in
            ["port=x", "port=0", "host=a,b port=1,2,3", "sslmode=maybe", "target_session_attrs=x", "connect_timeout=x"]
        {
            assert!(Target::resolve(text, &surroundings(&[])).is_err(), "{text}");
        }
    }
}
