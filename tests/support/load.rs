//! A constant load on a table by months: who inserts, updates, deletes and reads the current month, what was
//! acknowledged, and how long the longest statement took.

use pgassay::demo::{Cluster, SUPERUSER};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The table: `calls` in schema `load`, cut by months in UTC from `months` back to the current one, `rows` rows each.
pub(crate) fn table(months: u32, rows: u32) -> String {
    format!(
        "create schema load;
         create table load.calls (id bigint not null, at timestamptz not null, n int not null default 0, note text default 'none',
           primary key (id, at)) partition by range (at);
         create index calls_note_idx on load.calls (note);
         do $$
           declare first timestamp := date_trunc('month', now() at time zone 'UTC'); at timestamp;
         begin
           for nr in -{months}..0 loop
             at := first + nr * interval '1 month';
             execute format('create table load.%I partition of load.calls for values from (%L) to (%L)', 'calls_p' || to_char(at, 'YYYYMMDD'),
               at at time zone 'UTC', (at + interval '1 month') at time zone 'UTC');
             execute format('insert into load.calls (id, at) select -i, %L from generate_series(1, {rows}) i', at at time zone 'UTC');
           end loop;
         end $$;
         analyze load.calls"
    )
}

/// Loads that were started: each writes rows of its own.
static STARTED: AtomicI64 = AtomicI64::new(0);

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    /// Longest statement since the last look, in microseconds.
    worst: AtomicU64,
    statements: AtomicU64,
    /// Acknowledged rows: id, and how often it was updated.
    rows: Mutex<BTreeMap<i64, i64>>,
    failures: Mutex<Vec<String>>,
}

/// The load at work.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// What a load comes to.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) rows: BTreeMap<i64, i64>,
    pub(crate) statements: u64,
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Starts `pairs` of one who writes and one who reads, without a pause.
    pub(crate) async fn start(cluster: &Cluster, database: &str, pairs: i64) -> Self {
        Self::paced(cluster, database, pairs, Duration::ZERO).await
    }

    /// Each pauses so long after a statement: where processors are left over, what a statement waits for is not they.
    pub(crate) async fn paced(cluster: &Cluster, database: &str, pairs: i64, pause: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let mut workers = Vec::new();
        let first = STARTED.fetch_add(pairs, Ordering::Relaxed) + 1;
        for nr in first..first + pairs {
            for writes in [true, false] {
                let session = cluster.session(database, SUPERUSER, "load").await.expect("a session");
                let shared = Arc::clone(&shared);
                workers.push(tokio::spawn(async move {
                    let mut turn = 0i64;
                    while !shared.is_over.load(Ordering::Relaxed) {
                        turn += 1;
                        let sql = if writes { write(&shared, nr * 10_000_000, turn) } else { Task::read() };
                        let began = Instant::now();
                        let result = session.execute(&sql.text).await;
                        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                        shared.worst.fetch_max(took, Ordering::Relaxed);
                        shared.statements.fetch_add(1, Ordering::Relaxed);
                        match result {
                            Ok(()) => sql.acknowledge(&shared),
                            Err(error) => {
                                shared.failures.lock().expect("a list").push(format!("{error}: {}", sql.text))
                            }
                        }
                        if !pause.is_zero() {
                            tokio::time::sleep(pause).await;
                        }
                    }
                }));
            }
        }
        Self { shared, workers }
    }

    /// The longest statement since the last look, in milliseconds.
    pub(crate) fn worst_ms(&self) -> f64 {
        Duration::from_micros(self.shared.worst.swap(0, Ordering::Relaxed)).as_secs_f64() * 1000.0
    }

    /// Statements that came to their end.
    pub(crate) fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) async fn end(self) -> Account {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("it came to its end");
        }
        let rows = std::mem::take(&mut *self.shared.rows.lock().expect("rows"));
        let failures = std::mem::take(&mut *self.shared.failures.lock().expect("a list"));
        Account { rows, statements: self.shared.statements.load(Ordering::Relaxed), failures }
    }
}

/// A statement, and what is known when it was acknowledged.
struct Task {
    text: String,
    id: i64,
    count: Option<i64>,
}

impl Task {
    fn read() -> Self {
        let text = "select count(*) from load.calls where at >= date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' and id < 100";
        Self { text: text.to_owned(), id: 0, count: None }
    }

    fn acknowledge(&self, shared: &Shared) {
        let mut rows = shared.rows.lock().expect("rows");
        match (self.id, self.count) {
            (0, _) => {}
            (id, Some(count)) => drop(rows.insert(id, count)),
            (id, None) => drop(rows.remove(&id)),
        }
    }
}

/// Four of five turns insert or update, one deletes; each writer has rows of its own.
fn write(shared: &Shared, base: i64, turn: i64) -> Task {
    let rows = shared.rows.lock().expect("rows");
    let known = rows.range(base..base + turn).next_back().map(|(id, count)| (*id, *count));
    match (turn % 5, known) {
        (1 | 3, Some((id, count))) => Task {
            text: format!("update load.calls set n = n + 1 where id = {id} and at >= now() - interval '1 hour'"),
            id,
            count: Some(count + 1),
        },
        (4, Some((id, _))) => Task {
            text: format!("delete from load.calls where id = {id} and at >= now() - interval '1 hour'"),
            id,
            count: None,
        },
        _ => {
            let id = base + turn;
            Task { text: format!("insert into load.calls (id, at) values ({id}, now())"), id, count: Some(0) }
        }
    }
}
