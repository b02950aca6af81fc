//! The clinic of `fixtures/schema/healthy`: a small application that somebody looks after, with the
//! settings of its administrator, its data and a day's work.

use crate::support::{Yard, root, until};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup, Workload};
use pgassay::postgres::Scratch;

/// Its database.
pub(crate) const CLINIC: &str = "clinic";

/// The role that audits it.
const AUDITOR: &str = "auditor";

/// The last that each application leaves in the counters: once it is there, all is.
const ARRIVED: &[&str] = &[
    "select n_tup_ins > 152000 from pg_stat_user_tables where relname = 'access_log'",
    "select sum(n_tup_ins) >= 60040 from pg_stat_user_tables where relname like 'visits_2%'",
    "select idx_scan >= 10 from pg_stat_user_indexes where indexrelname = 'access_log_logged_at_idx'",
];

fn story(file: &str) -> String {
    let path = root().join("fixtures/schema/healthy").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The server as `settings.conf` sets it up.
pub(crate) fn setup() -> Setup {
    let conf = story("settings.conf");
    let lines = conf.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let settings = lines.map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("settings.conf: {line}")));
    settings.fold(Setup::default(), |setup, (name, value)| setup.with(name, value))
}

/// Sessions that are open while the clinic is audited, none of them in anybody's way.
#[derive(Debug)]
pub(crate) struct Open(Vec<Scratch>);

impl Open {
    pub(crate) async fn close(self) {
        for session in self.0 {
            session.close().await;
        }
    }
}

/// Builds the clinic on a fresh server.
pub(crate) async fn build(yard: &Yard, binaries: &Binaries) -> Cluster {
    let cluster = yard.start(binaries, &setup());
    let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
    admin.execute(&format!("create database {CLINIC}")).await.expect("a database");
    admin.close().await;
    for file in ["tables.sql", "data.sql"] {
        let admin = cluster.session(CLINIC, SUPERUSER, "setup").await.expect("a session");
        admin.execute(&story(file)).await.unwrap_or_else(|error| panic!("{file}: {error}"));
        // Counters reach the statistics when their session ends.
        admin.close().await;
    }
    let admin = cluster.session(CLINIC, SUPERUSER, "setup").await.expect("a session");
    admin.execute(&auditor(cluster.major)).await.expect("the auditor");
    for statement in story("settle.sql").split(';').filter(|statement| !statement.trim().is_empty()) {
        admin.execute(statement).await.unwrap_or_else(|error| panic!("settle.sql: {error}"));
    }
    admin.close().await;
    cluster
}

/// Works a day, and waits until its counters have arrived.
pub(crate) async fn work(cluster: &Cluster) -> Open {
    let workload = Workload::parse(&story("workload.yaml")).expect("a workload");
    workload.run(cluster, CLINIC).await.expect("it runs");
    let admin = cluster.session(CLINIC, SUPERUSER, "setup").await.expect("a session");
    for arrived in ARRIVED {
        until(&admin, arrived).await;
    }
    admin.close().await;
    let mut open = Vec::new();
    for (role, application, last) in [
        ("clinic_web", "clinic-web", "select id, name, city from clinic.practices"),
        ("clinic_web", "clinic-web", "begin; select id, name, city from clinic.practices; commit"),
        ("clinic_worker", "clinic-worker", "select pg_advisory_lock(7)"), // the leader among workers
        ("clinic_worker", "clinic-worker", "begin; select id from clinic.jobs where id = 1"), // a moment ago
    ] {
        let session = cluster.session(CLINIC, role, application).await.expect("a session");
        session.execute(last).await.expect("it runs");
        open.push(session);
    }
    Open(open)
}

/// A target text for the auditing role.
pub(crate) fn dsn(cluster: &Cluster) -> String {
    cluster.dsn(AUDITOR, CLINIC)
}

/// The role as `pgassay init role` would have it: it reads, and does nothing.
fn auditor(major: i32) -> String {
    let reading = if major >= 14 {
        format!("grant pg_read_all_data to {AUDITOR}")
    } else {
        format!(
            "grant usage on schema clinic to {AUDITOR}; grant select on all tables in schema clinic to {AUDITOR};
             grant select on all sequences in schema clinic to {AUDITOR}"
        )
    };
    format!("create role {AUDITOR} login; grant pg_monitor to {AUDITOR}; {reading}")
}
