//! Whether a change that was carried out did any good: what the statements of its table cost before and
//! since, whether the planner uses it, and what writes pay for it.

use super::window::{Moved, PerCall, moved};
use crate::model::partition::PartitionForm;
use crate::model::plan::{Change, IndexForm, Name, Step};
use crate::model::snapshot::{Index, Partition, Relation, Snapshot, Statement, StatementKind};
use crate::model::units;
use serde::Serialize;
use serde_json::Value;

/// A statement has changed when its blocks per call differ by this ratio and this many: between two runs of
/// one workload they wander by 3.5, and by half again where only a handful is touched.
const BLOCKS: (f64, f64) = (1.6, 10.0);

/// WAL per call of a write has changed by this ratio and this many bytes: one more index entry is 60 or so.
const WAL: (f64, f64) = (1.15, 40.0);

/// An index has become smaller when it lost this share, in percent.
const SHRUNK_PCT: f64 = 10.0;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Statements do less than before, or room is freed and none does more.
    Helped,
    /// Nothing to see in the statements.
    NoEffect,
    /// Statements do more than before.
    Harmful,
    /// Too few calls since to tell.
    TooEarly,
    /// It is not there, or not usable.
    Missing,
}

impl Effect {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Helped => "helped",
            Self::NoEffect => "no effect",
            Self::Harmful => "harmful",
            Self::TooEarly => "too early",
            Self::Missing => "missing",
        }
    }
}

/// One change, measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The step of the plan.
    pub step: u32,
    /// The kind of change.
    pub kind: &'static str,
    /// What it changed.
    pub object: String,
    /// What became of it.
    pub effect: Effect,
    /// In words: use, size.
    pub facts: Vec<String>,
    /// The statements of its table that changed, and the busiest that did not.
    pub statements: Vec<StatementEffect>,
}

/// One statement before and since.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatementEffect {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its text, literals replaced.
    pub text: String,
    /// All calls up to the change.
    pub before: PerCall,
    /// The calls since.
    pub since: PerCall,
    /// The planner uses the index for it.
    pub uses_index: bool,
}

/// Statements of each change that are listed.
const LISTED: usize = 5;

/// Measures the steps that were done. `before` was taken right before them, `after` later. Below `min_calls`
/// calls since, nothing is said of a change.
#[must_use]
pub fn measure(steps: &[&Step], before: &Snapshot, after: &Snapshot, min_calls: i64) -> Vec<Measured> {
    let moved = moved(before, after);
    let bench = Bench { before, after, moved: &moved, min_calls };
    steps.iter().map(|step| bench.measure(step)).collect()
}

struct Bench<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    moved: &'a [Moved<'a>],
    min_calls: i64,
}

