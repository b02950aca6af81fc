//! Findings to steps: what a finding wants done, judged against the others and the schema.

use super::estimate;
use super::quote::quoted;
use super::sql::{inverse, statements};
use super::wanted::{Draftsman, Drawing, target};
use crate::model::finding::{Confidence, Finding};
use crate::model::object::{Object, ObjectKind};
use crate::model::plan::{Change, Estimate, FindingRef, IndexForm, Left, Name, PLAN_VERSION, Plan, Step};
use crate::model::snapshot::{Facet, ForeignKey, Index, Snapshot, Tool};
use crate::statement::index_text;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Facts of a finding that name what does the work of an index.
pub const KEEPER: [&str; 2] = ["duplicate_of", "covered_by"];

/// The fact of a finding that says how an index is made.
pub const DEFINITION: &str = "definition";

/// What a plan takes of a finding, of this run or of a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The finding.
    pub finding: FindingRef,
    /// The change its rule names, `drop_index`.
    pub action: String,
    /// What it is about.
    pub object: Object,
    /// What was found.
    pub message: String,
    /// What its rule advises.
    pub advice: String,
    /// When a DBA may ignore it.
    pub caveats: Vec<String>,
    /// The rule is not sure.
    pub is_doubtful: bool,
    /// The index that does the work of the one to drop.
    pub keeper: Option<String>,
    /// The statement that makes the index that is missing.
    pub definition: Option<String>,
}

impl From<&Finding> for Wish {
    fn from(finding: &Finding) -> Self {
        let told = |names: &[&str]| {
            let fact = finding.evidence.iter().find(|fact| names.contains(&fact.name.as_str()))?;
            fact.value.as_str().map(str::to_owned)
        };
        Self {
            keeper: told(&KEEPER),
            definition: told(&[DEFINITION]),
            finding: FindingRef {
                rule: finding.rule.clone(),
                object: finding.object.path(),
                fingerprint: finding.fingerprint(),
            },
            action: finding.fix.action.clone(),
            object: finding.object.clone(),
            message: finding.message.clone(),
            advice: finding.fix.text.clone(),
            caveats: finding.caveats.clone(),
            is_doubtful: finding.confidence == Confidence::Low,
        }
    }
}

/// The plan that mends what the findings name, in the database the snapshot was taken of.
#[must_use]
pub fn propose(wishes: &[Wish], snapshot: &Snapshot, tool: Tool) -> Plan {
    let are_keys_read = snapshot.gap(Facet::ForeignKeys).is_none();
    let snapshot = &own(snapshot);
    let mut desk = Desk { are_keys_read, ..Desk::of(snapshot) };
    // What the workload lacks a foreign key may lack, too.
    let (lacked, rest): (Vec<&Wish>, Vec<&Wish>) = wishes.iter().partition(|wish| is_lacked(wish));
    for wish in rest.into_iter().chain(lacked) {
        match desk.draft(wish) {
            Ok((change, estimate)) => desk.add(wish, change, estimate),
            Err(reason) => match desk.made(wish) {
                Some(draft) => draft.wishes.push(wish),
                None => desk.leave(wish, &reason),
            },
        }
    }
    desk.keep_keepers();
    desk.keep_foreign_keys_served();
    desk.into_plan(snapshot, tool)
}

/// An index that the workload lacks.
fn is_lacked(wish: &Wish) -> bool {
    (wish.action.as_str(), wish.object.kind) == ("create_index", ObjectKind::Index)
}

/// What was read of the database that the plan is for: others may have the same names.
fn own(snapshot: &Snapshot) -> Snapshot {
    let database = &snapshot.target.database;
    macro_rules! own {
        ($($facet:ident),*) => {
            Snapshot {
                target: snapshot.target.clone(),
                server: snapshot.server.clone(),
                $($facet: snapshot.$facet.iter().filter(|row| row.database == *database).cloned().collect(),)*
                ..Snapshot::empty(snapshot.tool.clone(), snapshot.captured_at)
            }
        };
    }
    own!(relations, columns, indexes, foreign_keys, sequences, partitions)
}

/// A change under way to a step.
struct Draft<'a> {
    change: Change,
    estimate: Estimate,
    wishes: Vec<&'a Wish>,
}

struct Desk<'a> {
    snapshot: &'a Snapshot,
    /// Foreign keys are known, and with them the indexes that serve them.
    are_keys_read: bool,
    database: &'a str,
    draftsman: Draftsman<'a>,
    indexes: HashMap<(&'a str, &'a str), &'a Index>,
    /// As findings name an index that does the work of another: by its path.
    paths: HashMap<String, Name>,
    /// By order of doing, then table, object: a plan does not depend on the order of findings.
    drafts: BTreeMap<(u8, Name, Name), Draft<'a>>,
    left: BTreeSet<Left>,
}

