-- indexes of tables and materialized views, their definitions taken apart, with size and counters
-- needs: nothing, 13 and 14; left out: what relations.sql leaves out, and TOAST indexes
with locks as materialized (
  select l.relation as oid, l.mode, l.granted, l.pid
  from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation' and l.pid is distinct from pg_catalog.pg_backend_pid() -- no pid: a prepared transaction
), locked as (select l.oid from locks l where l.mode = 'AccessExclusiveLock'),
building as (
  select b.index_relid as oid from pg_catalog.pg_stat_progress_create_index b
  where b.datname = pg_catalog.current_database() and b.index_relid is not null
  union all
  -- index_relid is hidden from lesser roles and names one of several being rebuilt; pids and locks are plain
  select i.indexrelid from pg_catalog.pg_index i
  where not i.indisvalid and i.indrelid in (select l.oid from locks l where l.granted
    and l.mode = 'ShareUpdateExclusiveLock' and l.pid in (select b.pid from pg_catalog.pg_stat_progress_create_index b))
  union all select l.oid from locks l where l.granted and l.mode = 'ShareUpdateExclusiveLock' -- being dropped concurrently
),
members as (
  select e.objid as oid from pg_catalog.pg_depend e where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and e.deptype = 'e'
),
backed as (
  select k.conindid as oid, pg_catalog.bool_or(k.contype = 'f') as is_target,
    pg_catalog.max(k.conname::text) filter (where k.contype in ('p', 'u', 'x')) as constraint_name
  from pg_catalog.pg_constraint k where k.conindid <> 0 group by k.conindid
),
keys as (
  select k.oid,
    pg_catalog.array_agg(coalesce(a.attname::text, '') order by k.nr) filter (where k.is_key) as columns,
    pg_catalog.array_agg(a.attname::text order by k.nr) filter (where not k.is_key) as included,
    pg_catalog.array_agg(os.nspname || '.' || o.opcname order by k.nr) filter (where k.is_key) as classes,
    pg_catalog.array_agg(coalesce(vs.nspname || '.' || v.collname, '') order by k.nr) filter (where k.is_key) as collations,
    pg_catalog.array_agg(k.flags order by k.nr) filter (where k.is_key) as orders
  from (
    select i.indexrelid as oid, i.indrelid, u.*, u.nr <= i.indnkeyatts as is_key from pg_catalog.pg_index i
    cross join lateral rows from (pg_catalog.unnest(i.indkey), pg_catalog.unnest(i.indclass),
      pg_catalog.unnest(i.indcollation), pg_catalog.unnest(i.indoption)) with ordinality u (attnum, class, coll, flags, nr)
    offset 0 -- a fence: else all collations may be read for every index
  ) k
  left join pg_catalog.pg_attribute a on a.attrelid = k.indrelid and a.attnum = k.attnum
  left join (pg_catalog.pg_opclass o join pg_catalog.pg_namespace os on os.oid = o.opcnamespace) on o.oid = k.class
  left join (pg_catalog.pg_collation v join pg_catalog.pg_namespace vs on vs.oid = v.collnamespace) on v.oid = k.coll
  group by k.oid
)
select pg_catalog.current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
  t.relname::text as "table", m.amname::text as method,
  -- printing an expression opens the table: under an exclusive lock it would wait, so it gets a text equal to no other
  coalesce(x.unread, pg_catalog.pg_get_indexdef(c.oid), '') as definition, k.columns as key_columns,
  coalesce(k.included, '{}') as included_columns, k.classes as operator_classes, k.collations, k.orders,
  case when i.indexprs is not null then coalesce(x.unread, pg_catalog.pg_get_expr(i.indexprs, t.oid)) end as expressions,
  case when i.indpred is not null then coalesce(x.unread, pg_catalog.pg_get_expr(i.indpred, t.oid)) end as predicate,
  i.indisunique as is_unique, false as nulls_not_distinct, i.indisprimary as is_primary,
  i.indisexclusion as is_exclusion, f.constraint_name, coalesce(f.is_target, false) as is_foreign_key_target,
  i.indisreplident as is_replica_identity, i.indisclustered as is_clustered, i.indisvalid as is_valid,
  i.indisready as is_ready, i.indislive as is_live, c.oid in (select b.oid from building b) as is_being_built,
  c.relkind = 'I' as is_partitioned, c.relispartition as is_partition, pn.nspname::text as parent_schema,
  p.relname::text as parent_name,
  c.oid in (select e.oid from members e) or t.oid in (select e.oid from members e) as is_extension_member,
  case when c.reltuples >= 0 and c.relpages > 0 then c.reltuples::bigint end as estimated_rows, -- once measured, it has a page
  coalesce(case when not x.is_locked then pg_catalog.pg_relation_size(c.oid) end,
    c.relpages * pg_catalog.current_setting('block_size')::bigint) as bytes, x.is_locked as bytes_are_estimated,
  -- as in pg_stat_all_indexes and pg_statio_all_indexes, which would join all of the above once more
  pg_catalog.pg_stat_get_numscans(c.oid) as scans, pg_catalog.pg_stat_get_tuples_returned(c.oid) as tuples_read,
  pg_catalog.pg_stat_get_tuples_fetched(c.oid) as tuples_fetched, null::timestamptz as last_scan,
  pg_catalog.pg_stat_get_blocks_fetched(c.oid) - pg_catalog.pg_stat_get_blocks_hit(c.oid) as blocks_read,
  pg_catalog.pg_stat_get_blocks_hit(c.oid) as blocks_hit
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relpersistence <> 't'
join pg_catalog.pg_class t on t.oid = i.indrelid and t.relkind in ('r', 'p', 'm')
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname not in ('pg_catalog', 'information_schema')
join pg_catalog.pg_am m on m.oid = c.relam
join keys k on k.oid = c.oid
left join backed f on f.oid = c.oid
cross join lateral (select c.oid in (select l.oid from locked l) or t.oid in (select l.oid from locked l) as is_locked,
  case when t.oid in (select l.oid from locked l) then '<locked: ' || c.relname || '>' end as unread) x
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid and c.relispartition
left join pg_catalog.pg_class p on p.oid = h.inhparent
left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
order by n.nspname, t.relname, c.relname
