-- columns of tables, partitioned tables and materialized views, with what ANALYZE knows of them
-- needs: nothing, 13 and up; select on a column (pg_read_all_data, 14) to see its statistics; never a value of it, of times their age
select
  pg_catalog.current_database()::text as database,
  n.nspname::text as schema,
  c.relname::text as relation,
  a.attname::text as name,
  a.attnum::integer as position,
  pg_catalog.format_type(a.atttypid, a.atttypmod)::text as type_name,
  case when y.typtype = 'd' then ( -- a domain may be over a domain
    with recursive made (base, modifier, depth) as (select y.typbasetype, y.typtypmod, 1 union all
      select o.typbasetype, o.typtypmod, m.depth + 1 from made m join pg_catalog.pg_type o on o.oid = m.base and o.typtype = 'd' where m.depth < 32)
    select pg_catalog.format_type(m.base, m.modifier)::text from made m order by m.depth desc limit 1) end as base_type,
  a.attnotnull as is_not_null,
  case when k.collisdeterministic then k.collprovider = 'b' or (k.collprovider = 'c' and k.collcollate in ('C', 'POSIX'))
    or (k.collprovider = 'd' and d.sorts_by_bytes) end as sorts_by_bytes,
  a.attlen = -1 and a.attstorage in ('x', 'e', 'm') as is_toastable,
  s.attname is not null as has_statistics,
  s.null_frac::double precision as null_fraction,
  s.avg_width::bigint as average_width_bytes,
  s.n_distinct::double precision as "distinct",
  s.correlation::double precision as correlation,
  s.most_common_freqs[1]::double precision as most_common_fraction,
  s.most_common_freqs[(pg_catalog.cardinality(s.most_common_freqs) + 1) / 2]::double precision as middle_common_fraction,
  s.most_common_freqs[pg_catalog.cardinality(s.most_common_freqs)]::double precision as least_common_fraction,
  pg_catalog.cardinality(s.most_common_freqs)::bigint as common_values,
  case
    when s.histogram_bounds is null
      or (t.unit is null and a.atttypid not in ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)) then '{}'
    else (
      select case when pg_catalog.bool_and(pg_catalog.isfinite(v.at)) then pg_catalog.array_agg(
        -- far from any year that a row has
        greatest(-2e9, least(2e9, (extract(epoch from pg_catalog.now()) - extract(epoch from v.at)) / 3600))::integer
        order by v.tenth) else '{}' end from (
        select b.tenth,
          case
            when t.unit is null then b.bound::timestamptz
            when t.unit = 'uuid_v7' then pg_catalog.to_timestamp(
              -- its first 48 bits
              ('x0000' || pg_catalog.left(b.bound, 8) || pg_catalog.substr(b.bound, 10, 4))::bit(64)::bigint / t.per_second)
            else pg_catalog.to_timestamp((b.bound::numeric / t.per_second)::double precision)
          end as at
        from (
          select d.tenth, b.bounds[1 + d.tenth * (pg_catalog.cardinality(b.bounds) - 1) / 10] as bound
          from (select s.histogram_bounds::text::text[] as bounds) b
          cross join pg_catalog.generate_series(0, 10) d (tenth)
        ) b
      ) v
    )
  end as age_deciles_hours,
  t.unit as time_unit
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type y on y.oid = a.atttypid left join pg_catalog.pg_collation k on k.oid = a.attcollation
cross join (
  -- the provider is known from 15 on
  select coalesce(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'b'
    or (coalesce(pg_catalog.to_jsonb(b) ->> 'datlocprovider', 'c') = 'c' and b.datcollate in ('C', 'POSIX')) as sorts_by_bytes
  from pg_catalog.pg_database b where b.datname = pg_catalog.current_database()
) d
left join pg_catalog.pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname
  -- a partitioned table has statistics of the whole tree only; an old-style parent is judged by its own rows
  and s.inherited = (c.relkind = 'p')
cross join lateral (
  select case when a.atttypid in ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'uuid'::regtype)
    then s.histogram_bounds::text end as bounds offset 0 -- printed once, not at each use
) h
left join lateral (
  -- numbers of 1980 to 2100; a histogram is sorted, so its ends tell
  select u.unit, u.per_second
  from (values ('s', 1::bigint), ('ms', 1000), ('us', 1000000), ('ns', 1000000000)) u (unit, per_second)
  where pg_catalog.substring(h.bounds, '^[{]([0-9]{9,19}),')::numeric >= 315532800::numeric * u.per_second
    and pg_catalog.substring(h.bounds, ',([0-9]{9,19})[}]$')::numeric < 4102444800::numeric * u.per_second
  union all
  select 'uuid_v7', 1000
  where h.bounds ~ '^[{]([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}[,}])+$'
) t on true
where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
order by n.nspname, c.relname, a.attnum
