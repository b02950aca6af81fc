-- functions of these names: what they take, and whether their result may change
-- needs: nothing, 13 and up; $1 names
select
  pg_catalog.current_database()::text as database,
  n.nspname::text as schema,
  p.proname::text as name,
  array(
    select pg_catalog.format_type(a.type, null)::text
    from pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) with ordinality a (type, place) order by a.place
  ) as arguments,
  (p.pronargs - p.pronargdefaults)::integer as least_arguments,
  p.provariadic <> 0 as is_variadic,
  pg_catalog.format_type(p.prorettype, null)::text as result,
  case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.proname = any ($1::text[]) and p.prokind = 'f'
order by n.nspname, p.proname, 4
