-- all databases of the instance, templates too (their freeze age matters), with their counters
-- needs: nothing, 13; pg_monitor for the size of databases the role may not connect to
select
  d.datname::text as name,
  d.datname = pg_catalog.current_database() as is_current,
  d.datistemplate as is_template,
  d.datallowconn as allows_connections,
  d.datconnlimit::bigint as connection_limit,
  pg_catalog.pg_encoding_to_char(d.encoding)::text as encoding,
  -- the function refuses, rather than returns null
  case
    when pg_catalog.has_database_privilege(d.oid, 'connect')
      or pg_catalog.pg_has_role('pg_read_all_stats', 'usage')
    then pg_catalog.pg_database_size(d.oid)
  end as bytes,
  coalesce(s.numbackends, 0)::bigint as backends,
  coalesce(s.xact_commit, 0)::bigint as commits,
  coalesce(s.xact_rollback, 0)::bigint as rollbacks,
  coalesce(s.blks_read, 0)::bigint as blocks_read,
  coalesce(s.blks_hit, 0)::bigint as blocks_hit,
  coalesce(s.temp_files, 0)::bigint as temp_files,
  coalesce(s.temp_bytes, 0)::bigint as temp_bytes,
  coalesce(s.deadlocks, 0)::bigint as deadlocks,
  coalesce(s.conflicts, 0)::bigint as conflicts,
  coalesce(s.blk_read_time, 0)::double precision as block_read_time_ms,
  coalesce(s.blk_write_time, 0)::double precision as block_write_time_ms,
  null::double precision as session_time_ms,
  null::double precision as active_time_ms,
  null::double precision as idle_in_transaction_time_ms,
  null::bigint as sessions,
  null::bigint as sessions_abandoned,
  null::bigint as sessions_fatal,
  null::bigint as sessions_killed,
  s.stats_reset::timestamptz as stats_reset,
  pg_catalog.age(d.datfrozenxid)::bigint as frozen_xid_age,
  pg_catalog.mxid_age(d.datminmxid)::bigint as min_mxid_age
from pg_catalog.pg_database d
left join pg_catalog.pg_stat_database s on s.datid = d.oid
order by d.datname
