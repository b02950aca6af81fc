//! How one gets to a PgBouncer's console, and what is said when one does not.

use crate::support::{CORNER, Certificates, Crowd, Habit, Pooler, Yard, corner, free_port, newest, until_so};
use pgassay::demo::{Cluster, Setup};
use serde_json::Value;
use std::time::Duration;

/// `S3cret` of `stats`, for auth_type md5: md5 of password and user.
fn users() -> String {
    "\"stats\" \"S3cret\"\n\"clerk\" \"\"\n".to_owned()
}

async fn server(yard: &Yard) -> Cluster {
    let cluster = yard.start(&newest(), &Setup::default());
    let admin = corner(&cluster).await;
    admin.execute("create role auditor login; grant pg_monitor to auditor").await.expect("a role");
    admin.close().await;
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_asked_for_in_each_way() {
    let yard = Yard::open();
    let cluster = server(&yard).await;
    for way in ["md5", "scram-sha-256", "plain"] {
        let settings = format!("auth_type = {way}");
        let pooler = Pooler::with(&yard, &cluster, &format!("pooler-{way}"), &settings, &users());
        let by = |more: &str| {
            let console = format!("host=127.0.0.1 port={} user=stats sslmode=disable {more}", pooler.port);
            yard.pgassay(&["pool", "--pgbouncer", &console, "--sample", "500ms", "--format", "json"])
        };
        by("password=S3cret").run().expect(0);
        by("").env("PGPASSWORD", "S3cret").run().expect(0);
        by("password=wrong").run().expect_unable(&["cannot connect to 127.0.0.1", "next: check user and password"]);
        by("").run().expect_unable(&["127.0.0.1", "next: give a password"]);
        let target = cluster.dsn("auditor", CORNER);
        let console = format!("host=127.0.0.1 port={} user=stats password=wrong sslmode=disable", pooler.port);
        let words = ["pool", &target, "--pgbouncer", &console, "--sample", "500ms", "--format", "json"];
        let outcome = yard.pgassay(&words).run().expect(3);
        let all: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        assert_eq!(
            (&all["gaps"][0]["facet"], &all["gaps"][0]["is_failure"]),
            (&"pools".into(), &true.into()),
            "{all:#}"
        );
        assert!(all["server"]["looks"].as_u64() > Some(0), "the server is judged all the same");
        assert!(!outcome.stdout.contains("wrong"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_stats_user_is_told_so() {
    let yard = Yard::open();
    let cluster = server(&yard).await;
    let pooler = Pooler::start(&yard, &cluster);
    let console = |user: &str| format!("host={} port={} user={user}", pooler.folder.display(), pooler.port);
    let pool = |console: &str| yard.pgassay(&["pool", "--pgbouncer", console, "--sample", "500ms"]).run();
    pool(&console("stats")).expect(0);
    pool(&console("boss")).expect(0);
    pool(&console("clerk")).expect_unable(&["not allowed", "next: name the user in stats_users"]);
    pool(&console("nobody")).expect_unable(&["next: check user and password"]);
    let nobody = format!("host=127.0.0.1 port={} user=stats", free_port());
    pool(&nobody).expect_unable(&["refused", "next: check that PgBouncer runs there"]);
    // Without its server the console is judged, and what was not seen is no "not saturated".
    for more in [&[][..], &["--until-saturated"]] {
        let words = ["pool", "host=/nowhere user=auditor", "--pgbouncer", &console("stats"), "--sample", "500ms"];
        let said = yard.pgassay(&[&words[..], more].concat()).run().expect(3).stdout;
        assert!(said.contains("sessions: cannot connect to /nowhere") && said.contains("\nPgBouncer "), "{said}");
    }
    // A server is no PgBouncer.
    let server = format!("host={} port={} user=auditor", cluster.socket().display(), cluster.port());
    pool(&server).expect_unable(&["does not exist", "next: a PostgreSQL server answers there"]);
    pool(&format!("{} dbname={CORNER}", console("stats"))).expect_unable(&["the console is the database `pgbouncer`"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_several_consoles() {
    let yard = Yard::open();
    let cluster = server(&yard).await;
    let certificates = Certificates::make(yard.path());
    certificates.give_to_owner_of(&cluster.data());
    let settings = format!(
        "client_tls_sslmode = require\nclient_tls_cert_file = {}\nclient_tls_key_file = {}",
        certificates.certificate("server"),
        certificates.key("server")
    );
    let hidden = Pooler::with(&yard, &cluster, "hidden", &settings, "\"stats\" \"\"\n\"clerk\" \"\"\n");
    let tls = |more: &str| format!("host=localhost hostaddr=127.0.0.1 port={} user=stats {more}", hidden.port);
    let pool = |console: &str| yard.pgassay(&["pool", "--pgbouncer", console, "--sample", "500ms"]).run();
    let root = format!("sslrootcert={}", certificates.certificate("ours"));
    for mode in ["sslmode=require", "sslmode=prefer", "sslmode=allow", &format!("sslmode=verify-full {root}")] {
        pool(&tls(mode)).expect(0);
    }
    pool(&tls("sslmode=disable")).expect_unable(&["SSL required", "next: PgBouncer wants TLS"]);
    let theirs = format!("sslmode=verify-full sslrootcert={}", certificates.certificate("theirs"));
    pool(&tls(&theirs)).expect_unable(&["UnknownIssuer", "sslrootcert"]);

    let open = Pooler::with(&yard, &cluster, "open", "", "\"stats\" \"\"\n\"clerk\" \"\"\n");
    let habit = Habit { says: &["select 1"], pause: Duration::ZERO, think: Duration::from_millis(20) };
    let crowd = Crowd::come(&open, 2, habit);
    let socket = format!("host={} port={} user=stats", open.folder.display(), open.port);
    let both =
        ["pool", "--pgbouncer", &tls("sslmode=require"), "--pgbouncer", &socket, "--sample", "1s", "--format", "json"];
    let all: Value = serde_json::from_str(&yard.pgassay(&both).run().expect(0).stdout).expect("JSON");
    let poolers = all["poolers"].as_array().expect("poolers");
    assert_eq!(poolers.len(), 2, "{all:#}");
    assert!(
        poolers.iter().all(|pooler| pooler["looks"].as_u64() > Some(1) && pooler["notes"] == serde_json::json!([])),
        "{all:#}"
    );
    assert!(poolers[1]["version"].is_string(), "{all:#}");
    crowd.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_ends_when_nobody_reads_on() {
    let yard = Yard::open();
    let cluster = server(&yard).await;
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pgassay"));
    command.env_clear().current_dir(yard.path()).stdout(writer);
    let dsn = cluster.dsn("auditor", CORNER);
    let mut child = command.args(["pool", &dsn, "--watch", "--sample", "100ms"]).spawn().expect("it starts");
    drop((reader, command));
    until_so("it ends", || child.try_wait().expect("a child").is_some());
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}
