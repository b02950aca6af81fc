//! Changes of indexes, with what each failure leaves and how it is put right.

use super::run::{Stop, Work};
use crate::ddl::{
    Half, MAX_NAME_BYTES, State, attach, create_concurrently, create_parent, drop_concurrently, drop_parent, leaf_form,
    reindex as rebuild, trimmings, twin,
};
use crate::model::catalog::SeenIndex;
use crate::model::plan::{Change, IndexForm, Leaf, Name};
use crate::statement::is_same_index;

/// Builds an index on a plain table. One of that name and definition that no query can use goes first.
pub(super) async fn create(work: &mut Work<'_>, change: &Change, form: &IndexForm, state: &State) -> Result<(), Stop> {
    if *state == State::Half(Half::Bare) {
        return trim(work, form).await;
    }
    if *state != State::Todo {
        work.run(&drop_concurrently(&form.name, &form.table)).await.map_err(half)?;
    }
    if let Err(stop) = work.run(&create_concurrently(form)).await {
        return clean_up(work, change, form, stop).await;
    }
    let catalog = work.look(change).await?;
    if !catalog.index(&form.name).is_some_and(SeenIndex::is_usable) {
        let text = "the server reported success and left the index unusable".to_owned();
        return clean_up(work, change, form, Stop { text, is_half: true, is_lost: false }).await;
    }
    trim(work, form).await
}

async fn trim(work: &mut Work<'_>, form: &IndexForm) -> Result<(), Stop> {
    for statement in trimmings(form) {
        work.run(&statement).await.map_err(half)?;
    }
    Ok(())
}

/// After a failed build: nothing is left, or an index that no query can use and writes may pay for.
async fn clean_up(work: &mut Work<'_>, change: &Change, form: &IndexForm, stop: Stop) -> Result<(), Stop> {
    work.recover(&stop).await?;
    let catalog = work.look(change).await?;
    match work.state(change, &catalog) {
        // The build outlived the connection.
        State::Done(_) | State::Half(Half::Bare) if catalog.index(&form.name).is_some() => {
            return trim(work, form).await;
        }
        State::Half(Half::Invalid { .. }) => {}
        _ => return Err(Stop { is_half: false, ..stop }),
    }
    if let Err(again) = work.repair(&drop_concurrently(&form.name, &form.table)).await {
        let text = format!("{}; {} is left behind unusable: {}", stop.text, form.name, again.text);
        return Err(Stop { text, is_half: true, is_lost: again.is_lost });
    }
    Err(Stop { text: format!("{}; what was built of it is removed", stop.text), is_half: false, is_lost: false })
}

/// `ON ONLY` the parent, then each leaf CONCURRENTLY and attached, the newest first. Stops half-way where a
/// leaf fails: the parent stays invalid until all are attached, and a resumed run goes on.
pub(super) async fn create_partitioned(work: &mut Work<'_>, change: &Change, form: &IndexForm) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    if catalog.index(&form.name).is_none() {
        work.run(&create_parent(form)).await?;
    }
    // From here on new partitions get their index by themselves.
    for leaf in &form.leaves {
        self::leaf(work, change, form, leaf).await.map_err(half)?;
    }
    let catalog = work.look(change).await?;
    let parent = catalog.index(&form.name);
    if !parent.is_some_and(SeenIndex::is_usable) {
        let served =
            |name: &Name| catalog.indexes.iter().any(|index| is_on(index, name) && index.is_part_of(&form.name));
        let partitions = catalog.partitions(&form.table).map(|row| Name::new(&row.schema, &row.name));
        let missing: Vec<String> = partitions.filter(|name| !served(name)).map(|name| name.to_string()).collect();
        let text = format!("{} is not valid yet: no index is attached for {}", form.name, missing.join(", "));
        return Err(Stop { text, is_half: true, is_lost: false });
    }
    trim(work, form).await
}

fn is_on(index: &SeenIndex, table: &Name) -> bool {
    index.schema == table.schema && index.table == table.name
}

/// One partition: an index of the right definition is attached, built where there is none.
async fn leaf(work: &mut Work<'_>, change: &Change, form: &IndexForm, leaf: &Leaf) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    if catalog.relation(&leaf.table).is_none() {
        // Retired since planning.
        return Ok(());
    }
    let mut own = catalog.indexes.iter().filter(|index| is_on(index, &leaf.table));
    if own.any(|index| index.is_part_of(&form.name)) {
        return Ok(());
    }
    let child = if let Some(twin) = twin(&catalog, form, leaf) {
        twin.name()
    } else {
        let own = leaf_form(form, leaf);
        let alone = Change::CreateIndex(own.clone());
        match work.state(&alone, &catalog) {
            State::Foreign(text) => return Err(Stop { text, is_half: true, is_lost: false }),
            State::Done(_) => {}
            state => {
                work.progress.phase(&format!("partition {}", leaf.table), 0, 0);
                create(work, &alone, &own, &state).await?;
            }
        }
        own.name
    };
    work.run(&attach(&form.name, &child, &leaf.table)).await
}

