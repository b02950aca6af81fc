//! Through PgBouncer in transaction mode, where everybody shares one session: the audit works, and
//! leaves nothing of its own in that session.

use crate::support::{CORNER, Yard, ask, corner, free_port, newest, until_so, with_statements};
use pgassay::demo::Cluster;
use pgassay::postgres::Scratch;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running pooler; ended when dropped.
struct Pooler {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Pooler {
    /// One session for all, in front of a server.
    fn start(yard: &Yard, cluster: &Cluster) -> Self {
        let folder = yard.path().join("pooler");
        std::fs::create_dir(&folder).expect("a folder");
        // Between finding a port and taking it, somebody else may.
        let pooler = (0..5).find_map(|_| Self::attempt(&folder, cluster, free_port()));
        pooler.expect("a pooler on a free port")
    }

    /// Starts it on this port; none when it ends at once.
    fn attempt(folder: &Path, cluster: &Cluster, port: u16) -> Option<Self> {
        let (here, socket) = (folder.display(), cluster.socket().display());
        let config = format!(
            "[databases]\n{CORNER} = host={socket} port={} dbname={CORNER}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {here}\n\
             auth_type = trust\nauth_file = {here}/users\npool_mode = transaction\ndefault_pool_size = 1\n\
             logfile = {here}/log\npidfile = {here}/pid\n",
            cluster.port()
        );
        std::fs::write(folder.join("config"), config).expect("written");
        std::fs::write(folder.join("users"), "\"auditor\" \"\"\n\"clerk\" \"\"\n").expect("written");
        // It refuses to run as root, as the server does.
        let owner = std::fs::metadata(cluster.data()).expect("the data");
        for path in [folder.to_owned(), folder.join("config"), folder.join("users")] {
            chown(path, Some(owner.uid()), Some(owner.gid())).expect("given away");
        }
        let child = Command::new(binary())
            .arg(folder.join("config"))
            .uid(owner.uid())
            .gid(owner.gid())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the pooler starts");
        let mut pooler = Self { child, folder: folder.to_owned(), port };
        let door = folder.join(format!(".s.PGSQL.{port}"));
        let mut has_ended = false;
        until_so("the pooler takes connections, or ends", || {
            has_ended = pooler.child.try_wait().expect("its state").is_some();
            has_ended || UnixStream::connect(&door).is_ok()
        });
        (!has_ended).then_some(pooler)
    }

    async fn session(&self, role: &str) -> Scratch {
        Scratch::connect(&self.folder, self.port, CORNER, role, "till").await.expect("a session")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `make setup` installs it where root's programs are.
fn binary() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    places.iter().map(PathBuf::from).find(|path| path.exists()).expect("PgBouncer is missing: run make setup")
}

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
