//! `pgassay advise`.

use super::advise_args::{AdviceFormat, AdviseArgs, WeighArg};
use super::args::{LimitArgs, RuleChoice, RuleFilter, Shared};
use super::config::Config;
use super::progress_bar::Bar;
use super::settings::Loaded;
use super::{connection, exit, interrupt, output, settings};
use crate::advise::{
    Bounds, Candidate, Consultation, Consulted, Evidence, Query, Terms, Weigh, Windows, advice, estimate, plan,
};
use crate::audit::judge;
use crate::collect::ColumnTypes;
use crate::ddl::{Wish, script};
use crate::model::advice::Advice;
use crate::model::snapshot::{Facet, RelationName, Snapshot};
use crate::model::verdict::Verdict;
use crate::postgres::{Limits, Reader, Target};
use crate::progress::Progress;
use crate::report::{write_advice, write_advice_json, write_advice_markdown};
use crate::statement::ColumnType;
use crate::store::{read_snapshot, write_plan, write_whole};
use crate::whatif::{Question, Shown, consult, show};
use anyhow::{Result, anyhow, bail};
use std::path::Path;
use std::time::Instant;

/// Statements that are explained, unless told otherwise.
const PLANS: u32 = 200;

/// New indexes of one table at most, unless told otherwise.
const MAX_INDEXES: u16 = 10;

/// Sessions at least: a pooler is recognised by two of ours that reach the same process.
const MIN_SESSIONS: usize = 2;

/// A step of the search saves at least this share of what the workload costs by then: a workload of hundreds of
/// statements has none that is a hundredth of it.
const LEAST_GAIN: f64 = 0.001;

/// and this share of some statement.
const LEAST_STATEMENT_GAIN: f64 = 0.1;

/// EXPLAINs after which the choice is refined no more, unless exploring took most of them.
const MAX_CALLS: usize = 2_800;

/// Questions to the built-in estimate at most: they cost a hundredth.
const MAX_ESTIMATES: usize = 30_000;

/// The rules on indexes that could go.
const REMOVAL_RULES: [&str; 3] = ["duplicate_index", "redundant_index", "unused_index"];

pub(super) fn run(shared: &Shared, args: &AdviseArgs) -> Result<u8> {
    let config = Config::load(shared.config.as_deref())?;
    let order = Order::of(&config, args)?;
    let snapshot = workload(shared, &config, args.target.as_deref(), args.from.as_deref(), &args.limits)?;
    has_workload(&snapshot)?;
    let verdict = verdict(&config, &snapshot)?;
    let oracle = Oracle::of(shared, &config, args, &snapshot)?;
    let (advice, shown) = interrupt::block_on(oracle.advise(shared, &order, &snapshot, &verdict, args.explain))?;
    write(shared, args, &advice, &snapshot, shown.as_deref())?;
    let is_whole = !snapshot.gaps.iter().any(|gap| gap.is_failure);
    Ok(if is_whole { exit::OK } else { exit::INCOMPLETE })
}

/// What was asked for: flags laid over the config.
struct Order {
    consultation: Consultation,
    limits: Limits,
}

impl Order {
    fn of(config: &Config, args: &AdviseArgs) -> Result<Self> {
        let own = &config.advise;
        let (limits, ..) = settings::limits(config, &args.limits, Vec::new(), Vec::new())?;
        let limits = Limits { jobs: limits.jobs.max(MIN_SESSIONS), ..limits };
        let budget = args.budget.as_ref().or(own.budget.as_ref());
        let bounds = Bounds {
            budget_bytes: budget.map(|text| settings::bytes("budget", text)).transpose()?,
            max_per_table: usize::from(args.max_indexes.or(own.max_indexes).unwrap_or(MAX_INDEXES)),
            least_gain: LEAST_GAIN,
            least_statement_gain: LEAST_STATEMENT_GAIN,
        };
        let weigh = match args.weigh_by.or(own.weigh_by) {
            None | Some(WeighArg::Time) => Weigh::Time,
            Some(WeighArg::Calls) => Weigh::Calls,
        };
        let consultation = Consultation {
            weigh,
            bounds,
            windows: None,
            sessions: limits.jobs,
            max_calls: MAX_CALLS,
            with_curve: args.curve,
            with_spread: true,
        };
        Ok(Self { consultation, limits })
    }
}

/// The workload and what is known of its tables, of one database.
pub(super) fn workload(
    shared: &Shared,
    config: &Config,
    target: Option<&str>,
    from: Option<&Path>,
    limits: &LimitArgs,
) -> Result<Snapshot> {
    let snapshot = match from {
        Some(path) => read_snapshot(path)?,
        None => {
            let plans = limits.plans.or(config.advise.plans).unwrap_or(PLANS);
            let limits = LimitArgs { plans: Some(plans), ..limits.clone() };
            connection::snapshot_of(shared, config, target, &limits, None, Vec::new())?
        }
    };
    Ok(snapshot.of_database(&snapshot.target.database))
}

