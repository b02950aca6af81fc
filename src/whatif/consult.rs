//! The search for indexes on a live server: the workload as its planner sees it now, and who answers for it.

use super::{Hypopg, Probe, Question, Told, redact_plan};
use crate::advise::{
    Consultation, Consulted, Estimate, Found, Mixed, Query, Workload, of_indexable_tables, searched, workload,
};
use crate::model::advice::Visits;
use crate::model::snapshot::{Snapshot, Statement};
use crate::postgres::{ReadError, Reader};
use crate::statement::{ColumnType, Repaired, redact};
use std::collections::{BTreeMap, HashMap};
use tokio::runtime::Handle;

/// Why there is no advice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsultError {
    /// The extension is not there.
    #[error(
        "HypoPG is not installed in this database\n  next: create extension hypopg; or name a copy of the database that has it with --what-if"
    )]
    NoHypopg,
    /// The server did not answer.
    #[error("cannot ask the planner: {0}")]
    Read(#[from] ReadError),
    /// The search was ended.
    #[error("the search was ended")]
    Ended,
}

/// Searches for indexes.
pub async fn consult(
    reader: &Reader,
    snapshot: &Snapshot,
    consultation: Consultation,
    column_type: &ColumnType<'_>,
) -> Result<Consulted, ConsultError> {
    let extension = snapshot.extensions.iter().find(|row| row.name == "hypopg");
    let schema = extension.map(|row| row.schema.clone()).ok_or(ConsultError::NoHypopg)?;
    let (snapshot, asked) = asked(reader, snapshot, column_type).await?;
    let mut workload = workload(&snapshot);
    of_indexable_tables(&mut workload, &snapshot);
    let (probes, tried) = probes(reader, &workload, asked, column_type).await?;
    let planner = Hypopg::connect(reader, consultation.sessions, &schema, probes, Handle::current()).await?;
    let searched = tokio::task::spawn_blocking(move || {
        let estimate = Estimate::new(&snapshot, &workload.queries);
        let mut oracle = Mixed::new(planner, estimate, &workload.queries);
        let (pool, mut found) = searched(&workload, &snapshot, consultation, &mut oracle);
        found.calls += tried;
        let visits = visited(&found, oracle.planner());
        Consulted { workload, pool, found, visits }
    });
    searched.await.map_err(|_| ConsultError::Ended)
}

/// What is visited one by one without the choice and with it, of the statements that use some of it.
fn visited(found: &Found, planner: &Hypopg) -> BTreeMap<usize, Visits> {
    let answered = found.costs.iter().enumerate().filter_map(|(number, cost)| Some((number, &cost.as_ref()?.2)));
    let visits = |(number, used): (usize, &Vec<_>)| {
        let (before, after) = (planner.visits(number, &[])?, planner.visits(number, used)?);
        Some((number, Visits { before, after }))
    };
    answered.filter(|(_, used)| !used.is_empty()).filter_map(visits).collect()
}

/// A statement as the server takes it, by its fingerprint.
type Asked = HashMap<String, (Probe, Repaired)>;

/// Plans all statements anew, as the planner of now sees them. The plans show literals of views and policies, which
/// a snapshot does not keep: partial indexes are made of them.
async fn asked(
    reader: &Reader,
    snapshot: &Snapshot,
    column_type: &ColumnType<'_>,
) -> Result<(Snapshot, Asked), ReadError> {
    let statements: HashMap<&str, &Statement> =
        snapshot.statements.iter().map(|row| (row.fingerprint.as_str(), row)).collect();
    let mut asked = Asked::new();
    let mut plans = snapshot.plans.clone();
    for plan in plans.iter_mut().filter(|plan| plan.plan.is_some()) {
        let Some(statement) = statements.get(plan.fingerprint.as_str()) else { continue };
        let question = Question {
            database: &snapshot.target.database,
            fingerprint: &plan.fingerprint,
            text: &statement.text,
            search_path: &plan.search_path,
        };
        match Hypopg::repaired(reader, snapshot.server.major(), question, column_type).await {
            Ok((probe, repaired, mut fresh)) => {
                // A literal of the statement's own is one value of many.
                if redact(&statement.text).is_none_or(|redacted| redacted != statement.text) {
                    redact_plan(&mut fresh);
                }
                asked.insert(plan.fingerprint.clone(), (probe, repaired));
                plan.plan = Some(fresh);
            }
            Err((code, _)) => (plan.plan, plan.unplannable) = (None, Some(code.to_owned())),
        }
    }
    Ok((Snapshot { plans, ..snapshot.clone() }, asked))
}

/// What is asked about each statement of the workload, in order, and how many EXPLAINs it took to find out.
async fn probes(
    reader: &Reader,
    workload: &Workload,
    mut asked: Asked,
    column_type: &ColumnType<'_>,
) -> Result<(Vec<Probe>, usize), ReadError> {
    let of = |query: &Query| {
        let (probe, repaired) = asked.remove(&query.fingerprint)?;
        let tables = query.tables.keys().cloned().collect();
        Some(Told { probe, repaired, tables, rows_per_call: query.rows_per_call })
    };
    Hypopg::typical(reader, workload.queries.iter().filter_map(of).collect(), column_type).await
}
