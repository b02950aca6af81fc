//! Clients of a pooler that ask, think, and ask again, until the crowd is sent home.

use super::corner::CORNER;
use super::pooler::Pooler;
use pgassay::postgres::Scratch;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The clients. They sleep more than they compute, so that they fill a pool and not the machine.
#[derive(Debug)]
pub(crate) struct Crowd {
    clients: Vec<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

/// What each does in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habit {
    /// Statements, each sent by itself; between them the client pauses.
    pub(crate) says: &'static [&'static str],
    /// Between two statements.
    pub(crate) pause: Duration,
    /// After the last.
    pub(crate) think: Duration,
}

impl Crowd {
    /// So many clerks come to the pooler. Who is sent away comes again.
    pub(crate) fn come(pooler: &Pooler, count: usize, habit: Habit) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let client = |_| tokio::spawn(client(pooler.folder.clone(), pooler.port, habit, Arc::clone(&is_over)));
        Self { clients: (0..count).map(client).collect(), is_over }
    }

    /// Everybody ends what is under way and leaves.
    pub(crate) async fn leave(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a client ends in order");
        }
    }
}

async fn client(folder: PathBuf, port: u16, habit: Habit, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(session) = Scratch::connect(&folder, port, CORNER, "clerk", "till").await {
            while !is_over.load(Ordering::Relaxed) && turn(&session, habit).await.is_ok() {}
            session.close().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn turn(session: &Scratch, habit: Habit) -> Result<(), pgassay::postgres::ScratchError> {
    for (number, statement) in habit.says.iter().enumerate() {
        if number > 0 {
            tokio::time::sleep(habit.pause).await;
        }
        session.execute(statement).await?;
    }
    tokio::time::sleep(habit.think).await;
    Ok(())
}
