//! Indexes that the workload lacks, by the advisor's built-in estimate over the plans of the snapshot.

use super::build;
use super::common::Since;
use crate::advise::{Bounds, Consultation, Consulted, Evidence, Terms, Weigh, Windows, estimate, proposals};
use crate::model::advice::{AdvisedKey, Method, Proposal, Served};
use crate::model::object::{Object, ObjectKind};
use crate::model::snapshot::Snapshot;
use crate::model::table::Table;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct ProposalRow {
    /// Its table. {text | EXPLAIN}
    table: String,
    /// Its columns, those of INCLUDE last; none where it is more than a B-tree on columns of all rows. {text | this program}
    columns: Option<Vec<String>>,
    /// The statement that makes it. {text | this program}
    definition: String,
    /// Statements whose plans would use it. {statements | EXPLAIN, cost estimate}
    statements: usize,
    /// The one whose time it saves most of, by its fingerprint. {text | pg_query fingerprint}
    best_statement: String,
    /// Share of that statement's cost that is saved, with the other proposals there; what halves no statement is not proposed. {pct | cost estimate}
    best_statement_saved_pct: f64,
    /// Executions of that statement. {calls | pg_stat_statements.calls}
    best_statement_calls: i64,
    /// Share of the time of the explained statements that it saves; where several proposals do it together, its even part. What saves less than 1 is not proposed. {pct | cost estimate, pg_stat_statements.total_exec_time}
    saved_pct: f64,
    /// Time it saves in an hour, in the same way. {ms | cost estimate, pg_stat_statements.total_exec_time}
    saved_ms_per_hour: f64,
    /// Room it takes, an estimate. {bytes | reltuples, pg_stats.avg_width}
    estimated_bytes: i64,
    /// No ANALYZE of its table is on record, or a tenth of the rows changed since. {bool | n_mod_since_analyze}
    has_stale_statistics: bool,
}

/// Counters of less time than this, in seconds, are of loading the tables as likely as of the work that goes on: what
/// writes pay is not weighed by them.
const SETTLED: f64 = 3600.0;

/// What an audit takes for worth telling: a handful of indexes that matter, not the best set there is.
fn consultation(snapshot: &Snapshot) -> Consultation {
    Consultation {
        weigh: Weigh::Time,
        bounds: Bounds { budget_bytes: None, max_per_table: 3, least_gain: 0.01, least_statement_gain: 0.5 },
        windows: Some(Windows::of(snapshot)).filter(|windows| windows.tables >= SETTLED),
        sessions: 0,
        max_calls: 0,
        with_curve: false,
        with_spread: false,
    }
}

fn advised(snapshot: &Snapshot) -> Vec<Proposal> {
    if snapshot.plans.is_empty() {
        return Vec::new();
    }
    let consultation = consultation(snapshot);
    let Consulted { workload, pool, found, visits } = estimate(snapshot, consultation);
    let evidence = Evidence { workload: &workload, pool: &pool, found: &found, visits: &visits };
    let since = Since::new(snapshot.statements_info().and_then(|info| info.stats_reset), snapshot);
    let terms = Terms {
        weigh: consultation.weigh,
        budget_bytes: None,
        max_indexes: consultation.bounds.max_per_table,
        sessions: 0,
        seconds: 0.0,
        what_if: None,
        estimate: Some(String::new()),
        #[allow(clippy::cast_possible_truncation, reason = "seconds")]
        window_seconds: (since.days(snapshot.captured_at) * 86_400.0) as i64,
        wishes: &[],
    };
    proposals(evidence, snapshot, &terms)
}

/// The facet `proposals`. The advisor runs when a rule asks for its rows.
pub(super) fn table(snapshot: &Snapshot) -> Table<'_> {
    let database = &snapshot.target.database;
    let rows = std::iter::once_with(move || advised(snapshot)).flatten();
    build::table("proposals", rows.filter_map(move |proposal| row(database, proposal)))
}

/// The columns of an index that any statement can use which compares the first of them.
fn columns(proposal: &Proposal) -> Option<Vec<String>> {
    let is_plain = |key: &AdvisedKey| !key.is_expression && !key.is_descending && key.operator_class.is_none();
    let is_whole = proposal.method == Method::Btree && proposal.predicate.is_none();
    let keys = proposal.keys.iter().map(|key| &key.column);
    (is_whole && proposal.keys.iter().all(is_plain)).then(|| keys.cloned().collect())
}

fn row(database: &str, proposal: Proposal) -> Option<(Object, ProposalRow)> {
    let saved = |served: &Served| served.total_ms * served.saved_share();
    let best = proposal.serves.iter().max_by(|a, b| saved(a).total_cmp(&saved(b)))?;
    let object = Object::in_schema(ObjectKind::Index, database, &proposal.name.schema, &proposal.name.name);
    let row = ProposalRow {
        table: proposal.table.to_string(),
        columns: columns(&proposal),
        statements: proposal.serves.len(),
        best_statement: best.fingerprint.clone(),
        best_statement_saved_pct: 100.0 * best.saved_share(),
        best_statement_calls: best.calls,
        saved_pct: 100.0 * proposal.saved_share,
        saved_ms_per_hour: proposal.saved_ms_per_hour,
        estimated_bytes: proposal.estimate.bytes,
        has_stale_statistics: proposal.caveats.iter().any(|caveat| caveat.code == "stale_statistics"),
        definition: proposal.definition,
    };
    Some((object.of_table(&proposal.table.name), row))
}
