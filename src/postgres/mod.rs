//! The only way to a server: targets, TLS, sessions, and the table of queries.
//!
//! Alone names `tokio_postgres` and `deadpool_postgres`. Knows no facet, no rule and no environment:
//! variables and home come as an argument.

mod conninfo;
mod console;
mod dial;
mod error;
mod files;
mod pinned;
mod queries;
mod reader;
mod row;
mod scratch;
mod stopwatch;
mod target;
mod tls;
mod writer;

pub use conninfo::{Params, parse as parse_params};
pub use console::{Console, Shown};
pub use error::{ConnectError, ReadError, TargetError};
pub use files::Surroundings;
pub use pinned::{Pinned, TextRow};
pub use queries::{CITUS, QUERIES, Query, Since, managers, pick};
pub use reader::{Limits, Load, MARKER, Reader, marked};
pub use row::Bytes;
pub use scratch::{Scratch, ScratchError};
pub use stopwatch::{Lap, Stopwatch};
pub use target::Target;
pub use tokio_postgres::types::{ToSql, Type};
pub use writer::Writer;
