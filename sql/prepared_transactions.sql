-- transactions that were prepared and neither committed nor rolled back
-- needs: nothing, 13 and up; none on a standby
select
  p.gid as name,
  coalesce(p.owner::text, '') as owner,
  coalesce(p.database::text, '') as database,
  greatest(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared), 0) as age_seconds,
  pg_catalog.age(p.transaction)::bigint as xid_age
from pg_catalog.pg_prepared_xacts p
order by p.gid collate pg_catalog."C"
