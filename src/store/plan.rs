//! Plans and the findings they are made from, on disk.

use super::{StoreError, write_whole};
use crate::ddl::{DEFINITION, KEEPER, Wish, sound};
use crate::model::object::{Object, ObjectKind};
use crate::model::plan::{FindingRef, PLAN_VERSION, Plan};
use crate::model::verdict::REPORT_VERSION;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes a plan whole or not at all.
pub fn write_plan(path: &Path, plan: &Plan) -> Result<(), StoreError> {
    let mut json = serde_json::to_vec_pretty(plan).map_err(|error| StoreError::new(path, error))?;
    json.push(b'\n');
    write_whole(path, &json)
}

/// Reads a plan that this program may carry out.
pub fn read_plan(path: &Path) -> Result<Plan, StoreError> {
    let json = fs::read(path).map_err(|error| StoreError::new(path, error))?;
    // Of another version only the version can be understood.
    #[derive(Deserialize)]
    struct Version {
        plan_version: u32,
    }
    let fail = |error: serde_json::Error| StoreError::new(path, format!("not a plan of pgassay: {error}"));
    let Version { plan_version } = serde_json::from_slice(&json).map_err(fail)?;
    if plan_version != PLAN_VERSION {
        let message = format!("plan version {plan_version}, this program reads {PLAN_VERSION}: make the plan again");
        return Err(StoreError::new(path, message));
    }
    let plan: Plan = serde_json::from_slice(&json).map_err(fail)?;
    sound(&plan).map_err(|message| StoreError::new(path, message))?;
    Ok(plan)
}

/// A JSON report, as far as a plan needs it.
#[derive(Deserialize)]
struct Report {
    schema_version: u32,
    target: Target,
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Target {
    system_identifier: Option<String>,
}

/// What a report wishes for, and of which server.
#[derive(Debug)]
pub struct Wishes {
    /// The findings that no waiver accepts.
    pub wishes: Vec<Wish>,
    /// Identifies the cluster; none when the role might not read it.
    pub system_identifier: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    rule: String,
    confidence: String,
    object: Place,
    message: String,
    evidence: BTreeMap<String, Fact>,
    fix: Fix,
    caveats: Vec<String>,
    fingerprint: String,
    waived: Option<Value>,
}

#[derive(Deserialize)]
struct Place {
    path: String,
    kind: ObjectKind,
    database: Option<String>,
    schema: Option<String>,
    name: String,
    table: Option<String>,
}

#[derive(Deserialize)]
struct Fact {
    value: Value,
}

#[derive(Deserialize)]
struct Fix {
    action: String,
    text: String,
}

/// The findings of a JSON report that no waiver accepts.
pub fn read_wishes(path: &Path) -> Result<Wishes, StoreError> {
    let fail = |message: String| StoreError::new(path, message);
    let json = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let report: Report =
        serde_json::from_slice(&json).map_err(|error| fail(format!("not a JSON report of pgassay: {error}")))?;
    if report.schema_version != REPORT_VERSION {
        return Err(fail(format!("report version {}, this program reads {REPORT_VERSION}", report.schema_version)));
    }
    Ok(Wishes {
        wishes: report.findings.into_iter().filter(|found| found.waived.is_none()).map(wish).collect(),
        system_identifier: report.target.system_identifier,
    })
}

fn wish(found: Found) -> Wish {
    let told = |names: &[&str]| {
        let fact = names.iter().find_map(|name| found.evidence.get(*name)?.value.as_str());
        fact.map(str::to_owned)
    };
    Wish {
        keeper: told(&KEEPER),
        definition: told(&[DEFINITION]),
        finding: FindingRef { rule: found.rule, object: found.object.path, fingerprint: found.fingerprint },
        action: found.fix.action,
        object: Object {
            kind: found.object.kind,
            database: found.object.database,
            schema: found.object.schema,
            name: found.object.name,
            table: found.object.table,
            ..Object::default()
        },
        message: found.message,
        advice: found.fix.text,
        caveats: found.caveats,
        is_doubtful: found.confidence == "low",
    }
}
