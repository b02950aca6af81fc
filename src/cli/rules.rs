//! `pgassay rules …`.

use super::args::{RuleFilter, RulesArgs, RulesCommand, SchemaArgs, Shared};
use super::config::Config;
use super::{exit, print, settings};
use crate::audit::run_fixture;
use crate::facts::fields as all_fields;
use crate::model::advice::Advice;
use crate::model::fleet::Overview;
use crate::model::history::Holdings;
use crate::model::measurement::Measurement;
use crate::model::partition_advice::PartitionAdvice;
use crate::model::plan::Plan;
use crate::model::saturation::Saturation;
use crate::model::snapshot::Snapshot;
use crate::model::survey::Survey;
use crate::model::table::{Facts, Table};
use crate::model::trend::Trends;
use crate::report::report_schema;
use crate::rules::{Area, Origin, Rule, RuleForm, builtin_sources, page, stub, suggest};
use crate::store::{fixtures, rule_sources};
use anyhow::{Context, Result, anyhow, bail};
use schemars::JsonSchema;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(super) fn run(shared: &Shared, args: &RulesArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    match &args.command {
        RulesCommand::List(filter) => list(&config, filter),
        RulesCommand::Show { id, rules } => show(&config, id, rules),
        RulesCommand::Check { paths } => check(paths),
        RulesCommand::Test { packs, fixtures } => test(packs, fixtures.as_deref()),
        RulesCommand::New { rule, into } => new(rule, into),
        RulesCommand::Fields { facet } => fields(facet.as_deref()),
        RulesCommand::Schema(args) => schema(args),
    }
}

fn list(config: &Config, filter: &RuleFilter) -> Result<u8> {
    let library = settings::library(config, &filter.rules)?.library;
    let selection = settings::selection(config, filter, &library)?;
    let mut text = String::new();
    let width = library.rules.iter().map(|rule| rule.form.id.len()).max().unwrap_or(0);
    for rule in library.rules.iter().filter(|rule| selection.takes(rule)) {
        let Rule { form, origin } = rule;
        let mark = if *origin == Origin::Pack { " (pack)" } else { "" };
        writeln!(text, "{:width$} {:10} {:8} {}{mark}", form.id, form.area.name(), form.severity.name(), form.title)?;
    }
    print(&text)?;
    Ok(exit::OK)
}

fn show(config: &Config, id: &str, packs: &[PathBuf]) -> Result<u8> {
    let library = settings::library(config, packs)?.library;
    let (rule, _) = library.find(id).ok_or_else(|| {
        let hint = suggest(id, library.rules.iter().map(|rule| rule.form.id.as_str()));
        anyhow!("no rule `{id}` (`pgassay rules list` shows all){hint}")
    })?;
    print(&page(rule))?;
    Ok(exit::OK)
}

/// Checks packs as they would be loaded: over the built-in rules.
fn check(paths: &[PathBuf]) -> Result<u8> {
    let mut sources = builtin_sources();
    let built_in = sources.len();
    for path in paths {
        sources.extend(rule_sources(path)?);
    }
    let count = sources.len() - built_in;
    settings::load(sources)?;
    let verb = if count == 1 { "file is" } else { "files are" };
    print(&format!("{count} rule {verb} sound\n"))?;
    Ok(exit::OK)
}

fn test(packs: &[PathBuf], elsewhere: Option<&Path>) -> Result<u8> {
    let library = settings::library(&Config::default(), packs)?.library;
    let mut files = Vec::new();
    for folder in packs.iter().map(|pack| pack.join("fixtures")).chain(elsewhere.map(Path::to_owned)) {
        if !folder.exists() {
            bail!("no fixtures in {}: `pgassay rules new` writes two for a new rule", folder.display());
        }
        files.extend(fixtures(&folder)?);
    }
    if files.is_empty() {
        bail!("no fixtures: name a pack, or a folder with --fixtures");
    }
    let tested: BTreeSet<&str> = files.iter().map(|file| file.rule.as_str()).collect();
    let mut failures = Vec::new();
    for file in &files {
        if let Err(failure) = run_fixture(&file.rule, &library, &file.file, &file.text) {
            failures.push(format!("{}\n  {}", file.file, failure.to_string().replace('\n', "\n  ")));
        }
    }
    for rule in &tested {
        for story in ["fires_", "quiet_"] {
            let has = files.iter().any(|file| file.rule == *rule && file.file.contains(&format!("/{story}")));
            if !has {
                failures.push(format!("{rule}: no fixture {story}*.yaml"));
            }
        }
    }
    let mut text = failures.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let plural = if tested.len() == 1 { "" } else { "s" };
    let stories = if files.len() == 1 { "fixture" } else { "fixtures" };
    writeln!(text, "{} {stories} of {} rule{plural}, {} failed", files.len(), tested.len(), failures.len())?;
    print(&text)?;
    Ok(if failures.is_empty() { exit::OK } else { exit::FOUND })
}

