-- what keeps a partitioned table's wide partition from being split beside it while all are at work
-- needs: nothing; $1 schema, $2 table
with t as (
  select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2
), tree as (
  select t.oid from t union select s.relid::pg_catalog.oid from t, pg_catalog.pg_partition_tree(t.oid) s
), published as (
  -- of the table or of a partition, by which those that are not told by the root tell
  select distinct p.pubname, p.pubviaroot, exists (select from t join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = t.oid) as is_named
  from tree
  join pg_catalog.pg_class c on c.oid = tree.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_publication_tables u on u.schemaname = n.nspname and u.tablename = c.relname
  join pg_catalog.pg_publication p on p.pubname = u.pubname
)
select o.kind, o.object
from (
  select 'publication' as kind, p.pubname::text as object from published p where not p.pubviaroot
  union all
  select 'published_unnamed', p.pubname::text from published p where not p.is_named
  union all
  -- 1 row, 2 before, 64 instead of
  select distinct 'after_trigger', g.tgname::text from tree join pg_catalog.pg_trigger g on g.tgrelid = tree.oid
  where not g.tgisinternal and g.tgtype & 1 <> 0 and g.tgtype & 66 = 0 and g.tgname not like 'zz\_pgassay\_%'
  union all
  -- whose = is not in pg_catalog
  select 'key_type', pg_catalog.format('%I %s', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod))
  from t
  join pg_catalog.pg_index i on i.indrelid = t.oid and i.indisprimary
  join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = any (i.indkey::int2[])
  join pg_catalog.pg_type y on y.oid = a.atttypid
  where y.typtype = 'b' and y.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace
) o
order by o.kind, o.object
