//! What is advised, applied and audited: no rule speaks against an index that advice has made, and no other advice.

use crate::advise::{definitions, json, laid_out};
use crate::support::{CORNER, Yard, server};
use pgassay::demo::SUPERUSER;
use serde_json::Value;

/// Several statements on one table each, whose best indexes by themselves begin alike, carry columns, or hold a part of the rows.
const TABLES: &str = "
    create table visits as select i as id, i * 7919 % 2000 as owner, i % 40 as kind, i % 999 as total, '2024-01-01'::timestamptz + i * interval '3 minutes' as at,
      case when i % 90 = 0 then null else now() end as ended_at, 'page' || i % 3000 as page, repeat('v', 160) as pad from generate_series(1, 30000) i;
    create table owners as select i as id, 'owner' || i as name, i % 700 as region, repeat('o', 160) as pad from generate_series(1, 20000) i;
    alter table owners add primary key (id);
    create table notes (id int, owner_id int references owners, sent_at timestamptz, size int, pad text);
    insert into notes select i, 1 + i * 31 % 20000, '2024-01-01'::timestamptz + i * interval '1 minute', i % 77, repeat('n', 160) from generate_series(1, 30000) i";

const STATEMENTS: [&str; 14] = [
    "select * from visits where owner = 7",
    "select * from visits where owner = 7 order by at desc limit 5",
    "select owner, sum(total) from visits where owner between 5 and 90 group by owner",
    "select * from visits where owner = 9 and kind = 3",
    "select * from visits where owner = 9 and at > '2024-02-01'",
    "select * from visits where ended_at is null",
    "select * from visits where ended_at is null and owner = 11",
    "select max(at) from visits where kind = 4",
    "select * from visits where page = 'page77' order by at limit 3",
    "select * from visits where page = 'page78'",
    "select o.name, n.* from owners o join notes n on n.owner_id = o.id where o.name = 'owner17'",
    "select * from notes where owner_id = 5 order by sent_at desc limit 3",
    "select sum(size) from notes where owner_id between 10 and 400",
    "select name from owners where region = 3",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rule_speaks_against_what_was_advised() {
    for (major, budget) in [(15, None), (15, Some("2MB")), (18, None)] {
        let Some(binaries) = server(major) else { continue };
        let yard = Yard::open();
        let (cluster, admin) = laid_out(&yard, &binaries, TABLES).await;
        admin.execute("vacuum analyze").await.expect("statistics");
        let dsn = cluster.dsn(SUPERUSER, CORNER);
        let run = || async {
            for statement in STATEMENTS.into_iter().cycle().take(10 * STATEMENTS.len()) {
                admin.execute(statement).await.expect(statement);
            }
        };
        run().await;
        let mut ask = vec!["advise", &dsn, "--weigh-by", "calls", "--format", "json", "-o", "plan.json"];
        ask.extend(budget.iter().flat_map(|bytes| ["--budget", *bytes]));
        let first = json(&yard.pgassay(&ask).run().expect(0).stdout);
        assert!(definitions(&first).len() > 2, "{major}: {first:#}");
        yard.pgassay(&["apply", "plan.json", &dsn, "--state", "state", "--yes"]).run().expect(0);
        run().await;
        let against = against(&yard, &dsn, &first, budget.is_none());
        assert!(against.is_empty(), "{major}, {budget:?}: {against:#?} of {:#?}", definitions(&first));
        if budget.is_some() {
            continue;
        }
        // What is left is cheap by now, and a larger part of it is saved by less: never by what comes in the place of these.
        let second = json(&yard.pgassay(&ask[..6]).run().expect(0).stdout);
        let made = names(&first["proposals"]);
        let replaced = second["proposals"].as_array().into_iter().flatten().flat_map(|one| names(&one["replaces"]));
        let gone: Vec<String> =
            names(&second["removals"]).into_iter().chain(replaced).filter(|name| made.contains(name)).collect();
        assert!(gone.is_empty(), "{major}, {budget:?}: {gone:?} should go by {second:#}");
    }
}

/// Names of indexes, of proposals, of what could go, or of what is replaced.
fn names(all: &Value) -> Vec<String> {
    let all = all.as_array().into_iter().flatten();
    all.filter_map(|one| Some(one["name"]["name"].as_str().or(one["name"].as_str())?.to_owned())).collect()
}

/// What an audit finds of the new indexes, or, where nothing kept them from being all, missing beside them. No index is too
/// small for it.
fn against(yard: &Yard, dsn: &str, advice: &Value, are_all: bool) -> Vec<String> {
    let made = names(&advice["proposals"]);
    let params = [
        "missing_index.min_saved_ms_per_hour=0",
        "missing_index.min_calls=1",
        "redundant_index.min_bytes=0",
        "duplicate_index.min_bytes=0",
    ];
    let mut audit = vec!["audit", dsn, "--format", "json", "--plans", "50"];
    audit.extend(
        ["redundant_index", "duplicate_index", "missing_index", "invalid_index"]
            .iter()
            .flat_map(|rule| ["--only", *rule]),
    );
    audit.extend(params.iter().flat_map(|param| ["--param", *param]));
    let report = json(&yard.pgassay(&audit).run().stdout);
    let findings = report["findings"].as_array().expect("findings").iter();
    let is_about = |one: &&Value| {
        (are_all && one["rule"] == "missing_index")
            || one["object"]["name"].as_str().is_some_and(|name| made.iter().any(|own| own == name))
    };
    findings
        .filter(is_about)
        .map(|one| format!("{} {}: {}", one["rule"], one["object"]["name"], one["message"]))
        .collect()
}
