//! Changes of indexes, with what each failure leaves and how it is put right.

use super::run::{Stop, Work};
use crate::ddl::{
    Half, State, attach, create_concurrently, create_leaf, create_parent, drop_concurrently, reindex as rebuild,
    statements, trimmings,
};
use crate::model::catalog::{Catalog, SeenIndex};
use crate::model::plan::{Change, IndexForm, Leaf, Name, Trimmings};
use crate::statement::is_same_index;

/// Builds an index on a plain table; `is_half` when an unusable one of that name and definition is there.
pub(super) async fn create(work: &mut Work<'_>, change: &Change, form: &IndexForm, is_half: bool) -> Result<(), Stop> {
    if is_half {
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
        State::Done(_) if catalog.index(&form.name).is_some() => return Ok(()),
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
    for statement in trimmings(form) {
        work.run(&statement).await.map_err(half)?;
    }
    Ok(())
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
    let alone = Change::CreateIndex(IndexForm {
        name: leaf.index.clone(),
        table: leaf.table.clone(),
        is_partitioned: false,
        leaves: Vec::new(),
        ..form.clone()
    });
    let child = match work.state(&alone, &catalog) {
        State::Done(_) => twin(&catalog, form, leaf),
        State::Foreign(text) => return Err(Stop { text, is_half: true, is_lost: false }),
        state => {
            let Change::CreateIndex(bare) = &alone else { return Ok(()) };
            // The comment and the like are the parent's own.
            let tablespace = bare.trimmings.tablespace.clone();
            let bare = IndexForm { trimmings: Trimmings { tablespace, ..Trimmings::default() }, ..bare.clone() };
            work.progress.phase(&format!("partition {}", leaf.table), 0, 0);
            create(work, &alone, &bare, state != State::Todo).await?;
            leaf.index.clone()
        }
    };
    work.run(&attach(&form.name, &child, &leaf.table)).await
}

/// The partition's index that is there already, by its own name.
fn twin(catalog: &Catalog, form: &IndexForm, leaf: &Leaf) -> Name {
    let wanted = create_leaf(form, leaf).sql;
    let own = catalog.indexes.iter().filter(|index| is_on(index, &leaf.table) && index.is_usable());
    let mut same = own.filter(|index| is_same_index(&index.definition, &wanted)).map(SeenIndex::name);
    same.next().unwrap_or_else(|| leaf.index.clone())
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
        for statement in statements(change) {
            work.run(&statement).await?;
        }
    }
    for leaf in &form.leaves {
        let catalog = work.look(change).await?;
        let wanted = create_leaf(form, leaf).sql;
        let is_ours = |index: &SeenIndex| index.parent_name.is_none() && is_same_index(&index.definition, &wanted);
        if catalog.index(&leaf.index).is_some_and(is_ours) {
            work.run(&drop_concurrently(&leaf.index, &leaf.table)).await.map_err(half)?;
        }
    }
    Ok(())
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
        remove_leftovers(work, change, form, bystanders).await.map_err(|again| Stop {
            text: format!("{}; {}", stop.text, again.text),
            is_half: true,
            is_lost: again.is_lost,
        })?;
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
            && is_remnant(index)
    };
    let left: Vec<Name> = catalog.indexes.iter().filter(ours).map(SeenIndex::name).collect();
    for name in left {
        work.repair(&drop_concurrently(&name, &form.table)).await?;
    }
    Ok(())
}

/// By its name, left by REINDEX CONCURRENTLY.
fn is_remnant(index: &SeenIndex) -> bool {
    let stem = index.name.trim_end_matches(|c: char| c.is_ascii_digit());
    stem.ends_with("_ccnew") || stem.ends_with("_ccold")
}

fn half(stop: Stop) -> Stop {
    Stop { is_half: true, ..stop }
}
