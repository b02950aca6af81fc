//! Flags laid over the config: what a command runs with.

use super::args::{
    DatabaseArgs, FailOnArg, FormatArg, LimitArgs, Profile, RuleChoice, RuleFilter, SeverityArg, Shared,
};
use super::config::Config;
use crate::audit::{Settings, field_index};
use crate::collect::{Databases, Scope};
use crate::facts::custom_fields;
use crate::model::finding::Severity;
use crate::model::snapshot::{CustomFacet, Snapshot};
use crate::model::units::parse_quantity;
use crate::model::verdict::FailOn;
use crate::postgres::{Limits, Target};
use crate::report::escape;
use crate::rules::{
    Library, Origin, Overrides, ParamValue, Problem, Selection, Source, Waiver, builtin_sources, matches_glob,
    own_facet, suggest,
};
use crate::statement::{CustomQuery, Misfit, custom_query};
use crate::store::rule_sources;
use anyhow::{Result, anyhow, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The rules in force, and the facets that packs bring along.
pub(super) struct Loaded {
    pub(super) library: Library,
    pub(super) custom: Vec<CustomFacet>,
}

/// Loads the built-in rules, packs of the config, packs of the command line.
pub(super) fn library(config: &Config, packs: &[PathBuf]) -> Result<Loaded> {
    let mut sources = builtin_sources();
    for pack in config.rules.paths.iter().chain(packs) {
        sources.extend(rule_sources(pack)?);
    }
    load(sources)
}

/// Reads the packs' own facets first: a rule is checked against their columns.
pub(super) fn load(sources: Vec<Source>) -> Result<Loaded> {
    let mut fields = field_index();
    let mut custom: Vec<CustomFacet> = Vec::new();
    for source in sources.iter().filter(|source| source.origin == Origin::Pack) {
        if let Some(file) = own_facet(source) {
            let facet = custom_facet(source, &file)?;
            fields.add(&facet.name, &custom_fields(&facet.name, &facet.columns));
            match custom.iter().find(|known| known.name == facet.name) {
                Some(known) if known.sql != facet.sql => {
                    bail!(
                        "{}: another pack has a different `{}`; give one of the files another name",
                        source.file,
                        facet.name
                    )
                }
                Some(_) => {}
                None => custom.push(facet),
            }
        }
    }
    let library = Library::load(sources, &fields).map_err(|problems| in_rules(&problems))?;
    Ok(Loaded { library, custom })
}

fn custom_facet(source: &Source, file: &str) -> Result<CustomFacet> {
    let path = Path::new(&source.file).with_file_name(file);
    let sql = std::fs::read_to_string(&path).map_err(|error| {
        Problem::at(&source.file, &source.text, &["over"], Some("sql"), format!("{}: {error}", path.display()))
    })?;
    let refused = |misfit: Misfit| Problem::in_text(&path.display().to_string(), &sql, misfit.at, misfit.message);
    let CustomQuery { sql, columns } = custom_query(&sql).map_err(refused)?;
    Ok(CustomFacet { name: file.to_owned(), sql, columns })
}

/// All problems of rule files as one error, a line each.
pub(super) fn in_rules(problems: &[Problem]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow!("{}", lines.join("\n"))
}

/// What the judge runs with.
pub(super) fn settings(
    config: &Config,
    choice: &RuleChoice,
    library: &Library,
    min_severity: Option<SeverityArg>,
    fail_on: Option<FailOnArg>,
) -> Result<Settings> {
    let mut params: Vec<(String, ParamValue)> =
        config.rules.params.iter().map(|(path, value)| (path.clone(), value.clone())).collect();
    let from_config = Overrides { params: params.clone(), severity: config.rules.severity.clone() };
    from_config
        .verify(&library.rules)
        .map_err(|(path, message)| config.problem(&["rules"], path.split('.').next().unwrap_or_default(), message))?;
    for text in &choice.param {
        let (path, value) = text.split_once('=').ok_or_else(|| anyhow!("--param {text}: write RULE.PARAM=VALUE"))?;
        params.push((path.to_owned(), ParamValue::Text(value.to_owned())));
    }
    let overrides = Overrides { params, severity: config.rules.severity.clone() };
    overrides.verify(&library.rules).map_err(|(_, message)| anyhow!("--param: {message}"))?;
    for waiver in &config.waivers {
        if library.find(&waiver.rule).is_none() {
            let hint = suggest(&waiver.rule, library.rules.iter().map(|rule| rule.form.id.as_str()));
            let message = format!("a waiver names `{}`, which is no rule{hint}", waiver.rule);
            return Err(config.problem(&["waivers"], &waiver.rule, message));
        }
    }
    let min_severity = min_severity.map(severity).or(config.audit.min_severity).unwrap_or(Severity::Info);
    let fail_on = gate(fail_on.or(config.audit.fail_on).unwrap_or(FailOnArg::Critical));
    if matches!(fail_on, FailOn::Severity(least) if least < min_severity) {
        bail!("--fail-on would gate on findings that --min-severity hides: raise the one or lower the other");
    }
    Ok(Settings {
        overrides,
        selection: Selection {
            schemas: or(&choice.schema, &config.rules.schemas),
            excluded_schemas: or(&choice.exclude_schema, &config.rules.exclude_schemas),
            ..selection(config, &choice.filter, library)?
        },
        waivers: config.waivers.iter().map(|waiver| current(waiver, library)).collect(),
        min_severity,
        fail_on,
    })
}

/// The waiver under the id that its rule has now.
fn current(waiver: &Waiver, library: &Library) -> Waiver {
    let id = library.find(&waiver.rule).map_or(&waiver.rule, |(rule, _)| &rule.form.id);
    Waiver { rule: id.clone(), ..waiver.clone() }
}

/// What the flags name, else the config.
fn or(flags: &[String], config: &[String]) -> Vec<String> {
    if flags.is_empty() { config.to_vec() } else { flags.to_vec() }
}

/// Which rules run; a word that no rule answers to is a mistake.
pub(super) fn selection(config: &Config, filter: &RuleFilter, library: &Library) -> Result<Selection> {
    let selection = Selection {
        only: or(&filter.only, &config.rules.only),
        skip: or(&filter.skip, &config.rules.skip),
        static_only: filter.profile.or(config.rules.profile) == Some(Profile::Static),
        ..Selection::default()
    };
    for word in selection.only.iter().chain(&selection.skip) {
        if !library.rules.iter().any(|rule| rule.answers_to(word)) {
            let words = library.rules.iter().flat_map(|rule| {
                [rule.form.id.as_str(), rule.form.area.name()]
                    .into_iter()
                    .chain(rule.form.tags.iter().map(String::as_str))
            });
            bail!("no rule, area or tag `{word}` (`pgassay rules list` shows all){}", suggest(word, words));
        }
    }
    Ok(selection)
}

/// Schemas that were asked for and have no table: told, and refused where no other is left to judge. A database
/// without any table may be a new one.
pub(super) fn check_schemas(shared: &Shared, selection: &Selection, snapshots: &[&Snapshot]) -> Result<()> {
    let relations = snapshots.iter().flat_map(|snapshot| &snapshot.relations);
    let there: BTreeSet<&str> = relations.map(|relation| relation.schema.as_str()).collect();
    let is_there = |glob: &&String| there.iter().any(|schema| matches_glob(glob, schema));
    let (known, missed): (Vec<&String>, Vec<&String>) = selection.schemas.iter().partition(is_there);
    if missed.is_empty() {
        return Ok(());
    }
    let missed = missed.iter().map(|glob| glob.as_str()).collect::<Vec<_>>().join(", ");
    let said = escape(&format!("--schema {missed}: no schema of that name has a table"));
    if known.is_empty() && !there.is_empty() {
        let there = there.into_iter().collect::<Vec<_>>().join(", ");
        bail!("{said}, so that no table would be judged; there are {}", escape(&there));
    }
    if !shared.quiet {
        tell!("{said}");
    }
    Ok(())
}

pub(super) fn severity(arg: SeverityArg) -> Severity {
    match arg {
        SeverityArg::Info => Severity::Info,
        SeverityArg::Warning => Severity::Warning,
        SeverityArg::Critical => Severity::Critical,
    }
}

fn gate(arg: FailOnArg) -> FailOn {
    match arg {
        FailOnArg::Info => FailOn::Severity(Severity::Info),
        FailOnArg::Warning => FailOn::Severity(Severity::Warning),
        FailOnArg::Critical => FailOn::Severity(Severity::Critical),
        FailOnArg::Never => FailOn::Never,
    }
}

/// The format on standard output.
pub(super) fn format(config: &Config, flag: Option<FormatArg>) -> FormatArg {
    flag.or(config.audit.format).unwrap_or(FormatArg::Table)
}

/// How much of the server a run may take, and how much of its workload is read.
pub(super) fn limits(
    config: &Config,
    args: &LimitArgs,
    replicas: Vec<Target>,
    custom: Vec<CustomFacet>,
) -> Result<(Limits, Scope, Option<Duration>)> {
    let own = &config.connection;
    let standard = Limits::default();
    let time = |flag: &Option<String>, config: &Option<String>, name: &str| {
        flag.as_ref().or(config.as_ref()).map(|text| duration(name, text)).transpose()
    };
    let limits = Limits {
        jobs: args.jobs.or(own.jobs).map_or(standard.jobs, usize::from),
        statement_timeout: time(&args.statement_timeout, &own.statement_timeout, "statement-timeout")?
            .unwrap_or(standard.statement_timeout),
        lock_timeout: time(&args.lock_timeout, &own.lock_timeout, "lock-timeout")?.unwrap_or(standard.lock_timeout),
    };
    let top = args.top.or(own.top).and_then(|top| usize::try_from(top).ok());
    let plans = args.plans.or(own.plans).and_then(|plans| usize::try_from(plans).ok());
    let scope = Scope {
        plans: plans.unwrap_or(Scope::default().plans),
        top: top.unwrap_or(Scope::default().top),
        databases: Databases::Connected,
        custom,
        replicas,
        poolers: Vec::new(),
        sample: time(&args.sample, &own.sample, "sample")?,
        only: None,
    };
    Ok((limits, scope, connect_timeout(config, args)?))
}

/// How long a connection may take to be made; none: as the target says.
pub(super) fn connect_timeout(config: &Config, args: &LimitArgs) -> Result<Option<Duration>> {
    let text = args.connect_timeout.as_ref().or(config.connection.connect_timeout.as_ref());
    text.map(|text| duration("connect-timeout", text)).transpose()
}

/// The databases that are read in one run.
pub(super) fn databases(config: &Config, args: &DatabaseArgs) -> Databases {
    let own = &config.connection;
    let named = if args.database.is_empty() { &own.databases } else { &args.database };
    match (args.all_databases || (own.all_databases && args.database.is_empty()), named.as_slice()) {
        (true, _) => Databases::All,
        (false, []) => Databases::Connected,
        (false, names) => Databases::Named(names.to_vec()),
    }
}

/// A time or a size, with its unit: who writes `--sample 10` means seconds, and not milliseconds, and who writes
/// `--budget 2` no bytes. A million is a number of bytes, as programs write it.
pub(super) fn quantity(name: &str, text: &str, unit: &str, example: &str) -> Result<f64> {
    let number = parse_quantity(text, unit).map_err(|error| anyhow!("{name}: {error}"))?;
    let is_plain = number == 0.0 || unit == "bytes" && number >= 1e6;
    if !is_plain && !text.contains(char::is_alphabetic) {
        bail!("{name}: `{text}` has no unit: write it as in {example}");
    }
    Ok(number)
}

/// A number of bytes.
#[allow(clippy::cast_possible_truncation, reason = "sizes of disks are far below 2^53")]
pub(super) fn bytes(name: &str, text: &str) -> Result<i64> {
    let bytes = quantity(name, text, "bytes", "2GB")?;
    if !(0.0..=9.0e15).contains(&bytes) {
        bail!("{name}: `{text}` is no size of memory or disk");
    }
    Ok(bytes as i64)
}

/// A time of at least a millisecond: the server takes 0 as no limit, which we never ask for.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration> {
    let millis = quantity(name, text, "ms", "10s")?;
    if !(1.0..=86_400_000.0).contains(&millis) {
        bail!("{name}: `{text}` should be between 1ms and 1d");
    }
    Ok(Duration::from_secs_f64(millis / 1000.0))
}

/// A time of days rather than of seconds, of at most a hundred years.
pub(super) fn long_duration(name: &str, text: &str) -> Result<Duration> {
    let millis = quantity(name, text, "ms", "7d")?;
    if !(1.0..=3.2e12).contains(&millis) {
        bail!("{name}: `{text}` should be a time as in 7d");
    }
    Ok(Duration::from_secs_f64(millis / 1000.0))
}
