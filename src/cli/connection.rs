//! From what was typed to a snapshot of a server.

use super::args::{DatabaseArgs, LimitArgs, Shared};
use super::config::{Config, TargetConfig};
use super::progress_bar::Bar;
use super::{interrupt, settings};
use crate::collect::{Access, CollectError, Scope, collect};
use crate::model::snapshot::{CustomFacet, Facet, Snapshot, Tool};
use crate::postgres::{Limits, Reader, Surroundings, Target};
use crate::progress::Progress;
use anyhow::{Result, anyhow};
use futures_util::future::join_all;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::LazyLock;

/// This program.
pub(super) fn tool() -> Tool {
    Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// Names our sessions on every server: no other process has it, in whatever container it has our number.
pub(super) fn run_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let salt = RandomState::new().build_hasher().finish();
        format!("{}-{:08x}", std::process::id(), salt & 0xffff_ffff)
    });
    &NAME
}

/// The environment that libpq would look at.
pub(super) fn surroundings() -> Surroundings {
    Surroundings {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        home: std::env::var_os("HOME").map(PathBuf::from),
        login: login(),
    }
}

/// The name of the user we run as, which libpq takes for the default role.
pub(super) fn login() -> Option<String> {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&id.as_str()));
    own.and_then(|fields| fields.first().map(|name| (*name).to_owned()))
        .or_else(|| std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok())
}

/// Something says which server is meant; else it is the one libpq would go to by default.
pub(super) fn is_named(typed: Option<&str>) -> bool {
    let variables = ["DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"];
    typed.is_some() || variables.iter().any(|name| std::env::var_os(name).is_some())
}

/// What was typed, understood.
struct Aim {
    target: Target,
    name: String,
    replicas: Vec<Target>,
}

fn aim(config: &Config, typed: Option<&str>, replicas: &[String], databases: &DatabaseArgs) -> Result<Aim> {
    let text = typed.map(str::to_owned).or_else(|| std::env::var("DATABASE_URL").ok()).unwrap_or_default();
    let is_name = !text.is_empty() && !text.contains("://") && !text.contains('=');
    if is_name {
        return aim_at_named(config, &text, config.target(&text)?, replicas, databases);
    }
    let target = aim_at(config, &text, databases)?;
    let name = target.database.clone();
    Ok(Aim { target, name, replicas: resolved(replicas)? })
}

/// A target of the config, with its own standbys where no others are asked for.
fn aim_at_named(
    config: &Config,
    name: &str,
    named: &TargetConfig,
    replicas: &[String],
    databases: &DatabaseArgs,
) -> Result<Aim> {
    let replicas = if replicas.is_empty() { &named.replicas } else { replicas };
    let target = aim_at(config, &named.url, databases)?;
    Ok(Aim { target, name: name.to_owned(), replicas: resolved(replicas)? })
}

/// The server, and the first of the databases that are asked for.
fn aim_at(config: &Config, url: &str, databases: &DatabaseArgs) -> Result<Target> {
    let target = Target::resolve(url, &surroundings())?;
    let first = databases.database.first().or(config.connection.databases.first());
    Ok(match first.filter(|_| !databases.all_databases) {
        Some(database) => target.with_database(database),
        None => target,
    })
}

fn resolved(texts: &[String]) -> Result<Vec<Target>> {
    let around = surroundings();
    Ok(texts.iter().map(|text| Target::resolve(text, &around)).collect::<Result<_, _>>()?)
}

/// The server to change: the typed target, with no standbys and no other databases.
pub(super) fn target_of(config: &Config, typed: Option<&str>) -> Result<Target> {
    let (target, _) = named_target_of(config, typed)?;
    Ok(match settings::connect_timeout(config, &LimitArgs::default())? {
        Some(timeout) => target.with_connect_timeout(timeout),
        None => target,
    })
}

/// The typed target alone, and its name.
pub(super) fn named_target_of(config: &Config, typed: Option<&str>) -> Result<(Target, String)> {
    let Aim { target, name, .. } = aim(config, typed, &[], &DatabaseArgs::default())?;
    Ok((target, name))
}

/// The consoles of the flag, else those that the config has for the target.
pub(super) fn poolers_of(config: &Config, typed: Option<&str>, flags: &[String]) -> Result<Vec<Target>> {
    let named = typed.and_then(|name| config.targets.get(name));
    let listed = named.map_or(&[][..], |target| &target.pgbouncers);
    let texts = if flags.is_empty() { listed } else { flags };
    let around = surroundings();
    let console = |text: &String| Target::console(text, &around).map_err(|error| anyhow!("--pgbouncer: {error}"));
    texts.iter().map(console).collect()
}

/// Reads a snapshot with the limits and the scope of an audit that says nothing of them.
pub(super) async fn read(shared: &Shared, target: &Target) -> Result<Snapshot> {
    read_scope(shared, target, Scope::default()).await
}

/// Reads a snapshot with next to nothing of the workload: what the server is, and what it has.
pub(super) async fn glance(shared: &Shared, target: &Target) -> Result<Snapshot> {
    read_scope(shared, target, Scope { plans: 0, top: 1, ..Scope::default() }).await
}

