//! Every command of the README and of the pages in docs that begins with `pgassay` works as it stands there.

use crate::support::{Outcome, Pooler, Yard, newest, root};
use pgassay::demo::{Cluster, SUPERUSER, Shop};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What pages speak of beside the shop: months, plain tables, a database for histories.
const STAGE: &str = r"
    create role grafana login;
    create table public.events (id bigint, created_at timestamptz not null, note text) partition by range (created_at);
    do $$ declare first timestamptz := date_trunc('month', now(), 'UTC'); begin
      execute format('create table public.events_%s partition of public.events for values from (%L) to (%L)',
        to_char(first at time zone 'UTC', 'YYYYMM'), first, (first at time zone 'UTC' + interval '1 month') at time zone 'UTC');
    end $$;
    create table public.calls (id bigint, at timestamptz not null, primary key (id, at));
    create table public.visits (id bigint primary key, created_at timestamptz not null, note text);
    insert into public.calls select n, now() - n * interval '1 hour' from generate_series(1, 2000) n;
    insert into public.visits select n, now() - n * interval '1 hour' from generate_series(1, 2000) n;
    analyze public.calls, public.visits";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readme() {
    let yard = Yard::open();
    let shop = yard.shop(&newest(), &Shop::setup()).await;
    let admin = shop.cluster.session("shop", SUPERUSER, "stage").await.expect("a session");
    admin.execute("create database ops").await.expect("a database");
    admin.execute(STAGE).await.expect("the stage");
    admin.close().await;
    let pooler = Pooler::start(&yard, &shop.cluster);
    let desk = Desk { yard: &yard, cluster: &shop.cluster, dsn: shop.dsn(), pooler: pooler.port };
    let (mut ran, mut broken) = (0, Vec::new());
    for page in pages() {
        let text = std::fs::read_to_string(&page).expect("a page");
        let commands = commands(&text);
        if commands.is_empty() {
            continue;
        }
        let folder = desk.folder(page.file_stem().and_then(|stem| stem.to_str()).expect("a name"));
        broken.extend(commands.iter().filter_map(|command| desk.fault(command, &folder, &page)));
        ran += commands.len();
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(ran >= 80, "{ran} commands");
}

/// The README first, then the others by name.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["docs", "docs/commands"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("docs/README.md"))
        .collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    pages
}

/// Lines in fences of `sh`.
fn commands(page: &str) -> Vec<&str> {
    let fences = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    fences.flat_map(str::lines).map(str::trim).filter(|line| line.starts_with("pgassay ")).collect()
}

/// Where commands are typed.
struct Desk<'a> {
    yard: &'a Yard,
    cluster: &'a Cluster,
    dsn: String,
    /// Where PgBouncer listens.
    pooler: u16,
}

impl Desk<'_> {
    /// A checkout of its own for a page, with a config that knows the shop, and earlier snapshots.
    fn folder(&self, page: &str) -> PathBuf {
        let folder = self.yard.path().join(page);
        std::fs::create_dir(&folder).expect("a folder");
        std::os::unix::fs::symlink(root().join("fixtures"), folder.join("fixtures")).expect("linked");
        let config = format!(
            "targets:\n  shop: {{url: '{}'}}\npartition:\n  tables:\n    - {{table: public.events}}\n",
            self.url(SUPERUSER, "shop")
        );
        std::fs::write(folder.join("pgassay.yaml"), config).expect("written");
        for (name, fixture) in [("base", "shop_17"), ("head", "shop_18")] {
            let fixture = root().join(format!("fixtures/snapshots/{fixture}.json.zst"));
            std::fs::copy(fixture, folder.join(format!("{name}.json.zst"))).expect("copied");
        }
        folder
    }

    fn url(&self, role: &str, database: &str) -> String {
        let socket = self.cluster.socket().display().to_string().replace('/', "%2F");
        format!("postgres://{role}@{socket}:{}/{database}", self.cluster.port())
    }

    /// The hosts that pages speak of are this server.
    fn placed(&self, command: &str, folder: &Path) -> String {
        let shop = self.url(SUPERUSER, "shop");
        [
            ("postgres://auditor@db1/shop", self.url("auditor", "shop")),
            ("postgres://owner@db1/shop", shop),
            ("postgres://owner@db0/ops", self.url(SUPERUSER, "ops")),
            ("postgres://auditor@db0/ops", self.url("auditor", "ops")),
            ("postgres://stats@db1:6432", format!("postgres://stats@127.0.0.1:{}", self.pooler)),
            ("host=db1 dbname=shop user=shop_owner", self.cluster.dsn(SUPERUSER, "shop")),
            ("/etc/pgassay", folder.join("etc").display().to_string()),
            ("/var/lib/pgassay", folder.join("lib").display().to_string()),
        ]
        .iter()
        .fold(command.to_owned(), |text, (there, here)| text.replace(there, here))
    }

    /// What is wrong with a command of a page.
    fn fault(&self, command: &str, folder: &Path, page: &Path) -> Option<String> {
        let programs = Path::new(env!("CARGO_BIN_EXE_pgassay")).parent().expect("a folder");
        let output = Command::new("sh")
            .args(["-c", &self.placed(command, folder)])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", programs.display()))
            .env("HOME", self.yard.home())
            .env("TMPDIR", self.yard.path())
            .env("PGASSAY_PG_BIN", newest().folder)
            .env("DATABASE_URL", &self.dsn)
            .env("OWNER_URL", self.cluster.dsn(SUPERUSER, "shop"))
            .stdin(Stdio::null())
            .output()
            .expect("sh");
        let outcome = Outcome::of(&output);
        let is_well = matches!(outcome.code, Some(0 | 1)) && !command.contains('…');
        (!is_well).then(|| format!("{}: {command}: {:?}\n{}", page.display(), outcome.code, outcome.stderr))
    }
}
