-- server processes at this moment, our own left out
-- needs: nothing, 13 and up; pg_monitor to see more than names of other roles' sessions
select
  s.pid,
  s.backend_type,
  s.datname::text as database,
  s.usename::text as "user",
  s.application_name as application,
  pg_catalog.host(s.client_addr) as client_address,
  s.state,
  s.wait_event_type,
  s.wait_event,
  s.backend_start as connected_at,
  s.xact_start as transaction_started_at,
  s.query_start as query_started_at,
  s.state_change as state_changed_at,
  pg_catalog.age(s.backend_xid)::bigint as xid_age,
  pg_catalog.age(s.backend_xmin)::bigint as xmin_age,
  nullif(pg_catalog."left"(s.query, 4000), '<insufficient privilege>') as query
from pg_catalog.pg_stat_activity s
where s.pid <> pg_catalog.pg_backend_pid()
  -- our other connections have our name; a nameless run must not hide all that are nameless
  and not coalesce(s.application_name = nullif(pg_catalog.current_setting('application_name'), ''), false)
order by s.backend_start nulls first, s.pid
