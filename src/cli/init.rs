//! `pgassay init …`: prints, and changes nothing.

use super::args::Shared;
use super::config::Config;
use super::init_args::{InitArgs, InitCommand, RoleArgs};
use super::{connection, exit, interrupt, print};
use crate::scaffold::{Access, CONFIG, RoleWish, role_sql};
use anyhow::{Result, bail};

/// The major from which on there is `pg_read_all_data`.
const READ_ALL_DATA: i32 = 14;

pub(super) fn run(shared: &Shared, args: &InitArgs) -> Result<u8> {
    let text = match &args.command {
        InitCommand::Role(args) => role(shared, args)?,
        InitCommand::Config => CONFIG.to_owned(),
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
