-- Tables {from} to {to} of ours: ten columns, five indexes; one in five with a foreign key, one in ten
-- with rows, statistics, an identity column and an index twice.
do $$
declare
  place text;
  name text;
begin
  for i in {from}..{to} loop
    name := 'orders_' || lpad(i::text, 5, '0');
    place := 'area_' || lpad((i % 20)::text, 2, '0') || '.' || name;
    execute format(
      'create table %s (
         id bigint %s,
         customer_id bigint not null,
         status text not null default ''new'',
         amount numeric(12, 2),
         note text,
         email varchar(200),
         created_at timestamptz not null default now(),
         updated_at timestamptz,
         is_active boolean,
         payload jsonb,
         constraint %s_pkey primary key (id)
       )', place, case when i % 10 = 0 then 'generated always as identity' end, name);
    if i % 10 = 0 then
      execute format(
        'insert into %s (customer_id, status, amount, note, email, created_at, is_active, payload)
         select n, ''state_'' || n %% 7, n * 1.1, repeat(''n'', n %% 90), n || ''@example.org'',
           now() - n * interval ''1 hour'', n %% 3 = 0, ''{}'' from generate_series(1, 200) n', place);
    end if;
    execute format('create index %s_customer_idx on %s (customer_id)', name, place);
    execute format('create index %s_status_idx on %s (status, created_at desc)', name, place);
    execute format('create index %s_email_idx on %s (lower(email::text))', name, place);
    if i % 10 = 0 then
      execute format('create index %s_customer_idx1 on %s (customer_id)', name, place);
      execute format('analyze %s', place);
    else
      execute format('create index %s_created_idx on %s (created_at) where is_active', name, place);
    end if;
    if i % 5 = 0 then
      execute format('alter table %s add constraint %s_customer_fkey foreign key (customer_id) references %s',
        place, name, place);
    end if;
  end loop;
end
$$
