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
  d.relkind::text as default_kind,
  coalesce(d.relpages, 0)::int8 * pg_catalog.current_setting('block_size')::int8 as default_bytes,
  exists (
    -- 8: DELETE
    select from pg_catalog.pg_trigger t where t.tgrelid = d.oid and not t.tgisinternal and t.tgtype & 8 <> 0
  ) as default_has_triggers,
  array(
    select a.attname::text from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum) as columns
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_partitioned_table p on p.partrelid = c.oid
left join pg_catalog.pg_class d on d.oid = p.partdefid
where n.nspname = $1 and c.relname = $2
