//! HypoPG: indexes that only the planner sees, in a session of ours and gone with it. Never creates the
//! extension. Each session holds its own hypothetical indexes, so that several share the questions.

use super::values::{MANNERS, Values};
use super::{Question as Statement, message, planned};
use crate::advise::{Answer, Candidate, Id, Pool, Question, Spread, UNKNOWN_BYTES, WhatIf, expected_rows, visits};
use crate::ddl::{literal, qualified, quoted};
use crate::model::advice::{ParameterValues, ValuesCost};
use crate::model::plan::Name;
use crate::postgres::{MARKER, Pinned, ReadError, Reader, TextRow};
use crate::statement::{ColumnType, Parameter, Repaired, parameters};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::runtime::Handle;

/// A statement that can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// search_path to resolve its names by.
    search_path: String,
    /// One message that explains it with no regard to values.
    explain: String,
    /// Its text, with typical values for its parameters.
    bound: Option<Bound>,
    /// What sort of values these are; none: it has no parameters.
    values: Option<ParameterValues>,
    /// The same with values of other sorts; none: a generic plan.
    others: Vec<Sorted<Option<Bound>>>,
}

/// A statement and values for its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    explain: String,
    values: Vec<Option<String>>,
    /// Parameters that the text lacks.
    gone: BTreeSet<i32>,
}

/// The planner of a server with HypoPG.
#[derive(Debug)]
pub struct Hypopg {
    sessions: Vec<Session>,
    probes: Vec<Probe>,
    runtime: Handle,
}

/// A session and the hypothetical indexes in it.
#[derive(Debug)]
struct Session {
    pinned: Pinned,
    /// Schema of the extension, quoted.
    schema: String,
    alive: BTreeMap<Id, u32>,
    search_path: String,
    /// What plans visit one by one, by the statement's number and the indexes that the plan uses.
    visits: HashMap<(usize, Vec<Id>), f64>,
}

impl Hypopg {
    /// Opens sessions for the questions. `schema` is where the extension lives. To be used from a thread that
    /// may block, within `runtime`.
    pub async fn connect(
        reader: &Reader,
        sessions: usize,
        schema: &str,
        probes: Vec<Probe>,
        runtime: Handle,
    ) -> Result<Self, ReadError> {
        let mut all = Vec::new();
        for _ in 0..sessions.max(1) {
            let pinned = reader.pin().await?;
            // Before 16 the question is a prepared statement: its plan must not depend on the NULLs it is given.
            pinned
                .ask(&format!("select {MARKER} pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false)"))
                .await?;
            all.push(Session {
                pinned,
                schema: quoted(schema),
                alive: BTreeMap::new(),
                search_path: String::new(),
                visits: HashMap::new(),
            });
        }
        Ok(Self { sessions: all, probes, runtime })
    }

    /// Rows that a statement visits by indexes one by one where its plan uses these of the hypothetical ones; none: no answer
    /// was such a plan.
    #[must_use]
    pub fn visits(&self, query: usize, used: &[Id]) -> Option<f64> {
        let plan = (query, used.to_vec());
        self.sessions.iter().find_map(|session| session.visits.get(&plan).copied())
    }

    /// A statement as it is asked about; or why it cannot be.
    pub async fn probe(
        reader: &Reader,
        major: i32,
        statement: Statement<'_>,
        column_type: &ColumnType<'_>,
    ) -> Result<Probe, (&'static str, String)> {
        Self::repaired(reader, major, statement, column_type).await.map(|(probe, ..)| probe)
    }

    /// As [`Hypopg::probe`], with the text as the server takes it, and its plan with literals of views.
    pub async fn repaired(
        reader: &Reader,
        major: i32,
        statement: Statement<'_>,
        column_type: &ColumnType<'_>,
    ) -> Result<(Probe, Repaired, Value), (&'static str, String)> {
        let (repaired, plan) = planned(reader, major, statement, column_type).await?;
        let probe = Probe {
            search_path: statement.search_path.to_owned(),
            explain: message(&repaired, major, "format json"),
            bound: None,
            values: (repaired.params > 0).then_some(ParameterValues::Generic),
            others: Vec::new(),
        };
        Ok((probe, repaired, plan))
    }

