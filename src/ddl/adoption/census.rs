//! The census: everything that is known of a table beside its rows, before and after, in the transaction that adopts or
//! releases it. A difference rolls that back.

use super::super::quote::{literal, qualified};
use crate::model::adoption::{AdoptForm, Identity};
use crate::model::plan::Name;

/// What it counts, a line each.
const CENSUS: &str = include_str!("../../../sql/change_census.sql");

/// Makes the count ready and counts once, so that it is planned before the lock: a function in PL/pgSQL keeps its plan.
pub(super) fn opened(whole: &Name, leaf: &Name) -> Vec<String> {
    let sql = CENSUS.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let body = format!(
        "begin return (select pg_catalog.jsonb_agg(c.what || ': ' || coalesce(c.line, '')) from ({sql}) c); end"
    );
    let function =
        format!("CREATE FUNCTION pg_temp.pgassay_census() RETURNS jsonb LANGUAGE plpgsql AS {}", literal(&body));
    let once = "SELECT pg_catalog.jsonb_array_length(pg_temp.pgassay_census()) AS counted";
    vec![named(whole, leaf), function, once.to_owned()]
}

/// Counts, under the lock: who commented, granted or made something while it was waited for is not overlooked. The indexes
/// of the rows' table are noted too, as none may be built under the lock, and privileges of the sequence that is made anew.
pub(super) fn before(leaf: &Name, identity: Option<&Identity>) -> String {
    let note = |setting: &str, asked: &str| {
        format!("pg_catalog.set_config('pgassay.{setting}', (select coalesce({asked}, '')::text), true)")
    };
    let indexes = format!(
        "(select pg_catalog.array_agg(i.indexrelid) from pg_catalog.pg_index i where i.indrelid = {}::pg_catalog.regclass)::text, '{{}}'",
        literal(&qualified(leaf))
    );
    let sequence = identity.map(|one| note("granted", &granted(&one.sequence)));
    let all: Vec<String> = [note("before", "pg_temp.pgassay_census()::text"), note("indexes", &indexes)]
        .into_iter()
        .chain(sequence)
        .collect();
    format!("SELECT {}", all.join(", "))
}

/// The privileges of a sequence.
pub(super) fn granted(sequence: &Name) -> String {
    format!(
        "(select c.relacl::text from pg_catalog.pg_class c where c.oid = {}::pg_catalog.regclass)",
        literal(&qualified(sequence))
    )
}

fn named(whole: &Name, leaf: &Name) -> String {
    format!(
        "SELECT pg_catalog.set_config('pgassay.whole', {}, true), pg_catalog.set_config('pgassay.leaf', {}, true)",
        literal(&qualified(whole)),
        literal(&qualified(leaf))
    )
}

/// Counts again, and stops everything where something is lost or has come.
pub(super) fn after(form: &AdoptForm, whole: &Name, leaf: &Name) -> Vec<String> {
    let apart: Vec<String> = form.apart.iter().map(|line| literal(line)).collect();
    let apart = format!("array[{}]::text[]", apart.join(", "));
    let body = format!(
        "declare differs text; begin \
         with once as (select j.line from pg_catalog.jsonb_array_elements_text(pg_catalog.current_setting('pgassay.before')::jsonb) j (line)), \
         now as (select j.line from pg_catalog.jsonb_array_elements_text(pg_temp.pgassay_census()) j (line)) \
         select pg_catalog.string_agg(d.line, '; ' order by d.line) into differs from ( \
         select 'lost is ' || x.line as line, x.line as bare from (select line from once except all select line from now) x union all \
         select 'new is ' || x.line, x.line from (select line from now except all select line from once) x union all \
         select 'built under lock is ' || i.indexrelid::pg_catalog.regclass::text, '' from pg_catalog.pg_index i \
         where i.indrelid = {leaf}::pg_catalog.regclass and i.indexrelid <> all (pg_catalog.current_setting('pgassay.indexes')::pg_catalog.oid[])) d \
         where d.bare <> all ({apart}) and pg_catalog.split_part(d.bare, ': ', 1) <> all ({apart}); \
         if differs is not null then raise exception using errcode = 'integrity_constraint_violation', \
         message = 'the catalog differs, so that everything is rolled back: ' || differs; end if; \
         raise notice 'locked against everything for % ms; nothing is lost', \
         pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.current_setting('pgassay.since')::timestamptz) * 1000); end",
        leaf = literal(&qualified(leaf))
    );
    vec![named(whole, leaf), format!("DO {}", literal(&body)), "DROP FUNCTION pg_temp.pgassay_census()".to_owned()]
}

/// From here on nobody reads or writes the table: the time is noted.
pub(in crate::ddl) fn since() -> String {
    "SELECT pg_catalog.set_config('pgassay.since', pg_catalog.clock_timestamp()::text, true)".to_owned()
}
