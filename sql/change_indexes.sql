-- the indexes of the named tables, and what it takes to make them again, as a change finds them
-- needs: nothing; $1 schemas, $2 tables, one pair each
select
  n.nspname::text as schema,
  c.relname::text as name,
  t.relname::text as "table",
  pg_catalog.pg_get_indexdef(c.oid) as definition,
  c.relkind = 'I' as is_partitioned,
  i.indisvalid as is_valid,
  i.indisready as is_ready,
  i.indislive as is_live,
  pn.nspname::text as parent_schema,
  p.relname::text as parent_name,
  (select pg_catalog.min(k.conname::text) from pg_catalog.pg_constraint k
    where k.conindid = c.oid and k.contype in ('p', 'u', 'x')) as constraint_name,
  i.indisreplident as is_replica_identity,
  pg_catalog.obj_description(c.oid, 'pg_class') as comment,
  s.spcname::text as tablespace,
  coalesce(g.columns, '{}') as statistics_columns,
  coalesce(g.targets, '{}') as statistics_targets,
  i.indisclustered as is_clustered,
  pg_catalog.pg_relation_size(c.oid) as bytes
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class t on t.relnamespace = n.oid and t.relname = w.name
join pg_catalog.pg_index i on i.indrelid = t.oid
join pg_catalog.pg_class c on c.oid = i.indexrelid
left join pg_catalog.pg_tablespace s on s.oid = c.reltablespace
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid and c.relispartition
left join pg_catalog.pg_class p on p.oid = h.inhparent
left join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
left join lateral (
  select pg_catalog.array_agg(a.attnum order by a.attnum) as columns,
    pg_catalog.array_agg(a.attstattarget::int4 order by a.attnum) as targets
  from pg_catalog.pg_attribute a
  where a.attrelid = c.oid and a.attstattarget >= 0
) g on true
order by n.nspname, t.relname, c.relname
