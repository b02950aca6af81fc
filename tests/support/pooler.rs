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
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

impl Pooler {
    /// One session for all, in front of a server.
    pub(crate) fn start(yard: &Yard, cluster: &Cluster) -> Self {
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

/// `make setup` installs it where root's programs are.
fn binary() -> PathBuf {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    places.iter().map(PathBuf::from).find(|path| path.exists()).expect("PgBouncer is missing: run make setup")
}
