-- tables, partitioned tables and materialized views, with their counters
-- needs: nothing, 16 and up; left out: system schemas, temporary tables of any session
with locked as materialized (
  -- pg_relation_size() would wait for these, and even for who waits for them
  select distinct l.relation as oid
  from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
    and l.pid is distinct from pg_catalog.pg_backend_pid() -- a prepared transaction has no pid
),
members as (
  select e.objid as oid from pg_catalog.pg_depend e
  where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and e.deptype = 'e'
),
widths as (
  select a.attrelid as oid, pg_catalog.count(*) as columns
  from pg_catalog.pg_attribute a where a.attnum > 0 and not a.attisdropped group by a.attrelid
),
triggers as (
  select t.tgrelid as oid, pg_catalog.count(*) as triggers from pg_catalog.pg_trigger t where not t.tgisinternal group by t.tgrelid
)
select
  pg_catalog.current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
  case c.relkind when 'r' then 'table' when 'p' then 'partitioned_table' else 'materialized_view' end as kind,
  c.relpersistence = 'u' as is_unlogged, pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
  pg_catalog.has_table_privilege(c.oid, 'select') and pg_catalog.has_schema_privilege(n.oid, 'usage') as is_selectable,
  c.relispartition as is_partition, pn.nspname::text as parent_schema, p.relname::text as parent_name,
  c.oid in (select e.oid from members e) as is_extension_member,
  case when c.reltuples >= 0 then c.reltuples::bigint end as estimated_rows,
  -- a partitioned table has relpages -1 once analyzed
  coalesce(
    case when c.oid not in (select l.oid from locked l) then pg_catalog.pg_relation_size(c.oid) end,
    b.bytes * greatest(c.relpages, 0)) as bytes,
  c.oid in (select l.oid from locked l) as bytes_are_estimated, coalesce(b.bytes * t.relpages, 0) as toast_bytes,
  case when c.relpages > 0 then least(c.relallvisible::double precision / c.relpages, 1) end as all_visible_fraction,
  coalesce(w.columns, 0) as column_count, coalesce(g.triggers, 0) as trigger_count, coalesce(c.reloptions, '{}') as options,
  case c.relreplident when 'd' then 'default' when 'i' then 'index' when 'f' then 'full' else 'nothing' end as replica_identity,
  c.relrowsecurity as has_row_security,
  coalesce(s.seq_scan, 0) as seq_scans, coalesce(s.seq_tup_read, 0) as seq_tuples_read,
  coalesce(s.idx_scan, 0) as index_scans, coalesce(s.idx_tup_fetch, 0) as index_tuples_fetched,
  coalesce(s.n_tup_ins, 0) as inserted, coalesce(s.n_tup_upd, 0) as updated, coalesce(s.n_tup_del, 0) as deleted,
  coalesce(s.n_tup_hot_upd, 0) as hot_updated, coalesce(s.n_tup_newpage_upd, 0) as new_page_updated,
  coalesce(s.n_live_tup, 0) as live_tuples, coalesce(s.n_dead_tup, 0) as dead_tuples,
  coalesce(s.n_mod_since_analyze, 0) as modified_since_analyze, coalesce(s.n_ins_since_vacuum, 0) as inserted_since_vacuum,
  s.last_vacuum, s.last_autovacuum, s.last_analyze, s.last_autoanalyze,
  coalesce(s.vacuum_count, 0) as vacuums, coalesce(s.autovacuum_count, 0) as autovacuums,
  coalesce(s.analyze_count, 0) as analyzes, coalesce(s.autoanalyze_count, 0) as autoanalyzes,
  -- as in pg_statio_all_tables, which would sum up the indexes of every table once more
  pg_catalog.pg_stat_get_blocks_fetched(c.oid) - pg_catalog.pg_stat_get_blocks_hit(c.oid) as heap_blocks_read,
  pg_catalog.pg_stat_get_blocks_hit(c.oid) as heap_blocks_hit,
  s.last_seq_scan, s.last_idx_scan as last_index_scan,
  pg_catalog.age(nullif(c.relfrozenxid, '0'::pg_catalog.xid))::bigint as frozen_xid_age,
  pg_catalog.mxid_age(nullif(c.relminmxid, '0'::pg_catalog.xid))::bigint as min_mxid_age
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join (select pg_catalog.current_setting('block_size')::bigint as bytes) b
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid -- 13 has no row for partitioned tables
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid and c.relispartition
left join pg_catalog.pg_class p on p.oid = h.inhparent
left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
left join widths w on w.oid = c.oid
left join triggers g on g.oid = c.oid
where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, c.relname
