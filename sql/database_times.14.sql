-- limits and counters of the databases one may connect to, to be read twice: what they rose by; cheap, no sizes
-- needs: nothing, 14 and up
select
  d.datname::text as database,
  d.datconnlimit::bigint as connection_limit,
  pg_catalog.clock_timestamp() as read_at,
  coalesce(s.xact_commit + s.xact_rollback, 0)::bigint as transactions,
  s.session_time::double precision as session_ms,
  s.active_time::double precision as active_ms,
  s.idle_in_transaction_time::double precision as idle_in_transaction_ms,
  s.sessions::bigint as sessions
from pg_catalog.pg_database d
join pg_catalog.pg_stat_database s on s.datid = d.oid
where d.datallowconn
order by d.datname
