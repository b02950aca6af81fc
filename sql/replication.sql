-- receivers of this server's WAL and how far behind they are, on a primary or a standby
-- needs: nothing, 13 and up; pg_monitor to see more than their names
with wal as (
  select case
    when pg_catalog.pg_is_in_recovery()
    -- either may be null or behind: WAL comes from the stream and from the archive
    then greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
    else pg_catalog.pg_current_wal_lsn()
  end as lsn
)
select
  coalesce(r.application_name, '') as application,
  pg_catalog.host(r.client_addr) as client_address,
  r.state,
  r.sync_state,
  exists (
    select from pg_catalog.pg_replication_slots t where t.active_pid = r.pid and t.slot_type = 'logical'
  ) as is_logical,
  pg_catalog.pg_wal_lsn_diff(w.lsn, r.sent_lsn)::bigint as sent_lag_bytes,
  pg_catalog.pg_wal_lsn_diff(w.lsn, r.replay_lsn)::bigint as replay_lag_bytes,
  pg_catalog.date_part('epoch', r.replay_lag) as replay_lag_seconds
from pg_catalog.pg_stat_replication r
cross join wal w
order by r.application_name collate pg_catalog."C", r.client_addr, r.pid
