-- foreign keys, each once, and once more for every partition that refers
-- needs: nothing, 13 and up; left out: what relations.sql leaves out
with keys as (
  select
    k.oid,
    pg_catalog.array_agg(a.attname::text order by u.nr) as columns,
    pg_catalog.array_agg(fa.attname::text order by u.nr) as referenced_columns
  from pg_catalog.pg_constraint k
  cross join lateral rows from (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey))
    with ordinality u (attnum, referenced_attnum, nr)
  join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.attnum
  join pg_catalog.pg_attribute fa on fa.attrelid = k.confrelid and fa.attnum = u.referenced_attnum
  where k.contype = 'f'
  group by k.oid
)
select
  pg_catalog.current_database()::text as database,
  n.nspname::text as schema,
  c.relname::text as "table",
  k.conname::text as name,
  u.columns,
  fn.nspname::text as referenced_schema,
  f.relname::text as referenced_table,
  u.referenced_columns,
  case k.confdeltype
    when 'a' then 'no_action' when 'r' then 'restrict' when 'c' then 'cascade'
    when 'n' then 'set_null' else 'set_default'
  end as on_delete,
  case k.confupdtype
    when 'a' then 'no_action' when 'r' then 'restrict' when 'c' then 'cascade'
    when 'n' then 'set_null' else 'set_default'
  end as on_update,
  k.convalidated as is_validated,
  k.conparentid <> 0 as is_inherited
from pg_catalog.pg_constraint k
join keys u on u.oid = k.oid
join pg_catalog.pg_class c on c.oid = k.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class f on f.oid = k.confrelid
join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
left join pg_catalog.pg_constraint pk on pk.oid = k.conparentid
where k.contype = 'f'
  and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  -- PostgreSQL keeps a further row for every partition of the table referred to: it differs from its parent there
  and (k.conparentid = 0 or pk.confrelid = k.confrelid)
order by n.nspname, c.relname, k.conname, fn.nspname, f.relname
