-- replication slots, what WAL they keep and how far they hold back the horizon
-- needs: nothing, 17 and up
with wal as (
  select case
    when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
    else pg_catalog.pg_current_wal_lsn()
  end as lsn
)
select
  s.slot_name::text as name,
  s.slot_type = 'logical' as is_logical,
  s.plugin::text as plugin,
  s.database::text as database,
  s.temporary as is_temporary,
  s.active as is_active,
  s.wal_status,
  case
    -- an invalid slot keeps nothing, though it may still say from where it did;
    -- a receiver may be ahead of what a standby has replayed
    when s.wal_status = 'lost' or w.lsn < s.restart_lsn then 0
    else pg_catalog.pg_wal_lsn_diff(w.lsn, s.restart_lsn)::bigint
  end as retained_bytes,
  -- for a slot that never kept any the view counts from the very first byte
  case when s.restart_lsn is not null then s.safe_wal_size end as safe_wal_bytes,
  pg_catalog.age(s.xmin)::bigint as xmin_age,
  pg_catalog.age(s.catalog_xmin)::bigint as catalog_xmin_age,
  -- a temporary slot may have one though it is in use
  case when not s.active then s.inactive_since end as inactive_since
from pg_catalog.pg_replication_slots s
cross join wal w
order by s.slot_name
