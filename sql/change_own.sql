-- what partitions have that is no part of what their table has: a row each, in the order of their names
-- needs: nothing; $1 schemas, $2 names, one pair each
select
  array(
    select o.kind || ' ' || pg_catalog.quote_ident(o.name)
    from (
      select case when i.indisunique then 'unique index' else 'index' end as kind, x.relname as name
      from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
      where i.indrelid = c.oid and i.indislive and i.indisvalid
        and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = i.indexrelid)
      union all
      select case k.contype when 'c' then 'CHECK' else 'foreign key' end, k.conname
      from pg_catalog.pg_constraint k
      where k.conrelid = c.oid and k.contype in ('c', 'f') and k.conparentid = 0 and k.coninhcount = 0
      union all
      select 'trigger', t.tgname
      from pg_catalog.pg_trigger t
      where t.tgrelid = c.oid and not t.tgisinternal and t.tgparentid = 0
    ) o
    where c.relispartition
    order by o.kind, o.name) as alone
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality w (schema, name, nr)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
order by w.nr
