//! Watches PgBouncers over their consoles for some seconds, each beside the others.

use super::console;
use super::samples::between;
use crate::model::snapshot::{Facet, Gap, PoolLook, Pooler};
use crate::postgres::{ConnectError, Console, ReadError, Target};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long a console may take to come back before the next look is due.
const RECONNECT: Duration = Duration::from_secs(1);

/// What came of watching several.
pub(super) async fn watch(targets: &[Target], run: &str, time: Duration) -> (Vec<Pooler>, Vec<Gap>) {
    let watched = join_all(targets.iter().map(|target| watch_one(target, run, time))).await;
    let (mut poolers, mut gaps) = (Vec::new(), Vec::new());
    for outcome in watched {
        match outcome {
            Ok(pooler) => poolers.push(pooler),
            Err(error) => gaps.push(unreachable(&error)),
        }
    }
    let is_partial = !poolers.is_empty();
    gaps.iter_mut().for_each(|gap| gap.partial = is_partial);
    (poolers, gaps)
}

fn unreachable(error: &ConnectError) -> Gap {
    Gap {
        facet: Facet::Pools,
        database: None,
        partial: false,
        reason: format!("cannot connect to {}: {}", error.place, error.cause),
        sqlstate: error.sqlstate.clone(),
        remedy: error.next.clone(),
        is_failure: true,
    }
}

pub(super) fn not_asked() -> Gap {
    Gap {
        facet: Facet::Pools,
        database: None,
        partial: false,
        reason: "no PgBouncer was watched".to_owned(),
        sqlstate: None,
        remedy: "--pgbouncer DSN of its console, where there is one".to_owned(),
        is_failure: false,
    }
}

async fn watch_one(target: &Target, run: &str, time: Duration) -> Result<Pooler, ConnectError> {
    let mut console = Some(Console::connect(target, run).await?);
    let mut pooler = Pooler { name: format!("{}:{}", target.host, target.port), ..Pooler::default() };
    if let Some(console) = &console {
        let told = |error: ReadError| ConnectError {
            place: target.place(),
            cause: error.message,
            next: "name PgBouncer's console, and a user of stats_users".to_owned(),
            sqlstate: error.sqlstate,
        };
        once(console, &mut pooler).await.map_err(told)?;
    }
    let began = Instant::now();
    let mut ticks = interval(between(time));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_after_loss = false;
    while began.elapsed() < time {
        ticks.tick().await;
        if console.is_none() {
            let patient = target.clone().with_connect_timeout(RECONNECT);
            console = Console::connect(&patient, run).await.ok();
        }
        let seen = match &console {
            Some(open) => look(open, &mut pooler).await.ok(),
            None => None,
        };
        match seen {
            Some(seen) => {
                pooler.looks.push(PoolLook { at_seconds: began.elapsed().as_secs_f64(), is_after_loss, ..seen });
                is_after_loss = false;
            }
            None => {
                console = None;
                is_after_loss = true;
                pooler.missed += 1;
            }
        }
    }
    pooler.seconds = began.elapsed().as_secs_f64();
    if let Some(console) = console {
        // A pause that came meanwhile is what counts.
        let _ = standing(&console, &mut pooler).await;
        console.close().await;
    }
    Ok(pooler)
}

/// What does not change from look to look.
async fn once(console: &Console, pooler: &mut Pooler) -> Result<(), ReadError> {
    pooler.version = console::version(&console.show("VERSION").await?);
    pooler.settings = console::settings(&console.show("CONFIG").await?);
    pooler.clients = console::sockets(&console.show("CLIENTS").await?);
    pooler.servers = console::sockets(&console.show("SERVERS").await?);
    pooler.users = console::users(&console.show("USERS").await?);
    standing(console, pooler).await
}

/// What is paused, and the sizes.
async fn standing(console: &Console, pooler: &mut Pooler) -> Result<(), ReadError> {
    console::databases(&console.show("DATABASES").await?, pooler);
    // Not known to all versions, which refuse it and go on.
    match console.show("STATE").await {
        Ok(shown) => pooler.state = console::state(&shown),
        Err(error) if error.sqlstate.is_none() => return Err(error),
        Err(_) => {}
    }
    Ok(())
}

async fn look(console: &Console, pooler: &mut Pooler) -> Result<PoolLook, ReadError> {
    let pools = console::pools(&console.show("POOLS").await?, pooler);
    let totals = console::totals(&console.show("STATS").await?, pooler);
    Ok(PoolLook { pools, totals, ..PoolLook::default() })
}
