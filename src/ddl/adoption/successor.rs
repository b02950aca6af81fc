//! The commands of the two transactions: into the successor, and back.

use super::super::partition::{alike, grant, hurried, lock, lock_only};
use super::super::quote::{literal, qualified, quoted};
use super::census;
use crate::model::adoption::{
    AdoptForm, AdoptedIndex, AdoptedStatistics, AdoptedTrigger, AdoptedView, Identity, KeySwap,
};
use crate::model::plan::Name;

/// Builds the successor, locks, and puts it in the table's place.
pub(super) fn adopt(form: &AdoptForm) -> Vec<String> {
    let (table, legacy, building) = (qualified(&form.table), qualified(&form.legacy), qualified(&form.building));
    let late = format!(
        "pg_catalog.clock_timestamp() >= {}::timestamptz",
        literal(&form.deadline.format("%F %T+00").to_string())
    );
    let mut commands = vec![
        stop(&late, &format!("too late to adopt {}: take the run back, and plan again", form.table)),
        // Nobody changes its form from here on; everybody reads and writes.
        lock_only(&form.table, "SHARE UPDATE EXCLUSIVE"),
        is_the_same(form, &form.table),
    ];
    commands.push(pinned(&table));
    commands.extend(census::opened(&form.table, &form.table));
    commands.extend(build(form));
    commands.extend(locked(form));
    commands.push(census::before(&form.table, form.inventory.identity.as_ref()));
    commands.extend(indexes(form).map(|(index, legacy)| rename_index(form, &index.name, legacy)));
    commands.extend(built(form).map(|(index, building)| rename_index(form, building, &index.name)));
    commands.extend(statistics(form).map(|(one, legacy)| rename_statistics(&one.name, legacy)));
    commands.extend(
        form.inventory
            .foreign_keys
            .iter()
            .map(|key| format!("ALTER TABLE {building} ADD CONSTRAINT {} {}", quoted(&key.name), key.definition)),
    );
    commands.extend(form.inventory.triggers.iter().map(|one| drop_trigger(one, &table)));
    commands.push(rename(&form.table, &form.legacy));
    commands.push(rename(&form.building, &form.table));
    // By now conditions of policies that name the table mean the right one.
    commands.extend(alike(&form.table, &form.likeness));
    if form.sets_not_null {
        commands.push(format!("ALTER TABLE {legacy} ALTER COLUMN {} SET NOT NULL", quoted(&form.key)));
    }
    commands.extend(form.swap.iter().flat_map(|swap| swapped(form, swap)));
    commands
        .extend(form.inventory.identity.iter().flat_map(|one| moved(one, &form.legacy, &form.table, &form.building)));
    commands.extend(owned(form));
    commands.push(format!(
        "ALTER TABLE {table} ATTACH PARTITION {legacy} FOR VALUES FROM (MINVALUE) TO ({})",
        literal(&form.boundary)
    ));
    commands.push(format!("ALTER TABLE {legacy} DROP CONSTRAINT {}", quoted(&form.check)));
    commands.extend(form.inventory.statistics.iter().flat_map(statistics_again));
    commands.extend(rebound(form, &form.legacy));
    commands.extend(identified(form));
    commands.extend(remarks(form));
    commands.extend(census::after(form, &form.table, &form.legacy));
    commands
}

