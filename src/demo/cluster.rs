//! One throwaway server: made, started, stopped and removed by us. It listens on a unix socket in a
//! folder of its own that nobody else may enter.

use super::binaries::Binaries;
use crate::postgres::{Scratch, ScratchError};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's role, and its number within the folder.
const PORT: u16 = 5432;

/// A server that cannot be made or started.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or process failed.
    #[error("{what}: {error}")]
    Io {
        /// What was done.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The server's own tools failed.
    #[error("{tool} failed: {words}")]
    Tool {
        /// Which.
        tool: String,
        /// What it said last.
        words: String,
    },
    /// No unprivileged user to run as.
    #[error("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as")]
    NoUser,
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> DemoError {
    let what = what.into();
    move |error| DemoError::Io { what, error }
}

/// How a server is made.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Lines of `postgresql.conf`.
    pub settings: Vec<(String, String)>,
    /// Lines of `pg_hba.conf` instead of trust on the socket.
    pub access: Option<String>,
    /// Listen on 127.0.0.1 at this port too.
    pub tcp_port: Option<u16>,
}

impl Setup {
    /// The same with one more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running server. Stopped and removed when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    child: Option<Child>,
    /// Major version.
    pub major: i32,
    port: u16,
}

/// Whom to run as: root may not, so somebody who owns nothing else.
fn unprivileged() -> Result<Option<(u32, u32)>, DemoError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(io_error("read /etc/passwd"))?;
    let find = |name: &str| {
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&name))
    };
    let fields = find("postgres").or_else(|| find("nobody")).ok_or(DemoError::NoUser)?;
    let id = |at: usize| fields.get(at).and_then(|id| id.parse::<u32>().ok()).ok_or(DemoError::NoUser);
    Ok(Some((id(2)?, id(3)?)))
}

fn command(program: &Path, folder: &Path) -> Result<Command, DemoError> {
    let mut command = Command::new(program);
    // Nothing of the caller's environment may turn our server into another one.
    // Ctrl-C at the terminal is for us: we stop what we started in order.
    command.process_group(0);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = unprivileged()? {
        command.uid(user).gid(group);
    }
    Ok(command)
}

impl Cluster {
    /// Makes and starts a server below `parent`, ready for connections.
    pub fn start(binaries: &Binaries, parent: &Path, setup: &Setup) -> Result<Self, DemoError> {
        let folder = fresh_folder(parent)?;
        // From here on dropping removes what is there.
        let mut cluster = Self { folder, child: None, major: binaries.major, port: setup.tcp_port.unwrap_or(PORT) };
        cluster.init(binaries)?;
        cluster.configure(setup)?;
        cluster.launch(binaries)?;
        Ok(cluster)
    }

    /// Folder of the socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.folder
    }

    /// Socket number, and TCP port where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Folder of the data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A target text for this server.
    #[must_use]
    pub fn dsn(&self, user: &str, database: &str) -> String {
        format!("host={} port={} user={user} dbname={database}", self.folder.display(), self.port)
    }

    /// A writing session.
    pub async fn session(&self, database: &str, role: &str, application: &str) -> Result<Scratch, ScratchError> {
        Scratch::connect(&self.folder, self.port, database, role, application).await
    }

    /// Leaves the server running; returns its process id.
    #[must_use]
    pub fn keep(mut self) -> u32 {
        let id = self.child.take().map_or(0, |child| child.id());
        self.folder = PathBuf::new();
        id
    }

    /// Stops the server at once, as a crash would.
    pub fn crash(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Starts it again after a crash.
    pub fn restart(&mut self, binaries: &Binaries) -> Result<(), DemoError> {
        self.launch(binaries)
    }

    fn init(&self, binaries: &Binaries) -> Result<(), DemoError> {
        let output = command(&binaries.folder.join("initdb"), &self.folder)?
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(self.data())
            .output()
            .map_err(io_error("run initdb"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(DemoError::Tool { tool: "initdb".to_owned(), words: last_line(&output.stderr) })
    }

    fn configure(&self, setup: &Setup) -> Result<(), DemoError> {
        let mut lines = format!(
            "unix_socket_directories = '{}'\nport = {}\nlisten_addresses = '{}'\n\
             fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n",
            self.folder.display(),
            self.port,
            if setup.tcp_port.is_some() { "127.0.0.1" } else { "" },
        );
        for (name, value) in &setup.settings {
            lines.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        let conf = self.data().join("postgresql.conf");
        let own = std::fs::read_to_string(&conf).map_err(io_error("read postgresql.conf"))?;
        std::fs::write(&conf, own + &lines).map_err(io_error("write postgresql.conf"))?;
        match &setup.access {
            Some(access) => {
                std::fs::write(self.data().join("pg_hba.conf"), access).map_err(io_error("write pg_hba.conf"))
            }
            None => Ok(()),
        }
    }

    fn launch(&mut self, binaries: &Binaries) -> Result<(), DemoError> {
        let path = self.folder.join("log");
        let log = File::create(&path).map_err(io_error("make the log"))?;
        let both = log.try_clone().map_err(io_error("make the log"))?;
        let child = command(&binaries.folder.join("postgres"), &self.folder)?
            .arg("-D")
            .arg(self.data())
            .stdout(log)
            .stderr(both)
            .spawn()
            .map_err(io_error("start postgres"))?;
        self.child = Some(child);
        let since = Instant::now();
        while !is_ready(&self.data()) {
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || since.elapsed() > PATIENCE {
                let words = std::fs::read(&path).unwrap_or_default();
                return Err(DemoError::Tool { tool: "postgres".to_owned(), words: last_line(&words) });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let since = Instant::now();
        let mut signal = Some(signal);
        while matches!(child.try_wait(), Ok(None)) {
            if let (Some(signal), Some(id)) = (signal.take(), id) {
                // It may have ended meanwhile.
                let _ = kill_process(id, signal);
            }
            if since.elapsed() > PATIENCE {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end(Signal::INT);
        if !self.folder.as_os_str().is_empty() {
            // The folder is a fresh one of ours; nothing can be done about a file that stays.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// The server writes `ready` into its lock file once it takes connections.
fn is_ready(data: &Path) -> bool {
    let lock = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    lock.lines().nth(7).is_some_and(|status| status.trim() == "ready")
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output)
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .to_owned()
}

/// A folder that did not exist, open to the server's user alone.
fn fresh_folder(parent: &Path) -> Result<PathBuf, DemoError> {
    let id = std::process::id();
    for attempt in 0..1000 {
        let folder = parent.join(format!("pgassay-{id}-{attempt}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => {
                std::fs::set_permissions(&folder, Permissions::from_mode(0o700))
                    .map_err(io_error("close the folder"))?;
                if let Some((user, group)) = unprivileged()? {
                    chown(&folder, Some(user), Some(group)).map_err(io_error("give the folder away"))?;
                }
                return Ok(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(DemoError::Io { what: format!("make a folder in {}", parent.display()), error }),
        }
    }
    Err(DemoError::Io {
        what: format!("make a folder in {}", parent.display()),
        error: io::ErrorKind::AlreadyExists.into(),
    })
}
