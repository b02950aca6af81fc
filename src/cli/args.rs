//! What can be typed. Settings made of it are in `settings`.

use super::advise_args::AdviseArgs;
use super::change_args::{ApplyArgs, PlanArgs, VerifyArgs};
use super::diff_args::DiffArgs;
use super::fleet_args::FleetArgs;
use super::history_args::HistoryArgs;
use super::init_args::InitArgs;
use super::measure_args::MeasureArgs;
use super::partition_args::PartitionArgs;
use super::pool_args::PoolArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// Audits the performance of a PostgreSQL server.
#[derive(Debug, Parser)]
#[command(
    name = "pgassay",
    version,
    long_version = super::version::LONG.as_str(),
    max_term_width = 100,
    after_help = "\
Examples:
  pgassay demo                               see it work, on a throwaway server
  pgassay audit postgres://auditor@db1/shop  audit a server; it is only read
  pgassay plan postgres://owner@db1/shop     what would mend it, at what price

Exit codes: 0 clean or done, 1 findings at or above --fail-on, 2 could not run,
3 incomplete, 4 change refused, 5 change stopped half-way."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) shared: Shared,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(super) struct Shared {
    /// Config file; without it `pgassay.yaml` here, when there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// No progress, no notes
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Say what is done, and how long it took
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Colours: only on a terminal, always, or never (NO_COLOR is respected)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Collect, judge, report, and fail on what is bad enough
    Audit(Box<AuditArgs>),
    /// Collect only, into a file that `audit --from` judges later
    Snapshot(SnapshotArgs),
    /// Compare two workloads, and fail on regressions: blocks, rows, temporary files, WAL, calls, plans
    Diff(Box<DiffArgs>),
    /// Say which indexes the workload should have, and prove it with the planner
    Advise(Box<AdviseArgs>),
    /// Turn findings into an ordered change of the database, with locks, price and way back
    Plan(Box<PlanArgs>),
    /// Carry a plan out: retried, watched, journaled; resume and undo it
    Apply(Box<ApplyArgs>),
    /// Measure what an applied plan brought: helped, no effect, harmful, or too early to say
    Verify(VerifyArgs),
    /// Run a statement that only reads again and again: how long it takes, and whether it takes longer than before or there
    Measure(Box<MeasureArgs>),
    /// Watch connections and PgBouncer for some seconds: are they saturated, why, and what to set
    Pool(Box<PoolArgs>),
    /// See monthly partitions, make them and keep them
    Partition(PartitionArgs),
    /// See what was kept of earlier runs, and what improves or degrades over them
    History(HistoryArgs),
    /// List, explain, check, test and write rules
    Rules(RulesArgs),
    /// Print what sets pgassay up elsewhere: its role, a config, an audit each day, a job for CI
    Init(InitArgs),
    /// Start a throwaway server with a shop, its workload and its faults, and audit it
    Demo(DemoArgs),
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  pgassay completions bash > /etc/bash_completion.d/pgassay
  pgassay completions zsh > ~/.zfunc/_pgassay")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page: of the program, or of a command
    Man(ManArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay man audit | man -l -
  pgassay man --into /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// The command, as in `audit` or `rules test`
    pub(super) command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(super) into: Option<PathBuf>,
}

/// How much of the server a run may take.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LimitArgs {
    /// Connections at a time [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Connection")]
    pub(super) jobs: Option<u16>,
    /// The server ends a query of ours after this time [default: 15s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) statement_timeout: Option<String>,
    /// The server ends a wait of ours for a lock after this time [default: 100ms]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) lock_timeout: Option<String>,
    /// Give up connecting after this time [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) connect_timeout: Option<String>,
    /// Statements whose texts are read, by each of several totals [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Scope")]
    pub(super) top: Option<u32>,
    /// Statements that are explained, never run, by total time; 0: none [default: 50]
    #[arg(long, value_name = "N", help_heading = "Scope")]
    pub(super) plans: Option<u32>,
    /// Read a standby's own counters too, so that what only it uses counts; repeatable
    #[arg(long, value_name = "DSN", help_heading = "Scope")]
    pub(super) replica: Vec<String>,
    /// Watch active sessions for this time, for the rules about waits
    #[arg(long, value_name = "TIME", help_heading = "Scope")]
    pub(super) sample: Option<String>,
}

/// Which databases of the server, and what is watched beside it: of commands that read all there is.
#[derive(Debug, Default, Args)]
pub(super) struct DatabaseArgs {
    /// Read this database of the server instead of the target's; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Scope", conflicts_with = "all_databases")]
    pub(super) database: Vec<String>,
    /// Read every database the role may connect to, templates left out
    #[arg(long, help_heading = "Scope")]
    pub(super) all_databases: bool,
    /// Watch a PgBouncer's admin console too, and sessions with it, for --sample or 10 s; repeatable
    #[arg(long, value_name = "DSN", help_heading = "Scope")]
    pub(super) pgbouncer: Vec<String>,
}

