#!/bin/sh
# Audits @target_words@ and keeps the report. Made by `pgassay init cron`; yours from now on.
#
# Ends with the code of the audit: 0 nothing new, 1 new findings from "@fail_on@" up, 2 it could not run, 3 it could not
# read all; or with 75 while the run before is still at work.
set -u
umask 027
dir=@dir@

mkdir -p "$dir/reports" && cd "$dir" || exit 2

# One at a time.
exec 9> lock
if ! flock -n 9; then
  echo "pgassay: the audit before this one is still at work" >&2
  exit 75
fi

# Whoever was told yesterday need not be told again: only what is new since the last report counts.
# The report has all of it. To be told each time, take these four lines out.
set --
if [ -f last.json ]; then
  set -- --baseline last.json --fail-on-new
fi

name=reports/$(date -u +%Y-%m-%dT%H%M%SZ)
@pgassay@ audit @target@ "$@" \
  --quiet --fail-on @fail_on@ --output "json=$name.json" --save "$name.snapshot.json.zst" > "$name.txt" 2>&1
code=$?
if [ -f "$name.json" ]; then
  ln -sf "$name.json" last.json
fi

if [ "$code" -ne 0 ]; then
  @tell@
fi

find reports -type f -mmin +@keep_minutes@ -exec rm -f {} +
exit "$code"