type Drafted = Result<(Change, Estimate), String>;

impl<'a> Desk<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let indexes = snapshot.indexes.iter().map(|index| ((index.schema.as_str(), index.name.as_str()), index));
        let names = snapshot.indexes.iter().map(|index| Name::new(&index.schema, &index.name));
        Self {
            snapshot,
            are_keys_read: true,
            database: &snapshot.target.database,
            draftsman: Draftsman::of(snapshot),
            indexes: indexes.collect(),
            paths: names.map(|name| (name.to_string(), name)).collect(),
            drafts: BTreeMap::new(),
            left: BTreeSet::new(),
        }
    }

    fn add(&mut self, wish: &'a Wish, change: Change, estimate: Estimate) {
        let place = (order(&change), change.table().clone(), change.object().clone());
        let draft = self.drafts.entry(place).or_insert(Draft { change, estimate, wishes: Vec::new() });
        if let (Change::DropIndex(form), Some(keeper)) = (&mut draft.change, &wish.keeper) {
            form.keeper = self.paths.get(keeper).cloned();
        }
        draft.wishes.push(wish);
    }

    fn leave(&mut self, wish: &Wish, reason: &str) {
        let left = Left { finding: wish.finding.clone(), reason: reason.to_owned(), advice: wish.advice.clone() };
        self.left.insert(left);
    }

    /// The change that makes the index the wish is about, for a foreign key.
    fn made(&mut self, wish: &Wish) -> Option<&mut Draft<'a>> {
        let definition = wish.definition.as_deref().filter(|_| is_lacked(wish))?;
        let wanted = index_text(definition.trim_end_matches(';'))?;
        let table = Name::new(wish.object.schema.as_deref()?, wish.object.table.as_deref()?);
        let is_here = wish.object.database.as_deref().is_none_or(|database| database == self.database);
        let is_it = |change: &Change| match change {
            Change::CreateIndex(form) => {
                form.table == table && form.using == wanted.using && form.predicate == wanted.predicate
            }
            _ => false,
        };
        self.drafts.values_mut().find(|draft| is_here && is_it(&draft.change))
    }

    fn draft(&mut self, wish: &Wish) -> Drafted {
        if wish.object.database.as_deref().is_some_and(|database| database != self.database) {
            return Err(format!("it is in another database than {}: plan that one", self.database));
        }
        if wish.is_doubtful && wish.action != "none" {
            return Err("the finding is of low confidence: look before you change anything".to_owned());
        }
        match (wish.action.as_str(), wish.object.kind) {
            ("create_index", ObjectKind::ForeignKey) => self.serve_foreign_key(wish),
            ("drop_index", ObjectKind::Index) => self.drop_index(wish),
            ("reindex_index", ObjectKind::Index) => self.rebuild(wish),
            ("analyze", ObjectKind::Table) => self.analyze(wish),
            ("set_reloption", ObjectKind::Table) => self.reset_autovacuum(wish),
            ("vacuum", _) => Err("VACUUM runs as long as it takes and needs nobody's plan: run it by hand".to_owned()),
            ("set_setting", _) => {
                Err("settings of the server are changed by whoever keeps its configuration".to_owned())
            }
            ("create_index", ObjectKind::Index) => {
                Err("`pgassay advise` plans it, with the others that the workload lacks".to_owned())
            }
            (action, _) => Err(undecided(action).to_owned()),
        }
    }

    fn serve_foreign_key(&mut self, wish: &Wish) -> Drafted {
        let is_it = |key: &&ForeignKey| {
            Some(&key.schema) == wish.object.schema.as_ref()
                && Some(&key.table) == wish.object.table.as_ref()
                && key.name == wish.object.name
        };
        let key = self.snapshot.foreign_keys.iter().find(is_it).ok_or_else(gone)?;
        let table = Name::new(&key.schema, &key.table);
        let columns: Vec<String> = key.columns.iter().map(|column| quoted(column)).collect();
        let drawing = Drawing {
            table,
            words: key.columns.clone(),
            columns: key.columns.clone(),
            using: format!("btree ({})", columns.join(", ")),
            predicate: None,
        };
        let (index, estimate) = self.draftsman.index(&drawing)?;
        Ok((Change::CreateIndex(index), estimate))
    }

    fn drop_index(&self, wish: &Wish) -> Drafted {
        let index = self.index(wish)?;
        if let Some(reason) = bound(index) {
            return Err(reason);
        }
        if let Some(keeper) = wish.keeper.as_ref().filter(|keeper| !self.paths.contains_key(*keeper)) {
            return Err(format!("{keeper}, which should do its work, is not there any more"));
        }
        if !self.are_keys_read {
            return Err("foreign keys could not be read, and one may need it".to_owned());
        }
        if index.is_partitioned {
            let lock = "DROP INDEX of a partitioned index locks the table and all its partitions against everything";
            return Err(format!("{lock}: run it by hand in a quiet moment"));
        }
        Ok((Change::DropIndex(form(index)?), estimate::freed(index)))
    }

    fn rebuild(&self, wish: &Wish) -> Drafted {
        let index = self.index(wish)?;
        if is_leftover(index) {
            return Ok((Change::DropIndex(form(index)?), estimate::freed(index)));
        }
        if index.is_partitioned {
            return Err("it is an index of a partitioned table: rebuild it partition by partition".to_owned());
        }
        if index.is_exclusion {
            return Err("REINDEX CONCURRENTLY does not do indexes of exclusion constraints".to_owned());
        }
        if index.is_unique && !index.is_valid {
            return Err(
                "it is unique and a build of it failed, most likely of duplicates: look for those first".to_owned()
            );
        }
        Ok((
            Change::ReindexIndex { index: form(index)?, was_valid: index.is_valid, bytes: index.bytes },
            self.draftsman.sizes.rebuild(index),
        ))
    }

    fn index(&self, wish: &Wish) -> Result<&'a Index, String> {
        let schema = wish.object.schema.as_deref().unwrap_or_default();
        self.indexes.get(&(schema, wish.object.name.as_str())).copied().ok_or_else(gone)
    }

    fn table(&self, wish: &Wish) -> Result<Name, String> {
        let table = Name::new(wish.object.schema.as_deref().unwrap_or_default(), &wish.object.name);
        self.draftsman.sizes.relation(&table).map(|_| table).ok_or_else(gone)
    }

    fn analyze(&self, wish: &Wish) -> Drafted {
        Ok((Change::Analyze { table: self.table(wish)? }, estimate::sampled()))
    }

    /// Where a table's own option keeps autovacuum from it.
    fn reset_autovacuum(&self, wish: &Wish) -> Drafted {
        const OPTION: &str = "autovacuum_enabled";
        let table = self.table(wish)?;
        let relation = self.draftsman.sizes.relation(&table).ok_or_else(gone)?;
        let set = relation.options.iter().find_map(|option| option.strip_prefix(OPTION)?.strip_prefix('='));
        let Some(from) = set.filter(|_| wish.finding.rule == "autovacuum_disabled") else {
            return Err("which value is right depends on the updates: a person must choose".to_owned());
        };
        let change = Change::SetReloption { table, option: OPTION.to_owned(), from: Some(from.to_owned()), to: None };
        Ok((change, estimate::nothing()))
    }

    /// An index that is kept because it does the work of another one stays, whatever else was found.
    fn keep_keepers(&mut self) {
        let drops = self.drafts.values().filter_map(|draft| draft.change.index());
        let keepers: BTreeSet<Name> = drops.filter_map(|form| form.keeper.clone()).collect();
        self.spare(|index| keepers.contains(&index.name), "another index goes because this one does its work");
    }

    /// The last index that serves a foreign key stays.
    fn keep_foreign_keys_served(&mut self) {
        let dropped = |desk: &Self, index: &Index| {
            let place = (DROP, Name::new(&index.schema, &index.table), Name::new(&index.schema, &index.name));
            desk.drafts.contains_key(&place)
        };
        let mut by_table: HashMap<(&str, &str), Vec<&Index>> = HashMap::new();
        for index in &self.snapshot.indexes {
            by_table.entry((&index.schema, &index.table)).or_default().push(index);
        }
        let mut needed = BTreeSet::new();
        for key in &self.snapshot.foreign_keys {
            let own = by_table.get(&(key.schema.as_str(), key.table.as_str())).into_iter().flatten().copied();
            let serving = own.filter(|index| leads_with(index, key));
            let (go, stay): (Vec<&Index>, Vec<&Index>) = serving.partition(|index| dropped(self, index));
            if stay.is_empty() {
                needed.extend(go.first().map(|index| Name::new(&index.schema, &index.name)));
            }
        }
        self.spare(|index| needed.contains(&index.name), "it is the last index that serves a foreign key");
    }

    fn spare(&mut self, is_spared: impl Fn(&IndexForm) -> bool, reason: &str) {
        let is_spared = |change: &Change| matches!(change, Change::DropIndex(index) if is_spared(index));
        let (spared, kept) =
            std::mem::take(&mut self.drafts).into_iter().partition(|(_, draft)| is_spared(&draft.change));
        self.drafts = kept;
        for draft in BTreeMap::into_values(spared) {
            for wish in draft.wishes {
                self.leave(wish, reason);
            }
        }
    }

    fn into_plan(self, snapshot: &Snapshot, tool: Tool) -> Plan {
        let dropped: BTreeSet<Name> = (self.drafts.values())
            .filter(|draft| matches!(draft.change, Change::DropIndex(_)))
            .map(|draft| draft.change.object().clone())
            .collect();
        let is_moot =
            |change: &Change| matches!(change, Change::ReindexIndex { index, .. } if dropped.contains(&index.name));
        let drafts = self.drafts.into_values().filter(|draft| !is_moot(&draft.change));
        Plan {
            plan_version: PLAN_VERSION,
            tool,
            captured_at: snapshot.captured_at,
            target: target(snapshot),
            steps: (1..).zip(drafts).map(|(id, draft)| step(id, draft)).collect(),
            left: self.left.into_iter().collect(),
        }
    }
}

