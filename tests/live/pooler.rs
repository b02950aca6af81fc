//! Through PgBouncer in transaction mode, where everybody shares one session: the audit works, and
//! leaves nothing of its own in that session.

use crate::support::{CORNER, Pooler, Yard, ask, corner, newest, with_statements};
use pgassay::postgres::Scratch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_ours_stays_in_a_pooled_session() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    let admin = corner(&cluster).await;
    let roles = "create extension pg_stat_statements; grant create on schema shop to clerk;
                 create role auditor login; grant pg_monitor, clerk to auditor; grant pg_read_all_data to auditor";
    admin.execute(roles).await.expect("roles");
    ask(&cluster).await;
    let pooler = Pooler::start(&yard, &cluster);
    let settings = |session: Scratch| async move {
        let mut shown = Vec::new();
        for name in
            ["search_path", "statement_timeout", "lock_timeout", "default_transaction_read_only", "work_mem", "jit"]
        {
            shown.push(session.value(&format!("show {name}")).await.expect("a setting"));
        }
        shown.push(session.value("select count(*)::text from pg_prepared_statements").await.expect("a count"));
        session.close().await;
        shown
    };
    let usual = settings(pooler.session("auditor").await).await;
    assert_eq!(usual[..2], [Some("\"$user\", public".to_owned()), Some("0".to_owned())]);

    let socket = format!("host={} port={} dbname={CORNER} user=auditor", pooler.folder.display(), pooler.port);
    let tcp = format!("postgres://auditor@127.0.0.1:{}/{CORNER}?sslmode=disable", pooler.port);
    let by_default = format!("postgres://auditor@127.0.0.1:{}/{CORNER}", pooler.port);
    for dsn in [&socket, &socket, &tcp, &by_default] {
        let report = yard.audit(&[dsn, "--format", "json"]).run().expect(0).report();
        report.assert_calm();
        assert_eq!(report.gaps(), []);
        assert!(report.judged() > 0);
        assert_eq!(settings(pooler.session("auditor").await).await, usual, "{dsn}");
        let writer = pooler.session("auditor").await;
        writer.execute("create table shop.scribble (id bigint); drop table shop.scribble").await.expect("it may write");
        writer.close().await;
    }
    let sessions = "select count(*)::text from pg_stat_activity where usename = 'auditor'";
    assert_eq!(admin.value(sessions).await.expect("a count").as_deref(), Some("1"), "all went through one session");
}
