-- how far standbys and slots are behind
-- needs: pg_monitor for the lag of standbys
select
  'standby ' || r.application_name as what,
  pg_catalog.date_part('epoch', greatest(r.replay_lag, r.flush_lag)) as lag_seconds,
  null::int8 as retained_bytes,
  r.state is null as is_hidden
from pg_catalog.pg_stat_replication r
union all
select 'slot ' || s.slot_name, null,
  case when not pg_catalog.pg_is_in_recovery()
    then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::int8 end, false
from pg_catalog.pg_replication_slots s
order by 1