const DROP: u8 = 2;

/// What comes first: gains, then repairs, then what frees room, then what is cheap.
fn order(change: &Change) -> u8 {
    match change {
        Change::CreateIndex(_) => 0,
        Change::ReindexIndex { .. } => 1,
        Change::DropIndex(_) => DROP,
        Change::SetReloption { .. } => 3,
        Change::CreateStatistics(_) | Change::DropStatistics(_) => 4,
        Change::Analyze { .. } => 5,
        // What has to do with partitions is planned by itself.
        Change::CreatePartition(_)
        | Change::DropPartition(_)
        | Change::DetachPartition(_)
        | Change::AttachPartition(_)
        | Change::DropDetached(_)
        | Change::PrepareAdoption(_)
        | Change::WithdrawPreparation(_)
        | Change::AdoptTable(_)
        | Change::ReleaseTable(_)
        | Change::BeginSplit(_)
        | Change::AbandonSplit(_)
        | Change::CopyRows(_)
        | Change::FinishSplit(_) => 6,
    }
}

fn step(id: u32, draft: Draft<'_>) -> Step {
    let mut wishes = draft.wishes;
    wishes.sort_by(|a, b| a.finding.cmp(&b.finding));
    let caveats: BTreeSet<&String> = wishes.iter().flat_map(|wish| &wish.caveats).collect();
    let why: Vec<String> = wishes.iter().map(|wish| format!("{}: {}", wish.finding.rule, wish.message)).collect();
    Step {
        id,
        statements: statements(&draft.change),
        undo: inverse(&draft.change).map(|change| statements(&change)).unwrap_or_default(),
        depends_on: Vec::new(),
        why: why.join("; "),
        caveats: caveats.into_iter().cloned().collect(),
        findings: wishes.iter().map(|wish| wish.finding.clone()).collect(),
        estimate: draft.estimate,
        change: draft.change,
    }
}

