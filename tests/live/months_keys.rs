//! Months of every sort of key, in every zone, under every setting of a session; names that mean harm; tables of
//! others; and the job that cron runs.

use crate::support::{CORNER, Outcome, Site, newest, oldest, server};
use std::process::Command;

/// One table of each key with December 2027, and one without any partition.
const TABLES: &str = r#"
    create table shop.by_date (at date not null) partition by range (at);
    create table shop.by_date_y2027m12 partition of shop.by_date for values from ('2027-12-01') to ('2028-01-01');
    create table shop.by_time (at timestamp(3) not null, user_id int) partition by range (at, user_id);
    create table shop.by_time_2027_12 partition of shop.by_time for values from ('2027-12-01', minvalue) to ('2028-01-01', minvalue);
    create table shop.by_zone (at timestamptz not null) partition by range (at);
    create table shop.by_zone_p20271201 partition of shop.by_zone for values from ('2027-11-30 23:00+00') to ('2027-12-31 23:00+00');
    create table shop.by_zone_p20280701 partition of shop.by_zone for values from ('2028-06-30 22:00+00') to ('2028-07-31 22:00+00');
    create table shop.by_epoch (at bigint not null) partition by range (at);
    create table shop.by_epoch_202712 partition of shop.by_epoch for values from (1827619200000) to (1830297600000);
    create table shop.by_uuid (id uuid primary key) partition by range (id);
    create table shop.by_uuid_2027_12 partition of shop.by_uuid
      for values from ('01a98697-dc00-7000-8000-000000000000') to ('01aa263d-0000-7000-8000-000000000000');
    create table shop.fresh (at timestamptz not null) partition by range (at);
    create schema "Odd.Place";
    create table "Odd.Place"."it's ""100%"" \ ;
-- x" ("Att""ime" date not null) partition by range ("Att""ime");
    create table "Odd.Place"."it's ""100%"" 2027-12; drop" partition of "Odd.Place"."it's ""100%"" \ ;
-- x" for values from ('2027-12-01') to ('2028-01-01');
    alter database corner set timezone = 'Asia/Kolkata';
    alter database corner set datestyle = 'SQL, DMY'"#;

fn create(site: &Site, table: &str, more: &[&str]) -> Outcome {
    let (dsn, state) = (site.dsn(), site.state().display().to_string());
    let words = [&["partition", "create", table, &dsn, "--state", &state, "--yes"], more].concat();
    site.yard.pgassay(&words).run()
}

const SPAN: [&str; 4] = ["--from", "2027-12", "--to", "2028-03"];

