//! PgBouncer in transaction mode, before a throwaway server.

use super::corner::CORNER;
use super::wait::until_so;
use super::yard::{Yard, free_port};
use pgassay::demo::Cluster;
use pgassay::postgres::Scratch;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running pooler; ended when dropped.
#[derive(Debug)]
pub(crate) struct Pooler {
    child: Child,
    owner: (u32, u32),
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

/// Who may come in: those of the corner shop, `stats` who may read the console and `boss` who rules it.
const USERS: &str = "\"auditor\" \"\"\n\"clerk\" \"\"\n\"stats\" \"\"\n\"boss\" \"\"\n";

impl Pooler {
    /// One session for all, in front of a server.
    pub(crate) fn start(yard: &Yard, cluster: &Cluster) -> Self {
        Self::with(yard, cluster, "pooler", "", USERS)
    }

    /// In a folder of this name, with more lines of settings and these users.
    pub(crate) fn with(yard: &Yard, cluster: &Cluster, name: &str, settings: &str, users: &str) -> Self {
        let folder = yard.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        // Between finding a port and taking it, somebody else may.
        let pooler = (0..5).find_map(|_| Self::attempt(&folder, cluster, free_port(), settings, users));
        pooler.expect("a pooler on a free port")
    }

    /// With more lines of settings and the usual users.
    pub(crate) fn set(yard: &Yard, cluster: &Cluster, settings: &str) -> Self {
        Self::with(yard, cluster, "pooler", settings, USERS)
    }

    /// Starts it on this port; none when it ends at once.
    fn attempt(folder: &Path, cluster: &Cluster, port: u16, settings: &str, users: &str) -> Option<Self> {
        let (here, socket) = (folder.display(), cluster.socket().display());
        let config = format!(
            "[databases]\n{CORNER} = host={socket} port={} dbname={CORNER}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir = {here}\n\
             auth_type = trust\nauth_file = {here}/users\npool_mode = transaction\ndefault_pool_size = 1\n\
             stats_users = stats\nadmin_users = boss\nserver_login_retry = 1\n\
             logfile = {here}/log\npidfile = {here}/pid\n{settings}\n",
            cluster.port()
        );
        std::fs::write(folder.join("config"), config).expect("written");
        std::fs::write(folder.join("users"), users).expect("written");
        // It refuses to run as root, as the server does.
        let data = std::fs::metadata(cluster.data()).expect("the data");
        let owner = (data.uid(), data.gid());
        for path in [folder.to_owned(), folder.join("config"), folder.join("users")] {
            chown(path, Some(owner.0), Some(owner.1)).expect("given away");
        }
        let mut pooler = Self { child: spawn(folder, owner), owner, folder: folder.to_owned(), port };
        pooler.takes_connections().then_some(pooler)
    }

    /// Waits until it does; false when it has ended.
    fn takes_connections(&mut self) -> bool {
        let door = self.folder.join(format!(".s.PGSQL.{}", self.port));
        let mut has_ended = false;
        until_so("the pooler takes connections, or ends", || {
            has_ended = self.child.try_wait().expect("its state").is_some();
            has_ended || UnixStream::connect(&door).is_ok()
        });
        !has_ended
    }

    /// Ends it as by a crash and starts it again.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.folder, self.owner);
        assert!(self.takes_connections(), "it starts again");
    }

    /// A target text for its console.
    pub(crate) fn console(&self) -> String {
        format!("host={} port={} user=stats", self.folder.display(), self.port)
    }

    /// Says something to its console that only `boss` may.
    pub(crate) async fn say(&self, command: &str) {
        let boss = Scratch::connect(&self.folder, self.port, "pgbouncer", "boss", "ops").await.expect("the console");
        boss.execute(command).await.unwrap_or_else(|error| panic!("{command}: {error}"));
        boss.close().await;
    }

    /// A session through it.
    pub(crate) async fn session(&self, role: &str) -> Scratch {
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

fn spawn(folder: &Path, owner: (u32, u32)) -> Child {
    Command::new(binary())
        .arg(folder.join("config"))
        .uid(owner.0)
        .gid(owner.1)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the pooler starts")
}

/// `make setup` installs it where root's programs are.
fn binary() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    places.iter().map(PathBuf::from).find(|path| path.exists()).expect("PgBouncer is missing: run make setup")
}
