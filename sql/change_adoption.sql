-- a table that is to become a partition of its successor, and what goes over to that: one row
-- needs: nothing; $1 schema, $2 table, $3 key column
with t as (
  select c.*, k.attnum as key_number, k.attnotnull as is_key_not_null, pg_catalog.format_type(k.atttypid, k.atttypmod) as key_type
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_attribute k on k.attrelid = c.oid and k.attname = $3 and k.attnum > 0 and not k.attisdropped
  where n.nspname = $1 and c.relname = $2
), indexes as (
  select c.relname as name, i.indisunique as is_unique, i.indisreplident as is_replica_identity,
    -- what stands behind USING: the head is built as pg_get_indexdef() builds it
    pg_catalog.substr(pg_catalog.pg_get_indexdef(c.oid), pg_catalog.length(pg_catalog.format('CREATE %sINDEX %I ON %I.%I USING ',
      case when i.indisunique then 'UNIQUE ' else '' end, c.relname, $1, $2)) + 1) as using,
    k.conname as constraint, k.contype as constraint_type, pg_catalog.pg_get_constraintdef(k.oid) as constraint_definition,
    array(select a.attname::text from pg_catalog.unnest(i.indkey::int2[]) with ordinality u (number, nr)
      join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = u.number where u.nr <= i.indnkeyatts order by u.nr) as columns,
    pg_catalog.obj_description(c.oid, 'pg_class') as comment,
    pg_catalog.obj_description(k.oid, 'pg_constraint') as constraint_comment,
    s.spcname as tablespace
  from t
  join pg_catalog.pg_index i on i.indrelid = t.oid
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  left join pg_catalog.pg_constraint k on k.conindid = c.oid and k.conrelid = t.oid and k.contype in ('p', 'u', 'x')
  left join pg_catalog.pg_tablespace s on s.oid = c.reltablespace
), owned as (
  select a.attname as "column", s.oid, sn.nspname as schema, s.relname as name, d.deptype, a.attidentity, s.relacl, s.relowner
  from t
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid
    and d.classid = d.refclassid and d.deptype in ('a', 'i') and d.refobjsubid > 0
  join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
  join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
)
select t.oid::int8 as oid, t.relkind::text as kind, t.key_type, coalesce(t.is_key_not_null, false) as is_key_not_null,
  (select k.conname::text from pg_catalog.pg_constraint k where k.conrelid = t.oid and k.contype = 'c' and k.conname like 'pgassay\_before\_%') as boundary,
  (select pg_catalog.pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint k where k.conrelid = t.oid and k.contype = 'c' and k.conname like 'pgassay\_before\_%') as boundary_definition,
  pg_catalog.json_build_object('comment', pg_catalog.obj_description(t.oid, 'pg_class'),
  'indexes', coalesce((select pg_catalog.json_agg(pg_catalog.to_json(x) order by x.name) from indexes x), '[]'),
  'foreign_keys', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid),
      'comment', pg_catalog.obj_description(k.oid, 'pg_constraint')) order by k.conname)
    from pg_catalog.pg_constraint k where k.conrelid = t.oid and k.contype = 'f' and k.conparentid = 0), '[]'),
  'references', coalesce((select pg_catalog.json_agg(pg_catalog.to_json(r) order by r.schema, r.name) from (
      select distinct rn.nspname as schema, rc.relname as name from pg_catalog.pg_constraint k
      join pg_catalog.pg_class rc on rc.oid = k.confrelid
      join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
      -- LOCK TABLE asks for a privilege that a foreign key does not
      where k.conrelid = t.oid and k.contype = 'f' and k.conparentid = 0 and k.confrelid <> t.oid and pg_catalog.has_table_privilege(rc.oid, 'UPDATE')) r), '[]'),
  'triggers', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', g.tgname, 'definition', pg_catalog.pg_get_triggerdef(g.oid), 'enabled', g.tgenabled,
      'comment', pg_catalog.obj_description(g.oid, 'pg_trigger')) order by g.tgname)
    from pg_catalog.pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal), '[]'),
  'identity', (select pg_catalog.json_agg(pg_catalog.json_build_object('column', o."column", 'sequence', pg_catalog.json_build_object('schema', o.schema, 'name', o.name),
      'is_always', o.attidentity = 'a', 'increment', q.seqincrement, 'start', q.seqstart, 'least', q.seqmin, 'most', q.seqmax, 'cache', q.seqcache,
      'cycles', q.seqcycle, 'comment', pg_catalog.obj_description(o.oid, 'pg_class'), 'grants', coalesce((
        select pg_catalog.json_agg(pg_catalog.json_build_object('grantee', case when e.grantee <> 0 then pg_catalog.pg_get_userbyid(e.grantee)::text end,
          'privileges', array[e.privilege_type], 'is_grantable', e.is_grantable) order by e.grantee, e.privilege_type)
        from pg_catalog.aclexplode(o.relacl) e where e.grantee <> o.relowner), '[]')))
    from owned o join pg_catalog.pg_sequence q on q.seqrelid = o.oid where o.deptype = 'i') -> 0,
  'sequences', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('column', o."column", 'name', pg_catalog.json_build_object('schema', o.schema, 'name', o.name)) order by o.name)
    from owned o where o.deptype = 'a'), '[]'),
  'views', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', pg_catalog.json_build_object('schema', v.nspname, 'name', v.relname),
      'options', coalesce(v.reloptions, '{}'), 'definition', pg_catalog.rtrim(pg_catalog.pg_get_viewdef(v.oid), ';')) order by v.nspname, v.relname)
    from (select distinct c.oid, n.nspname, c.relname, c.reloptions from pg_catalog.pg_depend d
      join pg_catalog.pg_rewrite r on r.oid = d.objid and r.ev_class <> t.oid
      join pg_catalog.pg_class c on c.oid = r.ev_class and c.relkind = 'v'
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.refobjid = t.oid and r.rulename = '_RETURN') v), '[]'),
  'functions', array(select distinct pg_catalog.pg_get_functiondef(d.objid) from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid),
  'statistics', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', pg_catalog.json_build_object('schema', n.nspname, 'name', s.stxname),
      'definition', pg_catalog.pg_get_statisticsobjdef(s.oid), 'target', nullif(pg_catalog.to_jsonb(s) ->> 'stxstattarget', '-1')::int4,
      'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext')) order by s.stxname)
    from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace where s.stxrelid = t.oid), '[]'),
  'policy_comments', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object('name', p.polname, 'comment', pg_catalog.obj_description(p.oid, 'pg_policy')) order by p.polname)
    from pg_catalog.pg_policy p where p.polrelid = t.oid and pg_catalog.obj_description(p.oid, 'pg_policy') is not null), '[]')) as inventory
from t
