//! A place of its own for one scenario: a folder that the server's user may enter, and one of the
//! two permits to load the machine. What is left in it goes when it is dropped.

use super::program::Pgassay;
use pgassay::demo::{Binaries, Cluster, Setup, Shop};
use pgassay::progress::Silent;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Rules about what a throwaway server is on purpose, or by the age of its binaries.
pub(crate) const THROWAWAY: &[&str] =
    &["fsync_off", "full_page_writes_off", "major_end_of_life", "minor_version_behind"];

/// Scenarios at a time.
const PERMITS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static RETURNED: Condvar = Condvar::new();

/// The right to load the machine.
#[derive(Debug)]
struct Permit;

impl Permit {
    fn wait() -> Self {
        let mut taken = taken();
        while *taken >= PERMITS {
            taken = RETURNED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *taken() -= 1;
        RETURNED.notify_one();
    }
}

fn taken() -> MutexGuard<'static, usize> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place.
#[derive(Debug)]
pub(crate) struct Yard {
    folder: tempfile::TempDir,
    _permit: Permit,
}

impl Yard {
    /// Waits for a permit and makes the folder.
    pub(crate) fn open() -> Self {
        let permit = Permit::wait();
        let folder = tempfile::Builder::new().prefix("assay-test-").tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("open to the server's user");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        Self { folder, _permit: permit }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The home of whoever runs the program here.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Writes a file here that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("closed");
        path
    }

    /// A server in it.
    pub(crate) fn start(&self, binaries: &Binaries, setup: &Setup) -> Cluster {
        Cluster::start(binaries, self.path(), setup).expect("a server")
    }

    /// A server in it that listens on 127.0.0.1 too.
    pub(crate) fn listening(&self, binaries: &Binaries, setup: &Setup) -> Cluster {
        // Between finding a port and taking it, somebody else may.
        let mut attempts = (0..5).map(|_| {
            let setup = Setup { tcp_port: Some(free_port()), ..setup.clone() };
            Cluster::start(binaries, self.path(), &setup)
        });
        attempts.find_map(Result::ok).expect("a server on a free port")
    }

    /// A shop in it, loaded and at rest.
    pub(crate) async fn shop(&self, binaries: &Binaries, setup: &Setup) -> Shop {
        Shop::build(self.start(binaries, setup), &Silent).await.expect("a shop")
    }

    /// An audit from here, but for the rules about what a throwaway server is on purpose.
    pub(crate) fn audit(&self, args: &[&str]) -> Pgassay {
        let skip = THROWAWAY.join(",");
        self.pgassay(&[&["audit", "--skip", &skip], args].concat())
    }

    /// The program, run from here with nothing in its environment.
    pub(crate) fn pgassay(&self, args: &[&str]) -> Pgassay {
        Pgassay::new(self, args)
    }
}

/// A TCP port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
