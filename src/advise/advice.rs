//! From what a search found to advice: which of the chosen indexes are worth having, what each would bring to
//! which statements, what it takes, what is doubtful, and the account of the run.

use super::candidate::{Candidate, Id, Pool, UNKNOWN_BYTES};
use super::catalog::Catalog;
use super::key::Key;
use super::oracle::Spread;
use super::removals::removals;
use super::search::{Found, Point};
use super::workload::{Query, Weigh, Workload};
use super::writes::{Price, Windows, prices};
use crate::ddl::{Draftsman, Drawing, Wish, create_concurrently, create_parent, target};
use crate::model::advice::{
    ADVICE_VERSION, Account, Advice, AdvisedKey, CurvePoint, Proposal, ProposalKind, Removal, Served,
    StatementsAccount, ValuesCost, Visits, WorkloadCost,
};
use crate::model::plan::Name;
use crate::model::snapshot::{Snapshot, Tool};
use std::collections::{BTreeMap, BTreeSet};

/// A proposal saves at least this share of the workload …
const LEAST_SHARE: f64 = 0.01;

/// … or this share of some statement that it serves.
const LEAST_OF_STATEMENT: f64 = 0.10;

/// Costs that differ by less than this share are the same (`STD_FUZZ_FACTOR`, pathnode.c).
const ALIKE: f64 = 0.01;

/// What a search was given and found.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The statements.
    pub workload: &'a Workload,
    /// All candidates.
    pub pool: &'a Pool,
    /// The choice.
    pub found: &'a Found,
    /// What statements visit one by one, without the choice and with it.
    pub visits: &'a BTreeMap<usize, Visits>,
}

/// The terms of a run.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// What made a statement important.
    pub weigh: Weigh,
    /// Room for all new indexes together.
    pub budget_bytes: Option<i64>,
    /// New indexes of one table at most.
    pub max_indexes: usize,
    /// Sessions that asked.
    pub sessions: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The server that was asked, where it is not the target.
    pub what_if: Option<String>,
    /// Why no planner was asked, where the built-in estimate answered.
    pub estimate: Option<String>,
    /// Time the counters cover, in seconds.
    pub window_seconds: i64,
    /// What the rules on needless indexes wish for.
    pub wishes: &'a [Wish],
}

/// A statement with and without the chosen indexes.
struct Effect<'a> {
    query: &'a Query,
    before: f64,
    after: f64,
    /// Those of the chosen ones that its plan uses.
    used: &'a [Id],
    /// What it costs in the unit of the workload.
    figure: f64,
    /// The values that costs are of, and costs with others.
    spread: Option<&'a Spread>,
    /// Rows that it visits by indexes one by one.
    visits: Option<Visits>,
}

impl Effect<'_> {
    fn share(&self) -> f64 {
        if self.before > 0.0 { 1.0 - self.after / self.before } else { 0.0 }
    }

    fn saved(&self) -> f64 {
        self.figure * self.share()
    }

    /// One index's part of what is saved.
    #[allow(clippy::cast_precision_loss, reason = "a few")]
    fn part(&self, saved: f64) -> f64 {
        saved / self.used.len().max(1) as f64
    }

    fn is_served_by(&self, kept: &BTreeSet<Id>) -> bool {
        !self.used.is_empty() && self.used.iter().all(|id| kept.contains(id))
    }
}

/// The proposals alone, those that save most first.
#[must_use]
pub fn proposals(evidence: Evidence<'_>, snapshot: &Snapshot, terms: &Terms<'_>) -> Vec<Proposal> {
    drafted(evidence, snapshot, terms, &effects(&evidence, terms.weigh)).0
}

