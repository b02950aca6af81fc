//! A secret goes in by every door there is, and comes out by none: not in reports, errors, notes or
//! snapshots.

use crate::support::{CORNER, Outcome, Yard, corner, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup};
use pgassay::postgres::Scratch;

const SECRET: &str = "S3cr3t-Passw0rd";

/// What must not be seen: less than the whole is too much already.
const STEM: &str = "S3cr3t";

/// The auditor needs the secret, everywhere.
const ACCESS: &str = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Statements that hold it where `pg_stat_statements` keeps literals.
const UTILITY: &[&str] = &[
    "create role leaky_one password 'S3cr3t-Passw0rd'",
    "alter role leaky_one with encrypted password $$S3cr3t-Passw0rd$$",
    "do $do$ begin perform 'S3cr3t-Passw0rd'; end $do$",
    "create foreign data wrapper leaky; create server leaky_server foreign data wrapper leaky options (host 'S3cr3t-Passw0rd')",
    "create user mapping for public server leaky_server options (user 'u', password 'S3cr3t-Passw0rd')",
    "set leaky.token = 'S3cr3t-Passw0rd'",
    "alter database corner set leaky.token = 'S3cr3t-Passw0rd'",
    "alter system set leaky.token = 'S3cr3t-Passw0rd'",
    "alter system set archive_command = 'curl -u u:S3cr3t-Passw0rd'",
    "alter system set primary_conninfo = 'host=db1 password=S3cr3t-Passw0rd'",
    "comment on schema shop is 'S3cr3t-Passw0rd'",
    "create function shop.leaky() returns text language sql as $$select 'S3cr3t-Passw0rd'::text$$",
    "explain select 'S3cr3t-Passw0rd'",
    "/* token=S3cr3t-Passw0rd */ select count(*) from shop.users -- S3cr3t-Passw0rd",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_on_the_oldest() {
    nothing_comes_out(&oldest()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_on_the_newest() {
    nothing_comes_out(&newest()).await;
}

async fn nothing_comes_out(binaries: &Binaries) {
    let yard = Yard::open();
    let setup = Setup { access: Some(ACCESS.to_owned()), ..with_statements() };
    let cluster = yard.listening(binaries, &setup.with("password_encryption", "scram-sha-256"));
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    admin.execute(&format!("create role auditor superuser login password '{SECRET}'")).await.expect("a role");
    for statement in UTILITY {
        admin.execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    admin.execute("select pg_reload_conf()").await.expect("reloaded");
    let idle = leave_idle(&cluster, &admin).await;

    nothing_in_reports(&yard, &cluster);
    nothing_in_the_snapshot(&yard, &cluster);
    nothing_in_errors(&yard, &cluster);
    drop(idle);
}

/// Sessions whose last query holds the secret; the one of the second is cut in the middle of it.
async fn leave_idle(cluster: &Cluster, admin: &Scratch) -> Vec<Scratch> {
    let cut = format!("create role leaky_three password '{SECRET}'{}", " ".repeat(2000));
    let at = 1020 - SECRET.len();
    let in_the_middle = format!("select 1{} as a, '{SECRET}{}'", " ".repeat(at), "x".repeat(100));
    let mut sessions = Vec::new();
    for query in [format!("select '{SECRET}' as secret"), in_the_middle, cut] {
        let session = cluster.session(CORNER, SUPERUSER, "leaky").await.expect("a session");
        session.execute(&query).await.expect("it runs");
        sessions.push(session);
    }
    until(admin, "select count(*) = 3 from pg_stat_activity where application_name = 'leaky' and state = 'idle'").await;
    sessions
}

fn assert_silent(outcome: &Outcome) {
    assert!(!outcome.stdout.contains(STEM), "{}", outcome.stdout);
    assert!(!outcome.stderr.contains(STEM), "{}", outcome.stderr);
}

/// The audit, with the secret given in every way.
fn nothing_in_reports(yard: &Yard, cluster: &Cluster) {
    let port = cluster.port();
    let bare = format!("postgres://auditor@127.0.0.1:{port}/{CORNER}");
    let url = format!("postgres://auditor:{SECRET}@127.0.0.1:{port}/{CORNER}");
    let pairs = format!("host=127.0.0.1 port={port} dbname={CORNER} user=auditor password={SECRET}");
    let file = yard.write("passwords", &format!("*:*:*:*:{SECRET}\n"));
    for format in ["table", "json"] {
        let audit = || yard.audit(&["--verbose", "--format", format]);
        for run in [
            audit().arg(&url),
            audit().arg(&pairs),
            audit().env("DATABASE_URL", &url),
            audit().arg(&bare).env("PGPASSWORD", SECRET),
            audit().arg(&bare).env("PGPASSFILE", file.to_str().expect("UTF-8")),
        ] {
            let outcome = run.run().expect(0);
            assert!(!outcome.stderr.is_empty(), "--verbose says something");
            assert_silent(&outcome);
        }
    }
}

/// The snapshot holds what was said, without what is secret of it.
fn nothing_in_the_snapshot(yard: &Yard, cluster: &Cluster) {
    let url = format!("postgres://auditor:{SECRET}@127.0.0.1:{}/{CORNER}", cluster.port());
    let outcome = yard.pgassay(&["snapshot", &url, "-o", "corner.json", "--verbose"]).run().expect(0);
    assert_silent(&outcome);
    let text = std::fs::read_to_string(yard.path().join("corner.json")).expect("a plain snapshot");
    assert!(!text.contains(STEM), "{text}");
    for said in ["password $1", "alter system set leaky.token", "as secret", "\"leaky\""] {
        assert!(text.to_lowercase().contains(said), "the statements were read, `{said}` among them: {text}");
    }
}

/// What fails, fails without it.
fn nothing_in_errors(yard: &Yard, cluster: &Cluster) {
    let port = cluster.port();
    yard.write("leaky.yaml", &format!("targets: {{shop: {{url: \"postgres://u:{SECRET}@db1/shop\"}}}}\n"));
    let bad_file = yard.write("open", &format!("*:*:*:*:{SECRET}\n"));
    std::fs::set_permissions(&bad_file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("opened");
    for target in [
        format!("postgres://ghost:{SECRET}@127.0.0.1:{port}/{CORNER}"),
        format!("postgres://auditor:{SECRET}@127.0.0.1:{port}/elsewhere"),
        format!("postgres://auditor:{SECRET}@127.0.0.1:{port}/{CORNER}?sslmode=require"),
        format!("postgres://auditor:{SECRET}@127.0.0.1:1/{CORNER}"),
        format!("postgres://auditor:{SECRET}@127.0.0.1:x/{CORNER}"),
        format!("postgres://auditor:{SECRET}@[::1/{CORNER}"),
        format!("postgres://auditor:{SECRET}@127.0.0.1/{CORNER}?sslmode=maybe"),
        format!("postgres://auditor:%ff{SECRET}@127.0.0.1/{CORNER}"),
        format!("postgres://auditor@127.0.0.1/{CORNER}?{SECRET}"),
        format!("postgres://auditor@127.0.0.1/{CORNER}?{SECRET}=1"),
        format!("host=127.0.0.1 password='{SECRET}"),
        format!("host=127.0.0.1 password=x {SECRET}"),
        format!("host=127.0.0.1 password=x {SECRET}=1"),
    ] {
        assert_silent(&yard.audit(&["--verbose", &target]).run().expect(2));
    }
    let bare = format!("postgres://auditor@127.0.0.1:{port}/{CORNER}");
    let audit = |target: &str| yard.audit(&[target]);
    assert_silent(&audit(&bare).env("PGPASSFILE", bad_file.to_str().expect("UTF-8")).run().expect(2));
    assert_silent(&audit("shop").arg("--config").arg("leaky.yaml").run().expect(2));
    let wrong_user = bare.replace("auditor", "ghost");
    assert_silent(&audit(&wrong_user).env("PGPASSWORD", SECRET).run().expect(2));
}
