//! `pgassay advise`.

use super::advise_args::{AdviseArgs, WeighArg};
use super::args::Shared;
use super::config::Config;
use super::{connection, exit, interrupt, settings};
use crate::advise::{Bounds, Candidate, Found, Key, Pool, Query, Task, search, workload};
use crate::collect::column_types;
use crate::ddl::{qualified, quoted};
use crate::model::plan::Name;
use crate::model::snapshot::Snapshot;
use crate::postgres::{Limits, Reader};
use crate::store::write_text;
use crate::whatif::{Hypopg, Question};
use anyhow::{Result, anyhow};
use std::collections::BTreeSet;

pub(super) fn run(shared: &Shared, args: &AdviseArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let snapshot = connection::snapshot_of(shared, &config, args.target.as_deref(), &args.limits, Vec::new())?;
    let target = connection::target_of(&config, args.target.as_deref())?;
    let work = workload(&snapshot);
    let budget = args.budget.as_deref().map(|text| settings::bytes("budget", text)).transpose()?;
    let bounds = Bounds { budget_bytes: budget, max_per_table: usize::from(args.max_indexes), least_gain: 0.0005 };
    let began = std::time::Instant::now();
    let (pool, found, queries) = interrupt::block_on(async {
        let reader = Reader::connect(&target, Limits::default(), "advise").await?;
        let extension = snapshot.extensions.iter().find(|row| row.name == "hypopg");
        let schema = extension.map(|row| row.schema.clone()).ok_or_else(|| anyhow!("no hypopg"))?;
        let types = column_types(&snapshot, &snapshot.target.database);
        let column_type = |name: &str| types.get(name).cloned();
        let mut probes = Vec::new();
        for query in &work.queries {
            let question = Question {
                database: &snapshot.target.database,
                fingerprint: &query.fingerprint,
                text: &query.text,
                search_path: &query.search_path,
            };
            let probe = Hypopg::probe(&reader, snapshot.server.major(), question, &column_type).await;
            probes.push(probe.map_err(|(_, words)| anyhow!("{words}"))?);
        }
        let runtime = tokio::runtime::Handle::current();
        let mut oracle = Hypopg::connect(&reader, 2, &schema, probes, runtime).await?;
        let mut pool = Pool::new(existing(&snapshot));
        let weigh = args.weigh_by;
        let queries = work.queries.clone();
        let done = tokio::task::spawn_blocking(move || {
            #[allow(clippy::cast_precision_loss, reason = "weights")]
            let weights: Vec<f64> = queries
                .iter()
                .map(|query: &Query| if weigh == WeighArg::Calls { query.calls as f64 } else { query.total_ms })
                .collect();
            let task = Task { queries: &queries, weights: &weights, bounds, max_calls: 6_000 };
            let found = search(task, &mut pool, &mut oracle);
            (pool, found, queries)
        });
        Ok(done.await?)
    })?;
    report(&pool, &found, &queries, began.elapsed().as_secs_f64(), &work.unplanned)?;
    if let Some(path) = &args.sql {
        let lines: Vec<String> = found.chosen.iter().map(|id| format!("{};\n", sql(pool.get(*id)))).collect();
        write_text(path, &lines.concat())?;
    }
    Ok(exit::OK)
}

fn existing(snapshot: &Snapshot) -> BTreeSet<Candidate> {
    let plain = snapshot.indexes.iter().filter(|index| {
        index.method == "btree" && index.is_valid && index.predicate.is_none() && index.expressions.is_none()
    });
    plain
        .map(|index| Candidate {
            table: Name::new(&index.schema, &index.table),
            keys: (index.key_columns.iter().zip(&index.orders))
                .map(|(column, order)| Key {
                    column: column.clone(),
                    is_descending: order & 1 != 0,
                    nulls_first: order & 2 != 0,
                })
                .collect(),
        })
        .collect()
}

fn sql(candidate: &Candidate) -> String {
    let keys: Vec<String> = candidate.keys.iter().map(|key| quoted(&key.column) + if key.is_descending { " DESC" } else { "" }).collect();
    format!("CREATE INDEX ON {} ({})", qualified(&candidate.table), keys.join(", "))
}

fn report(pool: &Pool, found: &Found, queries: &[Query], seconds: f64, unplanned: &std::collections::BTreeMap<String, usize>) -> Result<()> {
    let mut text = String::new();
    let mut bytes = 0;
    for id in &found.chosen {
        bytes += pool.bytes(*id);
        text.push_str(&format!("{}  -- {} MB\n", sql(pool.get(*id)), pool.bytes(*id) / 1_000_000));
    }
    let (mut before, mut after) = (0.0, 0.0);
    for (query, cost) in queries.iter().zip(&found.costs) {
        if let Some((base, now, _)) = cost {
            before += base;
            after += now;
            text.push_str(&format!("{} {base:.0} -> {now:.0}\n", query.fingerprint));
        }
    }
    text.push_str(&format!(
        "{} statements, unplanned {unplanned:?}; {:.3} -> {:.3} million; {} MB; {} candidates, {} EXPLAINs, {seconds:.1} s\n",
        queries.len(), before / 1e6, after / 1e6, bytes / 1_000_000, pool.len(), found.calls
    ));
    super::print(&text)
}