/// Without statements or without plans there is nothing to advise on.
fn has_workload(snapshot: &Snapshot) -> Result<()> {
    has_statements(snapshot)?;
    if let Some(reason) = gap(snapshot, Facet::Plans).filter(|_| snapshot.plans.is_empty()) {
        bail!("no plans to advise on: {reason}");
    }
    Ok(())
}

/// Without statements there is no workload.
pub(super) fn has_statements(snapshot: &Snapshot) -> Result<()> {
    if snapshot.statements_info().is_none() {
        let reason = gap(snapshot, Facet::Statements);
        let reason = reason.unwrap_or_else(|| "pg_stat_statements is not set up in this database".to_owned());
        bail!("no workload to advise on: {reason}");
    }
    Ok(())
}

/// Why a facet was not read, and what would help.
fn gap(snapshot: &Snapshot, facet: Facet) -> Option<String> {
    snapshot.gap(facet).map(|gap| format!("{}\n  next: {}", gap.reason, gap.remedy))
}

/// What the rules say of indexes that could go, and the window.
fn verdict(config: &Config, snapshot: &Snapshot) -> Result<Verdict> {
    let Loaded { library, .. } = settings::library(config, &[])?;
    let only = REMOVAL_RULES.map(str::to_owned).into();
    let choice = RuleChoice { filter: RuleFilter { only, ..RuleFilter::default() }, ..RuleChoice::default() };
    let judging = settings::settings(config, &choice, &library, None, None)?;
    Ok(judge(snapshot, &library, &judging, connection::tool()))
}

/// Who answers for the planner.
enum Oracle {
    /// A server with HypoPG.
    Planner(Box<Planner>),
    /// The built-in estimate; why no planner is asked.
    Estimate(&'static str),
}

/// The server whose planner is asked.
struct Planner {
    target: Target,
    /// The workload, with the version and the extensions of the server that is asked.
    asked: Snapshot,
    /// Its name, where it is not the target itself.
    elsewhere: Option<String>,
}

impl Oracle {
    fn of(shared: &Shared, config: &Config, args: &AdviseArgs, snapshot: &Snapshot) -> Result<Self> {
        if let Some(typed) = args.what_if.as_ref().or(config.advise.what_if.as_ref()) {
            let target = connection::target_of(config, Some(typed))?;
            let site = interrupt::block_on(connection::glance(shared, &target))?;
            let place = format!("{} at {}:{}", site.target.database, site.target.host, site.target.port);
            let asked = Snapshot { server: site.server, extensions: site.extensions, ..snapshot.clone() };
            return Ok(Self::Planner(Box::new(Planner { target, asked, elsewhere: Some(place) })));
        }
        if args.from.is_some() {
            return Ok(Self::Estimate("a snapshot has no planner"));
        }
        if !snapshot.extensions.iter().any(|row| row.name == "hypopg") {
            return Ok(Self::Estimate("HypoPG is not installed in this database"));
        }
        let target = connection::target_of(config, args.target.as_deref())?;
        Ok(Self::Planner(Box::new(Planner { target, asked: snapshot.clone(), elsewhere: None })))
    }