/// The proposals, the indexes that are proposed, and what the workload costs.
fn drafted(
    evidence: Evidence<'_>,
    snapshot: &Snapshot,
    terms: &Terms<'_>,
    effects: &[Effect<'_>],
) -> (Vec<Proposal>, BTreeSet<Id>, f64) {
    let total = sum(effects.iter().map(|effect| effect.figure));
    let kept = worthwhile(&evidence.found.chosen, effects, total);
    let served: Vec<&Effect<'_>> = effects.iter().filter(|effect| effect.is_served_by(&kept)).collect();
    let prices = prices(snapshot, evidence.pool, Windows::of(snapshot));
    let proposals = Drafting { evidence, snapshot, terms, served: &served, prices, total }.proposals(&kept);
    (proposals, kept, total)
}

/// Makes the advice. The snapshot is of the one database that was consulted on.
#[must_use]
pub fn advice(evidence: Evidence<'_>, snapshot: &Snapshot, terms: &Terms<'_>, tool: Tool) -> Advice {
    let effects = effects(&evidence, terms.weigh);
    let (mut proposals, kept, total) = drafted(evidence, snapshot, terms, &effects);
    let removals = removals(&proposals, terms.wishes, snapshot);
    proposals.iter_mut().for_each(|proposal| replace(proposal, &removals));
    let served: Vec<&Effect<'_>> = effects.iter().filter(|effect| effect.is_served_by(&kept)).collect();
    let saved = sum(served.iter().map(|effect| effect.saved()));
    let saved_ms = sum(served.iter().map(|effect| effect.query.total_ms * effect.share()));
    Advice {
        advice_version: ADVICE_VERSION,
        tool,
        captured_at: snapshot.captured_at,
        target: target(snapshot),
        workload: WorkloadCost {
            weigh_by: weigh_name(terms.weigh).to_owned(),
            before: total,
            after: total - saved,
            window_seconds: terms.window_seconds,
            saved_ms_per_hour: per_hour(saved_ms, terms.window_seconds),
        },
        curve: evidence.found.curve.iter().map(curve_point).collect(),
        removals,
        account: account(&evidence, &effects, snapshot, terms, evidence.found.chosen.len() - kept.len()),
        proposals,
    }
}

/// What could go once a proposal is there is what it replaces.
fn replace(proposal: &mut Proposal, removals: &[Removal]) {
    let replaced = || removals.iter().filter(|removal| removal.after_proposal == Some(proposal.id));
    let (names, freed): (Vec<Name>, i64) =
        (replaced().map(|one| one.name.clone()).collect(), replaced().map(|one| one.bytes).sum());
    proposal.kind = if names.is_empty() { ProposalKind::CreateIndex } else { ProposalKind::ReplaceIndex };
    (proposal.replaces, proposal.net_bytes) = (names, proposal.estimate.bytes - freed);
}

fn curve_point(point: &Point) -> CurvePoint {
    CurvePoint { indexes: point.indexes, bytes: point.bytes, saved_share: point.saved_share }
}

/// Of none it is 0, where `Iterator::sum` says -0.
fn sum(parts: impl Iterator<Item = f64>) -> f64 {
    parts.fold(0.0, |sum, part| sum + part)
}

fn weigh_name(weigh: Weigh) -> &'static str {
    match weigh {
        Weigh::Time => "time",
        Weigh::Calls => "calls",
    }
}

#[allow(clippy::cast_precision_loss, reason = "calls as a weight")]
fn effects<'a>(evidence: &Evidence<'a>, weigh: Weigh) -> Vec<Effect<'a>> {
    let pairs = evidence.workload.queries.iter().zip(&evidence.found.costs).enumerate();
    let answered = pairs.filter_map(|(number, (query, cost))| Some((number, query, cost.as_ref()?)));
    answered
        .map(|(number, query, (before, after, used))| Effect {
            query,
            before: *before,
            after: *after,
            used,
            spread: evidence.found.spreads.get(&number),
            visits: evidence.visits.get(&number).copied(),
            figure: match weigh {
                Weigh::Time => query.total_ms,
                Weigh::Calls => query.calls as f64 * before,
            },
        })
        .collect()
}

