-- what a table has that its partitioned successor cannot have, or not in the same way
-- needs: nothing; $1 schema, $2 table, $3 key column
with t as (
  select c.*, k.attnum as key_number, k.attnotnull as is_key_not_null, k.attgenerated as key_generated
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_attribute k on k.attrelid = c.oid and k.attname = $3 and k.attnum > 0 and not k.attisdropped
  where n.nspname = $1 and c.relname = $2
), needs as (
  -- what depends on the table itself, one of its columns, its row type or that type's arrays
  select d.classid, d.objid, d.objsubid, d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass as by_type
  from t
  join pg_catalog.pg_type y on y.oid = t.reltype
  join pg_catalog.pg_depend d on d.deptype in ('n', 'a') and (
    (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid)
    or (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass and d.refobjid in (y.oid, y.typarray) and d.objid <> t.oid))
)
select distinct o.kind, o.object
from (
  select 'kind' as kind, case when t.relispartition then 'a partition' when t.relpersistence = 't' then 'a temporary table'
    when t.relkind = 'p' then 'partitioned already' else 'no plain table' end as object from t where t.relkind <> 'r' or t.relispartition or t.relpersistence = 't'
  union all
  select 'inheritance', h.oid::pg_catalog.regclass::text from t join pg_catalog.pg_inherits i on i.inhparent = t.oid or (i.inhrelid = t.oid and not t.relispartition)
    join pg_catalog.pg_class h on h.oid = case when i.inhparent = t.oid then i.inhrelid else i.inhparent end
  union all
  select 'typed', t.reloftype::pg_catalog.regtype::text from t where t.reloftype <> 0
  union all
  select 'extension', e.extname::text from t
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = t.oid and d.deptype = 'e'
    join pg_catalog.pg_extension e on e.oid = d.refobjid
  union all
  select 'generated_key', $3 from t where t.key_generated <> ''
  union all
  select 'nullable_key', $3 from t where not t.is_key_not_null
  union all
  select 'foreign_keys', pg_catalog.format('%I of %s', k.conname, k.conrelid::pg_catalog.regclass) from t join pg_catalog.pg_constraint k on k.confrelid = t.oid and k.contype = 'f'
  union all
  select case k.contype when 'x' then 'exclusion' when 'p' then 'primary_key' else 'unique' end, pg_catalog.format('%I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
  from t join pg_catalog.pg_constraint k on k.conrelid = t.oid and k.contype in ('p', 'u', 'x')
  join pg_catalog.pg_index i on i.indexrelid = k.conindid
  where k.contype = 'x' or not t.key_number = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
  union all
  select 'unique', c.relname::text from t join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisunique
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where not t.key_number = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]) and not exists (select from pg_catalog.pg_constraint k where k.conindid = c.oid and k.conrelid = t.oid)
  union all
  select 'invalid_index', c.relname::text from t join pg_catalog.pg_index i on i.indrelid = t.oid and not i.indisvalid join pg_catalog.pg_class c on c.oid = i.indexrelid
  union all
  select 'not_validated', k.conname::text from t join pg_catalog.pg_constraint k on k.conrelid = t.oid and not k.convalidated and k.conname not like 'pgassay\_before\_%'
  union all
  select 'no_inherit', k.conname::text from t join pg_catalog.pg_constraint k on k.conrelid = t.oid and k.contype in ('c', 'n') and k.connoinherit
  union all
  select 'rule', r.rulename::text from t join pg_catalog.pg_rewrite r on r.ev_class = t.oid
  union all
  -- 1 row, 2 before, 4 insert, 16 update
  select case when g.tgnewtable is not null or g.tgoldtable is not null then 'transition_tables' else 'before_trigger' end, g.tgname::text from t
  join pg_catalog.pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal and g.tgtype & 1 <> 0 where g.tgnewtable is not null or g.tgoldtable is not null or (g.tgtype & 2 <> 0 and g.tgtype & 20 <> 0)
  union all
  select 'publication', p.pubname::text from pg_catalog.pg_publication p
  join pg_catalog.pg_publication_tables u on u.pubname = p.pubname and u.schemaname = $1 and u.tablename = $2 where not p.pubviaroot
  union all
  select 'publication_part', p.pubname::text from t join pg_catalog.pg_publication_rel r on r.prrelid = t.oid join pg_catalog.pg_publication p on p.oid = r.prpubid
  where pg_catalog.to_jsonb(r) ->> 'prqual' is not null or pg_catalog.to_jsonb(r) ->> 'prattrs' is not null
  union all
  select 'subscription', 'a subscription' from t join pg_catalog.pg_subscription_rel s on s.srrelid = t.oid
  union all
  select case when n.by_type then 'row_type' else 'dependent' end, pg_catalog.pg_describe_object(n.classid, n.objid, n.objsubid)
  from t, needs n
  left join pg_catalog.pg_rewrite r on n.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = n.objid
  left join pg_catalog.pg_class v on v.oid = r.ev_class
  left join pg_catalog.pg_policy y on n.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and y.oid = n.objid
  where n.by_type or r.ev_class is not null and (v.relkind <> 'v' or r.rulename <> '_RETURN') and r.ev_class <> t.oid or y.polrelid <> t.oid
  union all
  select 'view_by_key', r.ev_class::pg_catalog.regclass::text from t join pg_catalog.pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
  join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass and d.refobjid = k.oid and d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
  join pg_catalog.pg_rewrite r on r.oid = d.objid
) o
order by o.kind, o.object