impl Bench<'_> {
    fn measure(&self, step: &Step) -> Measured {
        let tables = self.tables(&step.change);
        let is_on = |moved: &&Moved<'_>| tables.iter().any(|table| names(moved.statement, table));
        let on_table: Vec<&Moved<'_>> = self.moved.iter().filter(is_on).collect();
        let calls: i64 = on_table.iter().map(|moved| moved.after.calls).sum();
        let (seen, mut facts) = match &step.change {
            Change::CreateIndex(form) => self.created(form),
            Change::DropIndex(form) => self.dropped(form),
            Change::ReindexIndex { index, .. } => self.rebuilt(index),
            Change::SetReloption { table, .. } => self.vacuumed(table),
            Change::CreatePartition(form) => self.attached(form),
            Change::Analyze { .. }
            | Change::CreateStatistics(_)
            | Change::DropStatistics(_)
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
            | Change::FinishSplit(_) => (None, Vec::new()),
        };
        facts.extend(hot_updates(self.before, self.after, step.change.table()));
        let effect = match seen {
            Some(Effect::Missing) => Effect::Missing,
            // That autovacuum came, no calls need to tell.
            Some(Effect::Helped) if calls < self.min_calls && matches!(step.change, Change::SetReloption { .. }) => {
                Effect::Helped
            }
            _ if calls < self.min_calls => {
                facts.push(format!("{calls} calls on {} since, {} are wanted", step.change.table(), self.min_calls));
                Effect::TooEarly
            }
            seen => verdict(&on_table, seen),
        };
        Measured {
            step: step.id,
            kind: step.change.kind(),
            object: step.change.object().to_string(),
            effect,
            facts,
            statements: self.listed(&on_table, step.change.index()),
        }
    }

    /// The table, and those whose deletes look into it for referring rows.
    fn tables(&self, change: &Change) -> Vec<Name> {
        let own = change.table();
        let keys = self.after.foreign_keys.iter().filter(|key| key.schema == own.schema && key.table == own.name);
        let referenced = keys.map(|key| Name::new(&key.referenced_schema, &key.referenced_table));
        let wants_all = matches!(change, Change::CreateIndex(_) | Change::DropIndex(_));
        std::iter::once(own.clone()).chain(referenced.filter(|_| wants_all)).collect()
    }

    fn index<'s>(&self, snapshot: &'s Snapshot, name: &Name) -> Option<&'s Index> {
        snapshot.indexes.iter().find(|index| index.schema == name.schema && index.name == name.name)
    }

    /// A partition does no statement good by itself: it is there, or it is not.
    fn attached(&self, form: &PartitionForm) -> (Option<Effect>, Vec<String>) {
        let is_it = |row: &&Partition| {
            row.schema.as_ref() == Some(&form.name.schema)
                && row.name.as_ref() == Some(&form.name.name)
                && row.parent_schema == form.table.schema
                && row.parent_name == form.table.name
        };
        if self.after.partitions.iter().any(|row| is_it(&row)) {
            return (None, vec![format!("{} is a partition of {}", form.name, form.table)]);
        }
        (Some(Effect::Missing), vec![format!("{} is no partition of {}", form.name, form.table)])
    }

    /// What is known of the index itself: its effect, where that is all, and facts.
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    fn created(&self, form: &IndexForm) -> (Option<Effect>, Vec<String>) {
        let Some(index) = self.index(self.after, &form.name).filter(|index| index.is_valid) else {
            return (Some(Effect::Missing), vec![format!("{} is not there, or not valid", form.name)]);
        };
        let parts: Vec<&Index> = form.leaves.iter().filter_map(|leaf| self.index(self.after, &leaf.index)).collect();
        let scans: i64 = std::iter::once(index).chain(parts.iter().copied()).map(|index| index.scans).sum();
        let bytes: i64 = std::iter::once(index).chain(parts.iter().copied()).map(|index| index.bytes).sum();
        let plans = self.after.plans.iter().filter(|plan| plan.plan.as_ref().is_some_and(|plan| uses(plan, form)));
        let facts = vec![format!(
            "valid, {}; {} scans since; the planner uses it for {} of the explained statements",
            units::bytes(bytes as f64),
            units::count(scans as f64),
            plans.count()
        )];
        (None, facts)
    }

    #[allow(clippy::cast_precision_loss, reason = "for people")]
    fn dropped(&self, form: &IndexForm) -> (Option<Effect>, Vec<String>) {
        if self.index(self.after, &form.name).is_some() {
            return (Some(Effect::Missing), vec![format!("{} is still there", form.name)]);
        }
        let freed = self.index(self.before, &form.name).map_or(0, |index| index.bytes);
        (Some(Effect::Helped), vec![format!("gone; freed {}", units::bytes(freed as f64))])
    }

    #[allow(clippy::cast_precision_loss, reason = "for people")]
    fn rebuilt(&self, form: &IndexForm) -> (Option<Effect>, Vec<String>) {
        let Some(now) = self.index(self.after, &form.name).filter(|index| index.is_valid) else {
            return (Some(Effect::Missing), vec![format!("{} is not there, or not valid", form.name)]);
        };
        let was = self.index(self.before, &form.name).map_or(0, |index| index.bytes);
        let is_smaller = (was - now.bytes) as f64 * 100.0 >= was as f64 * SHRUNK_PCT && was > now.bytes;
        let sizes = format!("valid; {} before, {} now", units::bytes(was as f64), units::bytes(now.bytes as f64));
        (is_smaller.then_some(Effect::Helped), vec![sizes])
    }

    fn vacuumed(&self, table: &Name) -> (Option<Effect>, Vec<String>) {
        let runs = |snapshot| relation(snapshot, table).map_or(0, |row: &Relation| row.autovacuums + row.autoanalyzes);
        let since = runs(self.after) - runs(self.before);
        let effect = if since > 0 { Effect::Helped } else { Effect::NoEffect };
        let times = if since == 1 { "once".to_owned() } else { format!("{since} times") };
        (Some(effect), vec![format!("autovacuum vacuumed or analyzed it {times} since")])
    }

    /// Those that changed first, then the busiest.
    fn listed(&self, on_table: &[&Moved<'_>], index: Option<&IndexForm>) -> Vec<StatementEffect> {
        let mut ranked = on_table.to_vec();
        ranked.sort_by(|a, b| {
            let weight = |moved: &Moved<'_>| (is_changed(moved), total_ms(moved.before, moved.after.calls));
            let (a_weight, b_weight) = (weight(a), weight(b));
            b_weight
                .0
                .cmp(&a_weight.0)
                .then(b_weight.1.total_cmp(&a_weight.1))
                .then(a.statement.fingerprint.cmp(&b.statement.fingerprint))
        });
        let listed = ranked.into_iter().take(LISTED);
        listed
            .map(|moved| StatementEffect {
                fingerprint: moved.statement.fingerprint.clone(),
                text: moved.statement.text.clone(),
                before: moved.before,
                since: moved.after,
                uses_index: index.is_some_and(|form| self.is_used(moved.statement, form)),
            })
            .collect()
    }

    fn is_used(&self, statement: &Statement, form: &IndexForm) -> bool {
        let own = |plan: &&crate::model::snapshot::Plan| {
            plan.database == statement.database && plan.fingerprint == statement.fingerprint
        };
        self.after.plans.iter().filter(own).any(|plan| plan.plan.as_ref().is_some_and(|plan| uses(plan, form)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a weight")]
fn total_ms(per_call: PerCall, calls: i64) -> f64 {
    per_call.ms * calls as f64
}

/// All statements of the table together: what they save, what writes pay.
#[allow(clippy::cast_precision_loss, reason = "sums of averages")]
fn verdict(on_table: &[&Moved<'_>], seen: Option<Effect>) -> Effect {
    let (mut saved, mut spent) = (0.0, 0.0);
    for moved in on_table.iter().filter(|moved| is_changed(moved)) {
        let difference = (moved.before.blocks - moved.after.blocks) * moved.after.calls as f64;
        if difference > 0.0 { saved += difference } else { spent -= difference }
    }
    if spent > saved {
        Effect::Harmful
    } else if saved > 0.0 {
        Effect::Helped
    } else {
        seen.unwrap_or(Effect::NoEffect)
    }
}

fn differs(one: f64, other: f64, (ratio, floor): (f64, f64)) -> bool {
    let (small, large) = (one.min(other), one.max(other));
    large - small >= floor && large >= small * ratio
}

fn is_changed(moved: &Moved<'_>) -> bool {
    let is_write = !matches!(moved.statement.kind, StatementKind::Select);
    differs(moved.before.blocks, moved.after.blocks, BLOCKS)
        || (is_write && differs(moved.before.wal_bytes, moved.after.wal_bytes, WAL))
}

/// The statement names the table, with its schema or without one.
fn names(statement: &Statement, table: &Name) -> bool {
    let is_it = |relation: &crate::model::snapshot::RelationName| {
        relation.name == table.name && relation.schema.as_ref().is_none_or(|schema| *schema == table.schema)
    };
    statement.kind != StatementKind::Utility && statement.relations.iter().any(is_it)
}

/// A plan scans the index, or that of one of its partitions.
fn uses(plan: &Value, form: &IndexForm) -> bool {
    let is_it = |name: &str| name == form.name.name || form.leaves.iter().any(|leaf| leaf.index.name == name);
    match plan {
        Value::Object(node) => {
            node.get("Index Name").and_then(Value::as_str).is_some_and(is_it)
                || node.get("Plans").is_some_and(|inner| uses(inner, form))
        }
        Value::Array(nodes) => nodes.iter().any(|node| uses(node, form)),
        _ => false,
    }
}

fn relation<'a>(snapshot: &'a Snapshot, table: &Name) -> Option<&'a Relation> {
    snapshot.relations.iter().find(|row| row.schema == table.schema && row.name == table.name)
}

/// HOT updates before and since: an index on a column that changes ends them.
#[allow(clippy::cast_precision_loss, reason = "a share")]
fn hot_updates(before: &Snapshot, after: &Snapshot, table: &Name) -> Option<String> {
    let (was, now) = (relation(before, table)?, relation(after, table)?);
    let share = |hot: i64, all: i64| 100.0 * hot as f64 / all as f64;
    let updates = now.updated - was.updated;
    (was.updated > 0 && updates > 0).then(|| {
        format!(
            "{} % of updates were HOT before, {} % of {} since",
            units::short(share(was.hot_updated, was.updated)),
            units::short(share(now.hot_updated - was.hot_updated, updates)),
            units::count(updates as f64)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Estimate, LockClass};
    use crate::model::snapshot::{RelationName, StatementCounters, Tool};
    use chrono::DateTime;

    fn form() -> IndexForm {
        IndexForm {
            name: Name::new("public", "t_x_idx"),
            table: Name::new("public", "t"),
            using: "btree (x)".to_owned(),
            ..IndexForm::default()
        }
    }

    fn step(change: Change) -> Step {
        let on = change.table().clone();
        let sql = crate::model::plan::Statement {
            sql: String::new(),
            then: Vec::new(),
            class: LockClass::Waiting,
            lock: String::new(),
            on,
        };
        Step {
            id: 1,
            change,
            statements: vec![sql],
            undo: Vec::new(),
            depends_on: Vec::new(),
            why: String::new(),
            caveats: Vec::new(),
            findings: Vec::new(),
            estimate: Estimate::default(),
        }
    }

    /// A snapshot in which a look-up and an insert were called so often and touched so much in all.
    fn snapshot(calls: i64, blocks: i64, insert_wal: i64, has_index: bool) -> Snapshot {
        let mut snapshot = Snapshot::empty(Tool::default(), DateTime::UNIX_EPOCH);
        let statement = |name: &str, kind, counters| Statement {
            fingerprint: name.to_owned(),
            kind,
            relations: vec![RelationName { schema: None, name: "t".to_owned() }],
            counters,
            ..Statement::default()
        };
        let look_up = StatementCounters { calls, shared_blocks_hit: blocks, ..StatementCounters::default() };
        let insert = StatementCounters { calls, wal_bytes: insert_wal, ..StatementCounters::default() };
        snapshot.statements = vec![
            statement("look_up", StatementKind::Select, look_up),
            statement("insert", StatementKind::Insert, insert),
        ];
        if has_index {
            let (schema, name) = ("public".to_owned(), "t_x_idx".to_owned());
            snapshot.indexes.push(Index { schema, name, is_valid: true, bytes: 8192, ..Index::default() });
        }
        snapshot
    }

    fn effect(change: Change, before: &Snapshot, after: &Snapshot) -> Effect {
        measure(&[&step(change)], before, after, 100)[0].effect
    }

    #[test]
    fn an_index_helps_when_its_statements_touch_less() {
        let create = || Change::CreateIndex(form());
        let before = snapshot(1_000, 1_000_000, 100_000, false);
        let better = snapshot(2_000, 1_004_000, 200_000, true);
        assert_eq!(effect(create(), &before, &better), Effect::Helped);
        let same = snapshot(2_000, 2_000_000, 200_000, true);
        assert_eq!(effect(create(), &before, &same), Effect::NoEffect);
        let worse = snapshot(2_000, 6_000_000, 200_000, true);
        assert_eq!(effect(create(), &before, &worse), Effect::Harmful);
        let few = snapshot(1_040, 1_000_100, 104_000, true);
        assert_eq!(effect(create(), &before, &few), Effect::TooEarly);
        assert_eq!(effect(create(), &before, &snapshot(2_000, 1_004_000, 200_000, false)), Effect::Missing);
    }

    #[test]
    fn a_drop_helps_unless_somebody_reads_more() {
        let drop = || Change::DropIndex(form());
        let before = snapshot(1_000, 4_000, 100_000, true);
        assert_eq!(effect(drop(), &before, &snapshot(2_000, 8_000, 200_000, false)), Effect::Helped);
        assert_eq!(effect(drop(), &before, &snapshot(2_000, 1_004_000, 200_000, false)), Effect::Harmful);
        assert_eq!(effect(drop(), &before, &snapshot(2_000, 8_000, 200_000, true)), Effect::Missing);
    }

    #[test]
    fn autovacuum_that_came_needs_no_calls() {
        let allow = || Change::SetReloption {
            table: Name::new("public", "t"),
            option: "autovacuum_enabled".to_owned(),
            from: Some("false".to_owned()),
            to: None,
        };
        let at = |calls, autovacuums| {
            let mut snapshot = snapshot(calls, 0, 0, false);
            let (schema, name) = ("public".to_owned(), "t".to_owned());
            snapshot.relations.push(Relation { schema, name, autovacuums, ..Relation::default() });
            snapshot
        };
        for (calls, autovacuums, expected) in
            [(0, 1, Effect::Helped), (0, 0, Effect::TooEarly), (1_000, 1, Effect::Helped), (1_000, 0, Effect::NoEffect)]
        {
            assert_eq!(effect(allow(), &at(0, 0), &at(calls, autovacuums)), expected, "{calls} {autovacuums}");
        }
        let once = &measure(&[&step(allow())], &at(0, 0), &at(0, 1), 100)[0].facts;
        assert_eq!(once[0], "autovacuum vacuumed or analyzed it once since");
    }

    #[test]
    fn counters_that_were_reset_count_from_there() {
        let before = snapshot(1_000, 1_000_000, 100_000, false);
        let after = snapshot(500, 2_000, 50_000, true);
        let measured = measure(&[&step(Change::CreateIndex(form()))], &before, &after, 100);
        assert_eq!(measured[0].effect, Effect::Helped);
        let look_up = measured[0].statements.iter().find(|one| one.fingerprint == "look_up").expect("listed");
        assert_eq!((look_up.before.blocks, look_up.since.blocks, look_up.since.calls), (1_000.0, 4.0, 500));
    }
}
