-- everything that is known of a table beside its rows, a line each, to compare before and after: of itself, and of the partition that has its rows
-- needs: nothing; settings pgassay.whole and pgassay.leaf name the two, the same one while it is not partitioned
with t as (
  select c.* from pg_catalog.pg_class c where c.oid = pg_catalog.current_setting('pgassay.whole')::pg_catalog.regclass
), leaf as (
  select c.* from pg_catalog.pg_class c where c.oid = pg_catalog.current_setting('pgassay.leaf')::pg_catalog.regclass
), places as (
  select a.*, pg_catalog.row_number() over (partition by a.attrelid order by a.attnum) as nr
  from pg_catalog.pg_attribute a where a.attnum > 0 and not a.attisdropped and a.attrelid in (select oid from t union all select oid from leaf)
), indexes as (
  select i.*, c.relname, pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(c.oid), '^CREATE (UNIQUE )?INDEX ("([^"]|"")+"|\S+) ON (ONLY )?("([^"]|"")+"|[^.]+)\.("([^"]|"")+"|\S+) ', '\1') as tail
  from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
  -- it is asked under lock: those of other tables, of which there are many, must not be looked at
  where i.indrelid in (select oid from t union all select oid from leaf)
), grants as (
  select r.kind, pg_catalog.concat_ws(' ', case e.grantee when 0 then 'PUBLIC' else pg_catalog.pg_get_userbyid(e.grantee) end, e.privilege_type, e.is_grantable, e."column") as line
  from (select 'privilege' as kind, t.* from t union all select 'privilege on its rows', leaf.* from leaf) r,
  lateral (
    select x.*, '' as "column" from pg_catalog.aclexplode(coalesce(r.relacl, pg_catalog.acldefault('r', r.relowner))) x
    union all
    select x.*, a.attname from places a, pg_catalog.aclexplode(a.attacl) x where a.attrelid = r.oid
  ) e
)
select 'owner' as what, pg_catalog.pg_get_userbyid(t.relowner)::text as line from t
union all select 'comment', pg_catalog.obj_description(t.oid, 'pg_class') from t
union all select 'row security', t.relrowsecurity || ' ' || t.relforcerowsecurity from t
union all select 'storage', pg_catalog.concat_ws(' ', l.relpersistence, l.relam, l.reltablespace, l.reloptions::text, (select o.reloptions::text from pg_catalog.pg_class o where o.oid = l.reltoastrelid)) from leaf l
union all select 'replica identity', l.relreplident::text || coalesce((select ' ' || i.tail from indexes i where i.indrelid = l.oid and i.indisreplident), '') from leaf l
union all select 'clustered on', i.tail from leaf l join indexes i on i.indrelid = l.oid and i.indisclustered
union all select 'column ' || a.attname, pg_catalog.concat_ws(' ', a.nr, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation, a.attgenerated,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity, pg_catalog.col_description(t.oid, a.attnum))
  from t join places a on a.attrelid = t.oid left join pg_catalog.pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
union all select 'not null', a.attname from t join places a on a.attrelid = t.oid and a.attnotnull
union all select 'storage of column ' || a.attname, pg_catalog.concat_ws(' ', a.attstorage, pg_catalog.to_jsonb(a) ->> 'attcompression', a.attstattarget, a.attoptions::text)
  from leaf l join places a on a.attrelid = l.oid
union all select g.kind, g.line from grants g
union all select 'constraint ' || k.conname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid), k.convalidated, pg_catalog.obj_description(k.oid, 'pg_constraint'))
  from t join pg_catalog.pg_constraint k on k.conrelid = t.oid and k.contype in ('c', 'f', 'p', 'u', 'x') and k.conname not like 'pgassay\_before\_%'
  -- one for each partition of what it refers to is made by the server
  where k.contype <> 'f' or k.conparentid = 0
union all select 'index ' || i.relname, pg_catalog.concat_ws(' ', i.tail, pg_catalog.obj_description(i.indexrelid, 'pg_class'), i.indisvalid) from t join indexes i on i.indrelid = t.oid
union all select 'trigger ' || g.tgname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled, pg_catalog.obj_description(g.oid, 'pg_trigger'))
  from t join pg_catalog.pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
union all select 'rule', r.rulename from t join pg_catalog.pg_rewrite r on r.ev_class = t.oid
union all select 'policy ' || p.polname, pg_catalog.concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::text, pg_catalog.pg_get_expr(p.polqual, t.oid),
    pg_catalog.pg_get_expr(p.polwithcheck, t.oid), pg_catalog.obj_description(p.oid, 'pg_policy')) from t join pg_catalog.pg_policy p on p.polrelid = t.oid
union all select 'publication', pg_catalog.concat_ws(' ', p.pubname, pg_catalog.to_jsonb(r) ->> 'prqual', pg_catalog.to_jsonb(r) ->> 'prattrs')
  from t join pg_catalog.pg_publication_rel r on r.prrelid = t.oid join pg_catalog.pg_publication p on p.oid = r.prpubid
union all select distinct 'used by', pg_catalog.concat_ws(' ', (case when r.oid is null then d.objid::pg_catalog.regprocedure::text else r.ev_class::pg_catalog.regclass::text end), v.reloptions::text,
    pg_catalog.md5(case when r.oid is null then pg_catalog.pg_get_functiondef(d.objid) else pg_catalog.pg_get_viewdef(r.ev_class) end))
  from t join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid and d.classid in ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
  left join pg_catalog.pg_rewrite r on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and r.oid = d.objid left join pg_catalog.pg_class v on v.oid = r.ev_class
  where r.ev_class is distinct from t.oid
-- made while the successor was, by name of a table that is the partition by now
union all select distinct 'bound to the partition alone', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
  from t join leaf l on l.oid <> t.oid join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = l.oid
  where d.classid in ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
union all select 'statistics ' || s.stxname, pg_catalog.concat_ws(' ', pg_catalog.pg_get_statisticsobjdef(s.oid), nullif(pg_catalog.to_jsonb(s) ->> 'stxstattarget', '-1'), s.stxowner, pg_catalog.obj_description(s.oid, 'pg_statistic_ext'))
  from t join pg_catalog.pg_statistic_ext s on s.stxrelid = t.oid
union all select 'sequence ' || s.relname, pg_catalog.concat_ws(' ', d.deptype, a.attname, q.seqtypid, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle, s.relowner,
    (select pg_catalog.string_agg(x::text, ' ' order by x::text) from pg_catalog.aclexplode(coalesce(s.relacl, pg_catalog.acldefault('s', s.relowner))) x), pg_catalog.obj_description(s.oid, 'pg_class'))
  from t join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = t.oid and d.classid = d.refclassid and d.deptype in ('a', 'i')
  join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S' join pg_catalog.pg_sequence q on q.seqrelid = s.oid join places a on a.attrelid = t.oid and a.attnum = d.refobjsubid
union all select 'security label', l.label from t join pg_catalog.pg_seclabel l on l.objoid = t.oid and l.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
order by 1, 2