/// Takes the successor away, and puts the table back in its place.
pub(super) fn release(form: &AdoptForm) -> Vec<String> {
    let (table, legacy, building) = (qualified(&form.table), qualified(&form.legacy), qualified(&form.building));
    let others = format!(
        "(select pg_catalog.count(*) from pg_catalog.pg_inherits h where h.inhparent = {}::pg_catalog.regclass) > 1",
        literal(&table)
    );
    let mut commands = vec![
        lock_only(&form.table, "SHARE UPDATE EXCLUSIVE"),
        is_the_same(form, &form.legacy),
        stop(
            &others,
            &format!("{} has other partitions than {}, with rows that would be lost", form.table, form.legacy),
        ),
    ];
    commands.extend([pinned(&table), pinned(&legacy)]);
    commands.extend(census::opened(&form.table, &form.legacy));
    commands.extend(locked(form));
    commands.push(lock(&form.legacy, "ACCESS EXCLUSIVE"));
    commands.push(census::before(&form.legacy, form.inventory.identity.as_ref()));
    commands.extend(form.inventory.triggers.iter().map(|one| drop_trigger(one, &table)));
    commands.push(format!("ALTER TABLE {table} DETACH PARTITION {legacy}"));
    commands.push(rename(&form.table, &form.building));
    commands.push(rename(&form.legacy, &form.table));
    commands
        .extend(form.inventory.identity.iter().flat_map(|one| moved(one, &form.building, &form.table, &form.legacy)));
    commands.extend(owned(form));
    commands.extend(rebound(form, &form.building));
    commands.push(format!("DROP TABLE {building}"));
    commands.extend(form.swap.iter().flat_map(|swap| swapped_back(form, swap)));
    let index_of = |index: &AdoptedIndex| form.swap.as_ref().is_none_or(|swap| swap.name != index.name);
    commands.extend(
        indexes(form)
            .filter(|(index, _)| index_of(index))
            .map(|(index, legacy)| rename_index(form, legacy, &index.name)),
    );
    commands.extend(
        statistics(form).map(|(one, legacy)| rename_statistics(&Name::new(&one.name.schema, legacy), &one.name.name)),
    );
    if form.sets_not_null {
        commands.push(format!("ALTER TABLE {table} ALTER COLUMN {} DROP NOT NULL", quoted(&form.key)));
    }
    commands.extend(remarks(form));
    commands.extend(census::after(form, &form.table, &form.table));
    commands
}

/// Privileges of columns are granted without a lock. Who grants one from here on has to wait for the end, and is told then
/// that the column has changed. Of one that is generated when read PostgreSQL keeps no statistics.
fn pinned(table: &str) -> String {
    let body = format!(
        "begin execute (select {} || pg_catalog.string_agg(pg_catalog.format('ALTER COLUMN %I SET STATISTICS %s', a.attname, \
         coalesce(a.attstattarget, -1)), ', ' order by a.attnum) from pg_catalog.pg_attribute a \
         where a.attrelid = {}::pg_catalog.regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'); end",
        literal(&format!("ALTER TABLE ONLY {table} ")),
        literal(table)
    );
    format!("DO {}", literal(&body))
}

/// Locks against everything, in the order of those who read and write: views, what a row refers to, the table. A view is
/// locked by giving it to whom it belongs, as LOCK TABLE would lock what else it reads.
fn locked(form: &AdoptForm) -> Vec<String> {
    let views: Vec<String> = form.inventory.views.iter().map(|view| literal(&qualified(&view.name))).collect();
    let body = format!(
        "declare v record; begin for v in select c.oid::pg_catalog.regclass as view, c.relowner from pg_catalog.unnest(array[{}]::pg_catalog.regclass[]) u (oid) \
         join pg_catalog.pg_class c on c.oid = u.oid loop \
         execute pg_catalog.format('ALTER VIEW %s OWNER TO %I', v.view, pg_catalog.pg_get_userbyid(v.relowner)); end loop; end",
        views.join(", ")
    );
    let views = (!views.is_empty()).then(|| format!("DO {}", literal(&body)));
    let references = form.inventory.references.iter().map(|name| lock(name, "ACCESS EXCLUSIVE"));
    let table = [lock_only(&form.table, "ACCESS EXCLUSIVE"), census::since(), hurried()];
    views.into_iter().chain(references).chain(table).collect()
}

/// Raises an error where this holds.
fn stop(condition: &str, said: &str) -> String {
    let body = format!(
        "begin if {condition} then raise exception using errcode = 'object_in_use', message = {}; end if; end",
        literal(said)
    );
    format!("DO {}", literal(&body))
}

