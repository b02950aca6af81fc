//! Every `sslmode` against servers with TLS, with the wrong TLS and without: who connects, whether the
//! session is encrypted, and what the others are told.

use crate::support::{CORNER, Certificates, Yard, corner, newest, with_statements};
use pgassay::demo::{Binaries, Cluster, Setup};

const PASSWORD: &str = "till";

/// Whether a session was encrypted, or why there was none.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Plain,
    Encrypted,
    Refused(String),
}

/// A server on 127.0.0.1, and the certificates.
struct Place {
    cluster: Cluster,
    binaries: Binaries,
    certificates: Certificates,
    yard: Yard,
}

impl Place {
    /// Without TLS, open to both kinds of sessions.
    async fn open() -> Self {
        let (yard, binaries) = (Yard::open(), newest());
        let certificates = Certificates::make(yard.path());
        let setup = with_statements().with("log_connections", "on").with("password_encryption", "scram-sha-256");
        let cluster = yard.listening(&binaries, &Setup { access: Some(access("host")), ..setup });
        let admin = corner(&cluster).await;
        let role = format!("create role auditor superuser login password '{PASSWORD}'");
        admin.execute(&role).await.expect("a role");
        // The server is ended as by a crash soon, and commits are not synchronous.
        admin.execute("checkpoint").await.expect("a checkpoint");
        admin.close().await;
        certificates.give_to_owner_of(&cluster.data());
        Self { cluster, binaries, certificates, yard }
    }

    /// The same with a certificate and these rules of access.
    fn with(mut self, certificate: &str, access: &str) -> Self {
        let (key, name) = (self.certificates.key(certificate), self.certificates.certificate(certificate));
        let authority = self.certificates.certificate("ours");
        let settings =
            format!("ssl = on\nssl_cert_file = '{name}'\nssl_key_file = '{key}'\nssl_ca_file = '{authority}'\n");
        self.cluster.crash();
        std::fs::write(self.cluster.data().join("postgresql.auto.conf"), settings).expect("written");
        std::fs::write(self.cluster.data().join("pg_hba.conf"), access).expect("written");
        self.cluster.restart(&self.binaries).expect("it starts again");
        self
    }

    /// Connects with these parameters.
    fn connect(&self, params: &str) -> End {
        let before = self.sessions().len();
        let host = if params.contains("host=") { "" } else { "host=localhost hostaddr=127.0.0.1" };
        let dsn = format!("{host} port={} dbname={CORNER} user=auditor {params}", self.cluster.port());
        let outcome = self.yard.audit(&[&dsn]).env("PGPASSWORD", PASSWORD).run();
        if outcome.code == Some(2) {
            assert!(outcome.stderr.contains("next: "), "{}", outcome.stderr);
            return End::Refused(outcome.stderr);
        }
        outcome.expect(0);
        let sessions = self.sessions().split_off(before);
        let encrypted = sessions.iter().filter(|line| line.contains("SSL enabled")).count();
        assert!(encrypted == 0 || encrypted == sessions.len(), "all or none: {sessions:?}");
        assert!(!sessions.is_empty(), "{params}");
        if encrypted > 0 { End::Encrypted } else { End::Plain }
    }

    /// It is refused, with these words.
    fn assert_refused(&self, params: &str, words: &[&str]) {
        match self.connect(params) {
            End::Refused(error) => {
                for word in words {
                    assert!(error.contains(word), "{params}: `{word}` should be in: {error}");
                }
            }
            other => panic!("{params}: {other:?}"),
        }
    }

    /// The server's lines about our sessions.
    fn sessions(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.cluster.socket().join("log")).expect("the log");
        let ours = |line: &&str| line.contains("connection authorized") && line.contains("user=auditor");
        log.lines().filter(ours).map(str::to_owned).collect()
    }

    /// `sslrootcert` with an authority.
    fn root(&self, name: &str) -> String {
        format!("sslrootcert={}", self.certificates.certificate(name))
    }
}

