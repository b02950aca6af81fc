//! `pgassay.yaml`: everything a flag says can stand here, beside targets and waivers.

use super::advise_args::WeighArg;
use super::args::{FailOnArg, FormatArg, Profile, SeverityArg};
use super::config_values;
use super::diff_args::GateArg;
use super::history_store::{self, is_database};
use super::months::PREMAKE;
use crate::model::finding::Severity;
use crate::model::survey::Manager;
use crate::rules::{ParamValue, Problem, Waiver};
use crate::store::read_text;
use anyhow::{Result, anyhow, bail};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that is read without being named.
const DEFAULT_FILE: &str = "pgassay.yaml";

/// The config.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    /// Servers by name.
    pub(super) targets: BTreeMap<String, TargetConfig>,
    /// How servers are read.
    pub(super) connection: ConnectionConfig,
    /// Which rules run, and how.
    pub(super) rules: RulesConfig,
    /// What is shown, and when a run fails.
    pub(super) audit: AuditConfig,
    /// How many targets are audited in one run.
    pub(super) fleet: FleetConfig,
    /// Which changes are judged, and when a comparison fails.
    pub(super) diff: DiffConfig,
    /// How pools are sized.
    pub(super) pool: PoolConfig,
    /// How indexes are advised.
    pub(super) advise: AdviseConfig,
    /// How changes are carried out.
    pub(super) change: ChangeConfig,
    /// Which tables are kept in months, and how.
    pub(super) partition: PartitionConfig,
    /// Where runs are kept.
    pub(super) history: HistoryConfig,
    /// Accepted findings.
    pub(super) waivers: Vec<Waiver>,
    /// Where it was read from, for messages.
    #[serde(skip)]
    pub(super) origin: Option<(String, String)>,
}

/// A server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetConfig {
    /// URL or `key=value` pairs, without a password.
    pub(super) url: String,
    /// Standbys of it, as `--replica`.
    #[serde(default)]
    pub(super) replicas: Vec<String>,
    /// Consoles of the PgBouncers before it, as `--pgbouncer`.
    #[serde(default)]
    pub(super) pgbouncers: Vec<String>,
}

/// As the flags of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConnectionConfig {
    /// 1 to 64
    pub(super) jobs: Option<u16>,
    pub(super) statement_timeout: Option<String>,
    pub(super) lock_timeout: Option<String>,
    pub(super) connect_timeout: Option<String>,
    /// 1 or more
    pub(super) top: Option<u32>,
    pub(super) plans: Option<u32>,
    pub(super) databases: Vec<String>,
    pub(super) all_databases: bool,
    pub(super) sample: Option<String>,
}

/// Rules.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RulesConfig {
    /// Packs, as `--rules`; relative to the config.
    pub(super) paths: Vec<PathBuf>,
    /// As `--only`.
    pub(super) only: Vec<String>,
    /// As `--skip`.
    pub(super) skip: Vec<String>,
    /// As `--profile`.
    pub(super) profile: Option<Profile>,
    /// As `--schema`.
    pub(super) schemas: Vec<String>,
    /// As `--exclude-schema`.
    pub(super) exclude_schemas: Vec<String>,
    /// Thresholds by `rule.param`.
    pub(super) params: BTreeMap<String, ParamValue>,
    /// Severities by rule; a rule named here does not escalate.
    pub(super) severity: BTreeMap<String, Severity>,
}

/// As the flags of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuditConfig {
    pub(super) format: Option<FormatArg>,
    pub(super) min_severity: Option<Severity>,
    pub(super) fail_on: Option<FailOnArg>,
    /// A JSON report, relative to the config
    pub(super) baseline: Option<PathBuf>,
    pub(super) fail_on_new: bool,
}

/// As the flags of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FleetConfig {
    /// 1 to 64
    pub(super) servers_at_once: Option<u16>,
    pub(super) target_timeout: Option<String>,
}

/// As the flags of `diff` of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DiffConfig {
    pub(super) gate: Option<GateArg>,
    pub(super) min_severity: Option<SeverityArg>,
    pub(super) fail_on: Option<FailOnArg>,
}

/// As the flags of `pool` of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PoolConfig {
    pub(super) target_wait: Option<String>,
    /// 1 or more
    pub(super) cores: Option<u32>,
}

/// As the flags of `advise` of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdviseConfig {
    pub(super) budget: Option<String>,
    /// 1 or more
    pub(super) max_indexes: Option<u16>,
    pub(super) weigh_by: Option<WeighArg>,
    /// A target without a password, or the name of one
    pub(super) what_if: Option<String>,
    pub(super) plans: Option<u32>,
}

