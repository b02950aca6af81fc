-- all that a table is made of, for a partitioned one to be made after it: one row
-- needs: nothing; $1 schema, $2 table
select
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', a.attname,
      'type_name', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'collation', case when a.attcollation <> t.typcollation then (
        select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.collname)
        from pg_catalog.pg_collation o join pg_catalog.pg_namespace n on n.oid = o.collnamespace where o.oid = a.attcollation) end,
      'is_not_null', a.attnotnull,
      'identity', case a.attidentity when 'a' then 'ALWAYS' when 'd' then 'BY DEFAULT' end,
      'generated', case a.attgenerated when 's' then 'STORED' when 'v' then 'VIRTUAL' end,
      'expression', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
      'is_serial', exists (
        -- the default takes from a sequence that this column owns
        select from pg_catalog.pg_depend u
        join pg_catalog.pg_sequence q on q.seqrelid = u.refobjid
        join pg_catalog.pg_depend o on o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.objid = u.refobjid
          and o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and o.refobjid = c.oid and o.refobjsubid = a.attnum and o.deptype = 'a'
        where u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass and u.objid = d.oid
          and u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass),
      'storage', case when a.attstorage <> t.typstorage then
        case a.attstorage when 'p' then 'PLAIN' when 'e' then 'EXTERNAL' when 'm' then 'MAIN' else 'EXTENDED' end end,
      -- from 14
      'compression', case pg_catalog.to_jsonb(a) ->> 'attcompression' when 'p' then 'pglz' when 'l' then 'lz4' end,
      'comment', pg_catalog.col_description(c.oid, a.attnum)) order by a.attnum)
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]') as columns,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', k.conname, 'is_primary', k.contype = 'p', 'is_deferrable', k.condeferrable, 'is_deferred', k.condeferred,
      -- from 15
      'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
      'columns', array(
        select a.attname from pg_catalog.unnest(i.indkey) with ordinality g (attnum, nr)
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = g.attnum where g.nr <= i.indnkeyatts order by g.nr),
      'included', array(
        select a.attname from pg_catalog.unnest(i.indkey) with ordinality g (attnum, nr)
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = g.attnum where g.nr > i.indnkeyatts order by g.nr)
    ) order by k.contype, k.conname)
    from pg_catalog.pg_constraint k join pg_catalog.pg_index i on i.indexrelid = k.conindid
    where k.conrelid = c.oid and k.contype in ('p', 'u')), '[]') as keys,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname,
      'definition', pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID$', '')) order by k.contype, k.conname)
    from pg_catalog.pg_constraint k
    where k.conrelid = c.oid
      and (k.contype = 'c' and not k.connoinherit or k.contype = 'f' and k.confrelid <> c.oid)), '[]') as constraints,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object('name', x.relname, 'definition', pg_catalog.pg_get_indexdef(i.indexrelid))
      order by x.relname)
    from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
    where i.indrelid = c.oid and i.indisvalid and not i.indisexclusion
      and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid)), '[]') as indexes,
  pg_catalog.obj_description(c.oid, 'pg_class') as comment,
  array(
    select l.what from (
      select 'trigger ' || t.tgname as what from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal
      union all select 'rule ' || r.rulename from pg_catalog.pg_rewrite r where r.ev_class = c.oid
      union all select 'statistics object ' || s.stxname from pg_catalog.pg_statistic_ext s where s.stxrelid = c.oid
      union all
      select case k.contype when 'x' then 'exclusion constraint ' when 'f' then 'foreign key to itself ' else 'check that is not inherited ' end || k.conname
      from pg_catalog.pg_constraint k
      where k.conrelid = c.oid
        and (k.contype = 'x' or k.contype = 'c' and k.connoinherit or k.contype = 'f' and k.confrelid = c.oid)
    ) l order by l.what) as lost
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')
