//! What `history` says: golden texts and the published schemas.

use super::shop;
use pgassay::model::history::{Holdings, Kept, Run, Stranger, Tally};
use pgassay::report::{Style, write_holdings, write_holdings_json, write_kept};
use serde_json::Value;
use std::path::PathBuf;

pub(super) const PLAIN: Style = Style { width: 100, color: false };

fn holdings() -> Holdings {
    let runs = (0..3).map(|hour| {
        let mut snapshot = shop();
        snapshot.captured_at = "2026-11-20T07:30:00Z".parse().expect("a time");
        snapshot.captured_at -= chrono::TimeDelta::hours(hour);
        snapshot.target.name = if hour == 1 { "c\u{1b}[2Jrm".to_owned() } else { "shop".to_owned() };
        snapshot.target.port = 5432;
        snapshot.tool.version = "0.0.0".to_owned();
        let tally = Tally { critical: 2, warning: 17, info: 3, waived: 1, exit_code: 1 };
        let since = snapshot.captured_at - chrono::TimeDelta::days(9);
        let run = Run::of(&snapshot, since, (hour != 1).then_some(tally));
        Kept { name: run.name(), bytes: 23_456, run }
    });
    let strangers =
        (0..7).map(|number| Stranger { name: format!("{number}.txt"), reason: "no run by its name".to_owned() });
    Holdings::of("/var/lib/pgassay".to_owned(), runs.collect(), strangers.collect())
}

pub(super) fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

/// The published schema, which is the program's own.
pub(super) fn schema(file: &str, own: &schemars::Schema) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(file);
    let published: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON");
    assert_eq!(&published, own.as_value(), "docs/schema/{file} is stale: run `make pages`");
    published
}

#[test]
fn the_list_and_one_run() {
    let holdings = holdings();
    let list = written(|out| write_holdings(&holdings, PLAIN, out));
    let one = written(|out| write_kept(&holdings.runs[2], PLAIN, out));
    assert!(!list.contains('\u{1b}'));
    insta::assert_snapshot!(format!("{list}\n{one}"));
}

#[test]
fn the_json_of_a_history_keeps_its_schema() {
    let schema = schema("history.json", &schemars::schema_for!(Holdings));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let json = serde_json::from_str(&written(|out| write_holdings_json(&holdings(), out))).expect("JSON");
    assert!(validator.is_valid(&json), "{json:#}");
}
