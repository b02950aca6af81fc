//! Measurements on disk, to compare later ones with.

use super::{StoreError, replace};
use crate::model::measurement::{MEASUREMENT_VERSION, Measurement, Side};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Keeps a measurement.
pub fn write_measurement(path: &Path, measurement: &Measurement) -> Result<(), StoreError> {
    replace(path, |mut file| {
        serde_json::to_writer_pretty(&mut file, measurement)?;
        file.write_all(b"\n")?;
        Ok(file)
    })
}

/// Reads the one side of a measurement.
pub fn read_side(path: &Path) -> Result<Side, StoreError> {
    let json = fs::read(path).map_err(|error| StoreError::new(path, error))?;
    side_of(&json).map_err(|message| StoreError::new(path, message))
}

fn side_of(json: &[u8]) -> Result<Side, String> {
    let value: Value = serde_json::from_slice(json).map_err(|error| format!("no JSON: {error}"))?;
    match value.get("measurement_version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(MEASUREMENT_VERSION) => {}
        Some(version) => {
            return Err(format!("a measurement of version {version}; this program reads {MEASUREMENT_VERSION}"));
        }
        None => return Err("no measurement: `pgassay measure --save FILE` writes one".to_owned()),
    }
    let measurement: Measurement =
        serde_json::from_value(value).map_err(|error| format!("a damaged measurement: {error}"))?;
    match <[Side; 1]>::try_from(measurement.sides) {
        Ok([side]) => Ok(side),
        Err(sides) => {
            Err(format!("{} sides, where a base has one: keep it with --save and without --against", sides.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_base_says_why() {
        for (json, why) in [
            ("{", "no JSON"),
            ("{}", "no measurement: `pgassay measure --save FILE` writes one"),
            (r#"{"measurement_version": 9}"#, "of version 9; this program reads 1"),
            (r#"{"measurement_version": 1, "sides": 3}"#, "a damaged measurement"),
            (
                r#"{"measurement_version": 1, "tool": {"name": "a", "version": "b"}, "sides": [], "comparison": null}"#,
                "0 sides, where a base has one",
            ),
        ] {
            let told = side_of(json.as_bytes()).expect_err(json);
            assert!(told.contains(why), "{json}: {told}");
        }
    }
}
