//! A wide partition cut into months: their SQL, and the judgement of a catalog.
//!
//! The months are filled beside the partition, batch by batch, while a trigger keeps them in step with it. Until one
//! transaction puts them in its place, everybody sees its rows and nothing of theirs; from then on the reverse.

use super::adoption::{revoked, since};
use super::partition::{WINDOW_MS, bound, create, hurried, is_under, lock, lock_only, replica_identity, transaction};
use super::quote::{literal, qualified, quoted};
use super::sql::waiting;
use super::state::State;
use crate::model::catalog::Catalog;
use crate::model::partition::{Edge, Likeness, PartitionForm};
use crate::model::plan::{Name, Statement};
use crate::model::split::{SplitForm, SplitPart};

/// Blocks that one batch copies: 2 MiB at 8 KiB.
const BATCH: u32 = 256;

/// Milliseconds that a batch waits for a row: less than `deadlock_timeout`, so that it is the batch that gives way.
const GIVES_WAY_MS: u32 = 300;

/// Months after which the clock is looked at.
const LOOKS: usize = 10;

/// The CHECK that spares the scan of a month when it is attached.
const CHECK: &str = "pgassay_range";

/// The trigger: behind those of others, which may still change a row.
const TRIGGER: &str = "zz_pgassay_split";

/// Makes the empty months, and the trigger that keeps them in step from then on.
pub(super) fn begin(form: &SplitForm) -> Statement {
    let staging = qualified(&form.staging);
    let mut commands: Vec<String> = form.references.iter().map(|name| lock(name, "SHARE ROW EXCLUSIVE")).collect();
    commands.push(lock_only(&form.table, "SHARE UPDATE EXCLUSIVE"));
    commands.push(format!(
        "CREATE TABLE {staging} (LIKE {} INCLUDING COMMENTS INCLUDING COMPRESSION INCLUDING CONSTRAINTS INCLUDING DEFAULTS \
         INCLUDING GENERATED INCLUDING INDEXES INCLUDING STATISTICS INCLUDING STORAGE) PARTITION BY RANGE ({})",
        qualified(&form.table),
        quoted(&form.key)
    ));
    commands.push(revoked(&staging, "TABLE"));
    commands.extend(
        form.foreign_keys
            .iter()
            .map(|key| format!("ALTER TABLE {staging} ADD CONSTRAINT {} {}", quoted(&key.name), key.definition)),
    );
    for part in &form.parts {
        let like = PartitionForm {
            name: part.name.clone(),
            table: form.staging.clone(),
            range: part.range.clone(),
            has_compression: true,
            // Rows are identified by the table's index, of which a month gets its part at the end.
            likeness: Likeness { replica_identity: String::new(), ..form.likeness.clone() },
            ..PartitionForm::default()
        };
        commands.extend(create(&like).commands().map(str::to_owned));
        commands.push(format!(
            "ALTER TABLE {} ADD CONSTRAINT {CHECK} CHECK ({})",
            qualified(&part.name),
            within(form, part)
        ));
    }
    commands.push(function(form));
    commands.push(format!("REVOKE ALL ON FUNCTION {staging}() FROM PUBLIC"));
    commands.push(tried(form));
    let wide = qualified(&form.wide);
    for (name, event) in
        [(TRIGGER.to_owned(), "AFTER INSERT OR DELETE OR UPDATE"), (format!("{TRIGGER}_all"), "BEFORE TRUNCATE")]
    {
        let each = if event.ends_with("TRUNCATE") { "STATEMENT" } else { "ROW" };
        commands.push(format!("CREATE TRIGGER {name} {event} ON {wide} FOR EACH {each} EXECUTE FUNCTION {staging}()"));
        commands.push(format!("ALTER TABLE {wide} ENABLE ALWAYS TRIGGER {name}"));
    }
    transaction(commands, "SHARE ROW EXCLUSIVE", &form.wide)
}

/// One row goes to the months and away again, as the trigger will write it: an expression that needs another `search_path`
/// fails here, and not in the writes of others.
fn tried(form: &SplitForm) -> String {
    let columns = form.columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let body = format!(
        "declare path text := pg_catalog.current_setting('search_path'); \
         begin perform pg_catalog.set_config('search_path', 'pg_catalog', true); \
         insert into {staging} ({columns}) select {columns} from only {wide} limit 1; delete from {staging}; \
         perform pg_catalog.set_config('search_path', path, true); \
         exception when lock_not_available or deadlock_detected then raise; \
         when others then raise exception using errcode = sqlstate, message = {told} || sqlerrm; end",
        staging = qualified(&form.staging),
        wide = qualified(&form.wide),
        told = literal(&format!(
            "a row of {} cannot be written by a trigger whose search_path is pg_catalog, as where a CHECK or a generated column calls a function that names others without their schema: ",
            form.wide
        )),
    );
    format!("DO {}", literal(&body))
}