/// The chosen indexes without those that save too little. A statement whose plan uses one of these counts
/// as not served.
fn worthwhile(chosen: &BTreeSet<Id>, effects: &[Effect<'_>], total: f64) -> BTreeSet<Id> {
    let mut kept = chosen.clone();
    loop {
        let is_worth_it = |id: &Id| {
            let own: Vec<&Effect<'_>> =
                effects.iter().filter(|effect| effect.used.contains(id) && effect.is_served_by(&kept)).collect();
            let saved = sum(own.iter().map(|effect| effect.part(effect.saved())));
            saved >= LEAST_SHARE * total && saved > 0.0 || own.iter().any(|effect| effect.share() >= LEAST_OF_STATEMENT)
        };
        let next: BTreeSet<Id> = kept.iter().copied().filter(is_worth_it).collect();
        if next == kept {
            return kept;
        }
        kept = next;
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds")]
fn per_hour(ms: f64, window_seconds: i64) -> f64 {
    if window_seconds > 0 { ms * 3600.0 / window_seconds as f64 } else { 0.0 }
}

struct Drafting<'a> {
    evidence: Evidence<'a>,
    snapshot: &'a Snapshot,
    terms: &'a Terms<'a>,
    served: &'a [&'a Effect<'a>],
    /// By candidate.
    prices: Vec<Price>,
    total: f64,
}

impl Drafting<'_> {
    fn proposals(&self, kept: &BTreeSet<Id>) -> Vec<Proposal> {
        let saved = |id: &Id| sum(self.users(*id).map(|effect| effect.part(effect.saved())));
        let mut ranked: Vec<(Id, f64)> = kept.iter().map(|id| (*id, saved(id))).collect();
        let pool = self.evidence.pool;
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| pool.get(a.0).cmp(pool.get(b.0))));
        let order: Vec<Id> = ranked.iter().map(|(id, _)| *id).collect();
        let mut draftsman = Draftsman::of(self.snapshot);
        (1..)
            .zip(ranked)
            .filter_map(|(number, (id, saved))| self.proposal(number, id, saved, &order, &mut draftsman))
            .collect()
    }

    fn users(&self, id: Id) -> impl Iterator<Item = &Effect<'_>> {
        self.served.iter().copied().filter(move |effect| effect.used.contains(&id))
    }

    /// None where the index cannot be made: its table is gone.
    fn proposal(
        &self,
        number: u32,
        id: Id,
        saved: f64,
        order: &[Id],
        draftsman: &mut Draftsman<'_>,
    ) -> Option<Proposal> {
        let candidate = self.evidence.pool.get(id);
        let (form, estimate) = draftsman.index(&drawing(candidate)).ok()?;
        let saved_ms = sum(self.users(id).map(|effect| effect.part(effect.query.total_ms * effect.share())));
        let mut users: Vec<&Effect<'_>> = self.users(id).collect();
        users.sort_by(|a, b| {
            b.saved().total_cmp(&a.saved()).then_with(|| a.query.fingerprint.cmp(&b.query.fingerprint))
        });
        let serves: Vec<Served> = users.into_iter().map(|effect| served(effect, order)).collect();
        let bytes = self.evidence.pool.bytes(id);
        let is_checked = self.is_checked(id);
        let caveats = self.caveats(id, &form);
        Some(Proposal {
            id: number,
            definition: if form.is_partitioned { create_parent(&form).sql } else { create_concurrently(&form).sql },
            kind: ProposalKind::default(),
            replaces: Vec::new(),
            net_bytes: estimate.bytes,
            name: form.name,
            using: form.using,
            estimate,
            hypopg_bytes: (is_checked && bytes < UNKNOWN_BYTES).then_some(bytes),
            saved_share: if self.total > 0.0 { saved / self.total } else { 0.0 },
            saved_ms_per_hour: per_hour(saved_ms, self.terms.window_seconds),
            planner_checked: is_checked,
            caveats,
            serves,
            method: candidate.method,
            keys: candidate.keys.iter().map(AdvisedKey::from).collect(),
            include: candidate.include.clone(),
            predicate: form.predicate,
            table: form.table,
        })
    }

    /// The planner was shown it for all it serves.
    fn is_checked(&self, id: Id) -> bool {
        let candidate = self.evidence.pool.get(id);
        self.terms.estimate.is_none() && self.users(id).all(|effect| candidate.is_shown(effect.query))
    }
}

/// The index as `ddl` draws it up.
fn drawing(candidate: &Candidate) -> Drawing {
    Drawing {
        table: candidate.table.clone(),
        words: candidate.keys.iter().flat_map(Key::words).collect(),
        columns: candidate.keys.iter().map(|key| &key.column).chain(&candidate.include).cloned().collect(),
        using: candidate.using(),
        predicate: candidate.predicate.clone(),
    }
}

