-- processes that wait for a lock, who is in their way and who is at the root of it
-- needs: nothing, 13; pg_monitor to see queries, states and times of other roles' sessions
with recursive activity as materialized (
  select
    -- a parallel worker is blocked as its leader is
    a.pid, coalesce(a.leader_pid, a.pid) as leader, a.usename, a.application_name, a.datname,
    a.state, a.xact_start, a.query_start, a.query
  from pg_catalog.pg_stat_activity a
),
locks as materialized (
  select l.*
  from pg_catalog.pg_locks l
  where not l.granted or l.locktype = 'tuple'
),
waits as materialized (
  select l.*, coalesce(a.leader, l.pid) as leader
  from locks l
  left join activity a on a.pid = l.pid
  where not l.granted
),
tuples as (
  -- who waits for the transaction that changed a row holds a lock on that row
  select distinct on (l.pid) l.pid, l.database, l.relation
  from locks l
  where l.granted
  order by l.pid, l.database, l.relation
),
blocked as materialized (
  select w.pid, array(
    -- parallel workers go by their leader, a prepared transaction by 0
    select distinct u.pid from pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) u (pid) order by u.pid
  ) as blockers
  from (select distinct w.leader as pid from waits w) w
),
steps as materialized (
  -- to one that waits for nobody, else to the one with the fewest in its way: the head of the queue
  select distinct on (b.pid) b.pid, u.pid as blocker, coalesce(pg_catalog.cardinality(n.blockers), 0) = 0 as is_root
  from blocked b
  cross join lateral pg_catalog.unnest(b.blockers) u (pid)
  left join blocked n on n.pid = u.pid
  order by b.pid, coalesce(pg_catalog.cardinality(n.blockers), 0), u.pid
),
chains as (
  select s.pid, s.blocker, s.is_root, 1 as depth
  from steps s
  union all
  select c.pid, s.blocker, s.is_root, c.depth + 1
  from chains c
  join steps s on s.pid = c.blocker
  where not c.is_root and c.depth < 20 -- a deadlock that is not yet detected has no root
)
select
  w.pid, a.usename::text as "user", a.application_name as application, a.datname::text as database,
  w.locktype as lock_type, w.mode, n.nspname::text as schema, c.relname::text as relation,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.query_start) as wait_seconds,
  nullif(pg_catalog."left"(a.query, 4000), '<insufficient privilege>') as query,
  b.blockers,
  x.blocker as root_pid, r.usename::text as root_user, r.application_name as root_application, r.state as root_state,
  pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - r.xact_start) as root_transaction_seconds
from waits w
join blocked b on b.pid = w.leader
left join activity a on a.pid = w.pid
left join tuples t on t.pid = w.pid and w.locktype = 'transactionid'
left join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
left join pg_catalog.pg_class c
  on c.oid = coalesce(w.relation, t.relation) and d.oid = coalesce(w.database, t.database)
left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join chains x on x.pid = w.leader and x.is_root
left join activity r on r.pid = x.blocker
where w.pid <> pg_catalog.pg_backend_pid()
  -- our other connections have our name; a nameless run must not hide all that are nameless
  and not coalesce(a.application_name = nullif(pg_catalog.current_setting('application_name'), ''), false)
order by w.pid, w.locktype, w.mode