pub(super) const TARGET_HELP: &str = "URL, `key=value` pairs, or a name from the config; without it DATABASE_URL, \
                           then libpq's PG* variables, service file and .pgpass";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay audit postgres://auditor@db1/shop?sslmode=verify-full
  pgassay audit shop --fail-on warning --format json > report.json
  pgassay audit --from fixtures/snapshots/shop.json.zst --only index
  pgassay audit --targets 'prod-*' --output 'json=reports/{target}.json'")]
pub(super) struct AuditArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// Judge this snapshot instead of a server
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "target", "save", "database", "all_databases", "replica", "pgbouncer", "sample", "plans", "top", "jobs",
        "statement_timeout", "lock_timeout", "connect_timeout",
    ])]
    pub(super) from: Option<PathBuf>,
    /// Keep the snapshot, for --from
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Judge what was counted since this earlier snapshot, instead of since the counters' reset
    #[arg(long, value_name = "SNAPSHOT")]
    pub(super) since: Option<PathBuf>,
    /// Keep the run in this history, a folder or a database, for `pgassay history`
    #[arg(long, value_name = "DIR|URL")]
    pub(super) history: Option<String>,
    /// Format on standard output [default: table]
    #[arg(long, value_name = "FORMAT", help_heading = "Report")]
    pub(super) format: Option<FormatArg>,
    /// Also write the report to a file, as in json=report.json; repeatable
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Report")]
    pub(super) output: Vec<String>,
    /// Show findings from this severity up [default: info]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) min_severity: Option<SeverityArg>,
    /// Exit with 1 on findings from this severity up [default: critical]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) fail_on: Option<FailOnArg>,
    /// Mark what is new since this JSON report of an earlier run
    #[arg(long, value_name = "REPORT", help_heading = "Report")]
    pub(super) baseline: Option<PathBuf>,
    /// Only new findings count for --fail-on
    #[arg(long, help_heading = "Report")]
    pub(super) fail_on_new: bool,
    #[command(flatten)]
    pub(super) fleet: FleetArgs,
    #[command(flatten)]
    pub(super) choice: RuleChoice,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) databases: DatabaseArgs,
}

/// Which rules run, and how.
#[derive(Debug, Default, Args)]
pub(super) struct RuleChoice {
    /// Rules laid over the built-in ones: a file or folder; repeatable
    #[arg(long, value_name = "DIR|FILE", help_heading = "Rules")]
    pub(super) rules: Vec<PathBuf>,
    /// Only these rules, by id, area or tag; repeatable, or joined by commas
    #[arg(long, value_name = "WORD", value_delimiter = ',', help_heading = "Rules")]
    pub(super) only: Vec<String>,
    /// Not these rules, by id, area or tag; repeatable, or joined by commas
    #[arg(long, value_name = "WORD", value_delimiter = ',', help_heading = "Rules")]
    pub(super) skip: Vec<String>,
    /// `static`: only rules that hold on an empty database, as in CI [default: full]
    #[arg(long, value_name = "PROFILE", help_heading = "Rules")]
    pub(super) profile: Option<Profile>,
    /// Only objects of these schemas, * and ? as wildcards; repeatable, or joined by commas
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Rules")]
    pub(super) schema: Vec<String>,
    /// Not objects of these schemas
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Rules")]
    pub(super) exclude_schema: Vec<String>,
    /// Change a threshold, as in slow_query.min_mean_ms=500; repeatable
    #[arg(long, value_name = "RULE.PARAM=VALUE", help_heading = "Rules")]
    pub(super) param: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// For people at a terminal
    Table,
    /// For programs
    Json,
    /// For pull requests and chats
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// Workflow commands of GitHub Actions
    Github,
    /// Code quality report of GitLab
    Gitlab,
    /// RFC 4180, one finding a row
    Csv,
    /// Metrics, for the textfile collector of node_exporter
    Prometheus,
    /// One page for a browser, with filters, SQL to copy and charts
    Html,
}

impl FormatArg {
    /// As it is typed.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// An overview of many targets can be written in it.
    pub(super) fn is_of_overviews(self) -> bool {
        matches!(self, Self::Table | Self::Json | Self::Markdown | Self::Csv | Self::Prometheus)
    }

    /// Every format by its name, for messages.
    pub(super) fn names() -> String {
        let names: Vec<String> = Self::value_variants().iter().map(|format| format.name()).collect();
        let (last, rest) =
            names.split_last().map_or((String::new(), String::new()), |(last, rest)| (last.clone(), rest.join(", ")));
        format!("{rest} or {last}")
    }
}

