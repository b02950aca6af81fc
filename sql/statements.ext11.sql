-- counters of all statements of all databases, without their texts, one row an entry
-- needs: the extension, version 1.11 and up, and usage on its schema; without pg_monitor the queryid of others is null
select
  -- entries outlive their database
  coalesce(d.datname::text, '') as database,
  pg_catalog.pg_get_userbyid(s.userid)::text as "user",
  s.queryid,
  s.toplevel as is_toplevel,
  s.calls,
  s.rows,
  s.plans,
  s.total_plan_time as total_plan_time_ms,
  s.total_exec_time as total_exec_time_ms,
  s.min_exec_time as min_exec_time_ms,
  s.max_exec_time as max_exec_time_ms,
  s.mean_exec_time as mean_exec_time_ms,
  s.stddev_exec_time as stddev_exec_time_ms,
  s.shared_blks_hit as shared_blocks_hit,
  s.shared_blks_read as shared_blocks_read,
  s.shared_blks_dirtied as shared_blocks_dirtied,
  s.shared_blks_written as shared_blocks_written,
  s.temp_blks_read as temp_blocks_read,
  s.temp_blks_written as temp_blocks_written,
  s.shared_blk_read_time as block_read_time_ms,
  s.shared_blk_write_time as block_write_time_ms,
  s.wal_records,
  s.wal_fpi as wal_full_page_images,
  s.wal_bytes::bigint as wal_bytes,
  s.stats_since
from {schema}.pg_stat_statements(false) s
left join pg_catalog.pg_database d on d.oid = s.dbid
order by d.datname, s.userid, s.queryid, is_toplevel
