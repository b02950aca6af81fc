-- extended statistics objects of the named tables
-- needs: nothing; $1 schemas, $2 tables, one pair each
select
  sn.nspname::text as schema,
  s.stxname::text as name,
  n.nspname::text as table_schema,
  t.relname::text as "table",
  array(select case k.kind when 'd' then 'ndistinct' when 'f' then 'dependencies' when 'm' then 'mcv' else 'expressions' end
    from pg_catalog.unnest(s.stxkind) k (kind) order by 1) as kinds,
  array(select a.attname::text from pg_catalog.unnest(s.stxkeys::int2[]) with ordinality k (attnum, nr)
    join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum order by k.nr) as columns
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) w (schema, name)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class t on t.relnamespace = n.oid and t.relname = w.name
join pg_catalog.pg_statistic_ext s on s.stxrelid = t.oid
join pg_catalog.pg_namespace sn on sn.oid = s.stxnamespace
order by sn.nspname, s.stxname
