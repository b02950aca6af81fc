//! What `init` prints, run: the role on each major, the crontab line.

use crate::support::{CORNER, Outcome, Report, Yard, ask, corner, newest, server, taken_by, until_so, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// An audit each day, as cron would run it.
struct Nightly {
    yard: Yard,
    command: String,
}

impl Nightly {
    /// `init cron` into a folder with a space and a percent sign in its name.
    fn made(yard: Yard, target: &str, more: &[&str]) -> Self {
        let into = "et c 100%";
        let (into, dir) = (yard.path().join(into).display().to_string(), yard.path().join("re ports"));
        let args = [&["init", "cron", target, "--into", &into, "--dir", dir.to_str().expect("UTF-8")], more].concat();
        let printed = yard.pgassay(&args).run().expect(0).stdout;
        assert_eq!(printed.lines().count(), 4, "{printed}");
        let crontab = std::fs::read_to_string(Path::new(&into).join("crontab")).expect("a crontab");
        let line = crontab.lines().find(|line| !line.starts_with('#')).expect("a line");
        let (time, command) = line.split_once(" * * * ").expect("once a day");
        assert_eq!(time, "17 3");
        // crontab(5): an escaped % is one, a bare one would end the command.
        let command = command.replace("\\%", "\u{0}");
        assert!(!command.contains('%'), "{line}");
        Self { yard, command: command.replace('\u{0}', "%") }
    }

    fn dir(&self) -> PathBuf {
        self.yard.path().join("re ports")
    }

    /// As cron does: by sh, with next to no environment, in the home.
    fn run(&self) -> Outcome {
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.yard.home()).env("USER", "nobody");
        Outcome::of(&shell.current_dir(self.yard.home()).args(["-c", &self.command]).output().expect("sh"))
    }

    fn reports(&self, ending: &str) -> usize {
        let files = std::fs::read_dir(self.dir().join("reports")).expect("reports");
        files.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().ends_with(ending)).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crontab_line_audits_tells_and_tidies_up() {
    let yard = Yard::open();
    let cluster = yard.start(&newest(), &with_statements());
    corner(&cluster).await.execute("create table shop.keyless (id int)").await.expect("a fault");
    let target = cluster.dsn("clerk", CORNER);
    let hook = "cat > told; echo \"$PGASSAY_CODE $PGASSAY_REPORT\" >> told";
    let nightly = Nightly::made(yard, &target, &["--hook", hook, "--fail-on", "info", "--keep", "2d"]);

    assert_eq!(nightly.run().expect(1).stdout, "", "the hook has it");
    let told = std::fs::read_to_string(nightly.dir().join("told")).expect("the hook ran");
    assert!(told.contains("no_primary_key  shop.keyless"), "{told}");
    let path = told.lines().last().and_then(|line| line.strip_prefix("1 ")).expect("code and report");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("a report")).expect("JSON");
    assert_eq!(report["summary"]["exit_code"], 1);
    assert_eq!((nightly.reports(".json"), nightly.reports(".snapshot.json.zst"), nightly.reports(".txt")), (1, 1, 1));

    // What is known is no news; what is older than two days is gone.
    std::fs::remove_file(nightly.dir().join("told")).expect("removed");
    let old = nightly.dir().join("reports/old.json");
    std::fs::write(&old, "{}").expect("written");
    assert!(Command::new("touch").args(["-d", "3 days ago"]).arg(&old).status().expect("touch").success());
    until_so("the next second", || nightly.run().code == Some(0) && nightly.reports(".txt") > 1);
    assert!(!old.exists() && !nightly.dir().join("told").exists());

    // One at a time.
    let lock = nightly.dir().join("lock");
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("flock");
    let mut held = [0; 5];
    holder.stdout.as_mut().expect("its output").read_exact(&mut held).expect("it holds the lock");
    let busy = nightly.run().expect(75);
    assert_eq!(busy.stderr, "pgassay: the audit before this one is still at work\n");
    drop(holder.stdin.take());
    holder.wait().expect("ended");

    // A server that is not there is told too.
    drop(cluster);
    nightly.run().expect(2);
    let told = std::fs::read_to_string(nightly.dir().join("told")).expect("the hook ran");
    assert!(told.contains("cannot connect to") && told.contains("\n2 "), "{told}");
}

#[test]
fn scripts_and_units_are_what_their_programs_take() {
    let yard = Yard::open();
    let into = yard.path().join("etc").display().to_string();
    let args = ["init", "cron", "host=/run dbname=shop", "--into", &into, "--mail", "ops@example.com"];
    yard.pgassay(&args).run().expect(0);
    yard.pgassay(&args).run().expect_unable(&["audit.sh", "File exists"]);
    taken_by("shellcheck", &["-s", "sh", &format!("{into}/audit.sh")]);
    let units = ["service", "timer"].map(|kind| format!("{into}/pgassay.{kind}"));
    taken_by("systemd-analyze", &["verify", "--man=no", &units[0], &units[1]]);
    // By mail, with whatever mail(1) there is.
    let script = std::fs::read_to_string(format!("{into}/audit.sh")).expect("a script");
    assert!(script.contains("mail -s \"pgassay on $(uname -n): exit code $code\" ops@example.com"), "{script}");
}
