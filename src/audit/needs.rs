//! One need, told once: two rules may want an index on the same columns, each for a reason of its own.

use crate::model::finding::{Finding, Teller};
use crate::rules::{Kind, Library};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Marks each finding that wants an index which another finding wants, too. It stays a finding: the
/// surer one tells it.
pub(super) fn tell_once(findings: &mut [Finding], library: &Library) {
    let mut by_table: HashMap<[Option<String>; 3], Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if !finding.wanted_columns.is_empty() && finding.is_open() {
            let object = &finding.object;
            let table = [&object.database, &object.schema, &object.table].map(Clone::clone);
            by_table.entry(table).or_default().push(at);
        }
    }
    for mut wanting in by_table.into_values() {
        wanting.sort_by(|a, b| {
            let (a, b) = (&findings[*a], &findings[*b]);
            let by_name = || (&a.rule, &a.object).cmp(&(&b.rule, &b.object));
            rank(a, library).cmp(&rank(b, library)).then_with(by_name)
        });
        let mut tellers: Vec<usize> = Vec::new();
        for at in wanting {
            let wanted = &findings[at].wanted_columns;
            match tellers.iter().find(|teller| findings[**teller].wanted_columns.starts_with(wanted)) {
                Some(teller) => findings[at].told_by = Some(teller_of(&findings[*teller])),
                None => tellers.push(at),
            }
        }
    }
}

/// What is worse comes first, then what is surer, what holds without a workload, what names a change, and the
/// index that serves more.
fn rank(finding: &Finding, library: &Library) -> impl Ord + use<> {
    let is_static = library.find(&finding.rule).is_some_and(|(rule, _)| rule.form.kind == Kind::Static);
    let names_change = finding.fix.action != "none";
    Reverse((finding.severity, finding.confidence, is_static, names_change, finding.wanted_columns.len()))
}

fn teller_of(finding: &Finding) -> Teller {
    Teller { rule: finding.rule.clone(), object: finding.object.path(), fingerprint: finding.fingerprint() }
}

#[cfg(test)]
mod tests {
    use crate::audit::{Settings, field_index, judge};
    use crate::model::finding::Finding;
    use crate::model::snapshot::Tool;
    use crate::rules::{Library, builtin_sources};
    use serde_json::{Value, json};

    /// Rows of users who are deleted refer to events by a column that a statement searches, too.
    fn story(deleted: i64, filter: &str) -> Value {
        json!({
            "relations": [
                {"name": "events", "bytes": 536_870_912, "estimated_rows": 4_000_000, "live_tuples": 4_000_000,
                 "inserted": 4_000_000, "last_analyze": "2026-11-01T00:00:00Z"},
                {"name": "users", "live_tuples": 160_000, "deleted": deleted}],
            "columns": [
                {"relation": "events", "name": "visitor", "type_name": "bigint", "position": 1, "has_statistics": true,
                 "distinct": -0.04, "correlation": 0.003, "average_width_bytes": 8, "null_fraction": 0},
                {"relation": "events", "name": "shop", "type_name": "bigint", "position": 2, "has_statistics": true,
                 "distinct": -0.04, "correlation": 0.003, "average_width_bytes": 8, "null_fraction": 0}],
            "foreign_keys": [{"table": "events", "name": "visitor_fk", "columns": ["visitor"],
                "referenced_table": "users", "referenced_columns": ["id"]}],
            "statements": [{"fingerprint": "s", "text": "select 1", "relations": [{"name": "events"}],
                "calls": 900_000, "mean_exec_time_ms": 55, "total_exec_time_ms": 49_500_000}],
            "plans": [{"fingerprint": "s", "plan": {"Node Type": "Seq Scan", "Schema": "public", "Relation Name": "events",
                "Alias": "events", "Filter": filter, "Output": ["events.visitor", "events.shop"],
                "Startup Cost": 0.0, "Total Cost": 115_536.0, "Plan Rows": 25, "Plan Width": 98}}]
        })
    }

    const RULES: [&str; 3] = ["filtered_column_without_index", "missing_index", "unindexed_foreign_key"];

    /// Rules and who tells what they found.
    fn told(story: Value, waivers: &str) -> Vec<String> {
        let library = Library::load(builtin_sources(), &field_index()).expect("rules");
        let pieces = serde_json::from_value(story).expect("pieces");
        let snapshot = crate::audit::story::snapshot(&pieces).expect("a snapshot");
        let settings = Settings { waivers: serde_yaml::from_str(waivers).expect("waivers"), ..Settings::default() };
        let verdict = judge(&snapshot, &library, &settings, Tool::default());
        let by = |finding: &Finding| match (&finding.told_by, &finding.waived) {
            (Some(teller), _) => format!("{} by {}", finding.rule, teller.rule),
            (None, Some(_)) => format!("{} waived", finding.rule),
            (None, None) => finding.rule.clone(),
        };
        let own = verdict.findings.iter().filter(|finding| RULES.contains(&finding.rule.as_str()));
        let mut told: Vec<String> = own.map(by).collect();
        told.sort();
        told
    }

    #[test]
    fn one_index_is_wanted_once_by_the_surest_rule() {
        let (by_key, by_another) = ("(events.visitor = $1)", "(events.shop = $1)");
        let waived = "[{rule: unindexed_foreign_key, object: \"*\", reason: r}]";
        let [key, lacked, both] = ["unindexed_foreign_key", "missing_index", "filtered_column_without_index"];
        for (deleted, filter, waivers, expected) in [
            (50_000, by_key, "[]", vec![format!("{both} by {key}"), format!("{lacked} by {key}"), key.to_owned()]),
            (50_000, by_key, waived, vec![format!("{both} by {lacked}"), lacked.to_owned(), format!("{key} waived")]),
            (0, by_key, "[]", vec![format!("{both} by {lacked}"), lacked.to_owned(), format!("{key} by {lacked}")]),
            (50_000, by_another, "[]", vec![format!("{both} by {lacked}"), lacked.to_owned(), key.to_owned()]),
        ] {
            assert_eq!(told(story(deleted, filter), waivers), expected, "{deleted} {filter} {waivers}");
        }
    }
}
