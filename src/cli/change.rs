//! The road that every change takes: look, refuse or ask, carry out, say what came of it.

use super::args::Shared;
use super::change_args::{ChangeArgs, FileArgs};
use super::config::Config;
use super::progress_bar::Bar;
use super::{connection, exit, interrupt, output, settings, verify};
use crate::apply::{self, Crew, Header, Journal, Run, Scout, Settings, StepEnd};
use crate::ddl::{Limits, Preflight, Site, State, preflight, script, state};
use crate::model::plan::{Change, Plan, Step};
use crate::postgres::Target;
use crate::report::{escape, write_plan};
use crate::store::{self, write_snapshot, write_whole};
use anyhow::{Result, anyhow, bail};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is to be carried out, and where.
pub(super) struct Job<'a> {
    pub(super) target: &'a Target,
    pub(super) plan: &'a Plan,
    /// The run that it takes back.
    pub(super) undoes: Option<&'a str>,
    /// The plan was printed already.
    pub(super) is_shown: bool,
}

/// Writes a plan to the files that were asked for, and shows it, unless who wants quiet has files or a run that tells
/// what was done. What is to be carried out is, though nobody reads what is shown.
pub(super) fn write(plan: &Plan, files: &FileArgs, shared: &Shared, is_carried_out: bool) -> Result<()> {
    if let Some(path) = &files.output {
        store::write_plan(path, plan)?;
    }
    if let Some(path) = &files.sql {
        write_whole(path, script(plan).as_bytes())?;
    }
    if !(shared.quiet && (files.is_any() || is_carried_out)) {
        let shown = output::print_with(|out| write_plan(plan, output::style(shared), out));
        if !is_carried_out {
            shown?;
        }
    }
    Ok(())
}

/// A written plan is to be carried out, or looked at, at once: not where files alone were asked for, or nobody
/// is there to be asked.
pub(super) fn goes_on(args: &ChangeArgs, files: &FileArgs, is_live: bool) -> bool {
    let may_ask = io::stdin().is_terminal() && io::stdout().is_terminal();
    args.yes || args.dry_run || (may_ask && !files.is_any() && is_live)
}

/// Writes and shows a plan, and carries it out where that is asked for, or said when asked.
pub(super) fn finish(
    shared: &Shared,
    config: &Config,
    job: &Job<'_>,
    files: &FileArgs,
    args: &ChangeArgs,
) -> Result<u8> {
    write(job.plan, files, shared, args.yes)?;
    if job.plan.steps.is_empty() || !goes_on(args, files, true) {
        return Ok(exit::OK);
    }
    carry_out(shared, config, job, args)
}

/// The folder of the journals.
pub(super) fn state_folder(config: &Config, flag: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = flag.or(config.change.state.as_deref()) {
        return Ok(folder.to_owned());
    }
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("pgassay"))
        .ok_or_else(|| anyhow!("neither HOME nor XDG_STATE_HOME is set: name a folder with --state"))
}

