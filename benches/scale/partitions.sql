-- Partitions {from} to {to} of one table, a day each.
do $$
declare
  since date := '2020-01-01';
begin
  for i in {from}..{to} loop
    execute format('create table events_%s partition of events for values from (%L) to (%L)',
      lpad(i::text, 5, '0'), since + i, since + i + 1);
  end loop;
end
$$