fn is_the_same(form: &AdoptForm, name: &Name) -> String {
    let other = format!("{}::pg_catalog.regclass <> {}", literal(&qualified(name)), form.oid);
    stop(&other, &format!("{name} is another table than at planning"))
}

fn rename(from: &Name, to: &Name) -> String {
    format!("ALTER TABLE {} RENAME TO {}", qualified(from), quoted(&to.name))
}

/// Indexes whose names go over to the successor.
fn indexes(form: &AdoptForm) -> impl Iterator<Item = (&AdoptedIndex, &str)> {
    form.inventory.indexes.iter().filter_map(|index| Some((index, index.legacy.as_deref()?)))
}

/// Their names while it is built.
fn built(form: &AdoptForm) -> impl Iterator<Item = (&AdoptedIndex, &str)> {
    form.inventory.indexes.iter().filter_map(|index| Some((index, index.building.as_deref()?)))
}

fn statistics(form: &AdoptForm) -> impl Iterator<Item = (&AdoptedStatistics, &str)> {
    form.inventory.statistics.iter().filter_map(|one| Some((one, one.legacy.as_deref()?)))
}

/// With an index its constraint is renamed.
fn rename_index(form: &AdoptForm, from: &str, to: &str) -> String {
    format!("ALTER INDEX {} RENAME TO {}", qualified(&Name::new(&form.table.schema, from)), quoted(to))
}

fn rename_statistics(from: &Name, to: &str) -> String {
    format!("ALTER STATISTICS {} RENAME TO {}", qualified(from), quoted(to))
}

/// The successor under a name of its own, with what can be made while it is empty.
fn build(form: &AdoptForm) -> Vec<String> {
    let building = qualified(&form.building);
    let compression = if form.has_compression { " INCLUDING COMPRESSION" } else { "" };
    let mut commands = vec![
        // No identity: it would be one of its own, from 1. Statistics objects keep their names, so they come later.
        format!(
            "CREATE TABLE {building} (LIKE {} INCLUDING COMMENTS{compression} INCLUDING CONSTRAINTS INCLUDING DEFAULTS \
             INCLUDING GENERATED INCLUDING STORAGE) PARTITION BY RANGE ({})",
            qualified(&form.table),
            quoted(&form.key)
        ),
        format!("ALTER TABLE {building} DROP CONSTRAINT {}", quoted(&form.check)),
        revoked(&building, "TABLE"),
    ];
    if form.sets_not_null {
        commands.push(format!("ALTER TABLE {building} ALTER COLUMN {} SET NOT NULL", quoted(&form.key)));
    }
    commands.extend(built(form).map(|(index, name)| index_again(form, index, name)));
    commands
}

/// Default privileges of whoever makes it are none of the table's.
pub(in crate::ddl) fn revoked(object: &str, kind: &str) -> String {
    let body = format!(
        "declare g record; begin for g in select distinct e.grantee from pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) e \
         where c.oid = {}::pg_catalog.regclass and e.grantee <> c.relowner loop \
         execute pg_catalog.format('REVOKE ALL ON {kind} %s FROM %s', {}, case g.grantee when 0 then 'PUBLIC' \
         else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) end); end loop; end",
        literal(object),
        literal(object)
    );
    format!("DO {}", literal(&body))
}

fn index_again(form: &AdoptForm, index: &AdoptedIndex, name: &str) -> String {
    let building = qualified(&form.building);
    let swap = form.swap.as_ref().filter(|swap| swap.name == index.name);
    match (swap, &index.constraint, &index.constraint_definition) {
        (Some(swap), ..) => format!(
            "ALTER TABLE {building} ADD CONSTRAINT {} PRIMARY KEY {}{}",
            quoted(name),
            swap.columns,
            swap.timing
        ),
        (None, Some(_), Some(definition)) => {
            format!("ALTER TABLE {building} ADD CONSTRAINT {} {definition}", quoted(name))
        }
        _ => {
            let unique = if index.is_unique { "UNIQUE " } else { "" };
            format!("CREATE {unique}INDEX {} ON {building} USING {}", quoted(name), index.using)
        }
    }
}