/// Facets that tell of partitions.
const PARTITIONS: &[Facet] =
    &[Facet::Settings, Facet::Extensions, Facet::Relations, Facet::Indexes, Facet::ForeignKeys, Facet::Partitions];

/// Reads what tells of partitions, and nothing besides.
pub(super) async fn partitions(shared: &Shared, target: &Target) -> Result<Snapshot> {
    read_scope(shared, target, Scope { plans: 0, only: Some(PARTITIONS), ..Scope::default() }).await
}

async fn read_scope(shared: &Shared, target: &Target, scope: Scope) -> Result<Snapshot> {
    let bar = Bar::new(shared, "reading");
    let access = Access { target, name: &target.database, limits: Limits::default(), run: run_name() };
    let snapshot = collect(access, &scope, tool(), &bar).await;
    bar.clear();
    Ok(snapshot?)
}

/// Reads a snapshot of the typed target; of its one database where `databases` is none.
pub(super) fn snapshot_of(
    shared: &Shared,
    config: &Config,
    typed: Option<&str>,
    args: &LimitArgs,
    databases: Option<&DatabaseArgs>,
    custom: Vec<CustomFacet>,
) -> Result<Snapshot> {
    snapshot_with(shared, config, (typed, args, databases), custom, None)
}

/// Reads of the typed target what tells of partitions, and nothing besides.
pub(super) fn partitions_of(shared: &Shared, config: &Config, typed: Option<&str>) -> Result<Snapshot> {
    let limits = LimitArgs { plans: Some(0), ..LimitArgs::default() };
    snapshot_with(shared, config, (typed, &limits, None), Vec::new(), Some(PARTITIONS))
}

fn snapshot_with(
    shared: &Shared,
    config: &Config,
    (typed, args, databases): (Option<&str>, &LimitArgs, Option<&DatabaseArgs>),
    custom: Vec<CustomFacet>,
    only: Option<&'static [Facet]>,
) -> Result<Snapshot> {
    let alone = DatabaseArgs::default();
    let aim = aim(config, typed, &args.replica, databases.unwrap_or(&alone))?;
    let poolers = databases.map_or(Ok(Vec::new()), |databases| poolers_of(config, typed, &databases.pgbouncer))?;
    let mut errand = Errand::of(config, aim, poolers, args, custom)?;
    if only.is_some() {
        errand.scope = Scope { only, replicas: Vec::new(), ..errand.scope };
    }
    if let Some(databases) = databases {
        errand.scope.databases = settings::databases(config, databases);
    }
    interrupt::block_on(async {
        let bar = Bar::new(shared, "reading");
        let snapshot = errand.read(&bar).await;
        bar.clear();
        snapshot.map_err(|error| match error {
            CollectError::Connect(_) if !is_named(typed) => {
                anyhow!(
                    "{error}\n  nothing names a server, so this is libpq's default: give a target, or set DATABASE_URL"
                )
            }
            _ => error.into(),
        })
    })
}

/// A server to read, and how much of it.
pub(super) struct Errand {
    pub(super) target: Target,
    pub(super) name: String,
    /// Names our sessions.
    pub(super) run: String,
    limits: Limits,
    scope: Scope,
}

impl Errand {
    fn of(config: &Config, aim: Aim, poolers: Vec<Target>, args: &LimitArgs, custom: Vec<CustomFacet>) -> Result<Self> {
        let Aim { target, name, replicas } = aim;
        let (limits, mut scope, connect_timeout) = settings::limits(config, args, replicas, custom)?;
        let patient = |target: Target| match connect_timeout {
            Some(timeout) => target.with_connect_timeout(timeout),
            None => target,
        };
        scope.replicas = scope.replicas.into_iter().map(patient).collect();
        scope.poolers = poolers.into_iter().map(patient).collect();
        Ok(Self { target: patient(target), name, run: run_name().to_owned(), limits, scope })
    }

    /// Of a target of the config, all that an audit of it alone would read.
    pub(super) fn named(
        config: &Config,
        name: &str,
        (args, databases): (&LimitArgs, &DatabaseArgs),
        custom: Vec<CustomFacet>,
    ) -> Result<Self> {
        let aim = aim_at_named(config, name, config.target(name)?, &[], databases)?;
        let mut errand = Self::of(config, aim, poolers_of(config, Some(name), &[])?, args, custom)?;
        errand.scope.databases = settings::databases(config, databases);
        Ok(errand)
    }

    pub(super) async fn read(&self, progress: &dyn Progress) -> Result<Snapshot, CollectError> {
        let access = Access { target: &self.target, name: &self.name, limits: self.limits, run: &self.run };
        collect(access, &self.scope, tool(), progress).await
    }

    /// Ends what its sessions are at, on its standbys too, as far as the servers can be asked.
    pub(super) async fn cancel(&self) {
        let servers = std::iter::once(&self.target).chain(&self.scope.replicas);
        join_all(servers.map(|server| Reader::cancel(server, self.limits, &self.run))).await;
    }
}
