-- how far our statement is, and for whom it waits: one row while its session lives
-- needs: nothing; $1 pid
select
  a.state,
  a.wait_event_type = 'Lock' as is_waiting,
  p.phase,
  case when p.phase like '%tuples%' then p.tuples_done else p.blocks_done end as done,
  case when p.phase like '%tuples%' then p.tuples_total else p.blocks_total end as total,
  nullif(p.current_locker_pid, 0)::int4 as locker_pid
from pg_catalog.pg_stat_activity a
left join pg_catalog.pg_stat_progress_create_index p on p.pid = a.pid
-- a number may have gone to somebody else since
where a.pid = $1 and a.application_name like 'pgassay/apply/%'
