# Two versions of the project, each on a database of its own: made, set up, its workload run, and looked at.
version() {
  PGDATABASE=pgassay_$1
  DATABASE_URL=postgres://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE
  export PGDATABASE DATABASE_URL
  psql -qX -v ON_ERROR_STOP=1 -d postgres -c "create database $PGDATABASE"
  (cd "$2" && sh -c "$SETUP")
  # Plans by what is there, and only the workload counts.
  psql -qX -v ON_ERROR_STOP=1 -c 'set client_min_messages = warning' -c 'vacuum analyze' \
    -c 'create extension if not exists pg_stat_statements' -c 'select pg_stat_statements_reset()' > /dev/null
  (cd "$2" && sh -c "$WORKLOAD")
  # Sessions hand in what they did to tables within a second of their end.
  sleep 1
  pgassay snapshot "$DATABASE_URL" -o "pgassay-$1.json.zst"
}
git worktree add --quiet --force --detach .pgassay-base "$BASE"
version base .pgassay-base
version head .
code=0
pgassay diff pgassay-base.json.zst pgassay-head.json.zst --gate @gate@ \
  --output markdown=pgassay.md --output @output@ || code=$?
