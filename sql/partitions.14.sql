-- partitioned tables and their direct partitions; a table without partitions has one row
-- needs: nothing, 14 and up; TimeZone UTC and DateStyle ISO, in which bounds are written
with locked as materialized (
  -- pg_get_partkeydef() would wait for these, and even for who waits for them
  select distinct l.relation as oid
  from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
    and l.pid is distinct from pg_catalog.pg_backend_pid() -- a prepared transaction has no pid
),
keys as (
  select
    pt.partrelid as oid,
    pg_catalog.array_agg(coalesce(a.attname::text, '') order by u.nr) as columns,
    pg_catalog.array_agg(coalesce(pg_catalog.format_type(a.atttypid, a.atttypmod)::text, '') order by u.nr) as types
  from pg_catalog.pg_partitioned_table pt
  cross join lateral pg_catalog.unnest(pt.partattrs) with ordinality u (attnum, nr)
  -- an expression has number 0
  left join pg_catalog.pg_attribute a on a.attrelid = pt.partrelid and a.attnum = u.attnum
  group by pt.partrelid
)
select
  pg_catalog.current_database()::text as database,
  n.nspname::text as parent_schema,
  p.relname::text as parent_name,
  p.relispartition as parent_is_partition,
  case pt.partstrat when 'r' then 'range' when 'l' then 'list' else 'hash' end as strategy,
  coalesce(
    case when p.oid not in (select l.oid from locked l) then pg_catalog.pg_get_partkeydef(p.oid) end,
    '<locked: ' || p.relname || '>') as key_definition,
  k.columns as key_columns,
  k.types as key_types,
  cn.nspname::text as schema,
  c.relname::text as name,
  -- a bound names no column, so it is written without the table, whose lock it then need not wait for
  pg_catalog.pg_get_expr(c.relpartbound, 0) as bound,
  coalesce(c.oid = pt.partdefid, false) as is_default,
  coalesce(h.inhdetachpending, false) as is_detach_pending,
  coalesce(c.relkind <> 'p', false) as is_leaf, coalesce(c.relkind = 'f', false) as is_foreign
from pg_catalog.pg_partitioned_table pt
join pg_catalog.pg_class p on p.oid = pt.partrelid and p.relpersistence <> 't'
join pg_catalog.pg_namespace n on n.oid = p.relnamespace
join keys k on k.oid = pt.partrelid
left join pg_catalog.pg_inherits h on h.inhparent = p.oid
left join pg_catalog.pg_class c on c.oid = h.inhrelid
left join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, p.relname, cn.nspname, c.relname