/// The old key gives way to the one that was made beforehand.
fn swapped(form: &AdoptForm, swap: &KeySwap) -> Vec<String> {
    let legacy = qualified(&form.legacy);
    let old = form.inventory.indexes.iter().find(|index| index.name == swap.name);
    let old = old.and_then(|index| index.legacy.as_deref()).unwrap_or(&swap.name);
    vec![
        format!("ALTER TABLE {legacy} DROP CONSTRAINT {}", quoted(old)),
        format!("ALTER TABLE {legacy} ADD PRIMARY KEY USING INDEX {}{}", quoted(&swap.index), swap.timing),
    ]
}

fn swapped_back(form: &AdoptForm, swap: &KeySwap) -> Vec<String> {
    let table = qualified(&form.table);
    vec![
        format!("ALTER TABLE {table} DROP CONSTRAINT {}", quoted(&swap.index)),
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {}{}",
            quoted(&swap.name),
            quoted(&swap.restored.name.name),
            swap.timing
        ),
    ]
}

fn drop_trigger(one: &AdoptedTrigger, table: &str) -> String {
    format!("DROP TRIGGER {} ON {table}", quoted(&one.name))
}

/// An identity cannot change hands: the sequence is made again under its name, and goes on where it was. From its
/// renaming on nobody draws from it. `spare` is a name that nothing bears.
fn moved(one: &Identity, from: &Name, to: &Name, spare: &Name) -> Vec<String> {
    let (sequence, spare_name) = (qualified(&one.sequence), Name::new(&one.sequence.schema, &spare.name));
    let column = quoted(&one.column);
    let always = if one.is_always { "ALWAYS" } else { "BY DEFAULT" };
    let cycle = if one.cycles { "CYCLE" } else { "NO CYCLE" };
    let body = format!(
        "declare reached bigint; drawn boolean; begin \
         ALTER SEQUENCE {sequence} RENAME TO {}; \
         if coalesce({}, '') <> pg_catalog.current_setting('pgassay.granted') then raise exception using errcode = 'object_in_use', \
         message = 'privileges of the sequence changed, so that everything is rolled back'; end if; select last_value, is_called into strict reached, drawn from {}; \
         ALTER TABLE {} ALTER COLUMN {column} DROP IDENTITY; \
         ALTER TABLE {} ALTER COLUMN {column} ADD GENERATED {always} AS IDENTITY (SEQUENCE NAME {sequence} \
         INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {cycle}); \
         perform pg_catalog.setval({}, reached, drawn); end",
        quoted(&spare_name.name),
        census::granted(&spare_name),
        qualified(&spare_name),
        qualified(from),
        qualified(to),
        one.increment,
        one.least,
        one.most,
        one.start,
        one.cache,
        literal(&sequence)
    );
    let mut commands = vec![format!("DO {}", literal(&body)), revoked(&sequence, "SEQUENCE")];
    commands.extend(one.grants.iter().map(|one| grant(&sequence, one).replacen(" ON TABLE ", " ON SEQUENCE ", 1)));
    commands.extend(one.comment.iter().map(|text| format!("COMMENT ON SEQUENCE {sequence} IS {}", literal(text))));
    commands
}

/// Sequences of `serial` columns belong to whoever bears the table's name.
fn owned(form: &AdoptForm) -> impl Iterator<Item = String> {
    form.inventory.sequences.iter().map(|one| {
        let column = format!("{}.{}", qualified(&form.table), quoted(&one.column));
        format!("ALTER SEQUENCE {} OWNED BY {column}", qualified(&one.name))
    })
}

