-- what decides how a partition of a table is made: one row
-- needs: nothing; $1 schema, $2 partitioned table
select
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object('schema', r.nspname, 'name', r.relname) order by r.nspname, r.relname)
    from (
      select distinct rn.nspname, rc.relname
      from pg_catalog.pg_constraint k
      join pg_catalog.pg_class rc on rc.oid = k.confrelid
      join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
      -- LOCK TABLE asks for a privilege that a foreign key does not
      where k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0 and k.confrelid <> c.oid and pg_catalog.has_table_privilege(rc.oid, 'UPDATE')
    ) r), '[]') as references,
  exists (select from pg_catalog.pg_constraint k where k.confrelid = c.oid and k.contype = 'f') as is_referenced,
  case when d.has_foreign then 'f' else d.relkind end as default_kind,
  coalesce(d.pages, 0)::int8 * pg_catalog.current_setting('block_size')::int8 as default_bytes,
  coalesce(d.has_triggers, false) as default_has_triggers,
  array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum) as columns,
  -- up to 16 it is no matter of partitions
  pg_catalog.current_setting('server_version_num')::int >= 170000
    and exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and not a.attisdropped and a.attidentity <> '') as has_identity
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_partitioned_table p on p.partrelid = c.oid
left join lateral (
  -- DEFAULT may be partitioned again
  select
    pg_catalog.max(o.relkind::text) filter (where t.level = 0) as relkind,
    pg_catalog.bool_or(o.relkind = 'f') as has_foreign,
    pg_catalog.sum(greatest(o.relpages, 0)) as pages,
    -- 8: DELETE
    pg_catalog.bool_or(exists (select from pg_catalog.pg_trigger g where g.tgrelid = o.oid and not g.tgisinternal and g.tgtype & 8 <> 0)) as has_triggers
  from pg_catalog.pg_partition_tree(p.partdefid) t
  join pg_catalog.pg_class o on o.oid = t.relid
) d on true
where n.nspname = $1 and c.relname = $2
