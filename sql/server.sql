-- the instance and the role that reads it, one row
-- needs: nothing, 13 and up; null where the role may not see a fact
select
  -- packagers append themselves: `15.18 (Debian 15.18-0+deb12u1)`
  pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) as version,
  pg_catalog.current_setting('server_version_num')::integer as version_num,
  pg_catalog.current_database()::text as database,
  current_user::text as role,
  (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) as is_superuser,
  pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as reads_all_stats,
  pg_catalog.pg_is_in_recovery() as is_standby,
  pg_catalog.pg_postmaster_start_time() as started_at,
  pg_catalog.pg_stat_get_bgwriter_stat_reset_time() as counters_reset,
  pg_catalog.clock_timestamp() as now,
  pg_catalog.current_setting('block_size')::bigint as block_bytes,
  exists (
    select from pg_catalog.pg_available_extensions e where e.name = 'pg_stat_statements'
  ) as statements_available,
  -- pg_settings has no such row for roles outside pg_read_all_settings
  (
    select s.setting ~ '(^|[^a-z_])pg_stat_statements($|[^a-z_])'
    from pg_catalog.pg_settings s
    where s.name = 'shared_preload_libraries'
  ) as statements_preloaded
