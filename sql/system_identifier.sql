-- what identifies the cluster and all its physical copies, one row
-- needs: execute on pg_control_system(), which managed servers may have revoked; so it is asked apart
select s.system_identifier::text as system_identifier
from pg_catalog.pg_control_system() s
