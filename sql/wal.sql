-- the WAL archiver, one row
-- needs: nothing, 13; what was written is counted from 14
select
  null::bigint as records,
  null::bigint as full_page_images,
  null::bigint as bytes,
  null::bigint as buffers_full,
  null::timestamptz as stats_reset,
  a.archived_count as archived,
  a.failed_count as archive_failures,
  a.last_archived_time as last_archived,
  a.last_failed_time as last_archive_failure
from pg_catalog.pg_stat_archiver a
