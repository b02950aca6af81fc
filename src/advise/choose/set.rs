//! A set of indexes under change, and what the workload costs with it.

use super::{Chooser, Statement};

/// A set, and what follows from it.
#[derive(Clone)]
pub(super) struct Set {
    has: Vec<bool>,
    /// What is in it, in order.
    items: Vec<usize>,
    /// How many items each way lacks.
    lacking: Vec<usize>,
    /// The cheapest way of each statement that lacks nothing.
    ways: Vec<usize>,
    pub(super) bytes: i64,
    /// Weighted cost of all statements, and what writes pay.
    pub(super) total: f64,
}

impl Set {
    pub(super) fn empty(chooser: &Chooser) -> Self {
        let cost = |statement: &Statement| statement.weight * chooser.ways[statement.plain].cost;
        Self {
            has: vec![false; chooser.items.len()],
            items: Vec::new(),
            lacking: chooser.ways.iter().map(|way| way.items.len()).collect(),
            ways: chooser.statements.iter().map(|statement| statement.plain).collect(),
            bytes: 0,
            total: chooser.statements.iter().map(cost).sum(),
        }
    }

    pub(super) fn has(&self, item: usize) -> bool {
        self.has[item]
    }

    pub(super) fn items(&self) -> &[usize] {
        &self.items
    }

    /// The way of each statement.
    pub(super) fn ways(&self) -> &[usize] {
        &self.ways
    }

    /// Puts an item in, or takes it out.
    pub(super) fn flip(&mut self, chooser: &Chooser, item: usize) {
        match self.items.binary_search(&item) {
            Ok(at) => self.take(chooser, item, at),
            Err(at) => self.put(chooser, item, at),
        }
    }

    /// What the workload would cost after flipping these.
    pub(super) fn total_after(&mut self, chooser: &Chooser, items: &[usize]) -> f64 {
        let now = self.total;
        items.iter().for_each(|item| self.flip(chooser, *item));
        let then = self.total;
        items.iter().rev().for_each(|item| self.flip(chooser, *item));
        // Not what adding and taking away again has left of it.
        self.total = now;
        then
    }

    fn put(&mut self, chooser: &Chooser, item: usize, at: usize) {
        let own = &chooser.items[item];
        self.has[item] = true;
        self.items.insert(at, item);
        self.bytes += own.bytes;
        self.total += own.price;
        for way in &own.ways {
            self.lacking[*way] -= 1;
            if self.lacking[*way] == 0 && *way < self.ways[chooser.ways[*way].statement] {
                self.go(chooser, *way);
            }
        }
    }

    fn take(&mut self, chooser: &Chooser, item: usize, at: usize) {
        let own = &chooser.items[item];
        self.has[item] = false;
        self.items.remove(at);
        self.bytes -= own.bytes;
        self.total -= own.price;
        own.ways.iter().for_each(|way| self.lacking[*way] += 1);
        for way in &own.ways {
            if self.ways[chooser.ways[*way].statement] != *way {
                continue;
            }
            // The way without any index, the last of each statement, lacks nothing.
            let next = (*way..).find(|way| self.lacking[*way] == 0).unwrap_or(*way);
            self.go(chooser, next);
        }
    }

    /// A statement goes another way.
    fn go(&mut self, chooser: &Chooser, way: usize) {
        let next = &chooser.ways[way];
        let now = &chooser.ways[self.ways[next.statement]];
        self.total += chooser.statements[next.statement].weight * (next.cost - now.cost);
        self.ways[next.statement] = way;
    }
}
