-- what ANALYZE knows of the values of named columns, to ask the planner about typical ones
-- needs: to read the columns; $1 schemas, $2 tables, $3 columns, one triple each
select
  s.schemaname::text as schema,
  s.tablename::text as "table",
  s.attname::text as "column",
  s.most_common_vals::text::text[] as common,
  s.most_common_freqs::text::text[] as frequencies,
  s.histogram_bounds::text::text[] as bounds
from rows from (
  pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) w (schema, name, attname)
join pg_catalog.pg_stats s on s.schemaname = w.schema and s.tablename = w.name and s.attname = w.attname and not s.inherited
order by s.schemaname, s.tablename, s.attname
