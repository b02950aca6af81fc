//! What stands in the way of a conversion is named, with the way round; what differs at the last moment rolls it back;
//! keys of all types and names of all sorts.

use crate::support::{Outcome, Site, newest, oldest, server, step};
use pgassay::ddl::statements;
use pgassay::model::plan::Change;
use pgassay::store::{read_plan, write_plan};

const NOTES: &str = "
    create table shop.notes (id bigint primary key, at timestamptz not null, user_id bigint, note text);
    insert into shop.notes select i, now() - i * interval '1 hour', 1, 'n' from generate_series(1, 500) i;
    create function shop.watch() returns trigger language plpgsql as 'begin return new; end'";

fn run(site: &Site, table: &str, by: &str, more: &[&str]) -> Outcome {
    let (dsn, state) = (site.dsn(), site.state().display().to_string());
    let all = ["partition", "convert", table, &dsn, "--by", by, "--state", &state];
    site.yard.pgassay(&[&all[..], more].concat()).run()
}

/// What is done to the table, what is said of it, the name that allows it, and what takes it back.
const OBSTACLES: &[(&str, &str, &str, &str)] = &[
    ("select 1", "the primary key lacks the partition key: notes_pkey PRIMARY KEY (id)", "primary_key", "select 1"),
    (
        "create table shop.replies (note_id bigint references shop.notes)",
        "a foreign key refers to it",
        "",
        "drop table shop.replies",
    ),
    (
        "create table shop.more () inherits (shop.notes)",
        "it inherits from, or is inherited by shop.more",
        "",
        "drop table shop.more",
    ),
    ("create rule r as on delete to shop.notes do instead nothing", "it has a rule", "", "drop rule r on shop.notes"),
    (
        "create materialized view shop.m as select id from shop.notes",
        "something is bound to the table itself",
        "",
        "drop materialized view shop.m",
    ),
    (
        "create function shop.f() returns setof shop.notes language sql as 'select * from shop.notes'",
        "its row type is used",
        "",
        "drop function shop.f()",
    ),
    (
        "create policy p on shop.users using (exists (select from shop.notes))",
        "something is bound to the table itself",
        "",
        "drop policy p on shop.users",
    ),
    (
        "create unique index u on shop.notes (note, id) include (at)",
        "unique without the partition key: u",
        "unique",
        "drop index shop.u",
    ),
    (
        "alter table shop.notes add constraint x exclude (user_id with =) where (user_id > 7)",
        "an exclusion constraint: x",
        "exclusion",
        "alter table shop.notes drop constraint x",
    ),
    (
        "alter table shop.notes alter at drop not null",
        "its key may be NULL: at",
        "nullable_key",
        "alter table shop.notes alter at set not null",
    ),
    (
        "create trigger t before insert on shop.notes for each row execute function shop.watch()",
        "a trigger before each row may change the key",
        "before_trigger",
        "drop trigger t on shop.notes",
    ),
    (
        "create trigger t after insert on shop.notes referencing new table as n for each row execute function shop.watch()",
        "a row trigger has transition tables",
        "",
        "drop trigger t on shop.notes",
    ),
    (
        "alter table shop.notes add constraint c check (id > 0) not valid",
        "a constraint is not validated",
        "",
        "alter table shop.notes drop constraint c",
    ),
    (
        "alter table shop.notes add constraint c check (id > 0) no inherit",
        "a constraint is NO INHERIT",
        "",
        "alter table shop.notes drop constraint c",
    ),
    (
        "create publication p for table shop.notes",
        "a publication tells of partitions by their own names",
        "publication",
        "drop publication p",
    ),
    (
        "create view shop.v as select id, note from shop.notes group by id",
        "a view groups by its primary key",
        "",
        "drop view shop.v",
    ),
    (
        "alter table shop.notes replica identity using index notes_pkey",
        "its replica identity is the primary key by name",
        "",
        "alter table shop.notes replica identity default",
    ),
    (
        "alter table shop.notes add constraint pgassay_before_2099_01 check (id < 1000) not valid",
        "pgassay_before_2099_01 is there and says CHECK ((id < 1000)) NOT VALID",
        "",
        "alter table shop.notes drop constraint pgassay_before_2099_01",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_the_way_is_named() {
    let site = Site::with(&newest(), NOTES).await;
    for (made, said, allow, gone) in OBSTACLES {
        site.admin.execute(made).await.unwrap_or_else(|error| panic!("{made}: {error}"));
        let refused = run(
            &site,
            "shop.notes",
            "at",
            &["--allow", "primary_key", "--dry-run"][..if *allow == "primary_key" { 0 } else { 3 }],
        );
        assert_eq!(refused.code, Some(2), "{made}: {refused:#?}");
        assert!(refused.stderr.contains(said) && refused.stderr.contains("next: "), "{made}: {refused:#?}");
        assert_eq!(refused.stderr.contains("--allow "), !allow.is_empty(), "{made}: {refused:#?}");
        if !allow.is_empty() {
            let both = format!("primary_key,{allow}");
            run(&site, "shop.notes", "at", &["--allow", &both, "--yes"]).expect(0);
            assert_eq!(site.text("select count(*) from shop.notes").await, "500", "{made}");
            site.run(&["undo"]).expect(0);
        }
        site.admin.execute(gone).await.unwrap_or_else(|error| panic!("{gone}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_wishes_are_clear_errors() {
    let site = Site::with(&newest(), NOTES).await;
    for (table, by, more, said) in [
        ("shop.nothing", "at", &[][..], "no table shop.nothing in database corner"),
        ("shop.notes", "born", &[], "shop.notes has no column born"),
        ("shop.notes", "note", &[], "note is of type text, which tells no time"),
        ("shop.notes", "at", &["--from", "2020-01"], "2020-01 begins too soon, or has begun"),
        ("shop.notes", "at", &["--allow", "everything"], "possible values: primary_key"),
        ("shop.notes", "at", &["--rehearse", "--yes"], "cannot be used with"),
        ("shop.notes", "id", &[], "say what it counts since 1970 with --epoch"),
        ("shop.notes", "at", &["--epoch", "s"], "--epoch is for numbers"),
        (
            "shop.notes",
            "at",
            &["--allow", "primary_key", "--rehearse"],
            "step 1 comes first: carry it out with --step 1 --yes",
        ),
    ] {
        let outcome = run(&site, table, by, more);
        assert_eq!(outcome.code, Some(2), "{outcome:#?}");
        assert!(outcome.stderr.contains(said), "{said}: {outcome:#?}");
    }
    site.admin.execute("create table shop.parts (at date) partition by range (at)").await.expect("a table");
    let outcome = run(&site, "shop.parts", "at", &[]);
    assert!(outcome.code == Some(2) && outcome.stderr.contains("is partitioned already"), "{outcome:#?}");
    assert_eq!(site.journals(), 0, "nothing was begun");
}

/// Everything that hangs on the table.
const HANGS: &str = "select string_agg(l, ', ' order by l) from (
    select relkind::text || relname as l from pg_class where relname like 'notes%' union all select conname || convalidated from pg_constraint where conrelid = 'shop.notes'::regclass) x";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_at_the_last_moment_rolls_it_back() {
    let site = Site::with(&newest(), NOTES).await;
    run(&site, "shop.notes", "at", &["--allow", "primary_key", "-o", "plan.json", "--quiet"]).expect(0);
    site.apply(&["--step", "1"]).expect(0);
    let ready = site.text(HANGS).await;
    let rehearsed = run(&site, "shop.notes", "at", &["--allow", "primary_key", "--rehearse"]).expect(0);
    assert!(
        rehearsed.stdout.contains("it would be done") && rehearsed.stderr.contains("nothing is lost"),
        "{rehearsed:#?}"
    );
    assert_eq!(site.text(HANGS).await, ready, "rolled back");
    for (made, lost, gone) in [
        ("create index late on shop.notes (note)", "lost is index late: USING btree (note) t", "drop index shop.late"),
        (
            "grant select on shop.notes to clerk with grant option",
            "lost is privilege: clerk SELECT t",
            "revoke select on shop.notes from clerk",
        ),
        ("create view shop.v as select id from shop.notes", "lost is used by: shop.v", "drop view shop.v"),
        ("comment on table shop.notes is 'new'", "lost is comment: new", "comment on table shop.notes is null"),
        (
            "create trigger t after insert on shop.notes for each row execute function shop.watch()",
            "lost is trigger t",
            "drop trigger t on shop.notes",
        ),
        ("create statistics shop.s on id, note from shop.notes", "lost is statistics s", "drop statistics shop.s"),
        ("create policy p on shop.notes using (true)", "lost is policy p", "drop policy p on shop.notes"),
        ("create publication w for table shop.notes", "lost is publication: w", "drop publication w"),
        (
            "alter table shop.notes alter note set default 'x'; create sequence shop.s owned by shop.notes.id",
            "lost is sequence s",
            "alter table shop.notes alter note drop default; drop sequence shop.s",
        ),
    ] {
        site.admin.execute(made).await.unwrap_or_else(|error| panic!("{made}: {error}"));
        let outcome = site.apply(&[]).expect(5);
        assert!(
            outcome.stdout.contains("so that everything is rolled back") && outcome.stdout.contains(lost),
            "{made}: {outcome:#?}"
        );
        site.admin.execute(gone).await.unwrap_or_else(|error| panic!("{gone}: {error}"));
        assert_eq!(site.text(HANGS).await, ready, "{made}");
    }
    site.apply(&[]).expect(0);
    // On the way back the same holds of what came since.
    site.admin.execute("create index later on shop.notes (user_id)").await.expect("an index");
    let undone = site.run(&["undo"]).expect(5);
    assert!(undone.stdout.contains("lost is index later"), "{undone:#?}");
    site.admin.execute("drop index shop.later").await.expect("dropped");
    site.run(&["resume"]).expect(0);
    assert_eq!(site.text("select relkind::text from pg_class where oid = 'shop.notes'::regclass").await, "r");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_kept() {
    let site = Site::with(&newest(), NOTES).await;
    run(&site, "shop.notes", "at", &["--allow", "primary_key", "-o", "plan.json", "--quiet"]).expect(0);
    let file = site.yard.path().join("plan.json");
    let mut plan = read_plan(&file).expect("a plan");
    for one in &mut plan.steps {
        if let Change::AdoptTable(form) = &mut one.change {
            form.deadline = plan.captured_at;
            let late = step(one.id, Change::AdoptTable(form.clone()));
            (one.statements, one.undo) = (late.statements, late.undo);
            // The transaction would see it too.
            let Some(all) = statements(&one.change).pop() else { panic!("no statement") };
            let text = all.commands().next().expect("a guard").to_owned();
            assert!(
                site.admin.execute(&text).await.is_err_and(|error| error.to_string().contains("too late to adopt"))
            );
        }
    }
    write_plan(&file, &plan).expect("written");
    let outcome = site.apply(&[]).expect(4);
    assert!(outcome.stderr.contains("too late to adopt shop.notes"), "{outcome:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_the_future_stops_the_preparation_and_leaves_nothing() {
    for binaries in [oldest(), newest()] {
        let site = Site::with(&binaries, NOTES).await;
        let before = site.text(HANGS).await;
        run(&site, "shop.notes", "at", &["--allow", "primary_key", "-o", "plan.json", "--quiet"]).expect(0);
        site.admin.execute("insert into shop.notes values (0, now() + interval '9 years')").await.expect("a row");
        let seen = run(&site, "shop.notes", "at", &["--allow", "primary_key", "--yes"]);
        assert!(seen.code == Some(2) && seen.stderr.contains("beyond_boundary: at goes up to"), "{seen:#?}");
        let outcome = site.apply(&[]).expect(5);
        assert!(outcome.stdout.contains("is violated by some row"), "{outcome:#?}");
        site.admin
            .execute("insert into shop.notes values (-1, now() + interval '8 years')")
            .await
            .expect("not refused any more");
        site.run(&["undo"]).expect(0);
        assert_eq!(site.text(HANGS).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_holds_is_looked_at_before_anything_is_begun() {
    for binaries in [oldest(), newest()] {
        let site = Site::open(&binaries).await;
        let millis = "(extract(epoch from now() - i * interval '1 hour') * 1000)::bigint";
        for (key, value, more, said) in [
            ("bigint", millis, &["--epoch", "s"][..], "wrong_unit: at holds"),
            ("bigint", "extract(epoch from now())::bigint - i", &["--epoch", "ms"], "next: --epoch s"),
            ("bigint", "i", &["--epoch", "s"], "no_time: at goes up to 500"),
            ("uuid", "gen_random_uuid()", &[], "uuid_version: at holds"),
        ] {
            let made = format!(
                "drop table if exists shop.notes; create table shop.notes (id int, at {key} not null, primary key (id, at));
                 insert into shop.notes select i, {value} from generate_series(1, 500) i"
            );
            for sql in made.split(';') {
                site.admin.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            let refused = run(&site, "shop.notes", "at", &[more, &["--yes"]].concat());
            assert!(refused.code == Some(2) && refused.stderr.contains(said), "{said}: {refused:#?}");
            let checks = "select count(*) from pg_constraint where conname like 'pgassay%'";
            assert_eq!(site.text(checks).await, "0", "{said}");
        }
        assert_eq!(site.journals(), 0, "nothing was begun");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_generated_when_read_goes_over_and_targets_stay() {
    let Some(binaries) = server(18) else { return };
    let site = Site::with(&binaries, NOTES).await;
    site.admin
        .execute("alter table shop.notes add next bigint generated always as (id + 1) virtual")
        .await
        .expect("a column");
    run(&site, "shop.notes", "at", &["--allow", "primary_key", "--yes"]).expect(0);
    assert_eq!(site.text("select sum(next - id) from shop.notes").await, "500");
    site.admin.execute("alter table shop.notes_legacy alter note set statistics 77").await.expect("a target");
    site.run(&["undo"]).expect(0);
    let target = "select attstattarget from pg_attribute where attrelid = 'shop.notes'::regclass and attname = 'note'";
    assert_eq!(site.text(target).await, "77", "the successor's target is not its");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_all_types_are_adopted_without_a_scan() {
    for major in [13, 18] {
        let Some(binaries) = server(major) else { continue };
        let site = Site::open(&binaries).await;
        let seconds = "(extract(epoch from now() - i * interval '1 hour'))";
        // As version 7 has it: milliseconds in 48 bits, then chance.
        let uuid = format!(
            "(lpad(to_hex(({seconds} * 1000)::bigint), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '9' || substr(md5(i::text), 5, 15))::uuid"
        );
        let (time, seconds, millis) =
            ("now() - i * interval '1 hour'", format!("{seconds}::int"), format!("({seconds} * 1000)::bigint"));
        for (key, zone, value, more) in [
            ("date", "UTC", time, &[][..]),
            ("timestamp", "UTC", time, &[]),
            ("timestamp(0)", "UTC", time, &[]),
            ("timestamptz", "America/New_York", time, &[]),
            ("timestamptz(3)", "Asia/Kolkata", time, &[]),
            ("integer", "UTC", seconds.as_str(), &["--epoch", "s"]),
            ("bigint", "Europe/Berlin", millis.as_str(), &["--epoch", "ms"]),
            ("numeric(20,0)", "UTC", millis.as_str(), &["--epoch", "ms"]),
            ("uuid", "UTC", uuid.as_str(), &[]),
        ] {
            let made = format!(
                "drop table if exists shop.notes, shop.notes_legacy; create table shop.notes (id int, at {key} not null, primary key (id, at));
                 set timezone = 'Asia/Tokyo'; insert into shop.notes select i, {value} from generate_series(1, 500) i;
                 analyze shop.notes"
            );
            for sql in made.split(';') {
                site.admin.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            run(&site, "shop.notes", "at", &[&["--zone", zone, "--step", "1", "--yes"], more].concat()).expect(0);
            let reads = "select pg_stat_clear_snapshot()::text || seq_tup_read from pg_stat_all_tables where relname like 'notes%' and n_live_tup > 0";
            // Both ends of the key and the proof: each reads all, as no index begins with it.
            site.until("select seq_tup_read >= 1500 from pg_stat_all_tables where relname = 'notes'").await;
            let before = site.text(reads).await;
            run(&site, "shop.notes", "at", &[&["--zone", zone, "--step", "1,2", "--yes"], more].concat()).expect(0);
            site.until(crate::support::ALONE).await;
            assert_eq!(site.text(reads).await, before, "{major} {key}: the CHECK spares the scan");
            if major >= 14 && !key.ends_with(')') {
                let (dsn, state) = (site.dsn(), site.state().display().to_string());
                let words = ["partition", "split", "shop.notes", &dsn, "--state", &state, "--yes"];
                let zone = if zone == "UTC" { &[][..] } else { &["--zone", zone] };
                site.yard.pgassay(&[&words[..], zone].concat()).run().expect(0);
                let months = "select (count(*) >= 2)::text from pg_inherits where inhparent = 'shop.notes'::regclass";
                assert_eq!(site.text(months).await, "true", "{major} {key}");
            } else {
                site.run(&["undo"]).expect(0);
            }
            assert_eq!(site.text("select count(*) from shop.notes").await, "500");
        }
    }
}
