//! A physical copy of a throwaway server that follows it.

use super::signal::signal;
use super::wait::until_so;
use super::yard::Yard;
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;
use rustix::process::Signal;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The copy; ended when dropped. Its files are the yard's.
#[derive(Debug)]
pub(crate) struct Standby {
    child: Child,
    folder: PathBuf,
}

impl Standby {
    /// Copies a server, which is stopped for that as by a crash and started again.
    pub(crate) fn of(yard: &Yard, primary: &mut Cluster, binaries: &Binaries) -> Self {
        let folder = yard.path().join("standby");
        std::fs::create_dir(&folder).expect("a folder");
        primary.crash();
        let copied = Command::new("cp").arg("-a").arg(primary.data()).arg(&folder).status().expect("cp");
        assert!(copied.success());
        primary.restart(binaries).expect("the primary starts again");

        let data = folder.join("data");
        let owner = std::fs::metadata(&data).expect("the data");
        let (user, group) = (owner.uid(), owner.gid());
        let conninfo = format!("host={} port={} user={SUPERUSER}", primary.socket().display(), primary.port());
        let settings = format!("unix_socket_directories = '{}'\nprimary_conninfo = '{conninfo}'\n", folder.display());
        let conf = OpenOptions::new().append(true).open(data.join("postgresql.conf"));
        conf.and_then(|mut file| file.write_all(settings.as_bytes())).expect("configured");
        File::create(data.join("standby.signal")).expect("told to follow");
        let log = File::create(folder.join("log")).expect("a log");
        for path in [folder.clone(), data.join("standby.signal")] {
            chown(path, Some(user), Some(group)).expect("given away");
        }
        // What the crash left would be taken for a server at work.
        let _ = std::fs::remove_file(data.join("postmaster.pid"));

        let child = Command::new(binaries.folder.join("postgres"))
            .arg("-D")
            .arg(&data)
            .env_clear()
            .env("LC_ALL", "C")
            .uid(user)
            .gid(group)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .spawn()
            .expect("the standby starts");
        let standby = Self { child, folder };
        let status = || std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        until_so("the standby takes connections", || {
            status().lines().nth(7).is_some_and(|line| line.trim() == "ready")
        });
        standby
    }

    /// Folder of the socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.folder
    }

    /// A target text for it.
    pub(crate) fn dsn(&self, user: &str, database: &str) -> String {
        format!("host={} port=5432 user={user} dbname={database}", self.folder.display())
    }

    /// A session.
    pub(crate) async fn session(&self, database: &str, role: &str) -> Scratch {
        Scratch::connect(&self.folder, 5432, database, role, "reports").await.expect("a session")
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // An immediate end: nobody needs its data again.
        signal(self.child.id(), Signal::QUIT);
        let _ = self.child.wait();
    }
}