/// `"at" IS NOT NULL AND "at" >= … AND "at" < …`
fn within(form: &SplitForm, part: &SplitPart) -> String {
    let key = quoted(&form.key);
    let mut all = vec![format!("{key} IS NOT NULL")];
    for (edges, how) in [(&part.range.from, ">="), (&part.range.to, "<")] {
        if let Some(Edge::Value(value)) = edges.first() {
            all.push(format!("{key} {how} {}::{}", literal(value), form.key_type));
        }
    }
    all.join(" AND ")
}

/// Whoever writes need have no privilege on the months. A transaction that looks on from an older snapshot does not see what
/// was copied since, and would leave it behind: to insert it once more fails as a conflict of serialization, which such a
/// transaction is ready for.
fn function(form: &SplitForm) -> String {
    let staging = qualified(&form.staging);
    let listed = |before: &str, columns: &[String]| {
        columns.iter().map(|column| format!("{before}{}", quoted(column))).collect::<Vec<_>>().join(", ")
    };
    let body = format!(
        "begin if tg_op = 'TRUNCATE' then raise exception using errcode = 'object_in_use', message = {told}; end if; \
         if tg_op <> 'INSERT' then \
         if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then \
         insert into {staging} ({columns}) values ({old}) on conflict do nothing; end if; \
         delete from {staging} s where ({key}) = ({old_key}); end if; \
         if tg_op <> 'DELETE' then insert into {staging} ({columns}) values ({new}) on conflict do nothing; end if; return null; end",
        told = literal(&format!("{} is being split: take that run back, or delete its rows", form.wide)),
        key = listed("s.", &form.primary_key),
        old_key = listed("old.", &form.primary_key),
        columns = listed("", &form.columns),
        old = listed("old.", &form.columns),
        new = listed("new.", &form.columns),
    );
    format!(
        "CREATE FUNCTION {staging}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS {}",
        literal(&body)
    )
}

