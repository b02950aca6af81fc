//! One reading session kept for many questions: for what lives in a server process, such as hypothetical
//! indexes. Does not work through a transaction pooler.

use super::error::ReadError;
use super::reader::{MARKER, Reader};
use bytes::BytesMut;
use deadpool_postgres::{ClientWrapper, Object};
use std::collections::BTreeSet;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// A row, its cells as text.
pub type TextRow = Vec<Option<String>>;

/// A pinned session.
#[derive(Debug)]
pub struct Pinned {
    session: ClientWrapper,
}

/// Sessions asked in turn for their process: a pooler that hands them out per transaction gives itself away.
const PROBES: usize = 4;

impl Reader {
    /// A transaction pooler stands between: two sessions reach the same process, or one changes its process. A busy
    /// one may escape this. Needs two sessions.
    pub async fn is_pooled(&self) -> Result<bool, ReadError> {
        let (one, other) = (self.session().await?, self.session().await?);
        let mut seen = BTreeSet::new();
        for _ in 0..PROBES {
            let pair = (process(&one).await?, process(&other).await?);
            if pair.0 == pair.1 {
                return Ok(true);
            }
            seen.insert(pair);
        }
        Ok(seen.len() > 1)
    }

    /// Takes a session out of the pool for good. It can only read; its settings hold until it ends.
    pub async fn pin(&self) -> Result<Pinned, ReadError> {
        let pinned = Pinned { session: Object::take(self.session().await?) };
        pinned.ask(&self.settle()).await?;
        Ok(pinned)
    }
}

/// A value as text, of whatever type the server takes it for.
#[derive(Debug)]
struct Text<'a>(Option<&'a str>);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

async fn process(session: &Object) -> Result<Option<String>, ReadError> {
    let asked = session.simple_query(&format!("select {MARKER} pg_catalog.pg_backend_pid()")).await;
    let messages = asked.map_err(|error| ReadError::of(&error))?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

impl Pinned {
    /// The JSON that a statement prints, with values bound to its parameters: they appear in no text. A parameter
    /// that the text lacks is declared a text, as the server could not guess it.
    pub async fn ask_bound(
        &self,
        statement: &str,
        values: &[Option<String>],
        is_gone: impl Fn(usize) -> bool,
    ) -> Result<Option<serde_json::Value>, ReadError> {
        let texts: Vec<Text<'_>> = values.iter().map(|value| Text(value.as_deref())).collect();
        let typed = |(at, text)| (text as &(dyn ToSql + Sync), if is_gone(at) { Type::TEXT } else { Type::UNKNOWN });
        let params: Vec<(&(dyn ToSql + Sync), Type)> =
            texts.iter().enumerate().map(|(at, text)| typed((at, text))).collect();
        let rows = self.session.query_typed(statement, &params).await.map_err(|error| ReadError::of(&error))?;
        rows.first().map(|row| row.try_get(0).map_err(|error| ReadError::of(&error))).transpose()
    }

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
