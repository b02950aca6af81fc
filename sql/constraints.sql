-- primary key, unique, exclusion and check constraints of tables
-- needs: nothing, 13 and up; left out: what relations.sql leaves out, and NOT NULL (see columns.sql)
with keys as (
  select
    k.oid,
    -- an expression of an exclusion constraint has number 0
    pg_catalog.array_agg(coalesce(a.attname::text, '') order by u.nr) as columns
  from pg_catalog.pg_constraint k
  cross join lateral pg_catalog.unnest(k.conkey) with ordinality u (attnum, nr)
  left join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum
  where k.contype in ('p', 'u', 'x', 'c')
  group by k.oid
)
select
  pg_catalog.current_database()::text as database,
  n.nspname::text as schema,
  c.relname::text as "table",
  k.conname::text as name,
  case k.contype
    when 'p' then 'primary_key' when 'u' then 'unique' when 'x' then 'exclusion' else 'check'
  end as kind,
  -- a check may name no column at all
  coalesce(u.columns, '{}') as columns,
  k.convalidated as is_validated,
  k.conparentid <> 0 or k.coninhcount > 0 as is_inherited
from pg_catalog.pg_constraint k
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join keys u on u.oid = k.oid
where k.contype in ('p', 'u', 'x', 'c')
  and c.relkind in ('r', 'p')
  and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, c.relname, k.conname
