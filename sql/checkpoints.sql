-- checkpoints and the background writer, one row
-- needs: nothing, 13 to 16; on a standby these are restartpoints
select
  s.checkpoints_timed as timed,
  s.checkpoints_req as requested,
  null::bigint as done,
  s.checkpoint_write_time as write_time_ms,
  s.checkpoint_sync_time as sync_time_ms,
  s.buffers_checkpoint as buffers_written,
  s.buffers_clean as buffers_cleaned,
  s.maxwritten_clean as cleaning_stops,
  s.buffers_backend as buffers_by_backends,
  s.buffers_alloc as buffers_allocated,
  s.stats_reset
from pg_catalog.pg_stat_bgwriter s
