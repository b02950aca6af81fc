//! A corner shop whose tables are to be changed: plans for it, runs of them, and what is in their way.

use super::corner::{CORNER, corner};
use super::load::Account;
use super::program::Outcome;
use super::wait::until;
use super::yard::Yard;
use pgassay::ddl::{inverse, statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER, Setup};
use pgassay::model::plan::{Change, Estimate, IndexForm, Name, PLAN_VERSION, Plan, PlanTarget, Step};
use pgassay::model::snapshot::Tool;
use pgassay::postgres::Scratch;
use pgassay::store::write_plan;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Our session works, and waits for somebody.
pub(crate) const WAITS: &str = "select count(*) = 1 from pg_stat_activity
    where application_name like 'pgassay/apply/%' and state = 'active' and wait_event_type = 'Lock'";

/// No session of ours is left.
pub(crate) const ALONE: &str = "select count(*) = 0 from pg_stat_activity where application_name like 'pgassay/%'";

/// The shop, its server, and a superuser's session.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) admin: Scratch,
    pub(crate) cluster: Cluster,
    pub(crate) yard: Yard,
}

/// An index in the shop.
pub(crate) fn index(name: &str, table: &str, using: &str) -> IndexForm {
    IndexForm {
        name: Name::new("shop", name),
        table: Name::new("shop", table),
        using: using.to_owned(),
        ..IndexForm::default()
    }
}

/// An index on the notes of all orders, to be made.
pub(crate) fn notes() -> Change {
    Change::CreateIndex(index("orders_note_idx", "orders", "btree (note)"))
}

/// A step that does this.
pub(crate) fn step(id: u32, change: Change) -> Step {
    Step {
        id,
        statements: statements(&change),
        undo: inverse(&change).map(|change| statements(&change)).unwrap_or_default(),
        depends_on: Vec::new(),
        why: "wished".to_owned(),
        caveats: Vec::new(),
        findings: Vec::new(),
        estimate: Estimate::default(),
        change,
    }
}

impl Site {
    /// Opens a shop.
    pub(crate) async fn open(binaries: &Binaries) -> Self {
        let yard = Yard::open();
        let cluster = yard.start(binaries, &Setup::default().with("max_prepared_transactions", "5"));
        let admin = corner(&cluster).await;
        Self { admin, cluster, yard }
    }

    /// As [`Site::open`], with more in it.
    pub(crate) async fn with(binaries: &Binaries, sql: &str) -> Self {
        let site = Self::open(binaries).await;
        site.admin.execute(sql).await.expect("more tables");
        site
    }

    /// A superuser's target.
    pub(crate) fn dsn(&self) -> String {
        self.cluster.dsn(SUPERUSER, CORNER)
    }

    /// A plan of these changes, made now.
    pub(crate) async fn planned(&self, changes: Vec<Change>) -> Plan {
        let told = "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
        let now = self.text(told).await;
        Plan {
            plan_version: PLAN_VERSION,
            tool: Tool::default(),
            captured_at: now.parse().expect("a time"),
            target: PlanTarget {
                name: CORNER.to_owned(),
                database: CORNER.to_owned(),
                system_identifier: Some(self.text("select system_identifier from pg_control_system()").await),
                server_version_num: self.text("show server_version_num").await.parse().expect("a number"),
            },
            steps: (1..).zip(changes).map(|(id, change)| step(id, change)).collect(),
            left: Vec::new(),
        }
    }

    /// Such a plan as `plan.json`.
    pub(crate) async fn plan(&self, changes: Vec<Change>) {
        self.keep(&self.planned(changes).await);
    }

    /// Writes `plan.json`.
    pub(crate) fn keep(&self, plan: &Plan) {
        write_plan(&self.yard.path().join("plan.json"), plan).expect("written");
    }

    /// Where the journals are.
    pub(crate) fn state(&self) -> PathBuf {
        self.yard.path().join("state")
    }

