-- I/O of each sort of process on each sort of object in each context
-- needs: nothing, 18 and up; times are 0 unless track_io_timing, for WAL track_wal_io_timing, is on
select
  s.backend_type,
  s.object,
  s.context,
  -- null is what cannot happen
  coalesce(s.reads, 0) as reads,
  coalesce(s.read_bytes, 0)::bigint as read_bytes,
  coalesce(s.read_time, 0) as read_time_ms,
  coalesce(s.writes, 0) as writes,
  coalesce(s.write_bytes, 0)::bigint as write_bytes,
  coalesce(s.write_time, 0) as write_time_ms,
  coalesce(s.extends, 0) as extends,
  coalesce(s.hits, 0) as hits,
  coalesce(s.evictions, 0) as evictions,
  coalesce(s.fsyncs, 0) as fsyncs,
  coalesce(s.fsync_time, 0) as fsync_time_ms
from pg_catalog.pg_stat_io s
order by s.backend_type collate pg_catalog."C", s.object collate pg_catalog."C", s.context collate pg_catalog."C"