/// Rules that let in everybody on 127.0.0.1 with a password, by one kind of session.
fn access(kind: &str) -> String {
    format!("local all all trust\n{kind} all all 127.0.0.1/32 scram-sha-256\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls() {
    let place = Place::open().await;
    for mode in ["disable", "allow", "prefer"] {
        assert_eq!(place.connect(&format!("sslmode={mode}")), End::Plain, "{mode}");
    }
    assert_eq!(place.connect(""), End::Plain, "the default");
    for mode in ["require".to_owned(), format!("verify-full {}", place.root("ours"))] {
        place.assert_refused(&format!("sslmode={mode}"), &["localhost", "TLS", "next: the server has no TLS"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tls() {
    let place = Place::open().await.with("server", &access("host"));
    let (ours, theirs) = (place.root("ours"), place.root("theirs"));
    for mode in ["disable", "allow"] {
        assert_eq!(place.connect(&format!("sslmode={mode}")), End::Plain, "{mode}");
    }
    assert_eq!(place.connect(""), End::Encrypted, "the default");
    for mode in ["prefer", "require"] {
        assert_eq!(place.connect(&format!("sslmode={mode}")), End::Encrypted, "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_eq!(place.connect(&format!("sslmode={mode} {ours}")), End::Encrypted, "{mode}");
        place.assert_refused(
            &format!("sslmode={mode} {theirs}"),
            &["localhost", "UnknownIssuer", "next: ", "sslrootcert"],
        );
    }
    assert_eq!(place.connect(&format!("sslmode=verify-ca {ours} host=127.0.0.1")), End::Encrypted);
    place.assert_refused(
        &format!("sslmode=verify-full {ours} host=127.0.0.1"),
        &["127.0.0.1", "next: ", "another host"],
    );
    place.assert_refused("sslmode=verify-full", &["localhost", "next: ", "sslrootcert"]);
    place.assert_refused("sslmode=verify-ca sslrootcert=/nowhere.crt", &["/nowhere.crt", "next: "]);

    std::fs::create_dir(place.yard.home().join(".postgresql")).expect("a folder");
    std::fs::copy(place.certificates.certificate("ours"), place.yard.home().join(".postgresql/root.crt"))
        .expect("copied");
    assert_eq!(place.connect("sslmode=verify-full"), End::Encrypted, "~/.postgresql/root.crt");

    assert_eq!(place.connect(&format!("sslmode=verify-full {ours} channel_binding=require")), End::Encrypted);
    place.assert_refused("sslmode=disable channel_binding=require", &["localhost", "channel binding"]);
    let direct = format!("sslmode=verify-full {ours} sslnegotiation=direct");
    if place.cluster.major >= 17 {
        assert_eq!(place.connect(&direct), End::Encrypted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_for_another_host() {
    let place = Place::open().await.with("elsewhere", &access("host"));
    let ours = place.root("ours");
    assert_eq!(place.connect(&format!("sslmode=verify-ca {ours}")), End::Encrypted);
    let words = ["localhost", "not valid for name", "next: the certificate is for another host"];
    place.assert_refused(&format!("sslmode=verify-full {ours}"), &words);
    assert_eq!(
        place.connect(&format!("sslmode=verify-full {ours} host=elsewhere.example hostaddr=127.0.0.1")),
        End::Encrypted,
        "the name is what counts, not the address"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_tls() {
    let place = Place::open().await.with("server", &access("hostssl"));
    place.assert_refused("sslmode=disable", &["localhost", "no pg_hba.conf entry", "next: ", "hostssl"]);
    for mode in ["allow", "prefer", "require"] {
        assert_eq!(place.connect(&format!("sslmode={mode}")), End::Encrypted, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_none() {
    let place = Place::open().await.with("server", &access("hostnossl"));
    for mode in ["disable", "allow"] {
        assert_eq!(place.connect(&format!("sslmode={mode}")), End::Plain, "{mode}");
    }
    // libpq would try `prefer` again without TLS; the README says that we do not.
    for mode in ["prefer", "require"] {
        place.assert_refused(&format!("sslmode={mode}"), &["localhost", "no pg_hba.conf entry", "next: "]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_a_clients_certificate() {
    let access = "local all all trust\nhostssl all all 127.0.0.1/32 cert\n";
    let place = Place::open().await.with("server", access);
    let client = |name: &str| {
        let (certificate, key) = (place.certificates.certificate(name), place.certificates.key(name));
        format!("sslmode=verify-full {} sslcert={certificate} sslkey={key}", place.root("ours"))
    };
    assert_eq!(place.connect(&client("auditor")), End::Encrypted);
    place.assert_refused(&client("stranger"), &["localhost", "next: "]);
    place.assert_refused("sslmode=require", &["localhost", "client certificate", "next: "]);
    let certificate = place.certificates.certificate("auditor");
    place.assert_refused(
        &format!("sslmode=require sslcert={certificate} sslkey=/nowhere.key"),
        &["/nowhere.key", "next: "],
    );

    let folder = place.yard.home().join(".postgresql");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(certificate, folder.join("postgresql.crt")).expect("copied");
    std::fs::copy(place.certificates.key("auditor"), folder.join("postgresql.key")).expect("copied");
    assert_eq!(place.connect("sslmode=require"), End::Encrypted, "~/.postgresql/postgresql.crt");
}