/// Which rules make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Profile {
    Full,
    Static,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeverityArg {
    Info,
    Warning,
    Critical,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailOnArg {
    Info,
    Warning,
    Critical,
    Never,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay snapshot postgres://auditor@db1/shop -o shop.json.zst
  pgassay snapshot shop -o shop.json && jq .relations shop.json
  pgassay snapshot shop --history /var/lib/pgassay")]
pub(super) struct SnapshotArgs {
    #[arg(value_name = "TARGET", help = TARGET_HELP)]
    pub(super) target: Option<String>,
    /// The file; `.json` is written plain, anything else compressed with zstd
    #[arg(long, short, value_name = "FILE", required_unless_present = "history")]
    pub(super) output: Option<PathBuf>,
    /// Keep the run in this history, a folder or a database, for `pgassay history`
    #[arg(long, value_name = "DIR|URL")]
    pub(super) history: Option<String>,
    /// Rule packs whose SELECTs are read too: a file or folder; repeatable
    #[arg(long, value_name = "DIR|FILE")]
    pub(super) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    #[command(flatten)]
    pub(super) databases: DatabaseArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay rules list --only index
  pgassay rules show unused_index")]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub(super) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// List rules with severity, area and title
    #[command(after_help = "Examples:\n  pgassay rules list\n  pgassay rules list --only query,index")]
    List(RuleChoice),
    /// Explain a rule: why, when, thresholds, what to do
    #[command(
        after_help = "Examples:\n  pgassay rules show slow_query\n  pgassay rules show dead_rows --rules ops/rules"
    )]
    Show {
        /// The rule's id
        id: String,
        /// Rules laid over the built-in ones
        #[arg(long, value_name = "DIR|FILE")]
        rules: Vec<PathBuf>,
    },
    /// Check rule files: names, units, words
    #[command(
        after_help = "Examples:\n  pgassay rules check ops/rules\n  pgassay rules check ops/rules/index/my_rule.yaml"
    )]
    Check {
        /// Files or folders
        #[arg(value_name = "DIR|FILE", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Run the fixtures of rules: every `fires_*` must fire, every `quiet_*` must not
    #[command(after_help = "Examples:\n  pgassay rules test ops/rules\n  pgassay rules test --fixtures fixtures/rules")]
    Test {
        /// Rule packs with a folder `fixtures/<id>/` inside
        #[arg(value_name = "DIR")]
        packs: Vec<PathBuf>,
        /// Fixtures elsewhere, one folder a rule
        #[arg(long, value_name = "DIR")]
        fixtures: Option<PathBuf>,
    },
    /// Write the stub of a rule and its two fixtures
    #[command(
        after_help = "Examples:\n  pgassay rules new index/my_rule --into ops/rules\n  pgassay rules new query/too_many_joins"
    )]
    New {
        /// Area and id, as in index/my_rule
        #[arg(value_name = "AREA/ID")]
        rule: String,
        /// The pack's folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: PathBuf,
    },
    /// List the facets, or the fields of one, with types, units and sources
    #[command(after_help = "Examples:\n  pgassay rules fields\n  pgassay rules fields indexes")]
    Fields {
        /// The facet
        facet: Option<String>,
    },
    /// Print a JSON Schema: of rule files, or of what a flag names
    #[command(after_help = "Examples:\n  pgassay rules schema > rule.schema.json\n  pgassay rules schema --plan")]
    Schema(SchemaArgs),
}

/// `pgassay rules schema`: of rule files, unless it is told of what else.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "one is set at most")]
pub(super) struct SchemaArgs {
    /// Of the JSON report
    #[arg(long, group = "what")]
    pub(super) report: bool,
    /// Of the config
    #[arg(long = "config-file", group = "what")]
    pub(super) config_file: bool,
    /// Of snapshots
    #[arg(long, group = "what")]
    pub(super) snapshot: bool,
    /// Of plans
    #[arg(long, group = "what")]
    pub(super) plan: bool,
    /// Of advice
    #[arg(long, group = "what")]
    pub(super) advice: bool,
    /// Of what `pool` says
    #[arg(long, group = "what")]
    pub(super) pool: bool,
    /// Of `partition list`
    #[arg(long, group = "what")]
    pub(super) survey: bool,
    /// Of `measure`
    #[arg(long, group = "what")]
    pub(super) measurement: bool,
    /// Of `history list`
    #[arg(long, group = "what")]
    pub(super) history: bool,
    /// Of the overview of `audit --targets`
    #[arg(long, group = "what")]
    pub(super) fleet: bool,
    /// Of `history trend`
    #[arg(long, group = "what")]
    pub(super) trend: bool,
    /// Of `partition advise`
    #[arg(long, group = "what")]
    pub(super) partition_advice: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pgassay demo
  pgassay demo --keep --pg-bin /usr/lib/postgresql/16/bin")]
pub(super) struct DemoArgs {
    /// Folder with `initdb` and `postgres`; without it PGASSAY_PG_BIN, PATH and the usual places
    #[arg(long, value_name = "DIR")]
    pub(super) pg_bin: Option<PathBuf>,
    /// Leave the server running and print how to reach it
    #[arg(long)]
    pub(super) keep: bool,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: FormatArg,
    /// Keep the snapshot, for `pgassay audit --from`
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
}
