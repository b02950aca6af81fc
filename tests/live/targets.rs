//! Every way to say which server: all lead to the same one, and what is said wins over what is set.

use crate::support::{CORNER, Outcome, Pgassay, Yard, corner, free_port, newest, with_statements};
use pgassay::demo::{Cluster, Setup};
use std::path::Path;

/// Needs quoting in a URL, in pairs and in a password file.
const PASSWORD: &str = r"it's: a \ 50% p@ss/word";

/// The same in a URL.
const IN_URL: &str = "it%27s%3A%20a%20%5C%2050%25%20p%40ss%2Fword";

/// The same in `key=value` pairs.
const IN_PAIRS: &str = r"'it\'s: a \\ 50% p@ss/word'";

/// The same in a password file.
const IN_FILE: &str = r"it's\: a \\ 50% p@ss/word";

/// Only the superuser on the socket needs no password.
const ACCESS: &str = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A server that asks the auditor for a password.
async fn guarded(yard: &Yard) -> Cluster {
    let setup = Setup { access: Some(ACCESS.to_owned()), ..with_statements() };
    let cluster = yard.listening(&newest(), &setup.with("password_encryption", "scram-sha-256"));
    let admin = corner(&cluster).await;
    let quoted = PASSWORD.replace('\'', "''");
    let role = format!("create role auditor login password '{quoted}'; grant pg_monitor to auditor");
    admin.execute(&role).await.expect("a role");
    cluster
}

/// An audit of what the environment says.
fn audit(yard: &Yard) -> Pgassay {
    yard.audit(&["--format", "json"])
}

