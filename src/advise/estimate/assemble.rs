//! Joins put together: what the plan joins step by step becomes a set of tables and the conditions between them.

use super::join::{Edge, End, Leaf, Region, Residual};
use super::restriction::Lateral;
use super::upper::Node;
use crate::advise::reading::text;
use crate::statement::{Clause, Operand, TestedBy, conditions};
use serde_json::Value;

pub(super) fn region(node: Node) -> Region {
    match node {
        Node::Region(region) => region,
        other => Region::of(Leaf::Part(Box::new(other))),
    }
}

/// Both side by side; the order of the first stays unless it is hashed.
pub(super) fn united(first: Region, second: Region, keeps_order: bool) -> Region {
    let (shift, mut all) = (first.leaves.len(), first);
    if !keeps_order {
        all.implied.clear();
    }
    all.leaves.extend(second.leaves);
    let moved = |(at, column): End| (at + shift, column);
    all.edges.extend(second.edges.into_iter().map(|edge| Edge {
        left: moved(edge.left),
        right: moved(edge.right),
        ..edge
    }));
    all.residuals.extend(second.residuals.into_iter().map(|one| Residual { leaves: one.leaves << shift, ..one }));
    all.once.extend(second.once);
    all
}

/// By the distinct values of both sides (`eqjoinsel`).
pub(super) fn edge(region: &Region, left: End, right: End) -> Edge {
    let distinct = |(at, operand): &End| match &region.leaves[*at] {
        Leaf::Table(scan) => scan.table.statistics(operand).distinct,
        part @ Leaf::Part(_) => part.distinct(operand, region.rows(1 << at, 0)),
    };
    let share = 1.0 / distinct(&left).max(distinct(&right)).max(1.0);
    Edge { left, right, share }
}

/// What a table's scan compares with another table of the region becomes an edge.
pub(super) fn take_laterals(region: &mut Region) {
    let mut found = Vec::new();
    for at in 0..region.leaves.len() {
        let others: Vec<usize> = (0..region.leaves.len()).filter(|other| *other != at).collect();
        let Leaf::Table(scan) = &mut region.leaves[at] else { continue };
        for lateral in std::mem::take(&mut scan.restrictions.laterals) {
            found.push((at, others.clone(), lateral));
        }
    }
    for (at, others, lateral) in found {
        let other = others.into_iter().find(|other| region.leaves[*other].has(&lateral.with.alias));
        match (other, lateral.is_equal) {
            (Some(other), true) => {
                let new = edge(region, (other, lateral.with), (at, lateral.own));
                region.edges.push(new);
            }
            (Some(other), false) => {
                region.residuals.push(Residual {
                    leaves: 1 << at | 1 << other,
                    share: 1.0 / 3.0,
                    sub_plans: Vec::new(),
                });
            }
            (None, _) => {
                if let Leaf::Table(scan) = &mut region.leaves[at] {
                    scan.restrictions.laterals.push(lateral);
                }
            }
        }
    }
}

/// What the only table of a part compares with aliases outside of it.
pub(super) fn laterals_of(node: &mut Node, is_outside: &dyn Fn(&str) -> bool) -> Vec<Lateral> {
    let Node::Region(Region { leaves, .. }) = node else { return Vec::new() };
    let [Leaf::Table(scan)] = leaves.as_mut_slice() else { return Vec::new() };
    let (taken, rest) = std::mem::take(&mut scan.restrictions.laterals)
        .into_iter()
        .partition(|lateral: &Lateral| lateral.is_equal && is_outside(&lateral.with.alias));
    scan.restrictions.laterals = rest;
    taken
}

/// Columns of two relations that a join sets equal.
pub(super) fn equalities(node: &Value) -> Vec<(Operand, Operand)> {
    let texts = ["Hash Cond", "Merge Cond", "Join Filter"].into_iter().filter_map(|key| text(node, key));
    texts
        .flat_map(conditions)
        .filter_map(|condition| match condition.clause {
            Clause::Test(test) if test.by == TestedBy::Equal => test.operand.zip(test.with),
            _ => None,
        })
        .collect()
}
