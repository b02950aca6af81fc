//! `pgassay demo`: the whole tour on a server of its own.

use super::args::{DemoArgs, FormatArg, RuleChoice, Shared};
use super::config::Config;
use super::progress_bar::Bar;
use super::{connection, exit, html, interrupt, output, settings};
use crate::audit::judge;
use crate::collect::{Access, Scope, collect};
use crate::demo::{Binaries, CONFIG, Cluster, SUPERUSER, Shop, find_binaries};
use crate::model::snapshot::Snapshot;
use crate::postgres::{Limits, Target};
use crate::progress::Progress;
use crate::store::write_snapshot;
use anyhow::{Result, bail};
use std::path::PathBuf;

pub(super) fn run(shared: &Shared, args: &DemoArgs) -> Result<u8> {
    let binaries = binaries(args)?;
    let config = Config::parse("fixtures/schema/shop/pgassay.yaml", CONFIG)?;
    let library = settings::library(&config, &[])?.library;
    let choice = RuleChoice::default();
    let judging = settings::settings(&config, &choice, &library, None, None)?;
    let (snapshot, kept) = interrupt::block_on(tour(shared, args, &binaries))?;
    if let Some(path) = &args.save {
        write_snapshot(path, &snapshot)?;
    }
    let mut verdict = judge(&snapshot, &library, &judging, connection::tool());
    if html::is_wanted(args.format, &[]) {
        html::add_changes(&mut verdict, &snapshot);
    }
    output::show(shared, &verdict, args.format)?;
    if args.format == FormatArg::Table {
        super::print(&next_steps(kept.as_ref()))?;
    } else if kept.is_some() {
        tell!("{}", next_steps(kept.as_ref()).trim_end());
    }
    // What it found was planted: a demo that shows it has succeeded.
    Ok(exit::OK)
}

/// A server that stays.
struct Kept {
    audit: String,
    admin: String,
    folder: PathBuf,
    process: u32,
}

fn binaries(args: &DemoArgs) -> Result<Binaries> {
    let named: Vec<PathBuf> = match (&args.pg_bin, std::env::var_os("PGASSAY_PG_BIN")) {
        (Some(folder), _) => vec![folder.clone()],
        (None, Some(folders)) => std::env::split_paths(&folders).collect(),
        (None, None) => Vec::new(),
    };
    let path: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let here = std::env::current_dir()?;
    match find_binaries(&named, &path, &here).into_iter().next() {
        Some(binaries) => Ok(binaries),
        None if named.is_empty() => bail!(
            "no PostgreSQL server (13 or later) on this machine\n  next: install one (Debian: apt-get install postgresql), or \
             name the folder of `initdb` with --pg-bin; `pgassay audit --from fixtures/snapshots/shop.json.zst` shows the \
             report without a server"
        ),
        None => bail!("no `initdb` and `postgres` of 13 or later in {}", named[0].display()),
    }
}

async fn tour(shared: &Shared, args: &DemoArgs, binaries: &Binaries) -> Result<(Snapshot, Option<Kept>)> {
    let bar = Bar::new(shared, "demo");
    bar.begin(6);
    bar.note(&format!("PostgreSQL {} from {}", binaries.major, binaries.folder.display()));
    bar.started("server");
    let cluster = Cluster::start(binaries, &std::env::temp_dir(), &Shop::setup())?;
    bar.finished("server");
    let shop = Shop::build(cluster, &bar).await?;
    let holders = shop.work(&bar).await?;
    bar.started("audit");
    let target = Target::resolve(&shop.dsn(), &connection::surroundings())?;
    let access = Access { target: &target, name: "shop", limits: Limits::default(), run: "demo" };
    let snapshot = collect(access, &Scope::default(), connection::tool(), &bar).await?;
    bar.finished("audit");
    bar.clear();
    if !args.keep {
        holders.release().await;
        return Ok((snapshot, None));
    }
    let (audit, admin) = (shop.dsn(), shop.cluster.dsn(SUPERUSER, "shop"));
    let folder = shop.cluster.socket().to_owned();
    std::fs::write(folder.join("pgassay.yaml"), CONFIG)?;
    Ok((snapshot, Some(Kept { audit, admin, folder, process: shop.cluster.keep() })))
}

fn next_steps(kept: Option<&Kept>) -> String {
    let config = CONFIG.trim_end().replace('\n', "\n  ");
    let mut text =
        format!("\nThe shop is small; this config scaled the thresholds down to it:\n\n  {config}\n\nTry next:\n");
    match kept {
        Some(Kept { audit, admin, folder, process }) => {
            let folder = folder.display();
            text.push_str(&format!(
                "  plan changes:     pgassay plan \"{audit}\" --config {folder}/pgassay.yaml -o {folder}/plan.json\n  \
                 carry them out:   pgassay apply {folder}/plan.json \"{admin}\"\n  \
                 or fix by hand:   psql \"{admin}\"\n  \
                 audit it again:   pgassay audit \"{audit}\" --config {folder}/pgassay.yaml\n  \
                 stop and remove:  kill -INT {process}; while test -e {folder}/data/postmaster.pid; do sleep 1; done; rm -rf {folder}\n"
            ));
        }
        None => text.push_str(
            "  pgassay demo --keep             leave the server running, plan and apply, audit it again\n  \
             pgassay audit postgres://…      your own server; it is only read\n",
        ),
    }
    text.push_str("  pgassay rules list              all rules\n  pgassay rules show n_plus_one   one rule: why, thresholds, when to ignore it\n");
    text
}