/// It reached the corner shop by this host.
fn assert_reached(outcome: Outcome, host: &Path, port: u16) {
    let report = outcome.expect(0).report();
    let target = &report.0["target"];
    assert_eq!((&target["database"], &target["port"]), (&CORNER.into(), &port.into()), "{target}");
    assert_eq!(target["host"], host.to_str().expect("UTF-8"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ways_lead_to_the_server() {
    let yard = Yard::open();
    let cluster = guarded(&yard).await;
    let (tcp, socket, port) = (Path::new("127.0.0.1"), cluster.socket(), cluster.port());
    let socket_text = socket.display().to_string();
    let encoded = socket_text.replace('/', "%2F");

    for (target, host) in [
        (format!("postgres://auditor:{IN_URL}@127.0.0.1:{port}/{CORNER}"), tcp),
        (format!("postgresql://auditor:{IN_URL}@{encoded}:{port}/{CORNER}"), socket),
        (format!("postgres://{encoded}/{CORNER}?user=auditor&password={IN_URL}&port={port}"), socket),
        (format!("host=127.0.0.1 port={port} dbname={CORNER} user=auditor password={IN_PAIRS}"), tcp),
        (format!("host={socket_text} port={port} dbname={CORNER} user=auditor password={IN_PAIRS}"), socket),
    ] {
        assert_reached(audit(&yard).arg(&target).run(), host, port);
        assert_reached(audit(&yard).env("DATABASE_URL", &target).run(), host, port);
    }

    let by_variables = |run: Pgassay| {
        run.env("PGHOST", "127.0.0.1")
            .env("PGPORT", &port.to_string())
            .env("PGUSER", "auditor")
            .env("PGPASSWORD", PASSWORD)
    };
    assert_reached(by_variables(audit(&yard)).env("PGDATABASE", CORNER).run(), tcp, port);
    assert_reached(by_variables(audit(&yard)).arg(&format!("postgres:///{CORNER}")).run(), tcp, port);
    let said = format!("host={socket_text} dbname={CORNER}");
    let set = by_variables(audit(&yard)).env("PGDATABASE", "elsewhere").env("DATABASE_URL", "postgres://nowhere/x");
    assert_reached(set.arg(&said).run(), socket, port);

    let config = format!("targets:\n  corner: {{url: \"postgres://auditor@127.0.0.1:{port}/{CORNER}\"}}\n");
    yard.write("pgassay.yaml", &config);
    let outcome = audit(&yard).arg("corner").env("PGPASSWORD", PASSWORD).run();
    assert_eq!(outcome.report().0["target"]["name"], "corner");
    assert_reached(outcome, tcp, port);
    audit(&yard).arg("other").run().expect_unable(&["no target `other`", "corner"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_libpq() {
    let yard = Yard::open();
    let cluster = guarded(&yard).await;
    let (tcp, port) = (Path::new("127.0.0.1"), cluster.port());
    let url = format!("postgres://auditor@127.0.0.1:{port}/{CORNER}");

    let line = format!("# the till\n*:{port}:elsewhere:*:wrong\n127.0.0.1:{port}:{CORNER}:auditor:{IN_FILE}\n");
    let elsewhere = yard.write("passwords", &line);
    assert_reached(audit(&yard).arg(&url).env("PGPASSFILE", elsewhere.to_str().expect("UTF-8")).run(), tcp, port);
    assert_reached(audit(&yard).arg(&format!("{url}?passfile={}", elsewhere.display())).run(), tcp, port);
    yard.write("home/.pgpass", &line);
    assert_reached(audit(&yard).arg(&url).run(), tcp, port);

    let service = format!(
        "[other]\nhost=nowhere\n\n[till]\n# here\nhost=127.0.0.1\nport={port}\ndbname={CORNER}\nuser=auditor\n"
    );
    let elsewhere = yard.write("services", &service);
    assert_reached(
        audit(&yard).arg("service=till").env("PGSERVICEFILE", elsewhere.to_str().expect("UTF-8")).run(),
        tcp,
        port,
    );
    yard.write("home/.pg_service.conf", &service);
    assert_reached(audit(&yard).arg("service=till").run(), tcp, port);
    assert_reached(audit(&yard).env("PGSERVICE", "till").env("PGHOST", "nowhere").run(), tcp, port);
    audit(&yard).arg("service=unknown").run().expect_unable(&["no service `unknown`", ".pg_service.conf"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_lead_there_says_why() {
    let yard = Yard::open();
    let cluster = guarded(&yard).await;
    let port = cluster.port();
    let place = format!("127.0.0.1:{port}/{CORNER}");
    let to = |rest: &str| format!("host=127.0.0.1 port={port} {rest}");
    let fails = |target: &str, words: &[&str]| audit(&yard).arg(target).run().expect_unable(words);

    let wrong = to(&format!("dbname={CORNER} user=auditor password=wrong"));
    fails(&wrong, &[&place, "password authentication failed for user \"auditor\"", "next: check user and password"]);
    let missing = to(&format!("dbname={CORNER} user=auditor"));
    fails(&missing, &[&place, "password missing", "next: give a password by .pgpass"]);
    let nobody = to(&format!("dbname={CORNER} user=ghost password=x"));
    fails(&nobody, &[&place, "password authentication failed for user \"ghost\"", "next: "]);
    let database = to(&format!("dbname=elsewhere user=auditor password={IN_PAIRS}"));
    fails(&database, &["elsewhere", "does not exist", "next: name an existing database"]);
    let closed = format!("host=127.0.0.1 port={} dbname=x user=x", free_port());
    fails(&closed, &["127.0.0.1", "refused", "next: check that the server runs there"]);
    let socket = format!("host={} port={port} dbname=x user=x", yard.path().display());
    fails(&socket, &[&yard.path().display().to_string(), "next: no socket there"]);
    fails("host=no-such-host.invalid dbname=x user=x", &["no-such-host.invalid", "next: the name has no address"]);

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let deaf = format!("host=127.0.0.1 port={} dbname=x user=x", silent.local_addr().expect("its address").port());
    let outcome = audit(&yard).arg(&deaf).arg("--connect-timeout").arg("200ms").run();
    outcome.expect_unable(&["127.0.0.1", "no answer within 0.2 s", "next: check host, port and firewall"]);

    let path = yard.write("home/.pgpass", &format!("*:*:*:*:{IN_FILE}\n"));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("opened");
    fails(&missing, &[&path.display().to_string(), "can be read by others", "chmod 600"]);
}