fn statistics_again(one: &AdoptedStatistics) -> Vec<String> {
    let name = qualified(&one.name);
    let target = one.target.map(|target| format!("ALTER STATISTICS {name} SET STATISTICS {target}"));
    std::iter::once(one.definition.clone()).chain(target).collect()
}

/// What names the table by its number is made again by its name: triggers, views, functions, publications.
fn rebound(form: &AdoptForm, other: &Name) -> Vec<String> {
    let (table, other) = (qualified(&form.table), qualified(other));
    let mut commands: Vec<String> = form.inventory.triggers.iter().flat_map(|one| trigger(one, &table)).collect();
    commands.extend(form.inventory.views.iter().map(view));
    commands.extend(form.inventory.functions.iter().cloned());
    for publication in &form.likeness.publications {
        let publication = quoted(publication);
        commands.push(format!("ALTER PUBLICATION {publication} DROP TABLE {other}"));
        commands.push(format!("ALTER PUBLICATION {publication} ADD TABLE {table}"));
    }
    commands
}

fn trigger(one: &AdoptedTrigger, table: &str) -> Vec<String> {
    let name = quoted(&one.name);
    let enabled = match one.enabled.as_str() {
        "D" => Some("DISABLE"),
        "R" => Some("ENABLE REPLICA"),
        "A" => Some("ENABLE ALWAYS"),
        _ => None,
    };
    let enabled = enabled.map(|how| format!("ALTER TABLE {table} {how} TRIGGER {name}"));
    std::iter::once(one.definition.clone()).chain(enabled).collect()
}

fn view(one: &AdoptedView) -> String {
    let option = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, "true"));
        format!("{} = {}", quoted(name), literal(value))
    };
    let options: Vec<String> = one.options.iter().map(option).collect();
    let options = if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) };
    format!("CREATE OR REPLACE VIEW {}{options} AS {}", qualified(&one.name), one.definition)
}

/// The successor's own word on how rows are identified; what counts is its partitions'.
fn identified(form: &AdoptForm) -> Option<String> {
    let table = qualified(&form.table);
    match form.likeness.replica_identity.as_str() {
        "full" => Some(format!("ALTER TABLE {table} REPLICA IDENTITY FULL")),
        "nothing" => Some(format!("ALTER TABLE {table} REPLICA IDENTITY NOTHING")),
        "index" => {
            let index = form.inventory.indexes.iter().find(|index| index.is_replica_identity)?;
            Some(format!("ALTER TABLE {table} REPLICA IDENTITY USING INDEX {}", quoted(&index.name)))
        }
        _ => None,
    }
}

/// Comments, but for those of columns and CHECK constraints, which LIKE brings.
fn remarks(form: &AdoptForm) -> Vec<String> {
    let (table, all) = (qualified(&form.table), &form.inventory);
    let mut commands = Vec::new();
    let mut say = |what: String, text: &Option<String>| {
        commands.extend(text.iter().map(|text| format!("COMMENT ON {what} IS {}", literal(text))));
    };
    say(format!("TABLE {table}"), &all.comment);
    for key in &all.foreign_keys {
        say(format!("CONSTRAINT {} ON {table}", quoted(&key.name)), &key.comment);
    }
    for (index, _) in indexes(form) {
        say(format!("INDEX {}", qualified(&Name::new(&form.table.schema, &index.name))), &index.comment);
        if let Some(constraint) = &index.constraint {
            say(format!("CONSTRAINT {} ON {table}", quoted(constraint)), &index.constraint_comment);
        }
    }
    for one in &all.triggers {
        say(format!("TRIGGER {} ON {table}", quoted(&one.name)), &one.comment);
    }
    for one in &all.policy_comments {
        say(format!("POLICY {} ON {table}", quoted(&one.name)), &one.comment);
    }
    for one in &all.statistics {
        say(format!("STATISTICS {}", qualified(&one.name)), &one.comment);
    }
    commands
}
