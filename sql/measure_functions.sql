-- functions and operators of these names that may do more than read
-- needs: nothing, 13 and up; $1 schemas ('' where a name is bare) and $2 names of functions, one pair each, $3 of operators
select distinct
  (n.nspname || '.' || p.proname)::text as name,
  (n.nspname = 'pg_catalog')::boolean as is_builtin
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) w (schema, name)
join pg_catalog.pg_proc p on p.proname = w.name
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_aggregate a on a.aggfnoid = p.oid
where (n.nspname = w.schema or (w.schema = '' and n.nspname = any (pg_catalog.current_schemas(true))))
  and (
    p.provolatile = 'v'
    -- an aggregate is as volatile as what it is made of
    or exists (
      select from pg_catalog.pg_proc s
      where s.provolatile = 'v'
        and s.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggmfinalfn)))
union
select ('operator ' || n.nspname || '.' || o.oprname)::text, (n.nspname = 'pg_catalog')::boolean
from pg_catalog.pg_operator o
join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
join pg_catalog.pg_proc p on p.oid = o.oprcode
where o.oprname = any ($3::text[]) and p.provolatile = 'v'
order by 1
