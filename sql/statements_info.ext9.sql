-- how pg_stat_statements is set up in this database, one row
-- needs: the extension, version 1.9 and up, and usage on its schema
select
  e.extversion::text as extension_version,
  n.nspname::text as schema,
  -- null when the library is not loaded
  pg_catalog.current_setting('pg_stat_statements.max', true)::bigint as max_entries,
  pg_catalog.current_setting('pg_stat_statements.track', true) as track,
  pg_catalog.current_setting('pg_stat_statements.track_planning', true)::boolean as tracks_planning,
  pg_catalog.current_setting('track_io_timing')::boolean as tracks_io_timing,
  i.dealloc as evictions,
  i.stats_reset
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
cross join {schema}.pg_stat_statements_info i
where e.extname = 'pg_stat_statements'
