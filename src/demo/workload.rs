//! The shop's workload: what its applications ask, each over a connection of its own.

use super::cluster::Cluster;
use super::shop::{ShopError, at};
use crate::postgres::Scratch;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One statement and how often it is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    role: String,
    application: String,
    #[serde(default)]
    calls: usize,
    #[serde(default)]
    hold: bool,
    sql: String,
}

/// The workload of a story.
#[derive(Debug, Clone)]
pub struct Workload {
    entries: Vec<Entry>,
}

/// Sessions idle in transaction for as long as this lives.
#[derive(Debug)]
pub struct Holders {
    sessions: Vec<Scratch>,
}

impl Holders {
    /// Ends them and waits until they are gone.
    pub async fn release(self) {
        for session in self.sessions {
            session.close().await;
        }
    }
}

impl Workload {
    /// Reads a `workload.yaml`.
    pub fn parse(text: &str) -> Result<Self, ShopError> {
        let entries = serde_yaml::from_str(text).map_err(|error| ShopError::Story(error.to_string()))?;
        Ok(Self { entries })
    }

    pub(super) fn calls_of(&self, name: &str) -> usize {
        self.entries.iter().filter(|entry| entry.name == name).map(|entry| entry.calls).sum()
    }

    /// Opens the sessions that begin, work and then do nothing.
    pub async fn hold(&self, cluster: &Cluster, database: &str) -> Result<Holders, ShopError> {
        let mut sessions = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.hold) {
            let session = cluster.session(database, &entry.role, &entry.application).await.map_err(at(&entry.name))?;
            session.execute("begin").await.map_err(at(&entry.name))?;
            session.execute(&entry.sql).await.map_err(at(&entry.name))?;
            sessions.push(session);
        }
        Ok(Holders { sessions })
    }

    /// Runs all entries: the roles at the same time, each role's entries in their order.
    pub async fn run(&self, cluster: &Cluster, database: &str) -> Result<(), ShopError> {
        let mut roles: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| !entry.hold) {
            roles.entry(&entry.role).or_default().push(entry);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for (role, entries) in roles {
            let application = entries.first().map_or("", |entry| entry.application.as_str());
            let session = cluster.session(database, role, application).await.map_err(at(role))?;
            let entries: Vec<Entry> = entries.into_iter().cloned().collect();
            tasks.spawn(async move {
                for entry in &entries {
                    for call in 0..entry.calls {
                        session.execute(&fill(&entry.sql, call)).await.map_err(at(&entry.name))?;
                    }
                }
                session.close().await;
                Ok::<(), ShopError>(())
            });
        }
        while let Some(outcome) = tasks.join_next().await {
            outcome.map_err(|error| ShopError::Story(error.to_string()))??;
        }
        Ok(())
    }
}

/// Puts a number into each `{lo..hi}`: another for each call and place, the same in every run.
fn fill(sql: &str, call: usize) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    let mut place = 0_u64;
    while let Some((before, range, after)) = next_range(rest) {
        out.push_str(before);
        place += 1;
        out.push_str(&pick(range, call as u64, place).to_string());
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The text before the first `{lo..hi}`, its ends, and the text after it.
fn next_range(text: &str) -> Option<(&str, (u64, u64), &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (inner, after) = text[at + 1..].split_once('}')?;
        let (low, high) = inner.split_once("..")?;
        let (low, high) = (low.parse().ok()?, high.parse().ok()?);
        (low <= high).then_some((&text[..at], (low, high), after))
    })
}

/// SplitMix64 (Steele, Lea, Flood 2014) over call and place.
fn pick((low, high): (u64, u64), call: u64, place: u64) -> u64 {
    let mut z = (call << 8 | place).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    low + (z ^ (z >> 31)) % (high - low + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_within_their_range_and_the_same_each_time() {
        let sql = "select {1..10}, '{\"a\": {5..5}}', array['{x}']";
        let filled = fill(sql, 7);
        assert_eq!(filled, fill(sql, 7));
        assert!(filled.contains("{\"a\": 5}") && filled.contains("{x}"), "{filled}");
        let numbers: std::collections::BTreeSet<u64> = (0..1000).map(|call| pick((1, 10), call, 1)).collect();
        assert_eq!(numbers, (1..=10).collect());
    }

    #[test]
    fn the_shops_workload_can_be_read() {
        let workload = Workload::parse(include_str!("../../fixtures/schema/shop/workload.yaml")).expect("a workload");
        assert!(workload.entries.iter().any(|entry| entry.hold) && workload.calls_of("visitor_trail") > 0);
    }
}
