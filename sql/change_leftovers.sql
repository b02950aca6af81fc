-- invalid indexes that nobody is building or dropping, and detaches that were begun and not finished
-- needs: nothing
select
  n.nspname::text as schema,
  c.relname::text as name,
  case when i.indisready then 'invalid, and every write maintains it' else 'invalid' end as state
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid and c.relkind = 'i'
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and i.indrelid not in (
  select l.relation from pg_catalog.pg_locks l
  join pg_catalog.pg_database d on d.oid = l.database and d.datname = pg_catalog.current_database()
  where l.locktype = 'relation' and l.granted and l.mode = 'ShareUpdateExclusiveLock'
)
union all
-- the column came with 14
select n.nspname::text, c.relname::text, 'half detached, and its rows are hidden'
from pg_catalog.pg_inherits h
join pg_catalog.pg_class c on c.oid = h.inhrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where pg_catalog.to_jsonb(h) ->> 'inhdetachpending' = 'true'
order by 1, 2