/// Drops an index. From its first wait on no query uses it while writes still maintain it: the way is forward.
pub(super) async fn drop(work: &mut Work<'_>, change: &Change, form: &IndexForm) -> Result<(), Stop> {
    let Err(stop) = work.run(&drop_concurrently(&form.name, &form.table)).await else { return Ok(()) };
    work.recover(&stop).await?;
    let catalog = work.look(change).await?;
    match work.state(change, &catalog) {
        State::Done(_) => Ok(()),
        State::Half(_) => {
            let text = format!(
                "{}; {} is lost to queries and writes still maintain it: resume drops it, undo builds it anew",
                stop.text, form.name
            );
            Err(Stop { text, is_half: true, is_lost: false })
        }
        _ => Err(Stop { is_half: false, ..stop }),
    }
}

/// Drops the index of a partitioned table with what hangs under it, then what does not yet.
pub(super) async fn drop_partitioned(work: &mut Work<'_>, change: &Change, form: &IndexForm) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    if catalog.index(&form.name).is_some() {
        work.run(&drop_parent(form)).await?;
    }
    for leaf in &form.leaves {
        undo_leaf(work, change, form, leaf).await.map_err(half)?;
    }
    Ok(())
}

/// What was made and not attached goes, what was attached is made again.
async fn undo_leaf(work: &mut Work<'_>, change: &Change, form: &IndexForm, leaf: &Leaf) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    if catalog.relation(&leaf.table).is_none() {
        return Ok(());
    }
    let Some(twin) = &leaf.twin else {
        let wanted = create_concurrently(&leaf_form(form, leaf)).sql;
        let is_ours = |index: &SeenIndex| index.parent_name.is_none() && is_same_index(&index.definition, &wanted);
        if catalog.index(&leaf.index).is_some_and(is_ours) {
            work.run(&drop_concurrently(&leaf.index, &leaf.table)).await?;
        }
        return Ok(());
    };
    let again = Change::CreateIndex(twin.as_ref().clone());
    match work.state(&again, &catalog) {
        State::Done(_) => Ok(()),
        State::Foreign(text) => Err(Stop { text, is_half: true, is_lost: false }),
        state => create(work, &again, twin, &state).await,
    }
}

/// Builds an index anew beside the old one, which serves until the swap.
pub(super) async fn reindex(
    work: &mut Work<'_>,
    change: &Change,
    form: &IndexForm,
    bystanders: &[Name],
) -> Result<(), Stop> {
    // What an interrupted earlier try left of ours.
    remove_leftovers(work, change, form, bystanders).await.map_err(half)?;
    let result = work.run(&rebuild(form)).await;
    if let Err(stop) = result {
        work.recover(&stop).await?;
        // The new one may have taken over before the old one was gone.
        let catalog = work.look(change).await?;
        let is_done = matches!(work.state(change, &catalog), State::Done(_));
        remove_leftovers(work, change, form, bystanders).await.map_err(|again| Stop {
            text: format!("{}; {}", stop.text, again.text),
            is_half: true,
            is_lost: again.is_lost,
        })?;
        if is_done {
            return Ok(());
        }
        return Err(Stop { text: format!("{}; the index is as it was", stop.text), is_half: false, is_lost: false });
    }
    let catalog = work.look(change).await?;
    if catalog.index(&form.name).is_some_and(SeenIndex::is_usable) {
        return Ok(());
    }
    Err(Stop { text: format!("{} is still unusable", form.name), is_half: true, is_lost: false })
}

/// Invalid indexes that came to the table since the step began: nobody else can build on it meanwhile.
async fn remove_leftovers(
    work: &mut Work<'_>,
    change: &Change,
    form: &IndexForm,
    bystanders: &[Name],
) -> Result<(), Stop> {
    let catalog = work.look(change).await?;
    let ours = |index: &&SeenIndex| {
        let name = index.name();
        is_on(index, &form.table)
            && !index.is_valid
            && name != form.name
            && !bystanders.contains(&name)
            && is_remnant(&index.name, &form.name.name)
    };
    let left: Vec<Name> = catalog.indexes.iter().filter(ours).map(SeenIndex::name).collect();
    for name in left {
        work.repair(&drop_concurrently(&name, &form.table)).await?;
    }
    Ok(())
}

/// By its name, left by REINDEX CONCURRENTLY of that index, whose name is cut to make room for the suffix.
fn is_remnant(name: &str, of: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let Some(start) = stem.strip_suffix("_ccnew").or_else(|| stem.strip_suffix("_ccold")) else { return false };
    // A character of several bytes is not cut in two.
    start == of || (of.starts_with(start) && name.len() + 3 >= MAX_NAME_BYTES)
}

fn half(stop: Stop) -> Stop {
    Stop { is_half: true, ..stop }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remnants_are_known_by_the_name_they_were_made_from() {
        let long = "i".repeat(63);
        for (name, of, is_one) in [
            ("a_ccnew", "a", true),
            ("a_ccold12", "a", true),
            ("a_ccnew", "a_b", false),
            ("a_b_ccnew", "a", false),
            ("a_ccnewer", "a", false),
            ("a", "a", false),
            (&format!("{}_ccnew", "i".repeat(57)), &long, true),
            (&format!("{}_ccnew1", "i".repeat(56)), &long, true),
            (&format!("{}_ccnew", "é".repeat(28)), &"é".repeat(31), true),
            (&format!("{}_ccnew", "i".repeat(20)), &long, false),
        ] {
            assert_eq!(is_remnant(name, of), is_one, "{name} of {of}");
        }
    }
}
