//! A plain table becomes the first partition of its successor: everything it had goes over, and comes back; what
//! differs rolls it back; what stands in the way is named.

use crate::support::{Outcome, Site, newest, server};

/// A table that has whatever a table can have.
const EVENTS: &str = r#"
    create role keeper; create role clerks; create role "Auditor"; grant create, usage on schema shop to keeper;
    create table shop.events (
      gone int, id bigint generated always as identity (start with 100 increment by 10 cache 5) primary key,
      at timestamptz(3) not null default now(), user_id bigint not null references shop.users (id) on delete cascade,
      nr serial, note text collate "C" default 'none' constraint "Note!" check (note <> ''), length int generated always as (user_id::int * 2) stored,
      constraint events_nr_at_key unique (nr, at)) with (fillfactor = 80, toast.autovacuum_enabled = off);
    alter table shop.events drop column gone;
    insert into shop.events (at, user_id) select now() - i * interval '1 hour', 1 + i % 500 from generate_series(1, 3000) i;
    create index "Odd USING (name" on shop.events using btree (lower(note) desc, (at)) where note is not null;
    create index events_user_id_idx on shop.events (user_id) include (nr) with (fillfactor = 70);
    create statistics shop.events_stats (dependencies, ndistinct) on user_id, note from shop.events;
    alter statistics shop.events_stats set statistics 77;
    alter table shop.events alter column note set statistics 500, alter column note set (n_distinct = 7), alter column note set storage external;
    alter table shop.events cluster on events_user_id_idx;
    create function shop.watch() returns trigger language plpgsql as 'begin return new; end';
    create trigger "Watch" after insert or update of note on shop.events for each row when (new.note <> 'x') execute function shop.watch();
    create trigger asleep after delete on shop.events for each row execute function shop.watch();
    alter table shop.events disable trigger asleep; 
    create trigger whole before truncate on shop.events for each statement execute function shop.watch();
    create constraint trigger late after insert on shop.events deferrable initially deferred for each row execute function shop.watch();
    alter table shop.events enable always trigger late;
    create view shop.recent with (security_barrier = true) as select e.id, e.note, u.name from shop.events e join shop.users u on u.id = e.user_id where e.at > now() - interval '1 day';
    create view shop.own as select * from shop.events where user_id = 7 with local check option;
    create view shop.above as select count(*) from shop.recent;
    grant select on shop.recent to clerks;
    alter table shop.events enable row level security;
    alter table shop.events force row level security;
    create policy "own rows" on shop.events as restrictive for update to clerks using (user_id > 0) with check (user_id < 9);
    create policy everybody on shop.events using (exists (select from shop.users u where u.id = user_id));
    grant select, insert on shop.events to clerks with grant option;
    grant select on shop.events to public;
    grant update (note) on shop.events to "Auditor";
    grant usage on sequence shop.events_id_seq to clerks;
    create publication news for table shop.events with (publish_via_partition_root = true);
    alter table shop.events replica identity using index events_nr_at_key;
    comment on table shop.events is 'it''s all'; comment on column shop.events.note is 'what was said';
    comment on constraint events_pkey on shop.events is 'key'; comment on constraint "Note!" on shop.events is 'check';
    comment on constraint events_user_id_fkey on shop.events is 'reference'; comment on index shop.events_user_id_idx is 'index';
    comment on trigger "Watch" on shop.events is 'trigger'; comment on policy everybody on shop.events is 'policy';
    comment on statistics shop.events_stats is 'statistics'; comment on sequence shop.events_id_seq is 'sequence'; comment on view shop.recent is 'view';
    alter table shop.events owner to keeper;
    alter default privileges in schema shop grant all on tables to "Auditor";
    alter default privileges in schema shop grant all on sequences to "Auditor";
    analyze shop.events"#;

