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

/// Audit a PostgreSQL server's performance, and fix what it finds.
#[derive(Debug, Parser)]
#[command(
    name = "pgassay",
    version,
    long_version = super::version::LONG.as_str(),
    max_term_width = 100,
    after_help = "\
Examples:
  pgassay demo                               see it work on a throwaway server
  pgassay audit postgres://auditor@db1/shop  audit a server, read-only
  pgassay plan postgres://owner@db1/shop     the SQL that would fix it, with locks and undo

Exit codes: 0 clean or done, 1 findings at or above --fail-on, 2 could not run, 3 incomplete,
4 change refused, nothing done, 5 change stopped half-way."
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
    /// Config file [default: pgassay.yaml in the current folder, if there is one]
    #[arg(long, global = true, help_heading = "Global options", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print no progress and no notes
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(super) quiet: bool,
    /// Log each step and how long it took
    #[arg(long, short, global = true, help_heading = "Global options", conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// When to use colours (NO_COLOR is respected)
    #[arg(long, global = true, help_heading = "Global options", value_name = "WHEN", default_value = "auto")]
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
    /// Audit a server or a snapshot, and exit with 1 on findings that are bad enough
    Audit(Box<AuditArgs>),
    /// Save what an audit reads to a file, to be judged later with `audit --from`
    Snapshot(SnapshotArgs),
    /// Compare two workloads, and fail on regressions in blocks, rows, temporary files, WAL, calls or plans
    Diff(Box<DiffArgs>),
    /// Recommend indexes for the workload, checked with the planner where HypoPG is, else estimated
    Advise(Box<AdviseArgs>),
    /// Turn findings into an ordered change, with its SQL, locks, estimates and undo
    Plan(Box<PlanArgs>),
    /// Carry out a plan, with retries, a watchdog and a journal; resume or undo it
    Apply(Box<ApplyArgs>),
    /// Measure what an applied plan achieved: helped, no effect, harmful, or too early to say
    Verify(VerifyArgs),
    /// Time a read-only statement, and compare it with an earlier run or another server
    Measure(Box<MeasureArgs>),
    /// Watch connections and PgBouncer for a few seconds: are they saturated, why, and what to set
    Pool(Box<PoolArgs>),
    /// Inspect, create, convert to and retire monthly partitions
    Partition(PartitionArgs),
    /// List earlier runs, and show what improves or degrades over time
    History(HistoryArgs),
    /// List, explain, check, test and write rules
    Rules(RulesArgs),
    /// Print what sets pgassay up: the role's SQL, a config, a daily audit, a CI job
    Init(InitArgs),
    /// Start a throwaway server with a sample shop and planted faults, and audit it
    Demo(DemoArgs),
    /// Print shell completions
    #[command(after_help = "\
Examples:
  pgassay completions bash > /etc/bash_completion.d/pgassay
  pgassay completions zsh > ~/.zfunc/_pgassay")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page of the program or of one command
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
    /// Write the pages of all commands to this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(super) into: Option<PathBuf>,
}

/// How much of the server a run may take.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LimitArgs {
    /// Connections to open at a time, 1 to 64 [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Connection")]
    pub(super) jobs: Option<u16>,
    /// Cancel a query of pgassay's after this time [default: 15s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) statement_timeout: Option<String>,
    /// Give up waiting for a lock after this time [default: 100ms]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) lock_timeout: Option<String>,
    /// Give up connecting after this time [default: 10s]
    #[arg(long, value_name = "TIME", help_heading = "Connection")]
    pub(super) connect_timeout: Option<String>,
    /// Read the texts of the top N statements by each of time, calls, blocks, … [default: 500]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Scope")]
    pub(super) top: Option<u32>,
    /// Explain the top N statements by total time, without running them; 0 for none [default: 50]
    #[arg(long, value_name = "N", help_heading = "Scope")]
    pub(super) plans: Option<u32>,
    /// Also read this standby's counters, so that what only it uses counts as used; repeatable
    #[arg(long, value_name = "DSN", help_heading = "Scope")]
    pub(super) replica: Vec<String>,
    /// Watch active sessions for this time, for the rules on waits [default: not watched]
    #[arg(long, value_name = "TIME", help_heading = "Scope")]
    pub(super) sample: Option<String>,
}

/// Which databases of the server, and what is watched beside it: of commands that read all there is.
#[derive(Debug, Default, Args)]
pub(super) struct DatabaseArgs {
    /// Read this database of the server instead of the target's; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Scope", conflicts_with = "all_databases")]
    pub(super) database: Vec<String>,
    /// Read every database the role may connect to, except templates
    #[arg(long, help_heading = "Scope")]
    pub(super) all_databases: bool,
    /// Also watch this PgBouncer through its admin console, for --sample or 10 s; repeatable
    #[arg(long, value_name = "DSN", help_heading = "Scope")]
    pub(super) pgbouncer: Vec<String>,
}

