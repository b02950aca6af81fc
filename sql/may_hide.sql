-- whether this role may keep its own queries out of pg_stat_statements, one row
-- needs: nothing, 13 and up; before 15 only superusers may
select (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) as may_hide
