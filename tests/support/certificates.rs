//! Certificates, made by the openssl command: two authorities, servers and a client.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with certificates.
#[derive(Debug)]
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// `ours` and `theirs` are authorities; `ours` has signed `server` for localhost, `elsewhere` for
    /// another host, and the client `auditor`; `theirs` has signed the client `stranger`.
    pub(crate) fn make(parent: &Path) -> Self {
        let folder = parent.join("tls");
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("open to the server's user");
        let made = Self { folder };
        made.authority("ours");
        made.authority("theirs");
        made.signed("server", "ours", "localhost", "subjectAltName = DNS:localhost");
        made.signed("elsewhere", "ours", "elsewhere.example", "subjectAltName = DNS:elsewhere.example");
        made.signed("auditor", "ours", "auditor", "extendedKeyUsage = clientAuth");
        made.signed("stranger", "theirs", "auditor", "extendedKeyUsage = clientAuth");
        made
    }

    /// The path of a certificate.
    pub(crate) fn certificate(&self, name: &str) -> String {
        self.folder.join(format!("{name}.crt")).display().to_string()
    }

    /// The path of its key.
    pub(crate) fn key(&self, name: &str) -> String {
        self.folder.join(format!("{name}.key")).display().to_string()
    }

    /// Gives the keys of the servers to the user of a server, by what belongs to it already.
    pub(crate) fn give_to_owner_of(&self, data: &Path) {
        let owner = std::fs::metadata(data).expect("the data").uid();
        for name in ["server", "elsewhere"] {
            chown(self.key(name), Some(owner), None).expect("given away");
        }
    }

    fn authority(&self, name: &str) {
        let subject = format!("/CN={name}");
        let (key, certificate) = (self.key(name), self.certificate(name));
        let options =
            ["req", "-x509", "-nodes", "-days", "30", "-subj", &subject, "-keyout", &key, "-out", &certificate];
        self.openssl(&[&options[..], NEW_KEY].concat());
    }

    fn signed(&self, name: &str, by: &str, subject: &str, extension: &str) {
        let request = self.folder.join(format!("{name}.csr")).display().to_string();
        let extensions = self.folder.join(format!("{name}.ext")).display().to_string();
        std::fs::write(&extensions, format!("basicConstraints = CA:false\n{extension}\n")).expect("written");
        let subject = format!("/CN={subject}");
        let (key, certificate) = (self.key(name), self.certificate(name));
        self.openssl(&[&["req", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request][..], NEW_KEY].concat());
        let (authority, authority_key) = (self.certificate(by), self.key(by));
        self.openssl(&[
            "x509",
            "-req",
            "-days",
            "30",
            "-in",
            &request,
            "-CA",
            &authority,
            "-CAkey",
            &authority_key,
            "-CAcreateserial",
            "-extfile",
            &extensions,
            "-out",
            &certificate,
        ]);
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).expect("closed");
    }

    fn openssl(&self, args: &[&str]) {
        let output =
            Command::new("openssl").args(args).current_dir(&self.folder).output().expect("openssl: run make setup");
        assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Elliptic curves: fast to make.
const NEW_KEY: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
