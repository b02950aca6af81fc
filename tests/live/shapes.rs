//! Databases of odd shapes: with nothing in them, with everything that is no table, with a thousand
//! columns, with partitions of partitions, and with an index half built.

use crate::support::{CORNER, Report, Yard, corner, newest, oldest, until, with_statements};
use pgassay::demo::{Binaries, Cluster, SUPERUSER};
use pgassay::postgres::Scratch;

/// What is not to be found: each is no table, belongs to somebody else, or is in order.
const BESIDES: &str = "
    create extension intarray; -- operators on arrays that are ambiguous beside the server's own
    create extension postgres_fdw;
    create server elsewhere foreign data wrapper postgres_fdw options (host '/nowhere');
    create user mapping for public server elsewhere options (user 'nobody');
    create foreign table public.far (id int, note text) server elsewhere;
    create view public.seen as select id, note from shop.orders;
    create view public.broken as select id / 0 as id from shop.orders;
    create materialized view public.kept as select id, note from shop.orders with no data;
    create type public.pair as (a int, b int);
    create table public.of_extension (id int, note text);
    alter extension intarray add table public.of_extension;
    create temporary table passing (id int, note text);
    insert into passing select i, 'note' from generate_series(1, 20000) as i;
    create unlogged table public.scratch (id int primary key, note text);
    create table public.no_columns ();
    drop table public.no_columns;
    create table public.parent (id int primary key, note text);
    create table public.heir (primary key (id)) inherits (public.parent);
    create table public.typed of public.pair (primary key (a));
    create table public.arrays (id int primary key, tags int[]);
    create index on public.arrays using gin (tags gin__int_ops);
    insert into public.arrays select i, array[i, i + 1] from generate_series(1, 2000) as i;
";

/// A thousand columns and no key; and a tree of three levels without one.
const FOUND: &str = "
    do $$ begin
      execute (select 'create table public.wide (' || string_agg('column_' || i || ' int', ', ') || ')' from generate_series(1, 1000) as i);
    end $$;
    insert into public.wide (column_1) select i from generate_series(1, 2000) as i;
    create table public.tree (at timestamptz not null, region int not null, shop int not null) partition by range (at);
    do $$
    declare
      year text;
      region text;
    begin
      for y in 2020..2025 loop
        year := 'tree_' || y;
        execute format('create table public.%I partition of public.tree for values from (%L) to (%L) partition by list (region)',
          year, y || '-01-01', (y + 1) || '-01-01');
        for r in 1..3 loop
          region := year || '_' || r;
          execute format('create table public.%I partition of public.%I for values in (%s) partition by hash (shop)', region, year, r);
          for s in 0..1 loop
            execute format('create table public.%I partition of public.%I for values with (modulus 2, remainder %s)', region || '_' || s, region, s);
          end loop;
        end loop;
      end loop;
    end
    $$;
    insert into public.tree select timestamptz '2020-01-01' + make_interval(days => i % 2000), 1 + i % 3, i from generate_series(1, 12000) as i;
    -- sound: invalid until each partition has one, and then it is not
    create index tree_shop_idx on only public.tree (shop);
";

/// The rows of the tree have arrived in the counters.
const COUNTED: &str = "select sum(n_tup_ins) = 12000 from pg_stat_user_tables where relname like 'tree%'";

async fn open(yard: &Yard, binaries: &Binaries) -> (Cluster, Scratch) {
    let cluster = yard.start(binaries, &with_statements());
    let admin = corner(&cluster).await;
    admin.execute("create extension pg_stat_statements").await.expect("the extension");
    (cluster, admin)
}

fn audit(yard: &Yard, cluster: &Cluster, database: &str, args: &[&str]) -> Report {
    let dsn = cluster.dsn(SUPERUSER, database);
    let report = yard.audit(&[&[dsn.as_str(), "--format", "json"], args].concat()).run().expect(0).report();
    report.assert_calm();
    assert_eq!(report.gaps(), []);
    report
}

/// `rule object` of what is found in tables, indexes, partitions and statements.
fn found(report: &Report) -> Vec<String> {
    let findings = report.0["findings"].as_array().expect("findings").iter();
    let mut found: Vec<String> = findings
        .filter(|finding| !matches!(finding["area"].as_str(), Some("server" | "connection")))
        .map(|finding| format!("{} {}", finding["rule"], finding["object"]["path"]).replace('"', ""))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_at_all() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let cluster = yard.start(&binaries, &with_statements());
        let admin = cluster.session("postgres", SUPERUSER, "setup").await.expect("a session");
        admin.execute("create database void").await.expect("a database");
        let void = cluster.session("void", SUPERUSER, "setup").await.expect("a session");
        void.execute(
            "drop schema public cascade; create schema stats; create extension pg_stat_statements schema stats",
        )
        .await
        .expect("nothing is left");
        assert_eq!(found(&audit(&yard, &cluster, "void", &[])), [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_relation() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin) = open(&yard, &binaries).await;
        admin.execute(BESIDES).await.expect("made");
        assert_eq!(found(&audit(&yard, &cluster, CORNER, &[])), [""; 0]);
        admin.execute(FOUND).await.expect("made");
        // What a session has not yet counted would count as changed after the ANALYZE.
        admin.close().await;
        until(&cluster.session(CORNER, SUPERUSER, "later").await.expect("a session"), COUNTED).await;
        let admin = cluster.session(CORNER, SUPERUSER, "setup").await.expect("a session");
        admin.execute("analyze").await.expect("analyzed");
        until(&admin, "select count(last_analyze) >= 36 from pg_stat_user_tables where relname like 'tree%'").await;
        let eager = ["--param", "unindexed_foreign_key.min_bytes=0", "--param", "duplicate_index.min_bytes=0"];
        let report = audit(&yard, &cluster, CORNER, &eager);
        let expected = [
            "no_primary_key public.tree",
            "no_primary_key public.wide",
            "partition_index_incomplete public.tree_shop_idx",
        ];
        assert_eq!(found(&report), expected);
    }
}

