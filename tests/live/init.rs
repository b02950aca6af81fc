//! What `init` prints, run: the role on each major.

use crate::support::{CORNER, Report, Yard, ask, corner, server, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};

macro_rules! on {
    ($($name:ident $major:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            if let Some(binaries) = server($major) {
                the_role_sees_all_and_changes_nothing(&binaries).await;
            }
        }
    )*};
}

on! { the_role_on_13 13 the_role_on_14 14 the_role_on_15 15 the_role_on_16 16 the_role_on_17 17 the_role_on_18 18 }

async fn the_role_sees_all_and_changes_nothing(binaries: &Binaries) {
    let yard = Yard::open();
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    let closed = "create schema \"Closed\"; create extension pg_stat_statements schema \"Closed\";
                  create role owner; create schema kept authorization owner; revoke connect on database corner from public;
                  create table kept.calls (id serial primary key, at timestamptz); alter table kept.calls owner to owner";
    admin.execute(closed).await.expect("made");
    admin.execute("grant connect on database corner to clerk").await.expect("granted");
    ask(&cluster).await;
    let wishes: &[&[&str]] = &[&["--role", "Au ditor"], &["--role", "by schema", "--by-schema"]];
    for wish in wishes {
        let role = wish[1];
        let superuser = cluster.dsn(SUPERUSER, CORNER);
        let sql = yard.pgassay(&[&["init", "role", &superuser], *wish].concat()).run().expect(0).stdout;
        for _ in 0..2 {
            admin.execute(&sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        }
        let report = audit(&yard, &cluster, role);
        assert_eq!(report.gaps(), [], "{sql}");
        assert!(report.judged() > 0);

        admin.execute("set role owner; create table kept.more (id serial primary key); insert into kept.more default values; analyze kept.more; reset role").await.expect("made");
        assert_eq!(audit(&yard, &cluster, role).gaps(), [], "what the owner made later");
        admin.execute("drop table kept.more").await.expect("dropped");

        let session = cluster.session(CORNER, role, "intruder").await.expect("it may log in");
        for write in
            ["update shop.users set name = ''", "begin read write; delete from kept.calls", "create table public.t ()"]
        {
            session.execute(write).await.expect_err(write);
            session.execute("rollback").await.expect("ended");
        }
        session.close().await;
    }
}

fn audit(yard: &Yard, cluster: &Cluster, role: &str) -> Report {
    let dsn = cluster.dsn(&format!("'{role}'"), CORNER);
    let outcome = yard.audit(&[&dsn, "--format", "json"]).run().expect(0);
    assert_eq!(outcome.stderr, "");
    outcome.report()
}
