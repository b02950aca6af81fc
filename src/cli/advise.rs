//! `pgassay advise`.

use super::advise_args::{AdviseArgs, WeighArg};
use super::args::Shared;
use super::config::Config;
use super::{connection, exit, interrupt, settings};
use crate::advise::{Bounds, Candidate, Found, Pool, Query, Weigh};
use crate::collect::ColumnTypes;
use crate::ddl::{qualified, quoted};
use crate::model::snapshot::RelationName;
use crate::postgres::{Limits, Reader};
use crate::store::write_text;
use crate::whatif::{Consultation, Consulted, consult};
use anyhow::Result;

pub(super) fn run(shared: &Shared, args: &AdviseArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let snapshot = connection::snapshot_of(shared, &config, args.target.as_deref(), &args.limits, None, Vec::new())?;
    let target = connection::target_of(&config, args.target.as_deref())?;
    let budget = args.budget.as_deref().map(|text| settings::bytes("budget", text)).transpose()?;
    let consultation = Consultation {
        weigh: match args.weigh_by {
            WeighArg::Time => Weigh::Time,
            WeighArg::Calls => Weigh::Calls,
        },
        bounds: Bounds { budget_bytes: budget, max_per_table: usize::from(args.max_indexes), least_gain: 0.0005 },
        sessions: 2,
        max_calls: 3_000,
    };
    let began = std::time::Instant::now();
    let Consulted { workload, pool, found } = interrupt::block_on(async {
        let reader = Reader::connect(&target, Limits::default(), "advise").await?;
        let types = ColumnTypes::new(&snapshot.columns, &snapshot.target.database);
        Ok(consult(&reader, &snapshot, consultation, &|relation: &RelationName, name: &str| types.of(relation, name))
            .await?)
    })?;
    report(&pool, &found, &workload.queries, began.elapsed().as_secs_f64(), &workload.unplanned)?;
    if let Some(path) = &args.sql {
        let lines: Vec<String> = found.chosen.iter().map(|id| format!("{};\n", sql(pool.get(*id)))).collect();
        write_text(path, &lines.concat())?;
    }
    Ok(exit::OK)
}

fn sql(candidate: &Candidate) -> String {
    let keys: Vec<String> =
        candidate.keys.iter().map(|key| quoted(&key.column) + if key.is_descending { " DESC" } else { "" }).collect();
    format!("CREATE INDEX ON {} ({})", qualified(&candidate.table), keys.join(", "))
}

fn report(
    pool: &Pool,
    found: &Found,
    queries: &[Query],
    seconds: f64,
    unplanned: &std::collections::BTreeMap<String, usize>,
) -> Result<()> {
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
