//! Names that try to break out of SQL: their indexes are made, dropped and brought back like all others.

use crate::support::{CORNER, Site, newest, oldest};
use pgassay::demo::{Binaries, SUPERUSER};
use std::process::Command;

const NAMES: &[&str] = &[
    "semi; drop table x; -- comment",
    "/* open comment",
    "line\nbreak\r\n\\! touch broken",
    "quo\"te.dot.'single' $1 $$ :colon :'x' :\"y\"",
    "back\\slash \\\\ \\n %s {{ x }}",
    "éééééééééééééééééééééééééééééé123",
    "\u{202e}right to left",
    "Capital",
    "select",
    "user",
    "using",
    "where",
    "1st",
    " ",
    "UPPER.dot",
    "sixty_three_bytes_are_the_longest_that_a_name_may_be_in_this_xxx",
];

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// In a schema, a table and columns of each name: a key without an index, and twins of a bad name, the second
/// with a comment.
async fn open(binaries: &Binaries) -> Site {
    let site = Site::open(binaries).await;
    for name in NAMES {
        let own = quoted(&name.chars().take(63).collect::<String>());
        let made = format!(
            "create schema {own}; create table {own}.{own} (id bigint primary key, {own} bigint);
             alter table {own}.{own} add foreign key ({own}) references {own}.{own} (id);
             insert into {own}.{own} select i, i from generate_series(1, 3000) i;
             update {own}.{own} set {own} = 1;
             create index \"twin 1\" on {own}.{own} (({own} || 'it''s'), id) where {own} <> 7;
             create index \"Twin\"\"2; --\" on {own}.{own} (({own} || 'it''s'), id) where {own} <> 7;
             comment on index {own}.\"Twin\"\"2; --\" is 'of {{{{ x }}}} '''"
        );
        site.admin.execute(&made).await.unwrap_or_else(|error| panic!("{own}: {error}"));
    }
    site.until("select count(*) >= 16 from pg_stat_user_tables where n_tup_upd >= 3000").await;
    site
}

fn plan(site: &Site) -> usize {
    let dsn = site.dsn();
    let words = [
        &["plan", &dsn, "-o", "plan.json", "--sql", "plan.sql", "--only", "unindexed_foreign_key,duplicate_index"][..],
        &["--param", "unindexed_foreign_key.min_bytes=1", "--param", "unindexed_foreign_key.min_writes=1"],
        &["--param", "duplicate_index.min_bytes=1"],
    ];
    site.yard.pgassay(&words.concat()).run().expect(0);
    let text = std::fs::read_to_string(site.yard.path().join("plan.json")).expect("a plan");
    let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    plan["steps"].as_array().expect("steps").len()
}

/// All indexes of theirs.
const CATALOG: &str = "
    select string_agg(pg_get_indexdef(i.indexrelid) || i.indisvalid || coalesce(obj_description(i.indexrelid), ''), E'\\n'
      order by i.indexrelid::regclass::text)
    from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace >= 16384";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_break_out_of_nothing() {
    for binaries in [oldest(), newest()] {
        let site = open(&binaries).await;
        let before = site.text(CATALOG).await;
        assert_eq!(plan(&site), 2 * NAMES.len());
        let outcome = site.apply(&[]).expect(0);
        assert_eq!(outcome.stdout.lines().count(), 2 * NAMES.len(), "{outcome:#?}");
        let odd = |c: char| c.is_control() && c != '\n';
        assert!(!outcome.stdout.contains(odd) && !outcome.stderr.contains(odd), "{outcome:#?}");
        assert!(site.apply(&[]).expect(0).stdout.contains("nothing to do"));
        let mended = site.text(CATALOG).await;
        site.run(&["undo"]).expect(0);
        assert_eq!(site.text(CATALOG).await, before);

        let done = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--file", "plan.sql", "-U", SUPERUSER, "-d", CORNER, "-h"])
            .arg(site.cluster.socket())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(site.yard.path())
            .output()
            .expect("psql is missing: run make setup");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(site.text(CATALOG).await, mended, "the script does the same");
        assert!(!site.yard.path().join("broken").exists());
        assert_eq!(plan(&site), 0, "nothing is found again");
    }
}
