//! However many partitions there are, what is asked of the server does not become more: no query is of one partition.

use crate::support::{Site, newest};

/// A table of so many months up to the third from now, and all rows of one of them.
fn table(months: u32) -> String {
    format!(
        "create table shop.calls (id bigint, at date not null, primary key (id, at)) partition by range (at);
         do $$
           declare at date;
         begin
           for nr in 0..{months} - 1 loop
             at := date_trunc('month', now() at time zone 'UTC')::date + (3 - nr) * interval '1 month';
             execute format('create table shop.%I partition of shop.calls for values from (%L) to (%L)',
               'calls_' || to_char(at, 'YYYY_MM'), at, at + interval '1 month');
           end loop;
         end $$"
    )
}

/// Queries of the first reading, as `--verbose` tells.
fn queries(site: &Site, words: &[&str]) -> u32 {
    let dsn = site.dsn();
    let state = site.state().display().to_string();
    let words: Vec<&str> = words
        .iter()
        .map(|word| match *word {
            "DSN" => dsn.as_str(),
            "STATE" => &state,
            word => word,
        })
        .collect();
    let outcome = site.yard.pgassay(&words).run().expect(0);
    let told = outcome.stderr.split("our own load: ").nth(1).and_then(|rest| rest.split(' ').next());
    told.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{outcome:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_do_not_grow_with_partitions() {
    let commands: [&[&str]; 4] = [
        &["--verbose", "partition", "list", "DSN"],
        &["--verbose", "partition", "create", "shop.calls", "DSN", "--months", "5", "--dry-run", "--state", "STATE"],
        &["--verbose", "partition", "maintain", "DSN", "--table", "shop.calls", "--dry-run", "--state", "STATE"],
        &[
            "--verbose",
            "partition",
            "retire",
            "shop.calls",
            "DSN",
            "--keep",
            "1 month",
            "--dry-run",
            "--state",
            "STATE",
        ],
    ];
    let (few, many) = (Site::with(&newest(), &table(8)).await, Site::with(&newest(), &table(400)).await);
    for words in commands {
        let (one, other) = (queries(&few, words), queries(&many, words));
        assert_eq!(one, other, "{words:?}");
        assert!(one < 15, "{words:?}: {one} queries");
    }
}
