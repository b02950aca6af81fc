-- the named relations of whatever kind, and all partitions below them, as a change finds them
-- needs: nothing; $1 schemas, $2 names, one pair each
with recursive named as (
  select c.oid
  from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) w (schema, name)
  join pg_catalog.pg_namespace n on n.nspname = w.schema
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
), tree as (
  select d.oid from named d
  union
  select h.inhrelid
  from tree t
  join pg_catalog.pg_inherits h on h.inhparent = t.oid
  join pg_catalog.pg_class c on c.oid = h.inhrelid and c.relispartition and c.relkind in ('r', 'p', 'f')
), builds as (
  -- relid is hidden from lesser roles; pids and locks are plain
  select l.relation as oid, pg_catalog.min(l.pid) as pid
  from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation' and l.granted and l.mode = 'ShareUpdateExclusiveLock'
    and l.pid in (select p.pid from pg_catalog.pg_stat_progress_create_index p)
  group by l.relation
)
select
  n.nspname::text as schema,
  c.relname::text as name,
  c.oid::int8 as oid,
  c.relkind::text as kind,
  pn.nspname::text as parent_schema,
  p.relname::text as parent_name,
  -- a bound names no column, so it is written without the table, whose lock it then need not wait for
  pg_catalog.pg_get_expr(c.relpartbound, 0) as bound,
  -- the column came with 14
  coalesce(pg_catalog.to_jsonb(h) ->> 'inhdetachpending', 'false') = 'true' as is_detach_pending,
  pg_catalog.pg_has_role(c.relowner, 'USAGE') as is_owner,
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
  pg_catalog.has_schema_privilege(n.oid, 'CREATE') as may_create,
  coalesce(c.reloptions, '{}') as options,
  greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)) as analyzed_at,
  b.pid as builder_pid,
  a.application_name as builder_application,
  k.conname::text as boundary,
  coalesce(k.convalidated, false) as is_boundary_valid
from tree t
join pg_catalog.pg_class c on c.oid = t.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid and c.relispartition
left join pg_catalog.pg_class p on p.oid = h.inhparent
left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
left join builds b on b.oid = c.oid
left join pg_catalog.pg_stat_activity a on a.pid = b.pid
left join pg_catalog.pg_constraint k on k.conrelid = c.oid and k.contype = 'c' and k.conislocal and k.conname like 'pgassay\_before\_%'
order by n.nspname, c.relname
