-- settings whose values cannot hold secrets: booleans, numbers, enumerations and the texts named here
-- needs: nothing, 13 and up; pg_monitor to see shared_preload_libraries
select
  s.name::text as name,
  coalesce(s.setting, '')::text as value,
  s.unit::text as unit,
  s.boot_val::text as boot_value,
  s.reset_val::text as reset_value,
  s.source::text as source,
  s.vartype::text as value_type,
  s.pending_restart::boolean as is_pending_restart
from pg_catalog.pg_settings s
where
  -- texts may hold connection strings, commands and keys: only known ones
  case
    when s.vartype = 'string' then s.name in (
      'TimeZone',
      'archive_library',
      'jit_provider',
      'lc_collate',
      'lc_ctype',
      'local_preload_libraries',
      'primary_slot_name',
      'server_encoding',
      'server_version',
      'session_preload_libraries',
      'shared_preload_libraries',
      'synchronized_standby_slots',
      'synchronous_standby_names',
      'temp_tablespaces')
    -- anybody can invent a customized option: only those of extensions that bear on performance
    when s.category = 'Customized Options' then pg_catalog.split_part(s.name, '.', 1) in (
      'auto_explain',
      'cron',
      'hypopg',
      'pg_partman_bgw',
      'pg_prewarm',
      'pg_qualstats',
      'pg_stat_kcache',
      'pg_stat_statements',
      'pg_wait_sampling')
    else true
  end
order by s.name collate pg_catalog."C"
