//! `partition new`: what it prints makes, on every major, a partitioned table that has all of the old one, is complete
//! for `partition list`, and takes rows.

use crate::support::{Site, newest, server};
use serde_json::Value;

const EVENTS: &str = r#"
    create role keeper; create role clerks;
    grant create, usage on schema shop to keeper;
    create table shop."Events" (
      id bigserial primary key, token text collate "C" not null, at timestamptz default now(), user_id bigint not null,
      "Size" int default 7 check ("Size" > 0), twice int generated always as ("Size" * 2) stored, note varchar(20) default 'it''s',
      constraint "by token" unique (token) include (note) deferrable initially deferred,
      constraint own_user foreign key (user_id) references shop.users (id) on delete cascade
    ) with (fillfactor = 80);
    create unique index "Events_note" on shop."Events" using btree (lower(note), "Size" desc) where note <> '(,)';
    create index on shop."Events" (user_id, at desc);
    comment on table shop."Events" is 'all; of -- them';
    comment on column shop."Events".note is 'what was said';
    alter table shop."Events" alter column note set storage external, alter column note set statistics 300;
    alter table shop."Events" enable row level security;
    create policy own on shop."Events" for select to clerks using (user_id > 0);
    grant select (note), insert on shop."Events" to clerks;
    alter table shop."Events" owner to keeper;
    create function shop.watch() returns trigger language plpgsql as 'begin return new; end';
    create trigger watch after insert on shop."Events" for each row execute function shop.watch();
    create statistics shop.events_stats (dependencies) on user_id, note from shop."Events";
    create table shop.kinds (d date, t timestamp, e bigint, s int, u uuid not null primary key, x text);"#;

/// What a table has, but for the key in its keys and how its ids are made.
const MADE: &str = r#"
    select concat_ws(E'\n', pg_get_userbyid(c.relowner), obj_description(c.oid), c.relrowsecurity, (select string_agg(x::text, ',' order by x::text) from unnest(c.relacl) x),
      (select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull or a.attname = 'at', a.attgenerated, a.attcollation,
          nullif(pg_get_expr(d.adbin, d.adrelid), 'nextval(''shop."Events_id_seq"''::regclass)'), a.attstorage, a.attacl::text, col_description(c.oid, a.attnum),
          nullif(a.attstattarget::int, -1)), E'\n' order by a.attnum)
        from pg_attribute a left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where a.attrelid = c.oid and a.attnum > 0),
      (select string_agg(case contype when 'u' then '' else conname end || ' ' || replace(pg_get_constraintdef(oid), ', at)', ')'), E'\n' order by contype, conname) from pg_constraint
        where conrelid = c.oid and contype in ('c', 'f', 'u') and conparentid = 0),
      (select string_agg(replace(regexp_replace(pg_get_indexdef(indexrelid), 'INDEX .* ON (ONLY )?\S+ USING', ''), ', at)', ')'), E'\n' order by indkey::text, indisunique) from pg_index
        where indrelid = c.oid and not indisprimary),
      (select string_agg(concat_ws(' ', polname, polcmd::text, polroles::regrole[]::text, pg_get_expr(polqual, polrelid)), ',') from pg_policy where polrelid = c.oid))
    from pg_class c where c.oid = "#;

fn new(site: &Site, words: &[&str]) -> String {
    let dsn = site.dsn();
    site.yard.pgassay(&[&["partition", "new"], words, &[&dsn]].concat()).run().expect(0).stdout
}