/// Copies the rows that are not there yet, some blocks at a time. Each is locked against change, not against reading, until
/// its batch commits. Who holds one of them is not waited for while others are kept waiting: the batch gives way, before
/// PostgreSQL looks for deadlocks, and is tried again. Where rows were moved to other blocks meanwhile, all blocks are gone
/// through once more. Pauses while a standby is behind, and stops where a slot keeps more WAL than it may.
pub(super) fn copy(form: &SplitForm) -> Statement {
    let (wide, staging) = (qualified(&form.wide), qualified(&form.staging));
    let listed = |before: &str| {
        form.columns.iter().map(|column| format!("{before}{}", quoted(column))).collect::<Vec<_>>().join(", ")
    };
    let same = form
        .primary_key
        .iter()
        .map(|column| format!("s.{0} = w.{0}", quoted(column)))
        .collect::<Vec<_>>()
        .join(" and ");
    let body = format!(
        "#variable_conflict use_variable\n\
         declare reached bigint := 0; next bigint := 0; blocks bigint; file oid; is_told boolean; \
         since timestamptz := pg_catalog.clock_timestamp(); told timestamptz := pg_catalog.clock_timestamp(); \
         most_lag interval := {lag}::interval; most_wait interval := {wait}::interval; most_wal numeric := {wal}::numeric; \
         begin perform pg_catalog.set_config('row_security', 'off', false); \
         loop file := pg_catalog.pg_relation_filenode({wide_name}::pg_catalog.regclass); reached := 0; next := 0; \
         blocks := pg_catalog.pg_relation_size({wide_name}::pg_catalog.regclass) / pg_catalog.current_setting('block_size')::bigint; \
         while reached <= blocks loop begin perform pg_catalog.set_config('lock_timeout', '{GIVES_WAY_MS}ms', true); \
         insert into {staging} ({columns}) select {read} from only {wide} w \
         where w.ctid >= pg_catalog.format('(%s,0)', reached)::pg_catalog.tid and w.ctid < pg_catalog.format('(%s,0)', reached + {BATCH})::pg_catalog.tid \
         and not exists (select from {staging} s where {same}) for share of w on conflict do nothing; \
         next := reached + {BATCH}; since := pg_catalog.clock_timestamp(); \
         exception when lock_not_available or deadlock_detected or serialization_failure then \
         if pg_catalog.clock_timestamp() - since > most_wait then raise; end if; end; \
         commit; if next = reached then perform pg_catalog.pg_sleep(0.2); commit; end if; reached := next; \
         if exists (select from pg_catalog.pg_replication_slots r where pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.restart_lsn) > most_wal) then \
         raise exception using errcode = 'object_in_use', message = 'a replication slot keeps more WAL than it may (--max-slot-wal)'; end if; \
         if told < pg_catalog.clock_timestamp() - interval '1 s' then told := pg_catalog.clock_timestamp(); \
         raise info 'copied % of % blocks', least(reached, blocks), blocks; end if; is_told := false; \
         while exists (select from pg_catalog.pg_stat_replication r where greatest(r.replay_lag, r.flush_lag) > most_lag) loop \
         if not is_told then raise notice 'pauses at block % of %, as a standby is more than % behind (--max-replica-lag)', least(reached, blocks), blocks, most_lag; \
         is_told := true; end if; perform pg_catalog.pg_sleep(1); commit; since := pg_catalog.clock_timestamp(); end loop; end loop; \
         exit when file = pg_catalog.pg_relation_filenode({wide_name}::pg_catalog.regclass); \
         raise notice 'the table was written anew meanwhile, as by VACUUM FULL or CLUSTER: what is not copied is looked for once more'; end loop; end",
        lag = said("max_replica_lag", "30s"),
        wait = said("max_wait", "10min"),
        wal = said("max_slot_wal", "10737418240"),
        wide_name = literal(&wide),
        columns = listed(""),
        read = listed("w."),
    );
    Statement { lock: "ROW SHARE".to_owned(), ..waiting(format!("DO {}", literal(&body)), &form.wide) }
}

/// What a session wrote comes to `pg_stat_all_tables.n_live_tup` some time later. Were that after ANALYZE, which counts the
/// rows, they would be there twice. Before 15 a session tells of it at the end of a statement, when half a second has passed
/// since the last time.
pub(super) fn counted(form: &SplitForm) -> Statement {
    let body = "begin if pg_catalog.to_regproc('pg_catalog.pg_stat_force_next_flush') is null then perform pg_catalog.pg_sleep(0.6); \
         else perform pg_catalog.pg_stat_force_next_flush(); end if; end";
    Statement { lock: "none".to_owned(), ..waiting(format!("DO {}", literal(body)), &form.wide) }
}

/// A limit of the run, as its session was told; by hand, the default.
fn said(limit: &str, default: &str) -> String {
    format!(
        "coalesce(nullif(pg_catalog.current_setting('pgassay.{limit}', true), ''), {default})",
        default = literal(default)
    )
}

/// Nobody looks on from before the rows were copied, and both hold the same rows, as one look sees them. Then the months
/// take the partition's place, which stays as a table.
pub(super) fn finish(form: &SplitForm) -> Vec<Statement> {
    vec![outlive(form), prove(form), transaction(swapped(form), "ACCESS EXCLUSIVE", &form.table)]
}

/// Waits for the transactions of this database that are under way, but for VACUUM, as `CREATE INDEX CONCURRENTLY` does: to one with an older
/// snapshot the copied rows are not there, and once the partition is gone it would miss them. VACUUM reads no rows for
/// anybody.
fn outlive(form: &SplitForm) -> Statement {
    let body = format!(
        "declare others text[] := array(select l.virtualxid from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid = l.pid \
         where l.locktype = 'virtualxid' and l.granted and a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid() \
         and a.backend_type is distinct from 'autovacuum worker' and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)); \
         since timestamptz := pg_catalog.clock_timestamp(); pids text; is_told boolean := false; \
         begin loop select pg_catalog.string_agg(l.pid::text, ', ' order by l.pid) into pids from pg_catalog.pg_locks l \
         where l.locktype = 'virtualxid' and l.granted and l.virtualxid = any (others); \
         exit when pids is null; \
         if not is_told then is_told := true; raise notice 'waits for transactions that began before the copy was done: %', pids; end if; \
         if pg_catalog.clock_timestamp() - since > {wait}::interval then raise exception using errcode = 'lock_not_available', \
         message = 'transactions that began before the copy was done are still open (--max-wait): ' || pids; end if; \
         perform pg_catalog.pg_sleep(0.05); end loop; end",
        wait = said("max_wait", "10min"),
    );
    Statement { lock: "none".to_owned(), ..waiting(format!("DO {}", literal(&body)), &form.wide) }
}

