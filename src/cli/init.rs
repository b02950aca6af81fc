//! `pgassay init …`: prints, and changes nothing.

use super::args::Shared;
use super::config::{Config, holds_password};
use super::init_args::{CiArgs, CronArgs, InitArgs, InitCommand, RoleArgs};
use super::{connection, diff, exit, interrupt, print, settings};
use crate::scaffold::{Access, CONFIG, CiWish, CronWish, Forge, Made, RoleWish, Tell, ci_job, cron_files, role_sql};
use anyhow::{Context, Result, anyhow, bail};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The major from which on there is `pg_read_all_data`.
const READ_ALL_DATA: i32 = 14;

/// Where files are taken to be that are printed.
const HOME: &str = "/etc/pgassay";

pub(super) fn run(shared: &Shared, args: &InitArgs) -> Result<u8> {
    let text = match &args.command {
        InitCommand::Role(args) => role(shared, args)?,
        InitCommand::Config => CONFIG.to_owned(),
        InitCommand::Cron(args) => cron(shared, args)?,
        InitCommand::Ci(args) => ci(args)?,
    };
    print(&text)?;
    Ok(exit::OK)
}

fn role(shared: &Shared, args: &RoleArgs) -> Result<String> {
    if args.role.is_empty() || args.role.contains(['$', '\0']) {
        bail!("--role: write a name without $");
    }
    let config = Config::load(shared.config.as_deref())?;
    let target = connection::target_of(&config, args.target.as_deref())?;
    let snapshot = interrupt::block_on(connection::glance(shared, &target))?;
    let is_old = snapshot.server.major() < READ_ALL_DATA;
    let access = if args.by_schema || is_old { Access::BySchema } else { Access::AllData };
    Ok(role_sql(&snapshot, RoleWish { role: &args.role, access }))
}

fn cron(shared: &Shared, args: &CronArgs) -> Result<String> {
    let config = Config::load(shared.config.as_deref())?;
    if holds_password(&args.target) {
        bail!("the target holds a password, and would be written into a file: keep it in .pgpass or a service file");
    }
    let is_name = !args.target.contains("://") && !args.target.contains('=');
    if is_name {
        config.target(&args.target)?;
    }
    let home = args.into.as_deref().map_or_else(|| Ok(PathBuf::from(HOME)), std::path::absolute)?;
    let tell = match (&args.mail, &args.hook) {
        (Some(address), _) => Tell::Mail(address.clone()),
        (None, Some(command)) => Tell::Hook(command.clone()),
        (None, None) => Tell::Output,
    };
    let origin = config.origin.as_ref().map(|(file, _)| std::path::absolute(file)).transpose()?;
    let wish = CronWish {
        program: line("this program's path", &std::env::current_exe()?.display().to_string())?,
        config: origin.map(|path| line("--config", &path.display().to_string())).transpose()?,
        target: line("TARGET", &args.target)?,
        home: line("--into", &home.display().to_string())?,
        dir: line("--dir", &std::path::absolute(&args.dir)?.display().to_string())?,
        keep_minutes: keep(&args.keep)?,
        at: time_of_day(&args.at)?,
        fail_on: settings::severity(args.fail_on).name(),
        tell,
        user: connection::login().unwrap_or_else(|| "root".to_owned()),
    };
    let files = cron_files(&wish);
    match &args.into {
        Some(folder) => write(folder, &files),
        None => Ok(files.iter().map(|made| format!("# ===== {}/{} =====\n{}\n", HOME, made.name, made.text)).collect()),
    }
}

fn ci(args: &CiArgs) -> Result<String> {
    Ok(ci_job(CiWish {
        forge: if args.gitlab { Forge::Gitlab } else { Forge::Github },
        setup: &line("--setup", &args.setup)?,
        workload: &line("--workload", &args.workload)?,
        gate: diff::gate(Some(args.gate)).name(),
        major: args.major,
    }))
}

/// A text that may stand in a line of a script or unit.
fn line(what: &str, text: &str) -> Result<String> {
    if text.chars().any(char::is_control) {
        bail!("{what}: it holds a line break or another control character");
    }
    Ok(text.to_owned())
}

/// A time in minutes.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
fn keep(text: &str) -> Result<u64> {
    let minutes = settings::quantity("--keep", text, "ms", "90d")? / 60_000.0;
    if !(1.0..=52_560_000.0).contains(&minutes) {
        bail!("--keep: `{text}` should be between 1min and 100 years, as in 90d");
    }
    Ok(minutes as u64)
}

/// Hour and minute.
fn time_of_day(text: &str) -> Result<(u8, u8)> {
    let parts = text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
    parts
        .filter(|(hour, minute)| *hour < 24 && *minute < 60)
        .ok_or_else(|| anyhow!("--at: `{text}` should be an hour and a minute, as in 03:17"))
}

/// Writes the files, and says what comes next. Nothing that is there is written over.
fn write(folder: &Path, files: &[Made]) -> Result<String> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut text = String::new();
    for made in files {
        let path = folder.join(made.name);
        let mode = if made.is_program { 0o755 } else { 0o644 };
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(&path);
        let mut file = file.with_context(|| path.display().to_string())?;
        std::io::Write::write_all(&mut file, made.text.as_bytes())?;
        text.push_str(&format!("{}\n", path.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// With every key that stands behind a #.
    fn whole() -> String {
        let bare = |line: &str| {
            let text = line.trim_start();
            let key = text.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
            key.map_or_else(|| line.to_owned(), |key| format!("{}{key}", &line[..line.len() - text.len()]))
        };
        CONFIG.lines().map(bare).collect::<Vec<_>>().join("\n")
    }

    /// Names of all properties that a schema has, wherever they stand.
    fn keys(schema: &Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        match schema {
            Value::Object(map) => map.values().for_each(|value| keys(value, found)),
            Value::Array(items) => items.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_config_loads_as_it_is_and_with_every_key() {
        let schema = serde_json::to_value(schemars::schema_for!(Config)).expect("a schema");
        let validator = jsonschema::validator_for(&schema).expect("a validator");
        for text in [CONFIG.to_owned(), whole()] {
            Config::parse("pgassay.yaml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let value: Value = serde_yaml::from_str(&text).expect("YAML");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
        let mut known = Vec::new();
        keys(&schema, &mut known);
        let lacking: Vec<&String> = known.iter().filter(|key| !whole().contains(&format!("{key}:"))).collect();
        assert!(lacking.is_empty(), "templates/pgassay.yaml lacks {lacking:?}");
    }
}