/// A tree is one table: what its leaves have done is the tree's, and said once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_found_once() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin) = open(&yard, &binaries).await;
        admin.execute(FOUND).await.expect("made");
        admin.execute("drop table public.wide").await.expect("dropped");
        let twice = "alter table public.tree add primary key (at, region, shop);
                     create index tree_region_idx on public.tree (region);
                     create index tree_region_again_idx on public.tree (region)";
        admin.execute(twice).await.expect("made");
        // A session's counters arrive when it ends, at the latest.
        let writer = cluster.session(CORNER, SUPERUSER, "writer").await.expect("a session");
        writer
            .execute("delete from public.tree where shop % 2 = 0; select count(*) from public.tree where shop = 7")
            .await
            .expect("worked");
        writer.close().await;
        until(&admin, "select sum(n_tup_del) >= 6000 from pg_stat_user_tables where relname like 'tree%'").await;
        let eager: Vec<&str> = [
            "autovacuum_disabled.max_seconds=0",
            "dead_rows.min_rows=100",
            "duplicate_index.min_bytes=0",
            "redundant_index.min_bytes=0",
            "never_analyzed.min_rows=1",
            "seq_scan_heavy_table.min_scans=1",
            "seq_scan_heavy_table.min_rows=1",
            "seq_scan_heavy_table.min_bytes=1",
            "stale_statistics.min_rows=1",
            "too_many_indexes.min_count=2",
            "too_many_indexes.min_writes=1",
            "unused_index.min_bytes=0",
            "unused_index.min_stats_age_days=0",
        ]
        .iter()
        .flat_map(|param| ["--param", *param])
        .collect();
        let found = found(&audit(&yard, &cluster, CORNER, &eager));
        let of_leaves: Vec<&String> = found.iter().filter(|one| one.contains("tree_2")).collect();
        assert_eq!(of_leaves, [""; 0], "no finding of its own for any partition");
        assert!(found.iter().any(|one| one.starts_with("duplicate_index public.tree_region_")), "{found:?}");
        assert!(found.iter().any(|one| one == "dead_rows public.tree"), "{found:?}");
        assert!(!found.iter().any(|one| one.starts_with("invalid_index")), "{found:?}");
    }
}

/// Autovacuum works on leaves: VACUUM of them is the tree's, while ANALYZE of them says nothing of the whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_maintained_by_its_leaves_but_for_analyze() {
    for binaries in [oldest(), newest()] {
        let yard = Yard::open();
        let (cluster, admin) = open(&yard, &binaries).await;
        admin.execute(FOUND).await.expect("made");
        admin.close().await;
        let admin = cluster.session(CORNER, SUPERUSER, "later").await.expect("a session");
        until(&admin, COUNTED).await;
        let eager: Vec<&str> =
            ["never_vacuumed.min_rows=1", "never_vacuumed.min_stats_age_days=0", "never_vacuumed.min_ratio=0"]
                .iter()
                .flat_map(|param| ["--param", *param])
                .chain(["--only", "never_analyzed,never_vacuumed,stale_statistics"])
                .collect();
        let of_tree = || -> Vec<String> {
            found(&audit(&yard, &cluster, CORNER, &eager))
                .into_iter()
                .filter(|one| one.contains("public.tree"))
                .collect()
        };
        assert_eq!(of_tree(), ["never_analyzed public.tree", "never_vacuumed public.tree"]);
        let leaves = "do $$ declare leaf text; begin
            for leaf in select relname from pg_class where relname like 'tree%' and relkind = 'r' loop
              execute format('analyze public.%I', leaf);
            end loop;
          end $$";
        admin.execute(leaves).await.expect("analyzed");
        admin.execute("vacuum public.tree_2020_1_0").await.expect("vacuumed");
        until(
            &admin,
            "select count(*) = 1 from pg_stat_user_tables where last_vacuum is not null and relname like 'tree%'",
        )
        .await;
        assert_eq!(of_tree(), ["never_analyzed public.tree"]);
        admin.execute("analyze public.tree").await.expect("analyzed");
        assert_eq!(of_tree(), [""; 0]);
    }
}

/// An index that is being built, or built anew, is invalid and no fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_half_built() {
    for binaries in [oldest(), newest()] {
        for build in [
            "create index concurrently half on shop.orders (note)",
            "reindex index concurrently shop.orders_user_id_idx",
        ] {
            let yard = Yard::open();
            let (cluster, admin) = open(&yard, &binaries).await;
            admin.execute("create role monitor login; grant pg_monitor to monitor").await.expect("a role");
            let holder = cluster.session(CORNER, SUPERUSER, "holder").await.expect("a session");
            holder.execute("begin; lock table shop.orders in row exclusive mode").await.expect("locked");
            let builder = cluster.session(CORNER, SUPERUSER, "builder").await.expect("a session");
            let building = tokio::spawn(async move { builder.execute(build).await });
            let invalid = "select count(*) = 1 from pg_index where not indisvalid";
            until(&admin, invalid).await;
            for role in [SUPERUSER, "monitor"] {
                let dsn = cluster.dsn(role, CORNER);
                let outcome = yard.audit(&[&dsn, "--format", "json", "--only", "invalid_index"]).run().expect(0);
                assert_eq!(outcome.report().status("invalid_index"), "passed", "{build} as {role}");
            }
            holder.execute("rollback").await.expect("unlocked");
            building.await.expect("joined").expect("built");
        }
    }
}
