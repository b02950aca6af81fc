-- extensions installed in the audited database
-- needs: nothing, 13 and up
select
  pg_catalog.current_database()::text as database,
  e.extname::text as name,
  e.extversion::text as version,
  n.nspname::text as schema,
  -- null when its files are no longer on the machine
  x.default_version::text as default_version
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
left join pg_catalog.pg_available_extensions x on x.name = e.extname
order by e.extname