    /// The same statements with typical values for their parameters, where some are known and the planner takes
    /// them: without any its estimates can be far off. Also how many EXPLAINs that took.
    pub async fn typical(
        reader: &Reader,
        told: Vec<Told>,
        column_type: &ColumnType<'_>,
    ) -> Result<(Vec<Probe>, usize), ReadError> {
        let typed = |told: Told| {
            let parameters = parameters(&told.repaired.sql, column_type).unwrap_or_default();
            (told, parameters)
        };
        let told: Vec<(Told, Vec<Parameter>)> = told.into_iter().map(typed).collect();
        let columns = told.iter().flat_map(|(told, parameters)| {
            let meetings = parameters.iter().flat_map(|parameter| &parameter.meetings);
            meetings.flat_map(|one| {
                let named = told.tables.iter().filter(|table| table.name == one.relation.name);
                named.map(|table| (table.clone(), one.column.clone()))
            })
        });
        let values = Values::read(reader, &columns.collect()).await?;
        let session = reader.pin().await?;
        let (mut probes, mut asked) = (Vec::new(), 0);
        for (told, parameters) in told {
            let path = literal(&told.probe.search_path);
            let path = format!("select {MARKER} pg_catalog.set_config('search_path', {path}, false)");
            session.ask(&path).await?;
            let bounds = bounds(&told, &parameters, &values);
            asked += bounds.len();
            let (best, others) = fitting(bounds, told.rows_per_call, &session).await;
            let values = best.as_ref().map_or(told.probe.values, |(values, _)| Some(*values));
            probes.push(Probe { bound: best.map(|(_, bound)| bound), values, others, ..told.probe });
        }
        Ok((probes, asked))
    }
}

/// A statement to be asked about, and what is known of it.
#[derive(Debug)]
pub struct Told {
    /// As it is asked about without values.
    pub probe: Probe,
    /// Its text, as the server takes it.
    pub repaired: Repaired,
    /// Its tables.
    pub tables: Vec<Name>,
    /// Rows that a call returned or changed, on average.
    pub rows_per_call: f64,
}

/// The statement with values taken in each manner, those that are the same left out.
fn bounds(told: &Told, parameters: &[Parameter], values: &Values) -> Vec<Sorted<Bound>> {
    let mut all: Vec<Sorted<Bound>> = Vec::new();
    for manner in MANNERS {
        let typical = values.typical(&told.repaired, parameters, &told.tables, manner, told.rows_per_call);
        let Some(values) = typical.filter(|values| !values.is_empty()) else { continue };
        if !all.iter().any(|(_, bound)| bound.values == values) {
            let explain = format!("explain {MARKER} (format json) {}", told.repaired.sql);
            all.push((manner.values, Bound { explain, values, gone: told.repaired.gone.clone() }));
        }
    }
    all
}

/// What is bound, by the sort of its values.
type Sorted<B> = (ParameterValues, B);

/// The values with which the planner expects about as many rows as came, else the first it takes at all; and of the
/// other sorts those that it takes.
async fn fitting(
    bounds: Vec<Sorted<Bound>>,
    rows_per_call: f64,
    session: &Pinned,
) -> (Option<Sorted<Bound>>, Vec<Sorted<Option<Bound>>>) {
    let mut taken: Vec<(f64, Sorted<Bound>)> = Vec::new();
    for (values, bound) in bounds {
        if let Some(plan) = bound.ask(session).await.ok().flatten() {
            let expected = plan.get(0).and_then(|plan| plan.get("Plan")).and_then(expected_rows);
            let off = expected.map_or(f64::INFINITY, |rows| ((rows + 1.0) / (rows_per_call + 1.0)).ln().abs());
            taken.push((off, (values, bound)));
        }
    }
    let best = taken.iter().enumerate().min_by(|a, b| a.1.0.total_cmp(&b.1.0)).map(|(at, _)| at);
    let Some((_, best)) = best.map(|at| taken.remove(at)) else { return (None, Vec::new()) };
    // Of a sort the last are the furthest from the usual.
    let mut others: BTreeMap<ParameterValues, Option<Bound>> =
        taken.into_iter().map(|(_, (values, bound))| (values, Some(bound))).collect();
    others.insert(ParameterValues::Generic, None);
    others.remove(&best.0);
    (Some(best), others.into_iter().collect())
}

