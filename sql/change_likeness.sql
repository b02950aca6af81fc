-- what tables are beyond their columns, for partitions to be made like them: a row each, in the order of their names
-- needs: nothing; $1 schemas, $2 names, one pair each
select
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
  s.spcname::text as tablespace,
  m.amname::text as access_method,
  c.relpersistence = 'u' as is_unlogged,
  coalesce(c.reloptions, '{}') || coalesce((
    select pg_catalog.array_agg('toast.' || o.option order by o.nr)
    from pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) with ordinality o (option, nr)
    where t.oid = c.reltoastrelid), '{}') as options,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', a.attname,
      -- up to 16 the default is -1, from then on none
      'target', case when a.attstattarget >= 0 then a.attstattarget end,
      'options', coalesce(a.attoptions, '{}')) order by a.attnum)
    from pg_catalog.pg_attribute a
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and (a.attstattarget >= 0 or a.attoptions is not null)), '[]') as analyzed,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.to_json(g) order by g."column" nulls first, g.grantee nulls first, g.is_grantable)
    from (
      select
        case when x.grantee <> 0 then pg_catalog.pg_get_userbyid(x.grantee)::text end as grantee,
        pg_catalog.array_agg(x.privilege_type order by x.privilege_type) as privileges,
        x."column",
        x.is_grantable
      from (
        select e.grantee, e.privilege_type, null::text as "column", e.is_grantable
        from pg_catalog.aclexplode(c.relacl) e
        union all
        select e.grantee, e.privilege_type, a.attname::text, e.is_grantable
        from pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) e
        where a.attrelid = c.oid and not a.attisdropped
      ) x
      where x.grantee <> c.relowner
      group by x.grantee, x."column", x.is_grantable
    ) g), '[]') as grants,
  c.relrowsecurity as has_row_security,
  c.relforcerowsecurity as forces_row_security,
  coalesce((
    select pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', p.polname,
      'command', case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end,
      'is_permissive', p.polpermissive,
      'roles', array(
        select case when r.role <> 0 then pg_catalog.pg_get_userbyid(r.role)::text end
        from pg_catalog.unnest(p.polroles) with ordinality r (role, nr) order by r.nr),
      'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
      -- its own columns depend on it one by one, a subquery on the whole table
      'is_bound', exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'n'
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          and (d.refobjid <> c.oid or d.refobjsubid = 0)
          and pg_catalog.pg_partition_root(d.refobjid) = pg_catalog.pg_partition_root(c.oid)
          and pg_catalog.pg_partition_root(d.refobjid) <> d.refobjid)) order by p.polname)
    from pg_catalog.pg_policy p
    where p.polrelid = c.oid), '[]') as policies,
  case c.relreplident when 'd' then 'default' when 'n' then 'nothing' when 'f' then 'full' else 'index' end as replica_identity,
  -- only what the whole table has comes with ATTACH
  (select pg_catalog.json_build_object('schema', pn.nspname, 'name', pi.relname)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class pi on pi.oid = pg_catalog.pg_partition_root(i.indexrelid) and pi.oid <> i.indexrelid
    join pg_catalog.pg_namespace pn on pn.oid = pi.relnamespace
    join pg_catalog.pg_index p on p.indexrelid = pi.oid and p.indrelid = pg_catalog.pg_partition_root(c.oid)
    where i.indrelid = c.oid and i.indisreplident) as replica_index,
  array(
    select u.pubname::text
    from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication u on u.oid = r.prpubid
    where r.prrelid = c.oid order by u.pubname) as publications
from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) with ordinality w (schema, name, nr)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name
left join pg_catalog.pg_tablespace s on s.oid = c.reltablespace
left join pg_catalog.pg_am m on m.oid = c.relam
order by w.nr
