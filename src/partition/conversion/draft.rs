//! The forms of a conversion in the making: who gets which name, and which key takes the place of the old one.

use super::names::Names;
use super::{Conversion, Cut};
use crate::ddl::{Draftsman, Drawing, quoted};
use crate::model::adoption::{AdoptForm, AdoptedIndex, KeySwap, PrepareForm, SeenTable};
use crate::model::partition::Likeness;
use crate::model::plan::{Estimate, IndexForm, Name, Trimmings};
use crate::model::snapshot::Snapshot;
use crate::model::units;

/// Bytes a second at which the table is assumed to be read. A guess.
const BYTES_PER_SECOND: f64 = 100.0 * 1024.0 * 1024.0;

/// What a conversion is made of.
pub(super) struct Draft<'a> {
    pub(super) wish: &'a Conversion,
    pub(super) cut: &'a Cut,
    pub(super) snapshot: &'a Snapshot,
    pub(super) names: Names,
}

/// What the indexes come to.
#[derive(Default)]
struct Indexes {
    /// The primary key that gives way.
    old: Option<AdoptedIndex>,
    /// The index that an earlier run made to take its place.
    ready: Option<String>,
    /// Lines of the census that are meant to differ.
    apart: Vec<String>,
}

impl Draft<'_> {
    /// The forms, and what the preparation takes. `swaps`: the primary key gives way.
    pub(super) fn forms(
        &mut self,
        mut seen: SeenTable,
        likeness: Likeness,
        swaps: bool,
    ) -> Result<(PrepareForm, AdoptForm, Estimate), String> {
        let (wish, cut) = (self.wish, self.cut);
        let schema = &wish.table.schema;
        let legacy = Name::new(schema, &self.names.free(&wish.table.name, "_legacy"));
        let building = Name::new(schema, &self.names.free(&wish.table.name, "_successor"));
        let check = cut.check();
        let Indexes { old, ready, mut apart } = self.rename(&mut seen, &legacy, swaps);
        let sets_not_null = !seen.is_key_not_null;
        apart.extend(sets_not_null.then(|| format!("not null: {}", wish.key)));
        let mut estimate = self.read();
        let (index, swap) = match old {
            Some(old) => {
                let (form, price, swap) = self.keys(&old, &legacy, ready)?;
                let seconds = estimate.seconds.unwrap_or(0.0) + price.seconds.unwrap_or(0.0);
                estimate = Estimate { seconds: Some(seconds), basis: estimate.basis, ..price };
                apart.push(format!("index {}", swap.index));
                (Some(form), Some(swap))
            }
            None => (None, None),
        };
        let prepare = PrepareForm {
            table: wish.table.clone(),
            legacy: legacy.clone(),
            oid: seen.oid,
            index,
            check: check.clone(),
            key: wish.key.clone(),
            key_type: cut.key_type.clone(),
            boundary: cut.boundary.clone(),
        };
        let adopt = AdoptForm {
            table: wish.table.clone(),
            legacy,
            building,
            oid: seen.oid,
            key: wish.key.clone(),
            boundary: cut.boundary.clone(),
            check,
            deadline: cut.deadline,
            has_compression: self.snapshot.server.version_num >= 140_000,
            sets_not_null,
            swap,
            apart,
            likeness,
            inventory: seen.inventory,
        };
        Ok((prepare, adopt, estimate))
    }

    /// Gives names to the indexes and statistics objects whose own go over to the successor.
    fn rename(&mut self, seen: &mut SeenTable, legacy: &Name, swaps: bool) -> Indexes {
        let (inventory, mut all) = (&mut seen.inventory, Indexes::default());
        if swaps && seen.boundary.is_some() {
            let made = format!("{}_key", legacy.name);
            let is_made = |index: &AdoptedIndex| index.name == made && index.is_unique && index.constraint.is_none();
            let at = inventory.indexes.iter().position(is_made);
            all.ready = at.map(|at| inventory.indexes.remove(at).name);
        }
        for index in &mut inventory.indexes {
            let kind = index.constraint_type.as_deref();
            let gives_way = swaps && kind == Some("p");
            let lacks_key = !index.columns.contains(&self.wish.key);
            let stays = !gives_way && (kind == Some("x") || (index.is_unique && lacks_key));
            if gives_way || stays {
                all.apart.extend(index.constraint.iter().map(|name| format!("constraint {name}")));
                all.apart.push(format!("index {}", index.name));
            }
            if stays {
                continue;
            }
            if gives_way {
                all.old = Some(index.clone());
            }
            let rest = index.name.strip_prefix(self.wish.table.name.as_str()).filter(|rest| rest.starts_with('_'));
            index.legacy = Some(match rest {
                Some(rest) => self.names.free(&legacy.name, rest),
                None => self.names.free(&index.name, "_legacy"),
            });
            index.building = Some(self.names.free(&index.name, "_successor"));
        }
        for one in &mut inventory.statistics {
            one.legacy = Some(self.names.free(&one.name.name, "_legacy"));
        }
        all
    }

    /// What it takes to read the table once.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn read(&self) -> Estimate {
        let table = &self.wish.table;
        let own = self.snapshot.relations.iter().find(|row| row.schema == table.schema && row.name == table.name);
        let bytes = own.map_or(0, |row| row.bytes) as f64;
        let basis = format!(
            "{} are read for the CHECK, at an assumed 100 MiB/s; the index by rows × widths",
            units::bytes(bytes)
        );
        Estimate { seconds: Some(bytes / BYTES_PER_SECOND), basis, ..Estimate::default() }
    }

    /// The index of the new primary key, what it takes, and how it takes the place of the old one.
    fn keys(
        &mut self,
        old: &AdoptedIndex,
        legacy: &Name,
        ready: Option<String>,
    ) -> Result<(IndexForm, Estimate, KeySwap), String> {
        let (table, key) = (&self.wish.table, &self.wish.key);
        let listed = |columns: &[String]| columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let definition = old.constraint_definition.as_deref().unwrap_or_default();
        let rest = definition.strip_prefix(&format!("PRIMARY KEY ({})", listed(&old.columns)));
        let rest = rest.ok_or_else(|| format!("the primary key is not understood: {definition}"))?;
        let timings = [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"];
        let timing = timings.into_iter().find(|timing| rest.ends_with(timing)).unwrap_or_default();
        let include = rest.strip_suffix(timing).unwrap_or(rest);
        let all: Vec<String> = old.columns.iter().chain([key]).cloned().collect();
        let columns = format!("({}){include}", listed(&all));
        let drawing = Drawing {
            table: table.clone(),
            words: all.clone(),
            columns: all,
            using: format!("btree {columns}"),
            predicate: None,
        };
        let (form, estimate) = Draftsman::of(self.snapshot).index(&drawing)?;
        let trimmings = Trimmings { tablespace: old.tablespace.clone(), ..Trimmings::default() };
        let index = ready.unwrap_or_else(|| self.names.free(&legacy.name, "_key"));
        let own = |name: &str, form: IndexForm| IndexForm {
            name: Name::new(&table.schema, name),
            is_unique: true,
            is_by_name: true,
            trimmings: trimmings.clone(),
            ..form
        };
        let restored = IndexForm { table: legacy.clone(), using: old.using.clone(), ..IndexForm::default() };
        let restored = own(&self.names.free(&old.name, "_restored"), restored);
        let form = own(&index, form);
        let name = old.constraint.clone().unwrap_or_else(|| old.name.clone());
        Ok((form, estimate, KeySwap { name, index, columns, timing: timing.to_owned(), restored }))
    }
}
