-- WAL written and its archiver, one row
-- needs: nothing, 14 and up
select
  s.wal_records as records,
  s.wal_fpi as full_page_images,
  s.wal_bytes::bigint as bytes,
  s.wal_buffers_full as buffers_full,
  -- the archiver's counters can be reset apart
  s.stats_reset,
  a.archived_count as archived,
  a.failed_count as archive_failures,
  a.last_archived_time as last_archived,
  a.last_failed_time as last_archive_failure
from pg_catalog.pg_stat_wal s
cross join pg_catalog.pg_stat_archiver a
