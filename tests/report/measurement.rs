//! What `measure` says in its forms: golden texts, and texts that mean harm.

use pgassay::model::measurement::{Blocks, MEASUREMENT_VERSION, Measurement, Range, Side};
use pgassay::model::snapshot::{TargetInfo, Tool};
use pgassay::report::{Style, write_measurement, write_measurement_csv, write_measurement_markdown};
use pgassay::timing::{Turns, comparison, figures};

fn side(name: &str, times: &[f64], plan: &[&str]) -> Side {
    Side {
        target: TargetInfo { name: name.to_owned(), host: "db1".to_owned(), port: 5432, database: "shop".to_owned() },
        server_version: "18.4".to_owned(),
        captured_at: "2026-11-20T06:03:39Z".parse().expect("a time"),
        statement: "select id,\n  note from shop.orders where user_id = 42".to_owned(),
        fingerprint: "d5a2f6f7a1b8c3e4".to_owned(),
        clients: 1,
        warmup: 5,
        iterations: 10,
        stopped: None,
        times_ms: times.to_vec(),
        rounds_ms: times.to_vec(),
        figures: figures(times),
        per_second: 812.5,
        rows: Range { min: 4, max: 4 },
        blocks: Some(Blocks { shared_hit: 6, shared_read: 1, ..Blocks::default() }),
        plan: plan.iter().map(|line| (*line).to_owned()).collect(),
    }
}

fn two(name: &str) -> Measurement {
    let first = side(
        name,
        &[0.41, 0.4, 0.43, 0.42, 0.44, 0.45, 0.47, 0.46, 0.48, 0.9],
        &["Index Scan using orders_user_id_idx on orders"],
    );
    let mut second = side("copy", &[12.3, 12.1, 13.0, 12.7, 12.2, 190.4], &["Gather", "  Seq Scan on orders"]);
    second.blocks = Some(Blocks { shared_hit: 911, temp_read: 3, temp_written: 4, ..Blocks::default() });
    second.stopped = Some("canceling statement due to statement timeout".to_owned());
    let comparison = comparison(&first, &second, Turns::Apart);
    whole(vec![first, second], comparison)
}

fn whole(sides: Vec<Side>, comparison: Option<pgassay::model::measurement::Comparison>) -> Measurement {
    let tool = Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() };
    Measurement { measurement_version: MEASUREMENT_VERSION, tool, sides, comparison }
}

fn text(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn table(measurement: &Measurement) -> String {
    text(|out| write_measurement(measurement, Style { width: 100, color: false }, out))
}

#[test]
fn one_side() {
    let mut alone = side("shop", &[1.5, 0.75, 1.0], &["Result"]);
    (alone.clients, alone.rows) = (4, Range { min: 0, max: 9 });
    insta::assert_snapshot!(table(&whole(vec![alone], None)));
}

#[test]
fn two_sides() {
    insta::assert_snapshot!(table(&two("shop")));
}

#[test]
fn two_sides_in_markdown() {
    insta::assert_snapshot!(text(|out| write_measurement_markdown(&two("shop"), out)));
}

#[test]
fn rows_for_a_spreadsheet() {
    let told = text(|out| write_measurement_csv(&two("=shop"), out));
    insta::assert_snapshot!(told);
    let mut reader = csv::Reader::from_reader(told.as_bytes());
    let width = reader.headers().expect("a header").len();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert!(rows.len() == 2 && rows.iter().all(|row| row.len() == width));
}

#[test]
fn names_that_mean_harm_stay_names() {
    let measurement = two("sh\u{1b}[31mop|<b>");
    assert!(!table(&measurement).contains('\u{1b}'));
    let markdown = text(|out| write_measurement_markdown(&measurement, out));
    assert!(!markdown.contains("<b>") && !markdown.contains('\u{1b}'), "{markdown}");
}
