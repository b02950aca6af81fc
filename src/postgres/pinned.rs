//! One reading session kept for many questions: for what lives in a server process, such as hypothetical
//! indexes. Does not work through a transaction pooler.

use super::error::ReadError;
use super::reader::Reader;
use deadpool_postgres::{ClientWrapper, Object};
use tokio_postgres::SimpleQueryMessage;

/// A row, its cells as text.
pub type TextRow = Vec<Option<String>>;

/// A pinned session.
#[derive(Debug)]
pub struct Pinned {
    session: ClientWrapper,
}

impl Reader {
    /// Takes a session out of the pool for good. It can only read; its settings hold until it ends.
    pub async fn pin(&self) -> Result<Pinned, ReadError> {
        let pinned = Pinned { session: Object::take(self.session().await?) };
        pinned.ask(&self.settle()).await?;
        Ok(pinned)
    }
}

impl Pinned {
    /// The rows of each statement of a message, in order. An error ends the whole message.
    pub async fn ask(&self, statements: &str) -> Result<Vec<Vec<TextRow>>, ReadError> {
        let messages = self.session.simple_query(statements).await.map_err(|error| ReadError::of(&error))?;
        let mut all = Vec::new();
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
                }
                SimpleQueryMessage::CommandComplete(_) => all.push(std::mem::take(&mut rows)),
                _ => {}
            }
        }
        Ok(all)
    }
}
