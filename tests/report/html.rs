//! The page: a golden one, that it holds all and asks for nothing, and texts that mean harm. What it does in a browser
//! is in `tests/live/browser.rs`.

use super::formats::{hostile, rendered, sample};
use super::{saturation, shop, trend, verdict_of};
use pgassay::audit::Settings;
use pgassay::ddl::{Wish, propose};
use pgassay::model::snapshot::Tool;
use pgassay::model::verdict::Verdict;
use pgassay::report::Format;

/// Everything that a page can show, and little of each.
fn full() -> Verdict {
    let mut verdict = sample();
    let others = verdict_of(&shop(), &super::settings()).findings;
    let mended = others.into_iter().find(|finding| finding.rule == "unused_index").expect("an index to drop");
    verdict.findings.push(mended);
    let wishes: Vec<Wish> = verdict.open().map(Wish::from).collect();
    verdict.changes = vec![propose(&wishes, &shop(), Tool::default())];
    verdict.rules.retain(|rule| rule.findings > 0 || rule.status.name() == "failed");
    verdict.gaps.truncate(1);
    let vitals = &mut verdict.vitals;
    vitals.statements.as_mut().expect("statements").top.truncate(2);
    vitals.tables.as_mut().expect("tables").truncate(2);
    vitals.tables.as_mut().expect("tables")[0].growth_bytes = Some(4096);
    vitals.poolers = Some(saturation::poolers());
    let mut trends = trend::judged(25);
    trends.trends.truncate(2);
    verdict.trends = Some(trends);
    verdict
}

/// What is shown, without style and script.
fn body(page: &str) -> &str {
    let (_, body) = page.split_once("<body>").expect("a body");
    body.split_once("<script>").expect("a script").0
}

#[test]
fn the_page() {
    insta::assert_snapshot!(body(&rendered(&full(), Format::Html)));
}

#[test]
fn every_finding_is_a_card_and_every_rule_a_row() {
    let verdict = verdict_of(&shop(), &Settings::default());
    let page = rendered(&verdict, Format::Html);
    assert_eq!(page.matches("<p class=\"object\">").count(), verdict.told().count());
    for finding in verdict.told() {
        assert!(page.contains(&format!("id=\"f-{}\"", finding.fingerprint())), "{}", finding.rule);
    }
    assert_eq!(page.matches("<td class=\"ended ").count(), verdict.rules.len());
}

#[test]
fn the_page_asks_for_nothing() {
    let page = rendered(&full(), Format::Html);
    for asking in ["src=", "url(", "@import", "<link", "<img", "<iframe", "fetch(", "XMLHttpRequest", "style=\""] {
        assert!(!page.contains(asking), "{asking}");
    }
    assert!(page.contains("content=\"default-src &#x27;none&#x27;; style-src &#x27;sha256-"), "{}", &page[..400]);
}

#[test]
fn hostile_texts_stay_texts_in_every_place() {
    let mut verdict = Verdict { changes: full().changes, trends: full().trends, ..hostile() };
    let name = "</script></style></title></svg>\"'><img src=x onerror=alert(1)>\u{202e}\u{0}\u{1b}[2J`{{ 7 * 7 }}`";
    verdict.target.name = name.to_owned();
    verdict.databases = vec![name.to_owned(), "b".to_owned()];
    verdict.vitals = full().vitals;
    let vitals = &mut verdict.vitals;
    for load in &mut vitals.statements.as_mut().expect("statements").top {
        (load.text, load.database) = (format!("{name} {}", "x".repeat(100_000)), name.to_owned());
    }
    vitals.tables.iter_mut().flatten().for_each(|table| table.name = name.to_owned());
    vitals.databases.iter_mut().flatten().for_each(|row| row.database = name.to_owned());
    for table in vitals.partitioned_tables.iter_mut().flatten() {
        table.name = name.to_owned();
        table.partitions.iter_mut().for_each(|row| row.name = name.to_owned());
    }
    vitals.sessions.as_mut().expect("sessions").by_state.insert(name.to_owned(), 1);
    for pooler in vitals.poolers.iter_mut().flatten() {
        pooler.name = name.to_owned();
        pooler.pools.iter_mut().for_each(|pool| pool.user = name.to_owned());
    }
    for trend in &mut verdict.trends.as_mut().expect("trends").trends {
        (trend.object, trend.text) = (name.to_owned(), Some(name.to_owned()));
    }
    for finding in &mut verdict.findings {
        finding.references = vec!["javascript:alert(1)".to_owned(), format!("https://{name}")];
        finding.caveats = vec![name.to_owned()];
    }
    let page = rendered(&verdict, Format::Html);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    for mark in ["<img", "href=\"javascript", "\u{202e}", "\u{0}", "\u{1b}"] {
        assert!(!page.contains(mark), "{mark:?}");
    }
    assert!(body(&page).contains("{{ 7 * 7 }}"), "a name is never a template");
}
