-- checkpoints and the background writer, one row
-- needs: nothing, 18 and up; restartpoints of a standby are not counted, though what they write is
select
  s.num_timed as timed,
  s.num_requested as requested,
  s.num_done as done,
  s.write_time as write_time_ms,
  s.sync_time as sync_time_ms,
  s.buffers_written,
  w.buffers_clean as buffers_cleaned,
  w.maxwritten_clean as cleaning_stops,
  null::bigint as buffers_by_backends,
  w.buffers_alloc as buffers_allocated,
  -- the background writer's counters can be reset apart
  s.stats_reset
from pg_catalog.pg_stat_checkpointer s
cross join pg_catalog.pg_stat_bgwriter w
