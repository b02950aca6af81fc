-- what decides whether a server may be changed at all: one row
-- needs: nothing
select
  pg_catalog.current_setting('server_version_num')::int4 as version_num,
  pg_catalog.current_database()::text as database,
  current_user::text as role,
  pg_catalog.pg_is_in_recovery() as is_standby,
  (select pg_catalog.count(*) from pg_catalog.pg_stat_replication r) as standbys,
  pg_catalog.clock_timestamp() as now