fn prove(form: &SplitForm) -> Statement {
    let columns = form.columns.iter().map(|column| format!("x.{}", quoted(column))).collect::<Vec<_>>().join(", ");
    let sum = |table: &str| {
        format!(
            "(select row(pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(row({columns})::text, 0)::numeric)) from {table} x)"
        )
    };
    let wide = format!("only {}", qualified(&form.wide));
    let body = format!(
        "begin perform pg_catalog.set_config('row_security', 'off', false); raise info 'compares the rows'; \
         if {} is distinct from {} then raise exception using errcode = 'integrity_constraint_violation', message = {}; end if; end",
        sum(&wide),
        sum(&qualified(&form.staging)),
        literal(&format!("the months do not hold the rows of {}: take this run back", form.wide))
    );
    Statement { lock: "ACCESS SHARE".to_owned(), ..waiting(format!("DO {}", literal(&body)), &form.wide) }
}

fn swapped(form: &SplitForm) -> Vec<String> {
    let (table, wide, staging) = (qualified(&form.table), qualified(&form.wide), qualified(&form.staging));
    let mut commands: Vec<String> = form.references.iter().map(|name| lock(name, "ACCESS EXCLUSIVE")).collect();
    commands.push(lock_only(&form.table, "ACCESS EXCLUSIVE"));
    commands.push(lock(&form.wide, "ACCESS EXCLUSIVE"));
    commands.push(lock(&form.staging, "ACCESS EXCLUSIVE"));
    commands.push(hurried());
    commands.push(since());
    commands.push(format!(
        "SELECT pg_catalog.set_config('pgassay.indexes', (select coalesce(pg_catalog.array_agg(i.indexrelid), '{{}}')::text \
         from pg_catalog.pg_index i where i.indrelid = any ({})), true)",
        numbers(form)
    ));
    commands.push(in_step(&wide));
    commands.extend(dropped_triggers(&wide));
    commands.push(format!("ALTER TABLE {table} DETACH PARTITION {wide}"));
    for (nr, part) in form.parts.iter().enumerate() {
        let name = qualified(&part.name);
        commands.push(format!("ALTER TABLE {staging} DETACH PARTITION {name}"));
        commands.push(format!("ALTER TABLE {table} ATTACH PARTITION {name} {}", bound(&part.range)));
        commands.push(format!("ALTER TABLE {name} DROP CONSTRAINT {CHECK}"));
        commands.extend(replica_identity(&part.name, &form.likeness));
        commands.extend((nr % LOOKS == LOOKS - 1).then(in_time));
    }
    commands.push(format!("DROP TABLE {staging}"));
    commands.push(format!("DROP FUNCTION {staging}()"));
    commands.push(in_time());
    let body = format!(
        "begin if exists (select from pg_catalog.pg_index i where i.indrelid = any ({}) \
         and i.indexrelid <> all (pg_catalog.current_setting('pgassay.indexes')::pg_catalog.oid[])) then \
         raise exception using errcode = 'integrity_constraint_violation', message = 'an index would be built under lock, so that everything is rolled back'; end if; \
         raise notice 'locked against everything for % ms', \
         pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.current_setting('pgassay.since')::timestamptz) * 1000); end",
        numbers(form)
    );
    commands.push(format!("DO {}", literal(&body)));
    commands
}

/// Whoever switches the triggers off leaves the months behind.
fn in_step(wide: &str) -> String {
    let body = format!(
        "begin if (select pg_catalog.count(*) from pg_catalog.pg_trigger g where g.tgrelid = {}::pg_catalog.regclass \
         and g.tgname in ('{TRIGGER}', '{TRIGGER}_all') and g.tgenabled = 'A') <> 2 then \
         raise exception using errcode = 'integrity_constraint_violation', message = {}; end if; end",
        literal(wide),
        literal("a trigger of the split was disabled, so that rows may be missing from the months: take this run back")
    );
    format!("DO {}", literal(&body))
}