pub(super) const TARGET_HELP: &str = "URL, `key=value` pairs, or a name from the config [default: DATABASE_URL, \
                           else libpq's PG* variables, service file and .pgpass]";

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
    /// Also save the snapshot, for --from
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Judge what was counted since this snapshot, not since the counters' last reset
    #[arg(long, value_name = "SNAPSHOT")]
    pub(super) since: Option<PathBuf>,
    /// Keep the run in this history (a folder or a database), for `pgassay history`
    #[arg(long, value_name = "DIR|URL")]
    pub(super) history: Option<String>,
    /// Format on standard output [default: table]
    #[arg(long, value_name = "FORMAT", help_heading = "Report")]
    pub(super) format: Option<FormatArg>,
    /// Also write the report to a file, as in json=report.json; repeatable
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Report")]
    pub(super) output: Vec<String>,
    /// Show findings of this severity or above [default: info]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) min_severity: Option<SeverityArg>,
    /// Exit with 1 on findings of this severity or above [default: critical]
    #[arg(long, value_name = "SEVERITY", help_heading = "Report")]
    pub(super) fail_on: Option<FailOnArg>,
    /// Mark what is new compared with this JSON report of an earlier run
    #[arg(long, value_name = "REPORT", help_heading = "Report")]
    pub(super) baseline: Option<PathBuf>,
    /// Let only new findings count for --fail-on
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

/// Which rules there are, and which of them run.
#[derive(Debug, Default, Args)]
pub(super) struct RuleFilter {
    /// Rule file or folder to add; replaces built-in rules of the same id; repeatable
    #[arg(long, value_name = "DIR|FILE", help_heading = "Rules")]
    pub(super) rules: Vec<PathBuf>,
    /// Run only these rules, by id, area or tag; repeatable or comma-separated
    #[arg(long, value_name = "WORD", value_delimiter = ',', help_heading = "Rules")]
    pub(super) only: Vec<String>,
    /// Skip these rules, by id, area or tag; repeatable or comma-separated
    #[arg(long, value_name = "WORD", value_delimiter = ',', help_heading = "Rules")]
    pub(super) skip: Vec<String>,
    /// `static` runs only rules that make sense on an empty database, as in CI [default: full]
    #[arg(long, value_name = "PROFILE", help_heading = "Rules")]
    pub(super) profile: Option<Profile>,
}

/// Which rules run, and how.
#[derive(Debug, Default, Args)]
pub(super) struct RuleChoice {
    #[command(flatten)]
    pub(super) filter: RuleFilter,
    /// Judge only these schemas, with * and ? as wildcards; repeatable or comma-separated
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Rules")]
    pub(super) schema: Vec<String>,
    /// Leave these schemas out
    #[arg(long, value_name = "GLOB", value_delimiter = ',', help_heading = "Rules")]
    pub(super) exclude_schema: Vec<String>,
    /// Change a threshold, as in slow_query.min_mean_ms=500; repeatable
    #[arg(long, value_name = "RULE.PARAM=VALUE", help_heading = "Rules")]
    pub(super) param: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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
    /// GitHub Actions workflow commands
    Github,
    /// GitLab code quality report
    Gitlab,
    /// RFC 4180, one finding a row
    Csv,
    /// Metrics for node_exporter's textfile collector
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
    /// The file to write: plain JSON if it ends in `.json`, else compressed with zstd
    #[arg(long, short, value_name = "FILE", required_unless_present = "history")]
    pub(super) output: Option<PathBuf>,
    /// Keep the run in this history (a folder or a database), for `pgassay history`
    #[arg(long, value_name = "DIR|URL")]
    pub(super) history: Option<String>,
    /// Rule file or folder whose own SELECTs are to be read too; repeatable
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
    List(RuleFilter),
    /// Explain a rule: why it matters, its thresholds, what to do, when to ignore it
    #[command(
        after_help = "Examples:\n  pgassay rules show slow_query\n  pgassay rules show dead_rows --rules ops/rules"
    )]
    Show {
        /// The rule's id
        id: String,
        /// Rule file or folder to add; replaces built-in rules of the same id
        #[arg(long, value_name = "DIR|FILE")]
        rules: Vec<PathBuf>,
    },
    /// Check rule files: syntax, field names, units
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
        /// Fixtures kept elsewhere, one folder per rule
        #[arg(long, value_name = "DIR")]
        fixtures: Option<PathBuf>,
    },
    /// Write a skeleton rule and its two fixtures
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
    /// Print a JSON Schema, of rule files unless a flag names something else
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
    /// Folder with `initdb` and `postgres` [default: PGASSAY_PG_BIN, PATH, then the usual places]
    #[arg(long, value_name = "DIR")]
    pub(super) pg_bin: Option<PathBuf>,
    /// Leave the server running and print how to reach it
    #[arg(long)]
    pub(super) keep: bool,
    /// Format of the report
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: FormatArg,
    /// Also save the snapshot, for `pgassay audit --from`
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
}