/// Carries a plan out, or says what would be done.
pub(super) fn carry_out(shared: &Shared, config: &Config, job: &Job<'_>, args: &ChangeArgs) -> Result<u8> {
    let steps = chosen(job.plan, &args.step)?;
    let settings = settings(config, args)?;
    let folder = state_folder(config, args.state.as_deref())?;
    if args.dry_run {
        return interrupt::block_on(rehearse(job, &steps, &settings.limits));
    }
    somebody_is_there(args)?;
    if !job.is_shown && !args.yes {
        let chosen = steps.iter().map(|step| (*step).clone()).collect();
        let plan = Plan { steps: chosen, left: Vec::new(), ..job.plan.clone() };
        output::print_with(|out| write_plan(&plan, output::style(shared), out))?;
    }
    let flag = Arc::clone(&settings.interrupted);
    interrupt::block_on_safely(&flag, async {
        let run = new_run(job.target).await?;
        let mut crew = Crew::connect(job.target, &run).await?;
        let Some(site) = admitted(&crew, job.plan, &steps, &settings, job.undoes).await? else {
            return Ok(exit::REFUSED);
        };
        let todo: Vec<&Step> = steps.iter().copied().filter(|step| !is_done(job.plan, step, &site)).collect();
        if todo.is_empty() {
            crew.dismiss().await;
            super::print(nothing_to_do(job))?;
            return Ok(exit::OK);
        }
        if !args.yes {
            confirm(&todo, job.target)?;
        }
        if settings.interrupted.load(Ordering::Relaxed) {
            bail!("interrupted, nothing was done");
        }
        let header = Header {
            run,
            at: site.server.now,
            tool: connection::tool(),
            place: job.target.place(),
            plan: job.plan.clone(),
            steps: steps.iter().map(|step| step.id).collect(),
            undoes: job.undoes.map(str::to_owned),
        };
        let before = verify::before(&folder, &header.run);
        let journal = Journal::begin(&folder, header)?;
        keep_before(shared, job.target, &before).await;
        work(shared, &mut crew, job.plan, &steps, &settings, journal, None).await
    })
}

fn nothing_to_do(job: &Job<'_>) -> &'static str {
    let is_of_split = job.plan.steps.iter().any(|step| matches!(step.change, Change::AbandonSplit(_)));
    match job.undoes {
        Some(_) if is_of_split => "nothing to undo: nothing of it is left; a finished split is not taken back\n",
        Some(_) => "nothing to undo: nothing of it is left\n",
        None => "nothing to do: the database is as the plan wants it\n",
    }
}

/// Tries one step out, and rolls it back. Nothing is journaled, as nothing changes.
pub(super) fn try_out(shared: &Shared, config: &Config, job: &Job<'_>, step: &Step, args: &ChangeArgs) -> Result<u8> {
    let settings = settings(config, args)?;
    let Some(statement) = step.statements.last() else { return Ok(exit::OK) };
    let flag = Arc::clone(&settings.interrupted);
    interrupt::block_on_safely(&flag, async {
        let run = new_run(job.target).await?;
        let crew = Crew::connect(job.target, &run).await?;
        let Some(site) = admitted(&crew, job.plan, &[step], &settings, None).await? else {
            return Ok(exit::REFUSED);
        };
        if let Some(before) = job.plan.steps.iter().find(|one| one.id < step.id && !is_done(job.plan, one, &site)) {
            bail!("step {} comes first: carry it out with --step {} --yes", before.id, before.id);
        }
        let bar = Bar::new(shared, "rehearsing");
        let tried = apply::try_out(&crew, statement, &settings, &bar).await;
        bar.clear();
        crew.dismiss().await;
        match tried {
            Ok(()) => super::print("rehearsed and rolled back: it would be done\n").map(|()| exit::OK),
            Err(why) => {
                tell!("rehearsed and rolled back: {}", escape(&why));
                Ok(exit::REFUSED)
            }
        }
    })
}

/// Goes on with a run.
pub(super) fn resume(shared: &Shared, config: &Config, target: &Target, run: &Run, args: &ChangeArgs) -> Result<u8> {
    let plan = &run.header.plan;
    let mut wanted = run.header.steps.clone();
    wanted.retain(|id| args.step.is_empty() || args.step.contains(id));
    let all = chosen(plan, &wanted)?;
    let steps: Vec<&Step> = all.into_iter().filter(|step| !run.is_done(step.id)).collect();
    let settings = settings(config, args)?;
    if args.dry_run {
        let job = Job { target, plan, undoes: None, is_shown: true };
        return interrupt::block_on(rehearse(&job, &steps, &settings.limits));
    }
    somebody_is_there(args)?;
    let flag = Arc::clone(&settings.interrupted);
    interrupt::block_on_safely(&flag, async {
        let mut crew = Crew::connect(target, &run.header.run).await?;
        if admitted(&crew, plan, &steps, &settings, Some(&run.header.run)).await?.is_none() {
            return Ok(exit::REFUSED);
        }
        if !args.yes {
            confirm(&steps, target)?;
        }
        let journal = Journal::reopen(&run.path)?;
        work(shared, &mut crew, plan, &steps, &settings, journal, Some(run)).await
    })
}

/// Keeps what `verify` will compare with. A change does not fail for want of it.
async fn keep_before(shared: &Shared, target: &Target, path: &Path) {
    let kept = match connection::read(shared, target).await {
        Ok(snapshot) => write_snapshot(path, &snapshot).map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tell!("warning: no snapshot of before is kept, so `pgassay verify` cannot compare: {error:#}");
    }
}

async fn work(
    shared: &Shared,
    crew: &mut Crew,
    plan: &Plan,
    steps: &[&Step],
    settings: &Settings,
    mut journal: Journal,
    begun: Option<&Run>,
) -> Result<u8> {
    let bar = Bar::new(shared, "applying");
    let outcome = apply::apply(crew, plan, steps, settings, &mut journal, begun, &bar).await;
    bar.clear();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            // Steps may be done that it does not tell of; the catalog does.
            tell!("stopped: {error}\n  next: make room for the journal, then `pgassay apply resume`");
            return Ok(exit::STOPPED);
        }
    };
    let mut text = String::new();
    for (id, end, said) in &outcome.steps {
        let what = steps.iter().find(|step| step.id == *id);
        let what = what.map(|step| format!("{}  {}", step.change.kind(), step.change.object())).unwrap_or_default();
        text.push_str(&escape(&format!("{id}  {what}  {}: {said}", end.name())));
        text.push('\n');
    }
    // Nobody may read it any more: how the change ended is told none the less.
    let _ = super::print(&text);
    if outcome.is_complete {
        return Ok(exit::OK);
    }
    let has_left = outcome.steps.iter().any(|(_, end, _)| matches!(end, StepEnd::Half | StepEnd::Done));
    let next = if has_left { "; `pgassay apply undo` takes back what was done" } else { "" };
    tell!("stopped: `pgassay apply resume` goes on{next}\njournal: {}", journal.path().display());
    Ok(exit::STOPPED)
}

