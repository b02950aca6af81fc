-- sessions of earlier runs of ours that still work in this database
-- needs: nothing
select
  a.pid,
  a.application_name as application,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.query_start) as seconds
from pg_catalog.pg_stat_activity a
where a.datname = pg_catalog.current_database() and a.application_name like 'pgassay/apply/%'
  and a.state = 'active' and a.pid <> pg_catalog.pg_backend_pid()
order by a.pid
