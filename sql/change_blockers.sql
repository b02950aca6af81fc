-- the sessions that a session waits for
-- needs: pg_monitor to see what other roles' sessions do; $1 pid
select
  b.pid,
  a.usename::text as role,
  a.application_name as application,
  a.state,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start) as seconds,
  (select p.gid from pg_catalog.pg_locks l join pg_catalog.pg_prepared_xacts p on p.transaction = l.transactionid
    where b.pid = 0 and l.pid is null order by p.prepared fetch first row only) as prepared
from (select distinct u.pid from pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) u (pid)) b
left join pg_catalog.pg_stat_activity a on a.pid = b.pid
order by b.pid