fn new(rule: &str, into: &Path) -> Result<u8> {
    let (area, id) = rule.split_once('/').ok_or_else(|| anyhow!("`{rule}` should be AREA/ID, as in index/my_rule"))?;
    let area: Area = serde_yaml::from_str(area)
        .map_err(|_| anyhow!("`{area}` should be one of query, index, table, partition, connection, server"))?;
    let is_snake = !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !is_snake {
        bail!("`{id}` should be lower_snake_case");
    }
    let mut files = stub(area, id);
    files[0].0 = format!("{}/{id}.yaml", area.name());
    for (file, _) in &files {
        if into.join(file).exists() {
            bail!("{} is there already", into.join(file).display());
        }
    }
    let mut text = String::new();
    for (file, body) in &files {
        let path = into.join(file);
        let folder = path.parent().unwrap_or(into);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        std::fs::write(&path, body).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(text, "{}", path.display())?;
    }
    writeln!(text, "next: edit them, then `pgassay rules test {}`", into.display())?;
    print(&text)?;
    Ok(exit::OK)
}

fn fields(facet: Option<&str>) -> Result<u8> {
    let text = told(&all_fields(), facet)?;
    print(&text)?;
    Ok(exit::OK)
}

/// The facets and how many fields they have; of one facet each field.
fn told(facts: &Facts<'_>, facet: Option<&str>) -> Result<String> {
    let mut text = String::new();
    match facet {
        None => {
            for table in &facts.tables {
                writeln!(text, "{:16} {} fields", table.name, table.fields.len())?;
            }
            writeln!(text, "{:16} {} fields, of every facet", facts.common.name, facts.common.fields.len())?;
        }
        Some("common") => describe(&facts.common, &mut text)?,
        Some(name) => {
            let table = facts.table(name).ok_or_else(|| {
                let hint = suggest(name, facts.tables.iter().map(|table| table.name.as_str()));
                anyhow!("no facet `{name}`{hint}; `pgassay rules fields` lists them")
            })?;
            describe(table, &mut text)?;
            writeln!(text, "\nbesides, of every facet: `pgassay rules fields common`")?;
        }
    }
    Ok(text)
}

fn describe(table: &Table<'_>, text: &mut String) -> Result<()> {
    for field in &table.fields {
        let kind = format!("{}{}", field.kind.name(), if field.nullable { " or none" } else { "" });
        writeln!(text, "{} ({kind}, {})\n    {}\n    from {}", field.name, field.unit, field.doc, field.source)?;
    }
    Ok(())
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).as_value().clone()
}

fn schema(args: &SchemaArgs) -> Result<u8> {
    let schema = match args {
        args if args.report => report_schema(),
        args if args.config_file => schema_of::<Config>(),
        args if args.snapshot => schema_of::<Snapshot>(),
        args if args.plan => schema_of::<Plan>(),
        args if args.advice => schema_of::<Advice>(),
        args if args.pool => schema_of::<Saturation>(),
        args if args.survey => schema_of::<Survey>(),
        args if args.partition_advice => schema_of::<PartitionAdvice>(),
        args if args.measurement => schema_of::<Measurement>(),
        args if args.history => schema_of::<Holdings>(),
        args if args.fleet => schema_of::<Overview>(),
        args if args.trend => schema_of::<Trends>(),
        _ => schema_of::<RuleForm>(),
    };
    print(&format!("{}\n", serde_json::to_string_pretty(&schema)?))?;
    Ok(exit::OK)
}