fn listed(site: &Site, table: &str) -> Value {
    let dsn = site.dsn();
    let words = ["partition", "list", &dsn, "--table", table, "--format", "json"];
    let survey: Value = serde_json::from_str(&site.yard.pgassay(&words).run().expect(0).stdout).expect("JSON");
    survey["tables"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_table_has_all_of_the_old_one() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(&binaries, EVENTS).await;
        let sql = new(&site, &["--table", "shop.Events", "--by", "at", "--as", "shop.Months"]);
        for remark in [
            "trigger watch",
            "statistics object events_stats",
            "(token) alone is unique by month only",
            "it was serial",
        ] {
            assert!(sql.contains(remark), "{major}: {remark}\n{sql}");
        }
        site.admin
            .execute(&format!("begin; set time zone 'Asia/Tokyo'; {sql} commit"))
            .await
            .unwrap_or_else(|error| panic!("{major}: {error:?}\n{sql}"));
        let (old, made) = (
            site.text(&format!("{MADE} 'shop.\"Events\"'::regclass")).await,
            site.text(&format!("{MADE} 'shop.\"Months\"'::regclass")).await,
        );
        assert_eq!(made, old, "{major}");
        assert!(old.contains("lower") && old.contains("own ") && old.contains("DEFERRABLE"), "{old}");
        let table = listed(&site, "shop.Months");
        assert_eq!((table["months_ahead"].as_i64(), table["zone"].as_str()), (Some(3), Some("UTC")), "{table:#}");
        assert_eq!(
            (&table["gaps"], &table["incomplete_indexes"], &table["misnamed"]),
            (&Value::from([0; 0]), &Value::from([0; 0]), &Value::from([0; 0]))
        );
        let rows = r#"insert into shop."Months" (token, user_id, at) select nr, 1, now() + nr * interval '30 days' from generate_series(0, 3) nr"#;
        site.admin.execute(rows).await.expect("each month takes its rows");
        assert_eq!(site.text(r#"select string_agg(id::text, ',' order by at) from shop."Months""#).await, "1,2,3,4");
        let part = r#"select distinct c.reloptions::text || pg_get_userbyid(c.relowner) from pg_class c join pg_inherits on inhrelid = c.oid where inhparent = 'shop."Months"'::regclass"#;
        assert_eq!(site.text(part).await, "{fillfactor=80}keeper");

        if !matches!(major, 13 | 18) {
            continue;
        }
        for (by, more) in [("d", &[][..]), ("t", &[]), ("e", &["--epoch", "us"]), ("s", &["--epoch", "s"]), ("u", &[])]
        {
            let name = format!("shop.kinds_{by}");
            let words = [&["--table", "shop.kinds", "--by", by, "--as", &name, "--months", "14"], more].concat();
            let sql = new(&site, &words);
            site.admin.execute(&sql).await.unwrap_or_else(|error| panic!("{major}: {error:?}\n{sql}"));
            let table = listed(&site, &name);
            assert_eq!(
                (table["months_ahead"].as_i64(), table["gaps"].as_array().map(Vec::len)),
                (Some(14), Some(0)),
                "{major}: {table:#}"
            );
        }
        let keys = "select pg_get_constraintdef(oid) from pg_constraint where contype = 'p' and conrelid = ";
        assert_eq!(site.text(&format!("{keys} 'shop.kinds_u'::regclass")).await, "PRIMARY KEY (u)");
        assert_eq!(site.text(&format!("{keys} 'shop.kinds_t'::regclass")).await, "PRIMARY KEY (u, t)");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_described_table_needs_no_server() {
    let site = Site::open(&newest()).await;
    let words = ["partition", "new", "--table", "shop.calls", "--by", "at", "--from", "2027-12", "--column"];
    let columns = ["id bigint generated always as identity", "--column", "at timestamptz not null"];
    let sql = site.yard.pgassay(&[&words[..], &columns].concat()).run().expect(0).stdout;
    site.admin.execute(&sql).await.expect("the DDL");
    assert_eq!(listed(&site, "shop.calls")["partitions"][1]["month"], "2028-01");
    let dsn = site.dsn();
    for (words, why) in [
        (vec!["--table", "shop.nothing", "--by", "at", &dsn], "no table shop.nothing in database corner"),
        (vec!["--table", "shop.orders", "--by", "at", &dsn], "shop.orders has no column at"),
        (vec!["--table", "shop.orders", "--by", "note", &dsn], "is of type text, which tells no time"),
        (vec!["--table", "shop.orders", "--by", "id", &dsn], "--epoch s, ms, us or ns"),
        (vec!["--table", "a.b.c", "--by", "id", &dsn], "write a table as public.events"),
        (vec!["--table", "t", "--by", "a", "--column", "a date"], "--from <MONTH>"),
        (
            vec!["--table", "t", "--by", "a", "--from", "2027-01", "--column", "a date, b int"],
            "no definition of a column",
        ),
    ] {
        let outcome = site.yard.pgassay(&[&["partition", "new"], &words[..]].concat()).run().expect(2);
        assert!(outcome.stderr.contains(why), "{words:?}: {outcome:#?}");
    }
}
