-- whether this role may keep its own queries out of pg_stat_statements, one row
-- needs: nothing, 15 and up
select pg_catalog.has_parameter_privilege('pg_stat_statements.track', 'set') as may_hide