/// As the flags of `apply` of the same names.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChangeConfig {
    /// Folder of the journals, relative to the config
    pub(super) state: Option<PathBuf>,
    pub(super) max_wait: Option<String>,
    pub(super) max_replica_lag: Option<String>,
    pub(super) max_slot_wal: Option<String>,
    pub(super) maintenance_work_mem: Option<String>,
    /// 0 to 64
    pub(super) parallel_workers: Option<u16>,
}

/// Tables that `partition maintain` keeps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PartitionConfig {
    /// Months that are to be there beyond the current one, 0 to 120; 3 without it
    pub(super) premake: Option<u16>,
    /// As `--window`
    pub(super) window: Option<String>,
    pub(super) tables: Vec<PartitionTableConfig>,
}

/// A table that is cut by months.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionTableConfig {
    /// As in public.events
    pub(super) table: String,
    /// As above, for this table
    #[serde(default)]
    pub(super) premake: Option<u16>,
    /// The IANA time zone whose months they are; without it that of its bounds
    #[serde(default)]
    pub(super) zone: Option<String>,
    /// What `partition retire` keeps, as in 24 months
    #[serde(default)]
    pub(super) keep: Option<String>,
}

/// Runs that are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HistoryConfig {
    /// As `--history`; a folder is relative to the config
    pub(super) store: Option<String>,
    /// As `history prune --keep`
    pub(super) keep: Option<String>,
}

impl Config {
    /// What is to be kept of partitioned tables.
    pub(super) fn keepers(&self) -> impl Iterator<Item = Manager> {
        let own = &self.partition;
        own.tables.iter().filter(|table| table.keep.is_some()).map(|table| Manager {
            name: "pgassay.yaml".to_owned(),
            database: None,
            table: table.table.clone(),
            premake: i32::from(table.premake.or(own.premake).unwrap_or(PREMAKE)),
            retention: table.keep.clone(),
        })
    }

    /// Reads the named file, or the default one when it is there.
    pub(super) fn load(named: Option<&Path>) -> Result<Self> {
        let path = match named {
            Some(path) => path.to_owned(),
            None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
            None => return Ok(Self::default()),
        };
        let text = read_text(&path).map_err(|error| anyhow!("config {error}"))?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let paths = config.rules.paths.iter_mut().chain(&mut config.audit.baseline).chain(&mut config.change.state);
        paths.for_each(|path| *path = folder.join(&*path));
        if let Some(store) = config.history.store.as_mut().filter(|store| !is_database(store)) {
            *store = folder.join(&*store).display().to_string();
        }
        Ok(config)
    }

    pub(super) fn parse(file: &str, text: &str) -> Result<Self> {
        let mut config: Self = if text.trim().is_empty() {
            Self::default()
        } else {
            serde_yaml::from_str(text).map_err(|error| Problem::of_yaml(file, &error))?
        };
        if config.targets.contains_key("") {
            return Err(Problem::at(file, text, &["targets"], None, "a target has no name".to_owned()).into());
        }
        for (name, target) in &config.targets {
            let urls = std::iter::once(&target.url).chain(&target.replicas).chain(&target.pgbouncers);
            if urls.into_iter().any(|url| holds_password(url)) {
                let message = format!(
                    "target `{name}` holds a password: keep it in .pgpass, a service file or PGPASSWORD instead"
                );
                return Err(Problem::at(file, text, &["targets", name, "url"], None, message).into());
            }
        }
        if config.advise.what_if.as_deref().is_some_and(holds_password) {
            let message = "what_if holds a password: keep it in .pgpass, a service file or PGPASSWORD instead";
            return Err(Problem::at(file, text, &["advise", "what_if"], None, message.to_owned()).into());
        }
        if config.history.store.as_deref().is_some_and(history_store::holds_password) {
            let message = "store holds a password: keep it in .pgpass, a service file or PGPASSWORD instead";
            return Err(Problem::at(file, text, &["history", "store"], None, message.to_owned()).into());
        }
        for waiver in &config.waivers {
            if waiver.reason.trim().is_empty() {
                let message = format!("the waiver of `{}` on `{}` gives no reason", waiver.rule, waiver.object);
                return Err(Problem::at(file, text, &["waivers", "reason"], None, message).into());
            }
        }
        config_values::check(&config, file, text)?;
        config.origin = Some((file.to_owned(), text.to_owned()));
        Ok(config)
    }

