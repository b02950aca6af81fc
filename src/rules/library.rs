//! The rules in force: the built-in ones, with packs laid over them.

use crate::rules::check::{FieldIndex, check};
use crate::rules::form::{Over, Rule, RuleForm};
use crate::rules::params::{ParamForm, Quantity};
use crate::rules::position::Problem;

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Part of this program.
    BuiltIn,
    /// Given with `--rules` or `rules.paths`.
    Pack,
}

/// The text of a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file as it was named.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The rules in force, by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Library {
    /// Sorted by id.
    pub rules: Vec<Rule>,
    /// Their files, in the order of `rules`.
    pub sources: Vec<Source>,
}

impl Library {
    /// Reads and checks all sources; a later one replaces an earlier one with the same id.
    /// Returns every problem there is, not just the first.
    pub fn load(sources: Vec<Source>, fields: &FieldIndex) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut loaded: Vec<(Rule, Source)> = Vec::new();
        for source in sources {
            match parse(&source) {
                Err(problem) => problems.push(problem),
                Ok(mut form) => {
                    add_implied_param(&mut form);
                    problems.extend(check(&source.file, &source.text, &form, fields));
                    if let Some(problem) = twin(&loaded, &form, &source) {
                        problems.push(problem);
                    }
                    loaded.retain(|(rule, _)| rule.form.id != form.id);
                    loaded.push((Rule { form, origin: source.origin }, source));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        loaded.sort_by(|a, b| a.0.form.id.cmp(&b.0.form.id));
        let (rules, sources) = loaded.into_iter().unzip();
        Ok(Self { rules, sources })
    }

    /// The rule with this id, or one that had it before.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<(&Rule, &Source)> {
        self.rules.iter().zip(&self.sources).find(|(rule, _)| rule.is_called(id))
    }
}

fn parse(source: &Source) -> Result<RuleForm, Problem> {
    serde_yaml::from_str(&source.text).map_err(|error| Problem::of_yaml(&source.file, &error))
}

/// The file with the SELECT that a rule file says it is over, as it names it; none for others and for
/// files that cannot be read, which loading tells.
#[must_use]
pub fn own_facet(source: &Source) -> Option<String> {
    match parse(source).ok()?.over {
        Over::Own(own) => Some(own.sql),
        Over::Facet(_) => None,
    }
}

/// The same id twice at the same level is a mistake, not an override.
fn twin(loaded: &[(Rule, Source)], form: &RuleForm, source: &Source) -> Option<Problem> {
    let (_, first) = loaded.iter().find(|(rule, _)| rule.form.id == form.id && rule.origin == source.origin)?;
    let message = format!("id `{}` is taken by {}", form.id, first.file);
    Some(Problem::at(&source.file, &source.text, &["id"], None, message))
}

/// `requires.min_stats_age_days` is a threshold like any other: users tune it by that name.
fn add_implied_param(form: &mut RuleForm) {
    if let Some(days) = form.requires.min_stats_age_days {
        form.params.entry("min_stats_age_days".to_owned()).or_insert_with(|| ParamForm {
            default: Quantity::Number(days),
            unit: "days".to_owned(),
            why: "the counters must have seen the jobs that run seldom".to_owned(),
        });
    }
}

macro_rules! builtin {
    ($($path:literal),* $(,)?) => {
        /// Every rule file of this program, `rules/<area>/<id>.yaml`. One line a rule, sorted.
        const BUILTIN: &[(&str, &str)] = &[$((concat!("rules/", $path), include_str!(concat!("../../rules/", $path)))),*];
    };
}

builtin![
    "connection/blocked_sessions.yaml",
    "connection/client_limit_near.yaml",
    "connection/connection_saturation.yaml",
    "connection/database_limit_near.yaml",
    "connection/idle_connections.yaml",
    "connection/idle_in_transaction.yaml",
    "connection/io_wait_share.yaml",
    "connection/lock_wait_share.yaml",
    "connection/long_transaction.yaml",
    "connection/lwlock_wait_share.yaml",
    "connection/pool_database_slow.yaml",
    "connection/pool_limit_near.yaml",
    "connection/pool_limited_elsewhere.yaml",
    "connection/pool_nearly_full.yaml",
    "connection/pool_oversized.yaml",
    "connection/pool_paused.yaml",
    "connection/pool_too_small.yaml",
    "connection/pool_transactions_held.yaml",
    "connection/role_limit_near.yaml",
    "connection/sessions_lost.yaml",
    "connection/xmin_horizon_held.yaml",
    "index/bloated_index.yaml",
    "index/brin_candidate.yaml",
    "index/duplicate_index.yaml",
    "index/filtered_column_without_index.yaml",
    "index/hot_blocking_index.yaml",
    "index/invalid_index.yaml",
    "index/ivfflat_lists_mismatch.yaml",
    "index/low_cardinality_index.yaml",
    "index/missing_index.yaml",
    "index/null_heavy_index.yaml",
    "index/rarely_used_index.yaml",
    "index/redundant_index.yaml",
    "index/seq_scan_heavy_table.yaml",
    "index/too_many_indexes.yaml",
    "index/unindexed_foreign_key.yaml",
    "index/unused_index.yaml",
    "index/vector_without_index.yaml",
    "partition/default_partition_holds_rows.yaml",
    "partition/detach_pending.yaml",
    "partition/large_unpartitioned_table.yaml",
    "partition/name_bound_mismatch.yaml",
    "partition/partition_gap.yaml",
    "partition/partition_index_incomplete.yaml",
    "partition/partition_overlap_of_zones.yaml",
    "partition/partition_runway.yaml",
    "partition/retention_overdue.yaml",
    "query/cacheable_query.yaml",
    "query/cold_cache_query.yaml",
    "query/deep_offset.yaml",
    "query/extended_statistics_candidate.yaml",
    "query/frequent_query.yaml",
    "query/full_scan_query.yaml",
    "query/latency_target_missed.yaml",
    "query/n_plus_one.yaml",
    "query/non_sargable_predicate.yaml",
    "query/partition_key_missing.yaml",
    "query/row_by_row_insert.yaml",
    "query/slow_planning.yaml",
    "query/slow_query.yaml",
    "query/temp_spill.yaml",
    "query/time_hog.yaml",
    "query/unplannable_statement.yaml",
    "query/unstable_query.yaml",
    "query/wal_heavy_query.yaml",
    "query/wide_select.yaml",
    "regression/index_dropped.yaml",
    "regression/index_no_longer_serves.yaml",
    "regression/more_blocks_per_call.yaml",
    "regression/more_calls.yaml",
    "regression/more_rows_per_call.yaml",
    "regression/more_temp_per_call.yaml",
    "regression/more_wal_per_call.yaml",
    "regression/new_expensive_statement.yaml",
    "regression/new_sequential_scan.yaml",
    "regression/plan_changed.yaml",
    "regression/relation_grown.yaml",
    "regression/setting_changed.yaml",
    "regression/slower_calls.yaml",
    "regression/wider_rows.yaml",
    "server/archiver_failing.yaml",
    "server/autovacuum_off.yaml",
    "server/cache_hit_low.yaml",
    "server/checkpoints_forced.yaml",
    "server/deadlocks_frequent.yaml",
    "server/extension_outdated.yaml",
    "server/fsync_off.yaml",
    "server/full_page_writes_off.yaml",
    "server/idle_in_transaction_timeout_unset.yaml",
    "server/major_end_of_life.yaml",
    "server/max_connections_oversized.yaml",
    "server/minor_version_behind.yaml",
    "server/old_prepared_transaction.yaml",
    "server/random_page_cost_spinning.yaml",
    "server/replica_lag.yaml",
    "server/rollback_ratio.yaml",
    "server/setting_pending_restart.yaml",
    "server/shared_buffers_default.yaml",
    "server/slot_retaining_wal.yaml",
    "server/statement_timeout_unset.yaml",
    "server/statements_evicting.yaml",
    "server/statements_missing.yaml",
    "server/statements_not_tracking.yaml",
    "server/statements_stale_window.yaml",
    "server/stats_reset_recently.yaml",
    "server/temp_files_heavy.yaml",
    "server/track_counts_off.yaml",
    "server/track_io_timing_off.yaml",
    "server/waiver_expired.yaml",
    "server/waiver_unused.yaml",
    "server/wal_buffers_full.yaml",
    "server/work_mem_overcommit.yaml",
    "table/autovacuum_behind.yaml",
    "table/autovacuum_disabled.yaml",
    "table/bloated_table.yaml",
    "table/dead_rows.yaml",
    "table/int4_key_filling.yaml",
    "table/low_hot_updates.yaml",
    "table/mxid_wraparound.yaml",
    "table/never_analyzed.yaml",
    "table/never_vacuumed.yaml",
    "table/no_primary_key.yaml",
    "table/not_validated_constraint.yaml",
    "table/sequence_exhaustion.yaml",
    "table/stale_statistics.yaml",
    "table/txid_wraparound.yaml",
];

/// The built-in rule files.
#[must_use]
pub fn builtin_sources() -> Vec<Source> {
    BUILTIN
        .iter()
        .map(|(file, text)| Source { file: (*file).to_owned(), text: (*text).to_owned(), origin: Origin::BuiltIn })
        .collect()
}