    /// How many journals there are.
    pub(crate) fn journals(&self) -> usize {
        let files = std::fs::read_dir(self.state()).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "jsonl")).count()
    }

    /// `pgassay apply …` for the superuser, without asking.
    pub(crate) fn command(&self, words: &[&str]) -> Vec<String> {
        let (dsn, state) = (self.dsn(), self.state().display().to_string());
        let words = ["apply"].iter().chain(words).copied();
        words.chain([dsn.as_str(), "--state", &state, "--yes"]).map(str::to_owned).collect()
    }

    /// Runs one to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        self.said(&self.command(words))
    }

    /// Applies the plan.
    pub(crate) fn apply(&self, words: &[&str]) -> Outcome {
        self.run(&[&["plan.json"], words].concat())
    }

    /// Starts one, and leaves it at work.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.spawn(&self.command(words))
    }

    /// Runs any command to its end.
    pub(crate) fn said(&self, command: &[String]) -> Outcome {
        self.yard.pgassay(&command.iter().map(String::as_str).collect::<Vec<_>>()).run()
    }

    /// Starts any command, and leaves it at work.
    pub(crate) fn spawn(&self, command: &[String]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_pgassay"))
            .args(command)
            .env_clear()
            .current_dir(self.yard.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Starts to apply the plan, up to where it waits.
    pub(crate) async fn until_it_waits(&self, words: &[&str]) -> Child {
        let child = self.start(&[&["plan.json"], words].concat());
        self.until(WAITS).await;
        child
    }

    /// Ends the program, its session or the server while it waits for a holder, which lets go then; up to where nobody of ours
    /// is at work any more.
    pub(crate) async fn die(&mut self, how: &str, mut child: Child, holder: Scratch, binaries: &Binaries) {
        match how {
            "program" => {
                child.kill().expect("killed");
                child.wait().expect("it is gone");
            }
            "session" => {
                let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'pgassay/apply/%'";
                self.admin.execute(end).await.expect("ended");
            }
            _ => {
                self.admin.execute("checkpoint").await.expect("commits are not synchronous");
                self.cluster.crash();
                self.cluster.restart(binaries).expect("it starts again");
                self.admin = self.cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
            }
        }
        if how != "server" {
            holder.execute("rollback").await.expect("released");
        }
        if how != "program" {
            end(child).expect(5);
        }
        self.until(ALONE).await;
    }

    /// Another session, for what is in the way.
    pub(crate) async fn session(&self, sql: &str) -> Scratch {
        let session = self.cluster.session(CORNER, SUPERUSER, "till").await.expect("a session");
        session.execute(sql).await.expect("it is in the way");
        session
    }

    /// Asks for one text.
    pub(crate) async fn text(&self, sql: &str) -> String {
        self.admin.value(sql).await.expect("an answer").unwrap_or_default()
    }

    /// Every row that a load was told of is there once, and nothing failed.
    pub(crate) async fn has_all_of(&self, account: &Account) {
        assert_eq!(account.failures, [""; 0]);
        assert!(account.rows.len() > 20, "{}", account.rows.len());
        let expected: Vec<String> = account.rows.iter().map(|(id, n)| format!("{id} {n}")).collect();
        let sql = "select string_agg(id || ' ' || n, E'\\n' order by id) from load.calls where id > 0";
        assert_eq!(self.text(sql).await.lines().collect::<Vec<_>>(), expected, "every acknowledged row, once");
    }

    /// Waits until this is so.
    pub(crate) async fn until(&self, question: &str) {
        until(&self.admin, question).await;
    }

    /// Each index of the shop: `name valid ready`, with `t` or `f`, in order.
    pub(crate) async fn indexes(&self, like: &str) -> String {
        let sql = format!(
            "select string_agg(c.relname || ' ' || i.indisvalid || ' ' || i.indisready, ', ' order by c.relname)
             from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'shop' and c.relname like '{like}'"
        );
        self.text(&sql).await.replace("true", "t").replace("false", "f")
    }
}

/// How a process ended.
pub(crate) fn end(child: Child) -> Outcome {
    Outcome::of(&child.wait_with_output().expect("it ends"))
}