/// The index as its definition says.
fn form(index: &Index) -> Result<IndexForm, String> {
    let text =
        index_text(&index.definition).ok_or("its definition could not be read, as its table was locked: plan again")?;
    Ok(IndexForm {
        name: Name::new(&index.schema, &index.name),
        table: Name::new(&index.schema, &index.table),
        is_unique: text.is_unique,
        using: text.using,
        predicate: text.predicate,
        ..IndexForm::default()
    })
}

/// Why an index may not be dropped.
fn bound(index: &Index) -> Option<String> {
    if let Some(constraint) = &index.constraint_name {
        return Some(format!("it backs the constraint {constraint}"));
    }
    let reasons = [
        (index.is_replica_identity, "it is the table's replica identity"),
        (index.is_foreign_key_target, "foreign keys refer to the key it enforces"),
        (index.is_partition, "it is part of an index of the partitioned table"),
        (index.is_extension_member, "it belongs to an extension"),
    ];
    reasons.iter().find(|(holds, _)| *holds).map(|(_, reason)| (*reason).to_owned())
}

/// What REINDEX CONCURRENTLY or DROP INDEX CONCURRENTLY left behind: it can only go.
fn is_leftover(index: &Index) -> bool {
    let stem = index.name.trim_end_matches(|c: char| c.is_ascii_digit());
    !index.is_valid && (!index.is_live || stem.ends_with("_ccnew") || stem.ends_with("_ccold"))
}

/// The index finds the rows that refer to a key.
fn leads_with(index: &Index, key: &ForeignKey) -> bool {
    index.is_valid
        && index
            .key_columns
            .get(..key.columns.len())
            .is_some_and(|leading| key.columns.iter().all(|column| leading.contains(column)))
}

/// Why nobody but a person can tell what to change.
fn undecided(action: &str) -> &'static str {
    match action {
        "create_index" => "which columns to index, its statements must tell",
        "create_partition" => {
            "`pgassay partition create` plans months: which ones, and in which zone, no finding tells"
        }
        "alter_sequence" => "to widen a key writes its table anew: that is a project of its own",
        _ => "a person must decide what to change",
    }
}

fn gone() -> String {
    "it is not there any more".to_owned()
}

#[cfg(test)]
mod tests;