/// The chosen steps, or all of them.
fn chosen<'a>(plan: &'a Plan, wanted: &[u32]) -> Result<Vec<&'a Step>> {
    if let Some(unknown) = wanted.iter().find(|id| !plan.steps.iter().any(|step| step.id == **id)) {
        bail!("--step {unknown}: the plan has steps 1 to {}", plan.steps.len());
    }
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| wanted.is_empty() || wanted.contains(&step.id)).collect();
    for step in &steps {
        if let Some(missing) = step.depends_on.iter().find(|id| !wanted.is_empty() && !wanted.contains(id)) {
            bail!("--step {}: it depends on step {missing}, choose that too", step.id);
        }
    }
    Ok(steps)
}

fn is_done(plan: &Plan, step: &Step, site: &Site) -> bool {
    matches!(state(&step.change, &site.catalog, plan.captured_at), State::Done(_))
}

/// A name for a run: the server's time, and our name for this process.
async fn new_run(target: &Target) -> Result<String> {
    let process = connection::run_name();
    let scout = Scout::connect(target, process).await?;
    Ok(format!("{}-{process}", scout.server().await?.now.format("%Y%m%dT%H%M%SZ")))
}

/// What was seen, when nothing stands against the change; all refusals are printed, a line each. What
/// `earlier`, the run that is resumed or taken back, still builds is waited for.
async fn admitted(
    crew: &Crew,
    plan: &Plan,
    steps: &[&Step],
    settings: &Settings,
    earlier: Option<&str>,
) -> Result<Option<Site>> {
    let ours = earlier.map(apply::application);
    let site = crew.site(plan).await?;
    let found = preflight(plan, steps, &site, &settings.limits, ours.as_deref());
    if !tell_found(&found) {
        return Ok(None);
    }
    if let Err(who) = crew.lock().await? {
        tell!("refused: {who}");
        return Ok(None);
    }
    Ok(Some(site))
}

