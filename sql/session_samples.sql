-- client sessions that are active at this instant, our own left out: cheap, to be asked many times
-- needs: pg_monitor, else only sessions of the role itself; 13 and up; a transaction of its own each time
select
  s.datname::text as database,
  s.usename::text as "user",
  s.application_name as application,
  s.state,
  -- null on the CPU
  s.wait_event_type,
  s.wait_event,
  coalesce(s.wait_event_type = 'Lock', false) as is_blocked
from pg_catalog.pg_stat_activity s
where s.state = 'active'
  and s.backend_type = 'client backend'
  and s.pid <> pg_catalog.pg_backend_pid()
  -- our other connections have our name; a nameless run must not hide all that are nameless
  and not coalesce(s.application_name = nullif(pg_catalog.current_setting('application_name'), ''), false)
order by s.pid