fn served(effect: &Effect<'_>, order: &[Id]) -> Served {
    let number = |id: &Id| (1..).zip(order).find(|(_, other)| *other == id).map(|(number, _)| number);
    let mut uses: Vec<u32> = effect.used.iter().filter_map(number).collect();
    uses.sort_unstable();
    Served {
        fingerprint: effect.query.fingerprint.clone(),
        text: effect.query.text.clone(),
        calls: effect.query.calls,
        total_ms: effect.query.total_ms,
        cost_before: effect.before,
        cost_after: effect.after,
        values: effect.spread.filter(|_| has_parameters(effect.query)).and_then(|spread| spread.values),
        spread: effect.spread.map(|spread| other_costs(effect, spread)).unwrap_or_default(),
        visits: effect.visits,
        uses,
    }
}

fn has_parameters(query: &Query) -> bool {
    query.text.contains('$')
}

/// Costs with other values, where they are others.
fn other_costs(effect: &Effect<'_>, spread: &Spread) -> Vec<ValuesCost> {
    let is_near = |one: f64, other: f64| (one - other).abs() <= ALIKE * other;
    let mut told: Vec<ValuesCost> = Vec::new();
    for cost in spread.others.iter().filter(|_| has_parameters(effect.query)) {
        let is_alike = |before: f64, after: f64| is_near(cost.cost_before, before) && is_near(cost.cost_after, after);
        let is_told = told.iter().any(|other| is_alike(other.cost_before, other.cost_after));
        if !is_told && !is_alike(effect.before, effect.after) {
            told.push(*cost);
        }
    }
    told
}

fn account(
    evidence: &Evidence<'_>,
    effects: &[Effect<'_>],
    snapshot: &Snapshot,
    terms: &Terms<'_>,
    below_threshold: usize,
) -> Account {
    Account {
        statements: statements(evidence, effects, snapshot),
        candidates: evidence.pool.len(),
        what_if_calls: evidence.found.calls,
        below_threshold,
        least_share_pct: 100.0 * LEAST_SHARE,
        least_statement_pct: 100.0 * LEAST_OF_STATEMENT,
        sessions: terms.sessions,
        seconds: terms.seconds,
        budget_bytes: terms.budget_bytes,
        max_indexes: terms.max_indexes,
        what_if: terms.what_if.clone(),
        estimate: terms.estimate.clone(),
        unknown_functions: terms.estimate.iter().flat_map(|_| unknown_functions(evidence, snapshot)).collect(),
    }
}

/// Functions that were not read and that are not known without.
fn unknown_functions(evidence: &Evidence<'_>, snapshot: &Snapshot) -> BTreeSet<String> {
    let catalog = Catalog::of(snapshot);
    let of_query = |query: &Query| {
        let own = query.tables.iter().flat_map(|(table, uses)| uses.computed().map(move |text| (table, text)));
        own.flat_map(|(table, text)| catalog.unknown_functions(table, &text, &query.search_path)).collect::<Vec<_>>()
    };
    evidence.workload.queries.iter().flat_map(of_query).collect()
}

fn statements(evidence: &Evidence<'_>, effects: &[Effect<'_>], snapshot: &Snapshot) -> StatementsAccount {
    let Workload { queries, unplanned } = evidence.workload;
    let mut unplannable = unplanned.clone();
    let counted: usize = unplannable.values().sum();
    let refused = queries.len() - effects.len();
    if refused > 0 {
        *unplannable.entry("refused".to_owned()).or_default() += refused;
    }
    let info = snapshot.statements_info();
    let time = sum(effects.iter().map(|effect| effect.query.total_ms));
    let whole = info.map(|info| info.total_exec_time_ms).filter(|whole| *whole > 0.0);
    StatementsAccount {
        read: snapshot.statements.len(),
        planned: effects.len(),
        without_tables: snapshot.plans.len().saturating_sub(queries.len() + counted),
        not_asked: snapshot.statements.len().saturating_sub(snapshot.plans.len()),
        unplannable,
        time_share: whole.map(|whole| (time / whole).min(1.0)),
        below_top: info.map_or(0, |info| info.below_top),
        hidden: info.map_or(0, |info| info.hidden),
    }
}

mod caveats;
#[cfg(test)]
mod tests;