/// Prints what pre-flight found; true when nothing stands against the change.
fn tell_found(found: &Preflight) -> bool {
    for warning in &found.warnings {
        tell!("warning: {}", escape(warning));
    }
    for refusal in &found.refusals {
        tell!("refused: {}", escape(refusal));
    }
    found.refusals.is_empty()
}

/// Says what would be done, over a session that can only read.
async fn rehearse(job: &Job<'_>, steps: &[&Step], limits: &Limits) -> Result<u8> {
    let scout = Scout::connect(job.target, connection::run_name()).await?;
    let site = scout.site(job.plan).await?;
    let is_free = tell_found(&preflight(job.plan, steps, &site, limits, None));
    let mut text = String::new();
    for step in steps {
        let name = format!("{}  {}  {}", step.id, step.change.kind(), step.change.object());
        let how = match state(&step.change, &site.catalog, job.plan.captured_at) {
            State::Todo => "to do".to_owned(),
            State::Half(_) => "begun and not finished".to_owned(),
            State::Done(why) => format!("nothing to do: {why}"),
            State::Foreign(what) => format!("refused: {what}"),
        };
        text.push_str(&format!("{}\n", escape(&format!("{name}  {how}"))));
        if !matches!(state(&step.change, &site.catalog, job.plan.captured_at), State::Todo | State::Half(_)) {
            continue;
        }
        for statement in &step.statements {
            let said = format!("-- {} on {}, {}", statement.lock, statement.on, statement.class.name());
            for (at, sql) in statement.commands().enumerate() {
                let line = if at == 0 { format!("{sql};  {said}") } else { format!("{sql};") };
                text.push_str(&format!("   {}\n", escape(&line)));
            }
        }
    }
    super::print(&text)?;
    Ok(if is_free { exit::OK } else { exit::REFUSED })
}

fn somebody_is_there(args: &ChangeArgs) -> Result<()> {
    if !args.yes && !io::stdin().is_terminal() {
        bail!("nobody is there to be asked: carry it out with --yes, or look with --dry-run");
    }
    Ok(())
}

fn confirm(steps: &[&Step], target: &Target) -> Result<()> {
    let plural = if steps.len() == 1 { "" } else { "s" };
    let asked = write!(io::stderr(), "Carry out {} step{plural} in {}? [y/N] ", steps.len(), target.place());
    if asked.is_err() {
        bail!("nobody can be asked: carry it out with --yes");
    }
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("not confirmed, nothing was done");
    }
    Ok(())
}

fn settings(config: &Config, args: &ChangeArgs) -> Result<Settings> {
    let own = &config.change;
    let or = |flag: &Option<String>, config: &Option<String>, default: &str| {
        flag.clone().or_else(|| config.clone()).unwrap_or_else(|| default.to_owned())
    };
    let time = |name, text: String| settings::duration(name, &text);
    let limits = Limits {
        max_wait: time("max-wait", or(&args.max_wait, &own.max_wait, "10min"))?,
        max_replica_lag: time("max-replica-lag", or(&args.max_replica_lag, &own.max_replica_lag, "30s"))?,
        max_slot_wal_bytes: settings::bytes("max-slot-wal", &or(&args.max_slot_wal, &own.max_slot_wal, "10GB"))?,
        free_disk_bytes: args.free_disk.as_deref().map(|text| settings::bytes("free-disk", text)).transpose()?,
    };
    let mut session = Vec::new();
    if let Some(text) = args.maintenance_work_mem.as_ref().or(own.maintenance_work_mem.as_ref()) {
        let kilobytes = settings::bytes("maintenance-work-mem", text)? / 1024;
        session.push(("maintenance_work_mem".to_owned(), format!("{kilobytes}kB")));
    }
    if let Some(workers) = args.parallel_workers.or(own.parallel_workers) {
        session.push(("max_parallel_maintenance_workers".to_owned(), workers.to_string()));
    }
    Ok(Settings { limits, interrupted: Arc::new(AtomicBool::new(false)), session })
}
