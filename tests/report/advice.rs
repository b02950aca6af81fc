//! Advice in its forms: golden texts, the published schema, texts that mean harm.

use super::shop;
use pgassay::advise::{Key, plan};
use pgassay::ddl::{script, sound};
use pgassay::model::advice::{
    ADVICE_VERSION, Account, Advice, AdvisedKey, Caveat, CurvePoint, Method, ParameterValues, Proposal, ProposalKind,
    Removal, Served, StatementsAccount, ValuesCost, Visits, WorkloadCost,
};
use pgassay::model::plan::{Estimate, Name, PlanTarget};
use pgassay::model::snapshot::Tool;
use pgassay::report::{Style, write_advice, write_advice_json, write_advice_markdown};
use serde_json::Value;
use std::path::PathBuf;

fn served(fingerprint: &str, text: &str, cost_after: f64, uses: &[u32]) -> Served {
    Served {
        fingerprint: fingerprint.repeat(4),
        text: text.to_owned(),
        calls: 1_200,
        total_ms: 5_800.0,
        cost_before: 32_511.0,
        cost_after,
        values: Some(ParameterValues::Rare),
        spread: if uses.len() > 1 { Vec::new() } else { vec![common()] },
        visits: None,
        uses: uses.to_vec(),
    }
}

fn common() -> ValuesCost {
    ValuesCost { values: ParameterValues::Common, cost_before: 32_511.0, cost_after: 31_900.0 }
}

fn caveat(code: &str, text: &str) -> Caveat {
    Caveat { code: code.to_owned(), text: text.to_owned() }
}

fn proposal(id: u32, table: &str, columns: &[&str], serves: Vec<Served>) -> Proposal {
    let name = Name::new("shop", &format!("{table}_{}_idx", columns.join("_")));
    let using = format!("btree ({})", columns.join(", "));
    Proposal {
        id,
        kind: if id == 1 { ProposalKind::ReplaceIndex } else { ProposalKind::CreateIndex },
        replaces: Vec::from_iter((id == 1).then(|| Name::new("shop", "events_visitor_id"))),
        net_bytes: 31_142_000 - if id == 1 { 22_000_000 } else { 0 },
        definition: format!("CREATE INDEX CONCURRENTLY {} ON shop.{table} USING {using}", name.name),
        name,
        table: Name::new("shop", table),
        keys: columns.iter().map(|column| AdvisedKey::from(&Key::ascending(column))).collect(),
        method: Method::Btree,
        include: Vec::new(),
        predicate: None,
        using,
        estimate: Estimate {
            bytes: 31_142_000,
            peak_bytes: 31_142_000,
            seconds: Some(2.3),
            basis: "rows × average widths".to_owned(),
        },
        hypopg_bytes: (id == 1).then_some(52_200_000),
        saved_share: 0.4 / f64::from(id),
        saved_ms_per_hour: 120.0 / f64::from(id),
        serves,
        planner_checked: true,
        caveats: vec![caveat("write_price", "writes grow: they pay about 2.5 s an hour for it now, by estimate")],
    }
}

fn advice() -> Advice {
    let visits = "select kind, path from shop.events\n where visitor_id = $1 and occurred_at >= $2 order by occurred_at desc limit $3";
    let both = "select * from shop.events e join shop.orders o on o.user_id = e.user_id where e.visitor_id = $1";
    let mut second = proposal(2, "orders", &["user_id"], vec![served("bbbb", both, 8.0, &[1, 2])]);
    second
        .caveats
        .push(caveat("stale_statistics", "guesses mislead the planner: no ANALYZE of the table is on record"));
    Advice {
        advice_version: ADVICE_VERSION,
        tool: Tool { name: "pgassay".to_owned(), version: "0.0.0".to_owned() },
        captured_at: "2026-11-20T06:03:39Z".parse().expect("a time"),
        target: PlanTarget {
            name: "shop".to_owned(),
            database: "shop".to_owned(),
            system_identifier: Some("7".to_owned()),
            server_version_num: 150_004,
        },
        workload: WorkloadCost {
            weigh_by: "time".to_owned(),
            before: 7_200.0,
            after: 2_880.0,
            window_seconds: 86_400,
            saved_ms_per_hour: 180.0,
        },
        proposals: vec![
            proposal(
                1,
                "events",
                &["visitor_id", "occurred_at"],
                vec![served("aaaa", visits, 5.0, &[1]), served("bbbb", both, 8.0, &[1, 2])],
            ),
            second,
        ],
        curve: vec![
            CurvePoint { indexes: 1, bytes: 31_142_000, saved_share: 0.4 },
            CurvePoint { indexes: 2, bytes: 62_284_000, saved_share: 0.998_04 },
            CurvePoint { indexes: 4, bytes: 262_284_000, saved_share: 0.999_876 },
        ],
        removals: vec![Removal {
            name: Name::new("shop", "events_visitor_id"),
            table: Name::new("shop", "events"),
            reasons: vec!["made_redundant".to_owned()],
            keeper: Some(Name::new("shop", "events_visitor_id_occurred_at_idx")),
            after_proposal: Some(1),
            bytes: 22_000_000,
            definition: "DROP INDEX CONCURRENTLY shop.events_visitor_id".to_owned(),
        }],
        account: Account {
            statements: StatementsAccount {
                read: 51,
                planned: 26,
                unplannable: [("no_privilege".to_owned(), 3)].into(),
                without_tables: 2,
                not_asked: 20,
                time_share: Some(0.958),
                below_top: 12,
                hidden: 0,
            },
            candidates: 30,
            what_if_calls: 70,
            below_threshold: 1,
            least_share_pct: 1.0,
            least_statement_pct: 10.0,
            sessions: 4,
            seconds: 0.134,
            budget_bytes: Some(2_147_483_648),
            max_indexes: 10,
            what_if: Some("shop at copy:5432".to_owned()),
            estimate: None,
            unknown_functions: Vec::new(),
        },
    }
}