impl Bound {
    async fn ask(&self, session: &Pinned) -> Result<Option<Value>, ReadError> {
        let is_gone = |at: usize| i32::try_from(at + 1).is_ok_and(|number| self.gone.contains(&number));
        session.ask_bound(&self.explain, &self.values, is_gone).await
    }
}

impl WhatIf for Hypopg {
    fn ask(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Option<Answer>> {
        let share = questions.len().div_ceil(self.sessions.len()).max(1);
        let (probes, runtime) = (&self.probes, self.runtime.clone());
        let portions = self.sessions.iter_mut().zip(questions.chunks(share));
        let asked = portions.map(|(session, portion)| session.ask_all(pool, probes, portion));
        runtime.block_on(join_all(asked)).into_iter().flatten().collect()
    }

    fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        let share = candidates.len().div_ceil(self.sessions.len()).max(1);
        let runtime = self.runtime.clone();
        let portions = self.sessions.iter_mut().zip(candidates.chunks(share));
        let measured = portions.map(|(session, portion)| session.measure(portion));
        runtime.block_on(join_all(measured)).into_iter().flatten().collect()
    }

    fn spread(&mut self, pool: &Pool, questions: &[Question]) -> Vec<Spread> {
        let share = questions.len().div_ceil(self.sessions.len()).max(1);
        let (probes, runtime) = (&self.probes, self.runtime.clone());
        let portions = self.sessions.iter_mut().zip(questions.chunks(share));
        let asked = portions.map(|(session, portion)| session.spread_all(pool, probes, portion));
        runtime.block_on(join_all(asked)).into_iter().flatten().collect()
    }
}

/// `CREATE INDEX` without a name, as HypoPG takes it.
pub(super) fn definition(candidate: &Candidate) -> String {
    let rows = candidate.predicate.as_ref().map(|predicate| format!(" WHERE {predicate}")).unwrap_or_default();
    format!("CREATE INDEX ON {} USING {}{rows}", qualified(&candidate.table), candidate.using())
}