/// What users see of the table, by the views of the catalog.
const PORTRAIT: &str = r#"
    select string_agg(line, E'\n' order by line) from (
      select concat_ws(' ', 'column', column_name, ordinal_position - (select count(*) from pg_attribute a where a.attrelid = 'shop.events'::regclass and a.attisdropped and a.attnum < ordinal_position),
        column_default, is_nullable, data_type, datetime_precision, collation_name, is_identity, identity_generation, identity_start, identity_increment, is_generated, generation_expression) as line
        from information_schema.columns where table_schema = 'shop' and table_name = 'events'
      union all select concat_ws(' ', 'grant', grantor, grantee, privilege_type, is_grantable) from information_schema.role_table_grants where table_schema = 'shop' and table_name in ('events', 'recent')
      union all select concat_ws(' ', 'column grant', grantee, column_name, privilege_type) from information_schema.role_column_grants where table_schema = 'shop' and table_name = 'events'
      union all select concat_ws(' ', 'index', indexname, replace(indexdef, ' ON ONLY ', ' ON ')) from pg_indexes where schemaname = 'shop' and tablename = 'events' and indexname <> 'events_pkey'
      union all select concat_ws(' ', 'constraint', constraint_name, constraint_type, is_deferrable) from information_schema.table_constraints where table_schema = 'shop' and table_name = 'events' and constraint_name !~ 'not_null$'
      union all select concat_ws(' ', 'trigger', trigger_name, event_manipulation, action_condition, action_statement, action_orientation, action_timing) from information_schema.triggers where event_object_table = 'events'
      union all select concat_ws(' ', 'fires', tgname, tgenabled, tgdeferrable, tginitdeferred) from pg_trigger where tgrelid = 'shop.events'::regclass and not tgisinternal
      union all select concat_ws(' ', 'policy', policyname, permissive, roles, cmd, qual, with_check) from pg_policies where tablename = 'events'
      union all select concat_ws(' ', 'view', table_name, view_definition, check_option, c.reloptions::text, pg_get_userbyid(c.relowner)) from information_schema.views join pg_class c on c.relname = table_name where table_schema = 'shop'
      union all select concat_ws(' ', 'table', pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity, relreplident) from pg_class where oid = 'shop.events'::regclass
      union all select concat_ws(' ', 'comment', objtype, description) from (select *, c.objoid::regclass as objtype from pg_description c where c.classoid = 'pg_class'::regclass and c.objoid::regclass::text like 'shop.e%' and c.objoid::regclass::text not like '%legacy%' and c.objoid::regclass::text not like '%20__\___') c
      union all select concat_ws(' ', 'publication', pubname, tablename) from pg_publication_tables where schemaname = 'shop'
      union all select concat_ws(' ', 'statistics', pg_get_statisticsobjdef(oid), to_jsonb(s) ->> 'stxstattarget', obj_description(oid, 'pg_statistic_ext')) from pg_statistic_ext s where stxrelid = 'shop.events'::regclass
      union all select concat_ws(' ', 'sequence', sequencename, sequenceowner, data_type, start_value, increment_by, max_value, cache_size, last_value) from pg_sequences where schemaname = 'shop' and sequencename like 'events%'
      union all select concat_ws(' ', 'sequence grant', grantee, object_name, privilege_type) from information_schema.usage_privileges where object_schema = 'shop' and object_name like 'events%'
      union all select concat_ws(' ', 'serial', pg_get_serial_sequence('shop.events', 'nr'), pg_get_serial_sequence('shop.events', 'id'))
      union all select concat_ws(' ', 'rows', count(*), md5(string_agg(e::text, ',' order by id))) from shop.events e
    ) x"#;

fn words(site: &Site, table: &str, more: &[&str]) -> Vec<String> {
    let state = site.state().display().to_string();
    let all = ["partition", "convert", table, &site.dsn(), "--by", "at", "--state", &state].map(str::to_owned);
    all.into_iter().chain(more.iter().map(|word| (*word).to_owned())).collect()
}

fn convert(site: &Site, more: &[&str]) -> Outcome {
    let words = words(site, "shop.events", more);
    site.yard.pgassay(&words.iter().map(String::as_str).collect::<Vec<_>>()).run()
}

const KEY: [&str; 2] = ["--allow", "primary_key"];