/// Names and bounds below a table, in UTC and ISO.
async fn bounds(site: &Site, table: &str) -> String {
    let sql = format!(
        "set timezone = 'UTC'; set datestyle = 'ISO, YMD';
         select string_agg(c.relname || ' ' || replace(replace(pg_get_expr(c.relpartbound, c.oid), 'FOR VALUES FROM ', ''), ' TO ', '..'), E'\\n' order by c.relname collate \"C\")
         from pg_inherits h join pg_class c on c.oid = h.inhrelid where h.inhparent = '{table}'::regclass"
    );
    site.text(&sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_cut_at_its_months() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(&binaries, TABLES).await;
        for (table, expected) in [
            (
                "shop.by_date",
                "by_date_y2027m12 ('2027-12-01')..('2028-01-01')\nby_date_y2028m01 ('2028-01-01')..('2028-02-01')\n\
                 by_date_y2028m02 ('2028-02-01')..('2028-03-01')\nby_date_y2028m03 ('2028-03-01')..('2028-04-01')",
            ),
            (
                "shop.by_time",
                "by_time_2027_12 ('2027-12-01 00:00:00', MINVALUE)..('2028-01-01 00:00:00', MINVALUE)\n\
                 by_time_2028_01 ('2028-01-01 00:00:00', MINVALUE)..('2028-02-01 00:00:00', MINVALUE)\n\
                 by_time_2028_02 ('2028-02-01 00:00:00', MINVALUE)..('2028-03-01 00:00:00', MINVALUE)\n\
                 by_time_2028_03 ('2028-03-01 00:00:00', MINVALUE)..('2028-04-01 00:00:00', MINVALUE)",
            ),
            (
                // Clocks of Berlin go forward on the 26th of March.
                "shop.by_zone",
                "by_zone_p20271201 ('2027-11-30 23:00:00+00')..('2027-12-31 23:00:00+00')\n\
                 by_zone_p20280101 ('2027-12-31 23:00:00+00')..('2028-01-31 23:00:00+00')\n\
                 by_zone_p20280201 ('2028-01-31 23:00:00+00')..('2028-02-29 23:00:00+00')\n\
                 by_zone_p20280301 ('2028-02-29 23:00:00+00')..('2028-03-31 22:00:00+00')\n\
                 by_zone_p20280701 ('2028-06-30 22:00:00+00')..('2028-07-31 22:00:00+00')",
            ),
            (
                "shop.by_epoch",
                "by_epoch_202712 ('1827619200000')..('1830297600000')\nby_epoch_202801 ('1830297600000')..('1832976000000')\n\
                 by_epoch_202802 ('1832976000000')..('1835481600000')\nby_epoch_202803 ('1835481600000')..('1838160000000')",
            ),
            (
                // They meet what is there, with version and variant; after that bare times follow each other.
                "shop.by_uuid",
                "by_uuid_2027_12 ('01a98697-dc00-7000-8000-000000000000')..('01aa263d-0000-7000-8000-000000000000')\n\
                 by_uuid_2028_01 ('01aa263d-0000-7000-8000-000000000000')..('01aac5e2-2400-0000-0000-000000000000')\n\
                 by_uuid_2028_02 ('01aac5e2-2400-0000-0000-000000000000')..('01ab5b3a-9000-0000-0000-000000000000')\n\
                 by_uuid_2028_03 ('01ab5b3a-9000-0000-0000-000000000000')..('01abfadf-b400-0000-0000-000000000000')",
            ),
            (
                "shop.fresh",
                "fresh_2027_12 ('2027-12-01 00:00:00+00')..('2028-01-01 00:00:00+00')\n\
                 fresh_2028_01 ('2028-01-01 00:00:00+00')..('2028-02-01 00:00:00+00')\n\
                 fresh_2028_02 ('2028-02-01 00:00:00+00')..('2028-03-01 00:00:00+00')\n\
                 fresh_2028_03 ('2028-03-01 00:00:00+00')..('2028-04-01 00:00:00+00')",
            ),
        ] {
            create(&site, table, &SPAN).expect(0);
            assert_eq!(bounds(&site, table).await, expected, "{major} {table}");
            let again = create(&site, table, &SPAN).expect(0);
            assert!(again.stdout.starts_with("nothing to do"), "{major} {table}: {again:#?}");
        }
        site.run(&["undo"]).expect(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_can_do_no_harm() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, TABLES).await;
        let table = "it's \"100%\" \\ ;\n-- x";
        let outcome = create(&site, table, &SPAN).expect(0);
        assert!(!outcome.stdout.contains("\n-- x"), "{outcome:#?}");
        let made = "select count(*) from pg_class where relispartition and relname in
            ('it''s \"100%\" 2028-01; drop', 'it''s \"100%\" 2028-02; drop', 'it''s \"100%\" 2028-03; drop')";
        assert_eq!(site.text(made).await, "3");
        site.run(&["undo"]).expect(0);
        assert_eq!(site.text(made).await, "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_cut_is_refused_with_a_reason() {
    let more = "
        create table shop.by_id (id bigint) partition by range (id);
        create table shop.by_id_1 partition of shop.by_id for values from (0) to (1000000);
        create table shop.by_region (region text) partition by list (region);
        create table shop.by_day (at date) partition by range (at);
        create table shop.by_day_1 partition of shop.by_day for values from ('2028-01-10') to ('2028-01-11');
        create table shop.open (at date) partition by range (at);
        create table shop.open_1 partition of shop.open for values from ('2026-01-01') to (maxvalue);
        create table shop.deep (at date, region text) partition by range (at);
        create table shop.deep_2027_12 partition of shop.deep for values from ('2027-12-01') to ('2028-01-01') partition by list (region);
        create table shop.mixed (at timestamptz) partition by range (at);
        create table shop.mixed_1 partition of shop.mixed for values from ('2027-11-30 23:00+00') to ('2027-12-31 23:00+00');
        create table shop.mixed_2 partition of shop.mixed for values from ('2028-01-01 00:00+00') to ('2028-02-01 00:00+00');
        create table shop.summers (at timestamptz) partition by range (at);
        create table shop.summers_1 partition of shop.summers for values from ('2028-06-30 22:00+00') to ('2028-07-31 22:00+00');
        create table shop.half (at date) partition by range (at);
        create table shop.half_2028_01 partition of shop.half for values from ('2028-01-01') to ('2028-01-15');
        create table shop.half_2028_02 partition of shop.half for values from ('2028-02-01') to ('2028-03-01');
        create table shop.a2345678901234567890123456789012345678901234567890123456 (at date) partition by range (at);
        create extension postgres_fdw; create server attic foreign data wrapper postgres_fdw;
        create table shop.far (at date) partition by range (at);
        create foreign table shop.far_2027_12 partition of shop.far for values from ('2027-12-01') to ('2028-01-01') server attic;
        create table shop.near (at date) partition by range (at);
        create foreign table shop.near_2027_11 partition of shop.near for values from ('2027-11-01') to ('2027-12-01') server attic;
        create table shop.near_2027_12 partition of shop.near for values from ('2027-12-01') to ('2028-01-01');
        create table shop.taken (at date) partition by range (at);
        create table shop.taken_2028_01 (at date);
        create table shop.by_list partition of shop.by_region for values in ('eu')";
    let site = Site::with(&newest(), &format!("{TABLES};{more}")).await;
    for (table, words, code, said) in [
        ("shop.nothing", &SPAN[..], 2, "no partitioned table shop.nothing"),
        ("shop.by_id", &SPAN, 2, "of which its bounds say no time"),
        ("shop.by_region", &SPAN, 2, "of which its bounds say no time"),
        ("shop.by_day", &SPAN, 2, "its newest partition is no month of the calendar"),
        ("shop.open", &SPAN, 2, "shop.open_1 has no end"),
        ("shop.deep", &SPAN, 2, "shop.deep_2027_12 is partitioned again"),
        ("shop.far", &SPAN, 2, "shop.far_2027_12, its newest partition, is a foreign table"),
        ("shop.mixed", &SPAN, 2, "is not cut by"),
        ("shop.summers", &SPAN, 2, "say which with --zone"),
        ("shop.half", &SPAN, 2, "2028-01 is held in part by shop.half_2028_01"),
        ("shop.taken", &SPAN, 4, "the name shop.taken_2028_01 is taken by a table"),
        ("shop.by_zone", &["--zone", "Asia/Tokyo"], 2, "and Asia/Tokyo would not meet them"),
        ("shop.by_date", &["--zone", "Asia/Tokyo"], 2, "its key has no time zone"),
        ("shop.by_date", &["--from", "2028-03", "--to", "2028-02"], 2, "is behind the last"),
        ("shop.by_date", &["--from", "2028-3"], 2, "write a month as 2026-01"),
        ("shop.by_date", &["--drain-default"], 2, "--window"),
    ] {
        let outcome = create(&site, table, words);
        assert_eq!(outcome.code, Some(code), "{table}: {outcome:#?}");
        assert!(outcome.stderr.contains(said), "{table}: {outcome:#?}");
    }
    create(&site, "shop.summers", &[&SPAN[..], &["--zone", "Europe/Berlin"]].concat()).expect(0);
    // One that was moved away is in nobody's way.
    create(&site, "shop.near", &SPAN).expect(0);
    // A long name gives way.
    create(&site, "shop.a2345678901234567890123456789012345678901234567890123456", &SPAN).expect(0);
    assert_eq!(site.journals(), 3, "nothing else was begun");
    // What is said of a table of sub-partitions is a way, and they are counted once.
    let by_hand = "create table shop.deep_2028_01 (like shop.deep including all excluding identity excluding indexes) partition by list (region);
        create table shop.deep_2028_01_eu partition of shop.deep_2028_01 for values in ('eu');
        alter table shop.deep attach partition shop.deep_2028_01 for values from ('2028-01-01') to ('2028-02-01');
        insert into shop.deep select '2028-01-07', 'eu' from generate_series(1, 500)";
    site.admin.execute(by_hand).await.expect("made");
    site.until("select n_live_tup = 500 from pg_stat_all_tables where relname = 'deep_2028_01_eu'").await;
    // By another session, as this one's own counts may come behind.
    site.session("analyze shop.deep").await;
    let listed = site.yard.pgassay(&["partition", "list", &site.dsn(), "--table", "shop.deep"]).run().expect(0);
    assert!(listed.stdout.contains("2 partitions; about 500 rows"), "{}", listed.stdout);
    assert!(listed.stdout.contains("deep_2028_01 (partitioned)"), "{}", listed.stdout);
}

/// Two tables with the current month, and one that does not exist.
const KEPT: &str = "
    create table shop.a (at date not null) partition by range (at);
    create table shop.b (at timestamptz not null) partition by range (at);
    do $$
      declare at date := date_trunc('month', now() at time zone 'UTC');
    begin
      execute format('create table shop.a_now partition of shop.a for values from (%L) to (%L)', at, at + interval '1 month');
    end $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cron_keeps_what_the_config_says() {
    let site = Site::with(&newest(), KEPT).await;
    let config = format!(
        "targets:\n  corner: {{url: \"{}\"}}\nchange: {{state: state}}\npartition:\n  premake: 2\n  tables:\n    - {{table: shop.a}}\n    - {{table: shop.b, premake: 1, zone: Europe/Berlin}}\n",
        site.dsn()
    );
    site.yard.write("pgassay.yaml", &config);
    let cron = || {
        // As cron would: a shell, next to no environment.
        let line = format!(
            "{} --config {}/pgassay.yaml partition maintain corner --yes --quiet",
            env!("CARGO_BIN_EXE_pgassay"),
            site.yard.path().display()
        );
        let output = Command::new("/bin/sh")
            .args(["-c", &line])
            .env_clear()
            .env("HOME", site.yard.home())
            .output()
            .expect("a shell");
        Outcome::of(&output)
    };
    let first = cron().expect(0);
    assert_eq!(first.stdout.lines().count(), 4, "{first:#?}");
    assert_eq!(first.stdout.matches("create_partition").count(), 4, "{first:#?}");
    let count = "select (select count(*) from pg_inherits where inhparent = 'shop.a'::regclass) || ' '
        || (select count(*) from pg_inherits where inhparent = 'shop.b'::regclass)";
    assert_eq!(site.text(count).await, "3 2");
    assert!(bounds(&site, "shop.b").await.contains("23:00:00+00"), "midnight in Berlin");
    for _ in 0..2 {
        let again = cron().expect(0);
        assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
    }
    assert_eq!(site.journals(), 1);

    // A table that cannot be kept keeps the others from nothing.
    site.yard.write("pgassay.yaml", &config.replace("premake: 2", "premake: 3").replace("shop.b", "shop.gone"));
    let partly = cron().expect(3);
    assert!(partly.stderr.contains("no partitioned table shop.gone in database corner"), "{partly:#?}");
    assert_eq!(site.text(count).await, "4 2");
    let again = cron().expect(3);
    assert_eq!(again.stdout, "", "{again:#?}");

    site.yard.write("pgassay.yaml", &config.replace("Berlin", "Bärlin"));
    cron().expect_unable(&["pgassay.yaml:", "is no time zone of the IANA database"]);
    site.yard.write("pgassay.yaml", "partition: {premake: 121}\n");
    cron().expect_unable(&["premake: 121 should be at most 120"]);
    site.yard.write("pgassay.yaml", &config.replace("partition:", "partition:\n  nonsense: 1"));
    cron().expect_unable(&["unknown field `nonsense`"]);
    site.yard
        .pgassay(&["partition", "maintain", &site.dsn(), "--config", "/dev/null"])
        .run()
        .expect_unable(&["no table to maintain"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pg_partman_keeps_is_left_to_it() {
    let Some(binaries) = server(15) else { return };
    let site = Site::with(&binaries, KEPT).await;
    if site.text("select count(*) from pg_available_extensions where name = 'pg_partman'").await == "0" {
        return;
    }
    let managed = "create schema partman; create extension pg_partman schema partman;
        create table shop.events (id bigint, at timestamptz not null) partition by range (at);
        select partman.create_parent('shop.events', 'at', 'native', 'monthly', p_premake := 2)";
    site.admin.execute(managed).await.expect("a table of pg_partman's");
    site.yard.write(
        "pgassay.yaml",
        "change: {state: state}\npartition: {premake: 6, tables: [{table: shop.events}, {table: shop.a}]}\n",
    );
    let dsn = site.dsn();
    let outcome = site.yard.pgassay(&["partition", "maintain", &dsn, "--yes"]).run().expect(3);
    assert!(outcome.stderr.contains("shop.events is kept by pg_partman"), "{outcome:#?}");
    assert_eq!(site.text("select count(*) from pg_inherits where inhparent = 'shop.a'::regclass").await, "7");
    let before = bounds(&site, "shop.events").await;
    let told = site.yard.pgassay(&["partition", "maintain", &dsn, "--yes", "--table", "shop.events"]).run().expect(0);
    assert!(told.stderr.contains("is kept by pg_partman too"), "{told:#?}");
    let after = bounds(&site, "shop.events").await;
    assert_eq!(after.lines().count(), before.lines().count() + 4, "{before}\n{after}");
    site.admin.execute("select partman.run_maintenance()").await.expect("it can live with them");
    let listed = site.yard.pgassay(&["partition", "list", &dsn, "--table", "shop.events"]).run().expect(0).stdout;
    assert!(listed.contains("6 months after the current one"), "{listed}");
    assert!(listed.contains("kept by pg_partman: makes 2 ahead, keeps everything"), "{listed}");

    // Two months back are there, and one is to be kept: its own job would take the other.
    site.admin.execute("update partman.part_config set retention = '1 mon'").await.expect("a retention");
    let rule = ["--only", "retention_overdue", "--param", "retention_overdue.min_days=0"];
    let audit = site.yard.pgassay(&[&["audit", &dsn, "--save", "kept.json"], &rule[..]].concat()).run().expect(0);
    assert!(audit.stdout.contains("1 partition") && audit.stdout.contains("that pg_partman keeps"), "{audit:#?}");
    let listed = site.yard.pgassay(&["partition", "list", "--from", "kept.json"]).run().expect(0).stdout;
    assert!(listed.contains("makes 2 ahead, keeps \"1 mon\""), "{listed}");
    let retire = ["partition", "retire", "shop.events", &dsn, "--keep", "1 month", "--dry-run"];
    let told = site.yard.pgassay(&retire).run().expect(0);
    assert!(told.stderr.contains("shop.events is kept by pg_partman too"), "{told:#?}");
    site.admin.execute("create role guest login").await.expect("a role");
    let guest = site.cluster.dsn("guest", CORNER);
    let listed = site.yard.pgassay(&["partition", "list", &guest]).run().expect(0);
    assert!(listed.stderr.contains("what pg_partman keeps could not be read"), "{listed:#?}");
    let config = "partition: {tables: [{table: shop.events, keep: 2 months}]}\n";
    site.yard.write("pgassay.yaml", config);
    let audit = site.yard.pgassay(&[&["audit", "--from", "kept.json"], &rule[..]].concat()).run().expect(0);
    assert!(!audit.stdout.contains("partitions older than"), "the config counts before it: {audit:#?}");
}
