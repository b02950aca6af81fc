-- client sessions at this instant by what they do, our own left out: cheap, to be asked many times
-- needs: pg_monitor, else other roles' sessions have no state; 13 and up; a transaction of its own each time
select
  s.datname::text as database,
  s.usename::text as "user",
  s.state,
  -- null on the CPU
  s.wait_event_type,
  s.wait_event,
  pg_catalog.count(*) as sessions,
  pg_catalog.count(s.xact_start) as in_transaction,
  coalesce(pg_catalog.sum(t.seconds), 0)::double precision as transaction_seconds,
  pg_catalog.max(t.seconds)::double precision as oldest_transaction_seconds
from pg_catalog.pg_stat_activity s
cross join lateral (
  select greatest(extract(epoch from pg_catalog.clock_timestamp() - s.xact_start), 0)
) t (seconds)
where s.pid <> pg_catalog.pg_backend_pid()
  -- the type is hidden where the role does not see the session; who has a database serves a client
  and coalesce(s.backend_type, case when s.datid is not null then 'client backend' end) = 'client backend'
  -- our other connections have our name; a nameless run must not hide all that are nameless
  and not coalesce(s.application_name = nullif(pg_catalog.current_setting('application_name'), ''), false)
group by s.datname, s.usename, s.state, s.wait_event_type, s.wait_event
order by s.datname, s.usename, s.state, s.wait_event_type, s.wait_event