/// The portrait, line by line.
async fn portrait(site: &Site) -> Vec<String> {
    site.text(PORTRAIT).await.lines().map(str::to_owned).collect()
}

async fn partitions(site: &Site) -> String {
    site.text(
        "select coalesce(string_agg(relname || ' ' || pg_get_expr(relpartbound, oid), ', ' order by relname), '')
         from pg_class where relispartition and relkind = 'r' and relname like 'events%'",
    )
    .await
}

fn apart(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    gone.chain(after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_over_and_comes_back() {
    for major in 13..=18 {
        let Some(binaries) = server(major) else { continue };
        let site = Site::with(&binaries, EVENTS).await;
        if major >= 14 {
            let body = "create function shop.busy(bigint) returns bigint language sql begin atomic select count(*) from shop.events where user_id = $1; end";
            site.admin.execute(body).await.expect("a function");
        }
        let before = portrait(&site).await;
        assert!(before.len() > 60, "{major}: {before:#?}");
        let file = site.text("select pg_relation_filenode('shop.events')").await;
        let outcome = convert(&site, &[&KEY[..], &["--yes"]].concat()).expect(0);
        assert!(outcome.stderr.contains("locked against everything for"), "{outcome:#?}");
        assert_eq!(apart(&before, &portrait(&site).await), [""; 0], "{major}");
        assert_eq!(site.text("select pg_relation_filenode('shop.events_legacy')").await, file, "no row was copied");
        assert_eq!(partitions(&site).await.matches("FOR VALUES FROM").count(), 4, "{major}");
        let leaf = "select c.reloptions::text || ' ' || t.reloptions::text || ' ' || a.attstattarget || a.attoptions::text
            || (select count(*) from pg_index i where i.indrelid = c.oid and i.indisclustered)
            from pg_class c join pg_class t on t.oid = c.reltoastrelid join pg_attribute a on a.attrelid = c.oid and a.attname = 'note'
            where c.oid = 'shop.events_legacy'::regclass";
        assert_eq!(site.text(leaf).await, "{fillfactor=80} {autovacuum_enabled=off} 500{n_distinct=7}1", "{major}");
        // It goes on: ids from where they were, rows into their months, views and functions over all of them.
        site.admin.execute("insert into shop.events (at, user_id) values (now(), 7)").await.expect("a row");
        let own = "select count(*) from shop.own where at > now() - interval '1 minute'";
        assert_eq!(site.text(own).await, "1", "{major}");
        if major >= 14 {
            let all = "select shop.busy(7) = (select count(*) from shop.events where user_id = 7)";
            assert_eq!(site.text(all).await, "t");
        }
        site.admin.execute("delete from shop.events where at > now() - interval '1 minute'").await.expect("gone again");
        let after = portrait(&site).await;
        let undone = site.run(&["undo"]).expect(0);
        assert_eq!(apart(&after, &portrait(&site).await), [""; 0], "{major}: {undone:#?}");
        assert_eq!(partitions(&site).await, "");
        assert_eq!(site.text("select pg_relation_filenode('shop.events')").await, file);
        let left = "select coalesce(string_agg(relname, ' '), '') from pg_class where relname like 'events_legacy%' or relname like '%restored%' or relname like '%successor%'";
        assert_eq!(site.text(left).await, "", "{major}: nothing is left behind");
        let key = "select pg_get_constraintdef(oid) || conname from pg_constraint where conrelid = 'shop.events'::regclass and contype = 'p'";
        assert_eq!(site.text(key).await, "PRIMARY KEY (id)events_pkey");
    }
}

/// Names that try to break out of SQL, or to be cut.
const NAMES: &[&str] = &[
    "semi; drop table x; -- comment",
    "line\nbreak $1 $$ %s % {{ x }}",
    "quo\"te.dot.'single' :colon :'x'",
    "back\\slash \\n /* open comment",
    "éééééééééééééééééééé USING (",
    "select",
    "ON ONLY \"x",
    "sixty-three bytes are the most that a name of \"whatever\" may have, a month's too",
    "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü",
];

/// As PostgreSQL cuts it.
fn cut(name: &str) -> String {
    let mut name = name.to_owned();
    while name.len() > 63 {
        name.pop();
    }
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_all_sorts_go_over_and_come_back() {
    let site = Site::open(&newest()).await;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for name in NAMES {
        let (plain, own) = (cut(name), quoted(&cut(name)));
        let made = format!(
            "create schema {own}; create role {own};
             create table {own}.{own} ({own} timestamptz not null, id int generated by default as identity primary key, note text constraint {own} check (note <> 'it''s \\'));
             insert into {own}.{own} select now() - i * interval '1 day' from generate_series(1, 100) i;
             create index \"{}\" on {own}.{own} ((note || 'it''s'), {own}) where note <> 'x';
             create index on {own}.{own} (note, {own});
             create function {own}.{own}() returns trigger language plpgsql as 'begin return new; end';
             create trigger {own} after insert on {own}.{own} for each row execute function {own}.{own}();
             create view {own}.\"{}\" as select * from {own}.{own} where note = 'it''s \\';
             create policy {own} on {own}.{own} to {own} using (note <> 'it''s \\');
             create statistics {own}.{own} on note, id from {own}.{own};
             grant select on {own}.{own} to {own};
             comment on table {own}.{own} is 'it''s \\ % $1'",
            "i".repeat(63),
            "v".repeat(63),
        );
        site.admin.execute(&made).await.unwrap_or_else(|error| panic!("{own}: {error}"));
        let (dsn, state, table) = (site.dsn(), site.state().display().to_string(), format!("{plain}.{plain}"));
        let all = [
            "partition",
            "convert",
            &table,
            &dsn,
            "--by",
            &plain,
            "--allow",
            "primary_key",
            "--state",
            &state,
            "--yes",
        ];
        site.yard.pgassay(&all).run().expect(0);
        assert_eq!(site.text(&format!("select count(*) from {own}.{own}")).await, "100", "{name}");
        let kind = format!(
            "select relkind::text from pg_class c join pg_namespace n on n.oid = relnamespace
             where nspname = relname and relkind in ('r', 'p') and nspname = '{}'",
            plain.replace('\'', "''")
        );
        assert_eq!(site.text(&kind).await, "p", "{name}");
        if plain.len() < 60 {
            site.run(&["undo"]).expect(0);
            assert_eq!(site.text(&kind).await, "r", "{name}");
            continue;
        }
        // The end of a long name gives way to the month.
        site.admin.execute(&format!("drop trigger {own} on {own}.{own}")).await.expect("it is in a split's way");
        for words in [&["create", "--months", "6"][..], &["split"], &["retire", "--keep", "1 month"]] {
            let all = ["partition", words[0], &table, &dsn, "--state", &state, "--yes"];
            site.yard.pgassay(&[&all[..], &words[1..]].concat()).run().expect(0);
        }
        let rows = format!("select (count(*) between 28 and 62)::text from {own}.{own}");
        assert_eq!(site.text(&rows).await, "true", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tables_whose_names_begin_alike_have_months_of_their_own() {
    let site = Site::open(&newest()).await;
    for end in ["a", "b"] {
        let table = format!("{}{end}", "t".repeat(62));
        site.admin.execute(&format!("create table shop.{table} (at date not null)")).await.expect("made");
        let table = format!("shop.{table}");
        let (dsn, state) = (site.dsn(), site.state().display().to_string());
        site.yard
            .pgassay(&["partition", "convert", &table, &dsn, "--by", "at", "--state", &state, "--yes"])
            .run()
            .expect(0);
        site.yard
            .pgassay(&["partition", "create", &table, &dsn, "--months", "7", "--state", &state, "--yes"])
            .run()
            .expect(0);
    }
    let months =
        "select (count(*) >= 12 and max(octet_length(relname)) = 63 and count(distinct left(relname, 55)) = 2)::text
        from pg_class where relispartition and relname ~ '^t+1?_20'";
    assert_eq!(site.text(months).await, "true");
}
