//! What a proposal's estimate does not hold for.

use super::{Drafting, has_parameters};
use crate::advise::candidate::{Candidate, Id};
use crate::advise::catalog::root;
use crate::advise::key::Key;
use crate::advise::workload::{Query, Uses};
use crate::model::advice::{Caveat, Method, Visits};
use crate::model::plan::{IndexForm, Name};
use crate::model::snapshot::{Column, Index, Relation, RelationKind, Snapshot};
use crate::model::units;
use crate::statement::cast_column;
use std::collections::HashMap;

/// Rows changed since ANALYZE, as a share of the table, from which its statistics are called stale: where
/// autovacuum's default would analyze.
const STALE: f64 = 0.1;

/// Counters of less time than this may show no usual day.
const SHORT_WINDOW_SECONDS: i64 = 86_400;

impl Drafting<'_> {
    /// Each reads on from "not if".
    #[allow(clippy::cast_precision_loss, reason = "for people")]
    pub(super) fn caveats(&self, id: Id, form: &IndexForm) -> Vec<Caveat> {
        let candidate = self.evidence.pool.get(id);
        let mut caveats = Vec::new();
        let mut say = |code: &str, text: String| caveats.push(Caveat { code: code.to_owned(), text });
        if form.is_partitioned {
            let text = "the statement that is shown is run alone: each partition gets its own index first, by the steps of a plan (-o)";
            say("by_partition", text.to_owned());
        }
        if !self.is_checked(id) {
            let text = "the planner sees it otherwise: costs are pgassay's own estimate by the planner's formulas, from statistics without values";
            say("not_planner_checked", text.to_owned());
        }
        if self.users(id).any(|effect| has_parameters(effect.query)) {
            let text = "the values that are asked for differ much in frequency: statements were planned with one typical value of each parameter, or with none";
            say("typical_values", text.to_owned());
        }
        if self.users(id).any(|effect| guesses_prefix(effect.query, candidate)) {
            let text = "patterns begin with a wildcard, which the workload does not tell: LIKE is served by this index only for those that begin with text (pg_trgm serves all)";
            say("prefix_patterns", text.to_owned());
        }
        for text in candidate.keys.iter().filter_map(|key| cast_key(self.snapshot, &candidate.table, key)) {
            say("cast_column", text);
        }
        if self.users(id).any(|effect| effect.visits.is_some_and(Visits::are_felt)) {
            let text = "rows are visited by index one by one so often (visits) that it takes longer than reading tables whole: the planner takes pages that are visited again for free. Measure these statements before and after; `pgassay verify` tells";
            say("repeated_visits", text.to_owned());
        }
        if let Some(text) = stale(self.snapshot, &candidate.table) {
            say("stale_statistics", text);
        }
        let price = self.prices.get(id as usize).copied().unwrap_or_default();
        say(
            "write_price",
            format!(
                "writes grow: they pay about {} an hour for it now, by estimate, {} entries a second and {} HOT updates a second that are so no more",
                units::millis(price.ms_per_hour),
                units::short(price.entries_per_second),
                units::short(price.hot_lost_per_second),
            ),
        );
        if self.terms.window_seconds < SHORT_WINDOW_SECONDS {
            let length = units::millis(self.terms.window_seconds as f64 * 1000.0);
            say("short_window", format!("the {length} that the counters cover are not the usual workload"));
        }
        if self.terms.what_if.is_some() {
            say(
                "other_planner",
                "the server that was asked differs from the target in data, statistics or settings".to_owned(),
            );
        }
        caveats
    }
}

/// It serves the statement by a pattern that is taken to begin with text.
fn guesses_prefix(query: &Query, candidate: &Candidate) -> bool {
    let is_guess = |uses: &Uses, key: &Key| {
        let is_told = uses.equal.contains(&key.column) || uses.range.contains(&key.column);
        uses.prefixes.iter().any(|wanted| wanted.is_on(key)) && uses.patterns.contains(&key.column) && !is_told
    };
    candidate.method == Method::Btree
        && query.tables.get(&candidate.table).is_some_and(|uses| candidate.keys.iter().any(|key| is_guess(uses, key)))
}

/// The text of a column is compared, where the column itself could be.
fn cast_key(snapshot: &Snapshot, table: &Name, key: &Key) -> Option<String> {
    let name = cast_column(&key.column).filter(|_| key.is_expression)?;
    let is_own =
        |column: &&Column| (&column.schema, &column.relation, &column.name) == (&table.schema, &table.name, &name);
    let type_name = &snapshot.columns.iter().find(is_own)?.type_name;
    let leads = |index: &&Index| {
        (&index.schema, &index.table) == (&table.schema, &table.name)
            && index.is_valid
            && index.method == "btree"
            && index.predicate.is_none()
            && index.key_columns.first() == Some(&name)
    };
    // Of several a key is the one that stays.
    let best = snapshot.indexes.iter().filter(leads).min_by_key(|index| !index.is_unique);
    let serving = best.map_or_else(
        || "a smaller index on the column itself serves them then, in the place of this one".to_owned(),
        |index| format!("{}.{} serves them then, and this one is not needed", index.schema, index.name),
    );
    Some(format!(
        "statements can compare {name} with a value of its type, {type_name}, in the place of its text: {serving}"
    ))
}

/// Of a partitioned table its partitions are analyzed.
#[allow(clippy::cast_precision_loss, reason = "rows, for people")]
fn stale(snapshot: &Snapshot, table: &Name) -> Option<String> {
    let by_name: HashMap<(&str, &str), &Relation> =
        snapshot.relations.iter().map(|row| ((row.schema.as_str(), row.name.as_str()), row)).collect();
    let is_part = |row: &&Relation| {
        let root = root(row, &by_name);
        (&root.schema, &root.name) == (&table.schema, &table.name) && row.kind != RelationKind::PartitionedTable
    };
    let parts: Vec<&Relation> = snapshot.relations.iter().filter(is_part).collect();
    let is_unknown = |row: &&Relation| row.last_analyze.is_none() && row.last_autoanalyze.is_none() && row.bytes > 0;
    if let Some(row) = parts.iter().copied().find(is_unknown) {
        let is_own = |column: &&Column| column.schema == row.schema && column.relation == row.name;
        let has_statistics = snapshot.columns.iter().filter(is_own).any(|column| column.has_statistics);
        let (schema, name) = (&row.schema, &row.name);
        return Some(match has_statistics {
            true => format!(
                "old statistics mislead the planner: no ANALYZE of {schema}.{name} is on record since counters were reset"
            ),
            false => format!("guesses mislead the planner: no ANALYZE of {schema}.{name} is on record"),
        });
    }
    let changed: i64 = parts.iter().map(|row| row.modified_since_analyze).sum();
    let rows: i64 = parts.iter().map(|row| row.live_tuples).sum();
    (changed as f64 > STALE * rows.max(1) as f64).then(|| {
        let changed = units::count(changed as f64);
        format!("old statistics mislead the planner: {changed} rows of {table} changed since its last ANALYZE")
    })
}