    /// The advice, and the plans that are to be shown.
    async fn advise(
        &self,
        shared: &Shared,
        order: &Order,
        snapshot: &Snapshot,
        verdict: &Verdict,
        explain: Option<u32>,
    ) -> Result<(Advice, Option<String>)> {
        let windows = Some(Windows::of(snapshot));
        let consultation = Consultation { windows, ..order.consultation };
        let terms = Terms {
            weigh: consultation.weigh,
            budget_bytes: consultation.bounds.budget_bytes,
            max_indexes: consultation.bounds.max_per_table,
            sessions: 0,
            seconds: 0.0,
            what_if: None,
            estimate: None,
            window_seconds: verdict.window.seconds(),
            wishes: &verdict.open().map(Wish::from).collect::<Vec<_>>(),
        };
        match self {
            Self::Planner(planner) => planner.advise(shared, order, snapshot, consultation, terms, explain).await,
            Self::Estimate(why) if explain.is_some() => {
                bail!("no planner to show plans: {why}\n  next: {NEXT}")
            }
            Self::Estimate(why) => {
                let began = Instant::now();
                let consultation = Consultation { max_calls: MAX_ESTIMATES, ..consultation };
                let consulted = estimate(snapshot, consultation);
                let seconds = began.elapsed().as_secs_f64();
                let terms = Terms { seconds, estimate: Some((*why).to_owned()), ..terms };
                Ok((advised(&consulted, snapshot, &terms), None))
            }
        }
    }
}

/// What would let a planner be asked.
const NEXT: &str = "create extension hypopg; or name a copy of the database that has it with --what-if";

fn advised(consulted: &Consulted, snapshot: &Snapshot, terms: &Terms<'_>) -> Advice {
    let Consulted { workload, pool, found, visits } = consulted;
    advice(Evidence { workload, pool, found, visits }, snapshot, terms, connection::tool())
}

impl Planner {
    async fn advise(
        &self,
        shared: &Shared,
        order: &Order,
        snapshot: &Snapshot,
        consultation: Consultation,
        terms: Terms<'_>,
        explain: Option<u32>,
    ) -> Result<(Advice, Option<String>)> {
        let mut reader = Reader::connect(&self.target, order.limits, "advise").await?;
        reader.stay_out_of_statements(self.asked.server.major()).await;
        if reader.is_pooled().await? {
            bail!(
                "a transaction pooler stands between, and hypothetical indexes live in one session\n  next: name the server's own address and port"
            );
        }
        let types = ColumnTypes::new(&snapshot.columns, &snapshot.target.database);
        let column_type = |relation: &RelationName, name: &str| types.of(relation, name);
        let began = Instant::now();
        let bar = Bar::new(shared, "asking the planner");
        bar.begin(1);
        bar.started("search");
        let consulted = consult(&reader, &self.asked, consultation, &column_type).await;
        bar.finished("search");
        bar.clear();
        let consulted = consulted?;
        let seconds = began.elapsed().as_secs_f64();
        let terms = Terms { sessions: consultation.sessions, seconds, what_if: self.elsewhere.clone(), ..terms };
        let advice = advised(&consulted, snapshot, &terms);
        let Some(number) = explain else { return Ok((advice, None)) };
        let shown = self.shown(&reader, number, &advice, &consulted.workload.queries, &column_type).await?;
        Ok((advice, Some(shown)))
    }

    /// The plans of the statement that a proposal helps most.
    async fn shown(
        &self,
        reader: &Reader,
        number: u32,
        advice: &Advice,
        queries: &[Query],
        column_type: &ColumnType<'_>,
    ) -> Result<String> {
        let proposal = advice.proposals.iter().find(|proposal| proposal.id == number);
        let served = proposal.and_then(|proposal| proposal.serves.first());
        let count = advice.proposals.len();
        let served =
            served.ok_or_else(|| anyhow!("--explain {number}: there is no proposal {number} (proposals: {count})"))?;
        let query = queries.iter().find(|query| query.fingerprint == served.fingerprint);
        let question = Question {
            database: &self.asked.target.database,
            fingerprint: &served.fingerprint,
            text: &served.text,
            search_path: query.map_or("", |query| &query.search_path),
        };
        let is_shown = |candidate: &Candidate| query.is_some_and(|query| candidate.is_shown(query));
        let candidates: Vec<Candidate> = advice.proposals.iter().map(Candidate::from).filter(is_shown).collect();
        let extension = self.asked.extensions.iter().find(|row| row.name == "hypopg");
        let schema = extension.map_or("", |row| row.schema.as_str());
        let shown = show(reader, self.asked.server.major(), schema, question, &candidates, column_type).await;
        let Shown { before, after } = shown.map_err(|words| anyhow!("--explain {number}: {words}"))?;
        Ok(format!("{}\n\nas it is:\n{before}\n\nwith what is proposed:\n{after}\n", served.text.trim()))
    }
}

fn write(shared: &Shared, args: &AdviseArgs, advice: &Advice, snapshot: &Snapshot, shown: Option<&str>) -> Result<()> {
    let plan = plan(advice, snapshot);
    if let Some(path) = &args.output {
        write_plan(path, &plan)?;
    }
    if let Some(path) = &args.sql {
        write_whole(path, script(&plan).as_bytes())?;
    }
    if let Some(text) = shown {
        return super::print(&text.lines().map(|line| crate::report::escape(line) + "\n").collect::<String>());
    }
    let writes_only = args.output.is_some() || args.sql.is_some();
    if writes_only && shared.quiet {
        return Ok(());
    }
    output::print_with(|out| match args.format {
        AdviceFormat::Table => write_advice(advice, output::style(shared), out),
        AdviceFormat::Json => write_advice_json(advice, out),
        AdviceFormat::Sql => out.write_all(script(&plan).as_bytes()),
        AdviceFormat::Markdown => write_advice_markdown(advice, out),
    })
}