fn none() -> Advice {
    Advice { proposals: Vec::new(), removals: Vec::new(), ..advice() }
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

fn table(advice: &Advice, width: u16) -> String {
    written(|out| write_advice(advice, Style { width, color: false }, out))
}

fn markdown(advice: &Advice) -> String {
    written(|out| write_advice_markdown(advice, out))
}

fn json(advice: &Advice) -> String {
    written(|out| write_advice_json(advice, out))
}

#[test]
fn rows_that_are_visited_one_by_one_are_told_where_that_is_felt() {
    let told = |after: f64| {
        let visits = Some(Visits { before: 1_000.0, after });
        let served = Served { visits, ..served("ab12", "select 1", 5.0, &[1]) };
        let advice = Advice { proposals: vec![proposal(1, "events", &["visitor_id"], vec![served])], ..advice() };
        let line = "visits about 600,000 rows a call by index one by one, 1,000 without";
        assert!(json(&advice).contains(&format!("\"after\": {after:?}")));
        [table(&advice, 200), markdown(&advice)].map(|text| text.contains(line))
    };
    assert_eq!((told(600_000.0), told(90_000.0)), ([true, true], [false, false]));
}

#[test]
fn functions_that_nobody_knows_are_told() {
    let mut advice = none();
    advice.account.unknown_functions = vec!["date_bin".to_owned(), "app.norm".to_owned()];
    let told = "no index was looked for on expressions that call date_bin, app.norm: the snapshot does not tell what these functions are";
    assert!(table(&advice, 200).contains(told) && markdown(&advice).contains(told));
}

#[test]
fn the_advice_at_80_columns() {
    insta::assert_snapshot!(table(&advice(), 80));
}

#[test]
fn the_advice_at_200_columns() {
    insta::assert_snapshot!(table(&advice(), 200));
}

#[test]
fn the_advice_as_markdown() {
    insta::assert_snapshot!(markdown(&advice()));
}

#[test]
fn the_advice_as_json() {
    insta::assert_snapshot!(json(&advice()));
}

#[test]
fn the_advice_as_a_script() {
    let plan = plan(&advice(), &shop());
    assert_eq!(sound(&plan), Ok(()));
    insta::assert_snapshot!(script(&plan));
}

#[test]
fn no_advice_has_its_account() {
    insta::assert_snapshot!(table(&none(), 80));
    assert!(markdown(&none()).contains("<summary>Account: "));
}

#[test]
fn no_line_of_advice_is_wider_than_the_terminal() {
    for width in [60, 80, 140] {
        let text = table(&advice(), width);
        let wide: Vec<&str> =
            text.lines().filter(|line| line.starts_with("    ") && line.chars().count() > usize::from(width)).collect();
        assert!(wide.is_empty(), "{width}: {wide:#?}");
    }
}

#[test]
fn the_advice_keeps_its_published_schema() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/advice.json");
    let published: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("published")).expect("JSON");
    let schema = schemars::schema_for!(Advice).to_value();
    assert_eq!(published, schema, "docs/schema/advice.json is stale: run `make pages`");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for advice in [advice(), none()] {
        let value: Value = serde_json::from_str(&json(&advice)).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn hostile_texts_stay_texts_in_advice() {
    let evil = "x\u{1b}[2J\u{202e}\n<script>`|@team";
    let mut advice = advice();
    advice.target.database = evil.to_owned();
    advice.proposals[0].name = Name::new("public", evil);
    advice.proposals[0].definition = evil.to_owned();
    advice.proposals[0].serves[0].text = evil.to_owned();
    advice.removals[0].name = Name::new("public", evil);
    for text in [table(&advice, 80), markdown(&advice)] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }
    let markdown = markdown(&advice);
    let outside: String = markdown.split("```").step_by(2).collect();
    assert!(!outside.contains("<script>") && !outside.contains(" @team"), "{markdown}");
}