impl Session {
    async fn ask_all(&mut self, pool: &Pool, probes: &[Probe], questions: &[Question]) -> Vec<Option<Answer>> {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let answer = self.ask(pool, &probes[question.query], &question.alive).await;
            if answer.is_none() {
                self.forget().await;
            }
            answers.push(answer.map(|(answer, visits)| {
                self.visits.insert((question.query, answer.used.clone()), visits);
                answer
            }));
        }
        answers
    }

    async fn spread_all(&mut self, pool: &Pool, probes: &[Probe], questions: &[Question]) -> Vec<Spread> {
        let mut told = Vec::with_capacity(questions.len());
        for question in questions {
            told.push(self.spread(pool, &probes[question.query], &question.alive).await);
        }
        told
    }

    /// Without the indexes first, as making them takes time.
    async fn spread(&mut self, pool: &Pool, probe: &Probe, alive: &[Id]) -> Spread {
        let mut costs = [Vec::new(), Vec::new()];
        for (costs, alive) in costs.iter_mut().zip([&[][..], alive]) {
            for (_, bound) in &probe.others {
                let other = Probe { bound: bound.clone(), others: Vec::new(), ..probe.clone() };
                let answer = self.ask(pool, &other, alive).await;
                if answer.is_none() {
                    self.forget().await;
                }
                costs.push(answer.map(|(answer, _)| answer.cost));
            }
        }
        let [before, after] = costs;
        let told = probe.others.iter().zip(before.into_iter().zip(after));
        let others = told.filter_map(|((values, _), (before, after))| {
            Some(ValuesCost { values: *values, cost_before: before?, cost_after: after? })
        });
        Spread { values: probe.values, others: others.collect(), questions: 2 * probe.others.len() }
    }

    /// One message: away with what is not asked about, in with what is, explain.
    async fn ask(&mut self, pool: &Pool, probe: &Probe, alive: &[Id]) -> Option<(Answer, f64)> {
        let wanted: BTreeSet<Id> = alive.iter().copied().collect();
        let gone: Vec<Id> = self.alive.keys().filter(|id| !wanted.contains(id)).copied().collect();
        let new: Vec<Id> = wanted.iter().filter(|id| !self.alive.contains_key(id)).copied().collect();
        let mut message = String::new();
        for id in &gone {
            let oid = self.alive.remove(id)?;
            message.push_str(&format!("select {MARKER} {}.hypopg_drop_index({oid}); ", self.schema));
        }
        for id in &new {
            let sql = literal(&definition(pool.get(*id)));
            message.push_str(&format!("select {MARKER} indexrelid from {}.hypopg_create_index({sql}); ", self.schema));
        }
        if self.search_path != probe.search_path {
            let path = literal(&probe.search_path);
            message.push_str(&format!("select {MARKER} pg_catalog.set_config('search_path', {path}, false); "));
            self.search_path.clone_from(&probe.search_path);
        }
        if probe.bound.is_none() {
            message.push_str(&probe.explain);
        }
        let results = if message.is_empty() { Vec::new() } else { self.pinned.ask(&message).await.ok()? };
        let created = results.get(gone.len()..gone.len() + new.len())?;
        for (id, rows) in new.iter().zip(created) {
            self.alive.insert(*id, number(rows)?);
        }
        match &probe.bound {
            Some(bound) => answer(&bound.ask(&self.pinned).await.ok()??, &self.alive),
            None => answer(&printed(results.iter().rev().find(|rows| !rows.is_empty())?)?, &self.alive),
        }
    }

    /// After an error nobody knows which indexes are there.
    async fn forget(&mut self) {
        self.alive.clear();
        self.search_path.clear();
        let reset = format!("select {MARKER} {}.hypopg_reset()", self.schema);
        let _ = self.pinned.ask(&reset).await;
    }

    async fn measure(&mut self, candidates: &[&Candidate]) -> Vec<i64> {
        let schema = &self.schema;
        let mut sizes = Vec::new();
        for candidate in candidates {
            let sql = literal(&definition(candidate));
            let message = format!(
                "select {MARKER} {schema}.hypopg_relation_size(indexrelid), indexrelid from {schema}.hypopg_create_index({sql})"
            );
            let rows = self.pinned.ask(&message).await.ok().and_then(|mut results| results.pop());
            let cells = rows.as_ref().and_then(|rows| rows.first());
            let cell = |at: usize| cells.and_then(|row| row.get(at)).and_then(Option::as_deref);
            sizes.push(cell(0).and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN_BYTES));
            if let Some(oid) = cell(1) {
                let _ = self.pinned.ask(&format!("select {MARKER} {schema}.hypopg_drop_index({oid})")).await;
            }
        }
        sizes
    }
}

fn number(rows: &[TextRow]) -> Option<u32> {
    rows.first()?.first()?.as_deref()?.parse().ok()
}

/// The JSON that EXPLAIN prints as rows of text.
fn printed(rows: &[TextRow]) -> Option<Value> {
    let text: Vec<&str> = rows.iter().filter_map(|row| row.first()?.as_deref()).collect();
    serde_json::from_str(&text.join("\n")).ok()
}

/// Cost and used indexes of an EXPLAIN, and the rows that are visited one by one.
fn answer(plan: &Value, alive: &BTreeMap<Id, u32>) -> Option<(Answer, f64)> {
    let root = plan.get(0)?.get("Plan")?;
    let mut names = BTreeSet::new();
    indexes(root, &mut names);
    let is_used = |oid: &u32| names.iter().any(|name| name.starts_with(&format!("<{oid}>")));
    let used = alive.iter().filter(|(_, oid)| is_used(oid)).map(|(id, _)| *id).collect();
    Some((Answer { cost: root.get("Total Cost")?.as_f64()?, used }, visits(root)))
}

fn indexes<'p>(node: &'p Value, names: &mut BTreeSet<&'p str>) {
    names.extend(node.get("Index Name").and_then(Value::as_str));
    for child in node.get("Plans").and_then(Value::as_array).into_iter().flatten() {
        indexes(child, names);
    }
}
