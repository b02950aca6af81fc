-- texts of the statements of database $2 whose queryid is in $1, one row a queryid
-- needs: the extension, version 1.8, and usage on its schema; pg_monitor for texts of other roles
select distinct on (s.queryid)
  s.queryid,
  pg_catalog."left"(s.query, 100000) as text
from {schema}.pg_stat_statements(true) s
join pg_catalog.pg_database d on d.oid = s.dbid and d.datname = $2::text
where s.queryid in (select pg_catalog.unnest($1::bigint[]))
  -- null once the file of texts was lost
  and s.query is not null
-- roles may have met different constants first
order by s.queryid, s.query collate pg_catalog."C"
