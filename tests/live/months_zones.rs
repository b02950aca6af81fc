//! Whatever zone and DateStyle the sessions of a server are in, months begin at midnight of their zone: over the end of
//! a year, a February of 29 days, and both changes of the clock. And a replica identity by index goes along.

use crate::support::{Site, newest, oldest, server};

/// Zones that cut the months: with summer time in the north and in the south, by half an hour, and at midnight itself.
const ZONES: [&str; 5] = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"];

/// What sessions are in.
const SESSIONS: [(&str, &str); 3] =
    [("America/New_York", "SQL, MDY"), ("Asia/Kolkata", "Postgres, DMY"), ("Pacific/Chatham", "German")];

/// Seven months, by table: what is made, and what PostgreSQL itself takes for the midnights.
fn bounds(table: &str, zone: &str) -> String {
    format!(
        "set timezone = 'UTC'; set datestyle = 'ISO, YMD';
         select concat_ws(E'\\n',
           (select string_agg(pg_get_expr(relpartbound, c.oid), E'\\n' order by relname) from pg_class c join pg_inherits on inhrelid = c.oid
            where inhparent = '{table}'::regclass),
           '=',
           (select string_agg(format('FOR VALUES FROM (''%s'') TO (''%s'')', m at time zone '{zone}', (m + interval '1 month') at time zone '{zone}'), E'\\n' order by m)
            from generate_series(timestamp '2027-10-01', '2028-04-01', '1 month') m))"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_begin_at_midnight_of_their_zone() {
    let cases = [(oldest(), &SESSIONS[1..2]), (newest(), &SESSIONS[..])];
    for (binaries, sessions) in cases {
        for (session, style) in sessions {
            let tables = ZONES.map(|zone| {
                let name = zone.replace('/', "_").to_lowercase();
                (zone, format!("shop.{name}"))
            });
            let sql = tables
                .iter()
                .map(|(_, table)| format!("create table {table} (at timestamptz not null) partition by range (at);"));
            let settings = format!(
                "alter database corner set timezone = '{session}'; alter database corner set datestyle = '{style}';"
            );
            let site = Site::with(&binaries, &format!("{settings} {}", sql.collect::<String>())).await;
            let dsn = site.dsn();
            let state = site.state().display().to_string();
            for (zone, table) in &tables {
                let words = [
                    "partition",
                    "create",
                    table,
                    &dsn,
                    "--zone",
                    zone,
                    "--from",
                    "2027-10",
                    "--to",
                    "2028-04",
                    "--yes",
                    "--state",
                    &state,
                ];
                site.yard.pgassay(&words).run().expect(0);
                let text = site.text(&bounds(table, zone)).await;
                let (made, expected) = text.split_once("\n=\n").expect("two lists");
                assert_eq!(made, expected, "{zone} in a session of {session}, {style}");
                assert_eq!(made.lines().count(), 7, "{made}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_identity_by_index_goes_along() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(
            &binaries,
            r#"create table shop.calls (id bigint not null, at date not null, "No" int not null, unique ("No", at)) partition by range (at);
               create table shop.calls_2027_12 partition of shop.calls for values from ('2027-12-01') to ('2028-01-01');
               alter table shop.calls_2027_12 replica identity using index "calls_2027_12_No_at_key";"#,
        )
        .await;
        let (dsn, state) = (site.dsn(), site.state().display().to_string());
        let words = [
            "partition",
            "create",
            "shop.calls",
            &dsn,
            "--from",
            "2028-01",
            "--to",
            "2028-02",
            "--yes",
            "--state",
            &state,
        ];
        site.yard.pgassay(&words).run().expect(0);
        let identity = r#"select string_agg(concat_ws(' ', c.relname, c.relreplident::text, pg_get_indexdef(i.indexrelid, 1, true)), ', ' order by c.relname)
            from pg_class c join pg_index i on i.indrelid = c.oid and i.indisreplident where c.relname like 'calls_2028%'"#;
        assert_eq!(site.text(identity).await, "calls_2028_01 i \"No\", calls_2028_02 i \"No\"", "{major}");
    }
}
