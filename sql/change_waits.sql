-- open transactions, which a concurrent build would have to wait for, and prepared ones
-- needs: nothing; pg_monitor to see what other roles' sessions do
select
  a.pid,
  a.usename::text as role,
  a.application_name as application,
  a.state,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start) as seconds,
  null::text as prepared
from pg_catalog.pg_stat_activity a
where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid()
  and a.backend_type = 'client backend' and a.xact_start is not null
union all
select null, p.owner::text, null, 'prepared',
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared), p.gid
from pg_catalog.pg_prepared_xacts p
where p.database = pg_catalog.current_database()
order by 5 desc, 1
