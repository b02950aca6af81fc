-- long-running commands and how far they are in their current phase
-- needs: nothing, 17 and up; pg_monitor to see more of other roles' commands than that they run
with progress as (
  -- what is hidden is null, and so may be a command
  select p.pid, 'VACUUM' as command, p.datname, p.relid, p.phase,
    case p.phase
      when 'scanning heap' then p.heap_blks_scanned
      when 'vacuuming heap' then p.heap_blks_vacuumed
      when 'vacuuming indexes' then p.indexes_processed
      when 'cleaning up indexes' then p.indexes_processed
    end as done,
    case
      when p.phase in ('scanning heap', 'vacuuming heap') then p.heap_blks_total
      when p.phase in ('vacuuming indexes', 'cleaning up indexes') then p.indexes_total
    end as total
  from pg_catalog.pg_stat_progress_vacuum p
  union all
  select p.pid, 'ANALYZE', p.datname, p.relid, p.phase,
    case p.phase
      when 'acquiring sample rows' then p.sample_blks_scanned
      -- the blocks are those of one child
      when 'acquiring inherited sample rows' then p.child_tables_done
      when 'computing extended statistics' then p.ext_stats_computed
    end,
    case p.phase
      when 'acquiring sample rows' then p.sample_blks_total
      when 'acquiring inherited sample rows' then p.child_tables_total
      when 'computing extended statistics' then p.ext_stats_total
    end
  from pg_catalog.pg_stat_progress_analyze p
  union all
  -- REINDEX and CONCURRENTLY are told apart
  select p.pid, coalesce(p.command, 'CREATE INDEX'), p.datname, p.relid, p.phase,
    case
      when p.phase like 'waiting for %' then p.lockers_done
      when p.phase like '%tuples%' then p.tuples_done
      else p.blocks_done
    end,
    case
      when p.phase like 'waiting for %' then p.lockers_total
      when p.phase like '%tuples%' then p.tuples_total
      else p.blocks_total
    end
  from pg_catalog.pg_stat_progress_create_index p
  union all
  -- or VACUUM FULL
  select p.pid, coalesce(p.command, 'CLUSTER'), p.datname, p.relid, p.phase,
    case when p.phase = 'seq scanning heap' then p.heap_blks_scanned end, p.heap_blks_total
  from pg_catalog.pg_stat_progress_cluster p
  union all
  select p.pid, coalesce(p.command, 'COPY'), p.datname, p.relid, null, p.bytes_processed, p.bytes_total
  from pg_catalog.pg_stat_progress_copy p
  union all
  select p.pid, 'BASE BACKUP', null, null, p.phase,
    case when p.phase = 'streaming database files' then p.backup_streamed end, p.backup_total
  from pg_catalog.pg_stat_progress_basebackup p
)
select
  p.pid,
  p.command,
  -- the type is hidden too, but who has no role is the server itself
  coalesce(a.backend_type = 'autovacuum worker', a.pid is not null and a.usesysid is null) as is_automatic,
  p.datname::text as database,
  n.nspname::text as schema,
  c.relname::text as relation,
  p.phase,
  -- a total may be an estimate, and is 0 where there is none
  case when p.total > 0 and p.done >= 0 then 100 * least(p.done, p.total)::double precision / p.total end as done_pct,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.query_start) as running_seconds
from progress p
left join pg_catalog.pg_stat_activity a on a.pid = p.pid
left join pg_catalog.pg_class c on c.oid = p.relid and p.datname = pg_catalog.current_database()
left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by p.command collate pg_catalog."C", p.pid
