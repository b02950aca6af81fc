-- roles that may log in, with their own settings of timeouts, memory and planner
-- needs: nothing, 13 and up; never a setting that is not named here
select
  r.rolname::text as name,
  r.rolsuper as is_superuser,
  r.rolreplication as is_replication,
  r.rolconnlimit::bigint as connection_limit,
  array(
    -- what is said for this database counts more than what is said for all
    select distinct on (v.name) u.setting
    from pg_catalog.pg_db_role_setting s
    left join pg_catalog.pg_database d on d.oid = s.setdatabase
    cross join lateral pg_catalog.unnest(s.setconfig) u (setting)
    cross join lateral pg_catalog.split_part(u.setting, '=', 1) v (name)
    where s.setrole = r.oid
      and (s.setdatabase = 0 or d.datname = pg_catalog.current_database())
      and (
        v.name in (
          'default_transaction_isolation',
          'idle_in_transaction_session_timeout',
          'idle_session_timeout',
          'jit',
          'lock_timeout',
          'maintenance_work_mem',
          'plan_cache_mode',
          'random_page_cost',
          'search_path',
          'statement_timeout',
          'transaction_timeout',
          'work_mem')
        or pg_catalog.starts_with(v.name, 'enable_')
      )
    order by v.name, s.setdatabase = 0
  ) as settings
from pg_catalog.pg_roles r
where r.rolcanlogin
order by r.rolname