    /// A problem with something the config says, at its place.
    pub(super) fn problem(&self, path: &[&str], word: &str, message: String) -> anyhow::Error {
        match &self.origin {
            Some((file, text)) => Problem::at(file, text, path, Some(word), message).into(),
            None => anyhow!(message),
        }
    }

    /// A named target.
    pub(super) fn target(&self, name: &str) -> Result<&TargetConfig> {
        match self.targets.get(name) {
            Some(target) => Ok(target),
            None if self.targets.is_empty() => {
                bail!(
                    "`{name}` is no URL and no key=value pair, and the config names no targets: for a database, dbname={name}; for a host, host={name}"
                )
            }
            None => {
                let known: Vec<&str> = self.targets.keys().map(String::as_str).collect();
                bail!("no target `{name}` in the config; it names {}", known.join(", "))
            }
        }
    }
}

pub(super) fn holds_password(url: &str) -> bool {
    let params = crate::postgres::parse_params(url).unwrap_or_default();
    params.contains_key("password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutants;
    use proptest::prelude::*;

    const WHOLE: &str = "\
targets:
  shop: {url: 'postgres://auditor@db1/shop?sslmode=verify-full', replicas: ['host=db2 user=auditor']}
connection: {jobs: 2, statement_timeout: 15s, top: 100, plans: 0, databases: [shop, crm], sample: 10s}
rules:
  paths: [ops/rules]
  only: [index, slow_query]
  profile: static
  schemas: ['app_*']
  params: {slow_query.min_mean_ms: 500, unused_index.min_bytes: 1GiB}
  severity: {deep_offset: info}
partition: {premake: 4, window: 2s, tables: [{table: public.events, premake: 6, zone: Europe/Berlin, keep: 24 months}]}
audit: {format: json, min_severity: info, fail_on: warning, baseline: b.json, fail_on_new: true}
waivers:
  - {rule: unused_index, object: 'public.*', reason: year-end, until: 2027-01-31, owner: data}
";

    fn refused(text: &str) -> String {
        Config::parse("pgassay.yaml", text).expect_err("refused").to_string()
    }

    #[test]
    fn reads_the_example_of_the_docs() {
        let config = Config::parse(
            "pgassay.yaml",
            "targets:\n  shop: {url: \"postgres://auditor@db1/shop?sslmode=verify-full\"}\nrules:\n  params: {slow_query.min_mean_ms: 500}\n  severity: {deep_offset: info}\nwaivers:\n  - {rule: unused_index, object: \"public.x\", reason: \"year-end\", until: 2027-01-31, owner: data}\n",
        )
        .expect("a config");
        assert_eq!(config.waivers.len(), 1);
        assert!(Config::parse("pgassay.yaml", WHOLE).is_ok());
        assert!(config.target("shop").is_ok());
        assert!(config.target("other").expect_err("unknown").to_string().contains("it names shop"));
    }

    proptest! {
        #[test]
        fn no_config_makes_it_panic(text in "(targets|rules|waivers|audit|connection|params|url|jobs|until|[-:{}\\[\\]\",.*&!|> \n0-9a-z]){0,40}") {
            let _ = Config::parse("pgassay.yaml", &text);
        }

        #[test]
        fn no_damage_to_a_config_makes_it_panic(text in mutants(vec![WHOLE.to_owned()])) {
            let _ = Config::parse("pgassay.yaml", &text);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert!(refused("rulse: {}\n").starts_with("pgassay.yaml:1:1: unknown field `rulse`"));
        assert!(
            refused("waivers:\n  - {rule: a, object: b, reason: c, until: 2027-13-01}\n")
                .starts_with("pgassay.yaml:2:44: waivers[0].until: invalid value: string \"2027-13-01\", expected a date, as in 2027-01-31")
        );
        assert!(
            refused("rules:\n  params:\n    slow_query: {min_mean_ms: 5}\n")
                .contains("should be a number, or one with a unit")
        );
        assert!(refused("targets:\n  a: {url: \"postgres://u:S3cret@h/d\"}\n").starts_with("pgassay.yaml:2:"));
        assert!(!refused("targets:\n  a: {url: \"postgres://u:S3cret@h/d\"}\n").contains("S3cret"));
        assert!(
            refused("waivers:\n  - {rule: a, object: b, reason: \"\", until: null, owner: null}\n")
                .contains("no reason")
        );
    }
}