/// Many short commands are a long lock.
fn in_time() -> String {
    let body = format!(
        "begin if pg_catalog.clock_timestamp() - pg_catalog.current_setting('pgassay.since')::timestamptz > interval '{WINDOW_MS} ms' then \
         raise exception using errcode = 'query_canceled', message = {}; end if; end",
        literal(
            "the table was locked for too long, so that everything is rolled back: try again in a quiet moment, or take this run back and split fewer --months at a time"
        )
    );
    format!("DO {}", literal(&body))
}

fn numbers(form: &SplitForm) -> String {
    let all: Vec<String> =
        form.parts.iter().map(|part| format!("{}::pg_catalog.regclass", literal(&qualified(&part.name)))).collect();
    format!("array[{}]::pg_catalog.oid[]", all.join(", "))
}

fn dropped_triggers(wide: &str) -> [String; 2] {
    ["", "_all"].map(|rest| format!("DROP TRIGGER IF EXISTS {TRIGGER}{rest} ON {wide}"))
}

/// Takes the months away, which nobody saw; somebody may have dropped a trigger before, or all that hung on the function.
pub(super) fn abandon(form: &SplitForm) -> Statement {
    let (wide, staging) = (qualified(&form.wide), qualified(&form.staging));
    let mut commands = vec![lock(&form.wide, "SHARE ROW EXCLUSIVE")];
    commands.extend(dropped_triggers(&wide));
    commands.push(format!("DROP FUNCTION IF EXISTS {staging}()"));
    commands.push(format!("DROP TABLE IF EXISTS {staging}"));
    transaction(commands, "ACCESS EXCLUSIVE", &form.wide)
}

/// How far a split is.
enum Stage {
    Before,
    Begun,
    Finished,
    Foreign(State),
}

fn stage(form: &SplitForm, catalog: &Catalog) -> Stage {
    let Some(wide) = catalog.relation(&form.wide).filter(|wide| wide.oid == form.oid) else {
        return Stage::Foreign(State::Foreign(format!("{} is another table than at planning: plan again", form.wide)));
    };
    let is_there = |name: &Name| catalog.relation(name).is_some_and(|row| is_under(row, &form.table));
    match (is_under(wide, &form.table), catalog.relation(&form.staging).is_some()) {
        (true, true) => Stage::Begun,
        (true, false) => Stage::Before,
        (false, false) if form.parts.iter().all(|part| is_there(&part.name)) => Stage::Finished,
        _ => Stage::Foreign(State::Foreign(format!("{} is no partition of {} any more", form.wide, form.table))),
    }
}

/// Whether the months are being filled.
pub(super) fn begun(form: &SplitForm, catalog: &Catalog) -> State {
    match stage(form, catalog) {
        Stage::Before => State::Todo,
        Stage::Begun => State::Done(format!("{} is there", form.staging)),
        Stage::Finished => State::Done(format!("{} is split", form.wide)),
        Stage::Foreign(state) => state,
    }
}

/// Whether the months are in the partition's place. Of the copying no catalog tells: it is looked at again.
pub(super) fn finished(form: &SplitForm, catalog: &Catalog) -> State {
    match stage(form, catalog) {
        Stage::Before | Stage::Begun => State::Todo,
        Stage::Finished => State::Done(format!("{} is split", form.wide)),
        Stage::Foreign(state) => state,
    }
}

/// Whether nothing of it is left.
pub(super) fn abandoned(form: &SplitForm, catalog: &Catalog) -> State {
    match stage(form, catalog) {
        Stage::Before => State::Done(format!("{} is as it was", form.wide)),
        Stage::Begun => State::Todo,
        Stage::Finished => State::Done(format!("{} is split, and that is not taken back", form.wide)),
        Stage::Foreign(state) => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::split::SplitPart;

    #[test]
    fn the_clock_is_looked_at_when_all_is_done() {
        for (months, looks) in [(1, 1), (9, 1), (10, 2), (25, 3)] {
            let form = SplitForm { parts: vec![SplitPart::default(); months], ..SplitForm::default() };
            let commands = swapped(&form);
            let looked: Vec<usize> = (commands.iter().enumerate())
                .filter(|(_, command)| command.contains("locked for too long"))
                .map(|(at, _)| at)
                .collect();
            let done = commands.iter().position(|command| command.starts_with("DROP FUNCTION")).unwrap();
            assert_eq!((looked.len(), looked.last().copied()), (looks, Some(done + 1)), "{months} months");
        }
    }
}
