-- sequences, how far they have come, and the column each of them feeds
-- needs: nothing, 13 and up; usage or select on a sequence to see its last value
with locked as materialized (
  -- pg_sequence_last_value() takes a RowExclusiveLock and would wait for these
  select distinct l.relation as oid
  from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation'
    and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    and l.pid is distinct from pg_catalog.pg_backend_pid() -- a prepared transaction has no pid
),
feeds as (
  -- serial and identity columns own their sequence
  select d.objid as oid, d.refobjid as relation, d.refobjsubid as attnum, true as is_owner
  from pg_catalog.pg_depend d
  where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjsubid > 0 and d.deptype in ('a', 'i')
  union all
  -- other columns name it in their default
  select d.refobjid, v.adrelid, v.adnum, false
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attrdef v on v.oid = d.objid
  where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
),
fed as (
  -- of several columns the owner, else the narrowest, because it overflows first
  select distinct on (q.seqrelid)
    q.seqrelid as oid, n.nspname, c.relname, a.attname,
    -- of a domain, what it is made of
    pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)::text as type_name
  from pg_catalog.pg_sequence q
  join feeds f on f.oid = q.seqrelid
  join pg_catalog.pg_attribute a on a.attrelid = f.relation and a.attnum = f.attnum
  join pg_catalog.pg_type t on t.oid = a.atttypid
  join pg_catalog.pg_class c on c.oid = a.attrelid and c.relpersistence <> 't'
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  order by q.seqrelid, f.is_owner desc, t.typlen < 0, t.typlen, n.nspname, c.relname, a.attname
)
select
  pg_catalog.current_database()::text as database, n.nspname::text as schema, c.relname::text as name,
  case when r.is_readable then pg_catalog.pg_sequence_last_value(c.oid) end as last_value, r.is_readable,
  q.seqstart as start_value, q.seqmin as min_value, q.seqmax as max_value,
  q.seqincrement as increment, q.seqcycle as is_cyclic,
  f.nspname::text as table_schema, f.relname::text as table_name,
  f.attname::text as column_name, f.type_name as column_type
from pg_catalog.pg_sequence q
join pg_catalog.pg_class c on c.oid = q.seqrelid and c.relpersistence <> 't'
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  -- the planner may ask it of every relation before the join; CASE alone is evaluated in order
  select case when c.relkind = 'S' then coalesce(pg_catalog.has_sequence_privilege(c.oid, 'select, usage'), false) else false end
    and c.oid not in (select l.oid from locked l)
    and not (c.relpersistence = 'u' and pg_catalog.pg_is_in_recovery()) as is_readable
) r
left join fed f on f.oid = c.oid
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, c.relname
