-- Version 1: one row for each run of pgassay, in partitions that `pgassay partition maintain` makes and
-- `pgassay history prune` retires. Nothing else depends on them.
create schema if not exists pgassay;

create table pgassay.migration (
  version integer primary key,
  applied_at timestamptz not null default pg_catalog.now(),
  tool text not null
);
comment on table pgassay.migration is 'versions of this schema, as pgassay history init made them';

create table pgassay.run (
  captured_at timestamptz not null,
  name text not null,
  head jsonb not null,
  snapshot bytea not null,
  primary key (captured_at, name)
) partition by range (captured_at);
-- It is compressed already.
alter table pgassay.run alter column snapshot set storage external;
comment on table pgassay.run is 'runs of pgassay; by UTC months of captured_at';
comment on column pgassay.run.captured_at is 'when the server was read, by its clock';
comment on column pgassay.run.name is 'names the run';
comment on column pgassay.run.head is 'what is known of the run: target, window, findings by severity';
comment on column pgassay.run.snapshot is 'what was read: JSON, compressed with zstd';
