//! The parts of a plan above its joins: what they cost themselves is known from the plan, and what is below them
//! changes.

use super::costs::Cost;
use super::join::{Leaf, Region, Sided};
use super::path::{OrderKey, Path, Question, Wish, add, cheapest, united};
use super::restriction::GENERIC;
use super::scan::Scan;
use crate::statement::{Operand, is_alias_of};

/// A part of a plan.
#[derive(Debug)]
pub(super) enum Node {
    Region(Region),
    Sided(Box<Sided>),
    Upper(Upper),
}

/// How a node takes the rows of what is below.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// All of them before it gives any: groups by hash, plain aggregates.
    Blocking,
    /// One after the other, and needs them in this order, if any.
    Streaming(Vec<OrderKey>),
    /// Sorts them; without an order that one column each makes it cannot be saved.
    Sort(Option<Vec<OrderKey>>),
    /// Takes these shares of what is below, where nobody knows the values: until its first row, and its last; and so
    /// many rows where they are known.
    Limit(f64, f64, f64),
    /// Only the first of this order is wanted: the least or the greatest.
    Extreme(OrderKey),
    /// Gathers the rows of so many workers, the leader's part counted.
    Gather(f64),
    /// Puts the rows of several behind each other, or merges them.
    Append,
}

/// A node, and what it costs without what is below.
#[derive(Debug)]
pub(super) struct Upper {
    pub(super) kind: Kind,
    /// What its rows go by, where it is no join's part alone.
    pub(super) alias: Option<String>,
    pub(super) own: Cost,
    pub(super) rows: f64,
    pub(super) width: f64,
    /// What is below, and how often it is run.
    pub(super) below: Vec<(Node, f64)>,
    /// Order wished for from above is that of what is below.
    pub(super) keeps_names: bool,
}

impl Node {
    pub(super) fn rows(&self, set: usize) -> f64 {
        match self {
            Self::Region(region) => region.rows(region.all(), set),
            Self::Sided(sided) => sided.rows(set),
            Self::Upper(upper) => upper.rows * upper.scale(set),
        }
    }

    pub(super) fn width(&self) -> f64 {
        match self {
            Self::Region(region) => region.width(),
            Self::Sided(sided) => sided.width,
            Self::Upper(upper) => upper.width,
        }
    }

    /// A table in it goes by this alias.
    pub(super) fn has(&self, alias: &str) -> bool {
        match self {
            Self::Region(region) => region.leaves.iter().any(|leaf| leaf.has(alias)),
            Self::Sided(sided) => sided.outer.has(alias) || sided.inner.has(alias),
            Self::Upper(upper) => match &upper.alias {
                Some(own) => own == alias,
                // Above partitions their table's own is named.
                None if upper.kind == Kind::Append && self.is_parted_as(alias) => true,
                None => upper.below.iter().any(|(node, _)| node.has(alias)),
            },
        }
    }

    pub(super) fn only_table(&self) -> Option<&Scan> {
        match self {
            Self::Region(Region { leaves, .. }) => match leaves.as_slice() {
                [Leaf::Table(scan)] => Some(scan),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_parted_as(&self, alias: &str) -> bool {
        self.parts().is_some_and(|parts| parts.iter().all(|scan| is_alias_of(&scan.alias, alias)))
    }

    /// The table, or the partitions that are read one after the other.
    pub(super) fn parts(&self) -> Option<Vec<&Scan>> {
        match self {
            Self::Upper(Upper { kind: Kind::Append, alias: None, below, .. }) => {
                below.iter().map(|(node, _)| node.only_table()).collect()
            }
            _ => self.only_table().map(|scan| vec![scan]),
        }
    }

    /// Distinct values of a column among so many rows; those of partitions are taken for the same.
    pub(super) fn distinct(&self, operand: &Operand, rows: f64) -> f64 {
        let parts = self.parts().unwrap_or_default();
        parts.iter().map(|scan| scan.distinct(operand, rows)).reduce(f64::max).unwrap_or(rows.max(1.0))
    }

    pub(super) fn paths(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        match self {
            Self::Region(region) => region.paths(ask, wish),
            Self::Sided(sided) => sided.paths(ask, wish),
            Self::Upper(upper) => upper.paths(ask, wish),
        }
    }

    /// The cheapest way to what is wished for.
    pub(super) fn best(&self, ask: &Question<'_>, wish: Wish<'_>) -> Path {
        let paths = self.paths(ask, wish);
        let order = if wish.is_required { wish.order.len() } else { 0 };
        let none = || Path { cost: Cost::default(), order: 0, used: Vec::new() };
        cheapest(&paths, wish.share, order).cloned().unwrap_or_else(none)
    }

    /// Calls this for each table.
    pub(super) fn each_table<'n>(&'n self, see: &mut dyn FnMut(&'n Scan)) {
        match self {
            Self::Region(region) => {
                for leaf in &region.leaves {
                    match leaf {
                        Leaf::Table(scan) => {
                            see(scan);
                            scan.sub_plans.iter().for_each(|plan| plan.each_table(see));
                        }
                        Leaf::Part(node) => node.each_table(see),
                    }
                }
                let plans = region.residuals.iter().flat_map(|one| &one.sub_plans).chain(&region.once);
                plans.for_each(|plan| plan.each_table(see));
            }
            Self::Sided(sided) => {
                let plans = sided.sub_plans.iter().chain(&sided.once).chain([&sided.outer, &sided.inner]);
                plans.for_each(|plan| plan.each_table(see));
            }
            Self::Upper(upper) => upper.below.iter().for_each(|(node, _)| node.each_table(see)),
        }
    }
}

impl Upper {
    /// How many more or fewer rows come from below with other values of parameters.
    fn scale(&self, set: usize) -> f64 {
        match (&self.kind, self.below.first()) {
            (Kind::Extreme(_), _) | (_, None) => 1.0,
            (_, Some((node, _))) => node.rows(set) / node.rows(0),
        }
    }

    fn paths(&self, ask: &Question<'_>, wish: Wish<'_>) -> Vec<Path> {
        let scale = self.scale(ask.set);
        let own = Cost { startup: self.own.startup * scale, total: self.own.total * scale };
        let wish = if self.keeps_names { wish } else { Wish { order: &[], is_required: false, ..wish } };
        let Some((first, _)) = self.below.first() else {
            return vec![Path { cost: own, order: 0, used: Vec::new() }];
        };
        let paths = match &self.kind {
            Kind::Blocking => blocked(first.best(ask, Wish::ALL), own).into_iter().collect(),
            Kind::Streaming(needs) if needs.is_empty() => streamed(first.paths(ask, wish), own),
            Kind::Streaming(needs) => {
                let wish = Wish { order: needs, is_required: true, share: wish.share };
                streamed(first.paths(ask, wish), own)
            }
            Kind::Sort(keys) => self.sorted(ask, first, keys.as_deref(), own, wish.share),
            Kind::Limit(from, until, rows) => limited(ask, first, (*from, *until, *rows), wish),
            Kind::Extreme(key) => extreme(ask, first, key, own),
            Kind::Gather(workers) => gathered(ask, first, *workers, own, wish),
            Kind::Append => return self.appended(ask, own, wish),
        };
        self.with_others(ask, paths)
    }

    /// What else is below is run as it is.
    fn with_others(&self, ask: &Question<'_>, mut paths: Vec<Path>) -> Vec<Path> {
        for (node, times) in self.below.iter().skip(1) {
            let best = node.best(ask, Wish::ALL);
            for path in &mut paths {
                path.cost.total += times * best.cost.total;
                path.used = united(&path.used, &best.used);
            }
        }
        paths
    }

    /// One behind the other, or merged where each comes in the wanted order (`cost_merge_append`).
    #[allow(clippy::cast_precision_loss, reason = "a number of partitions")]
    fn appended(&self, ask: &Question<'_>, own: Cost, wish: Wish<'_>) -> Vec<Path> {
        let order = wish.order.len();
        let merge =
            2.0 * ask.costs.operator * (self.below.len() as f64).log2().max(1.0) * self.rows * self.scale(ask.set);
        let none = Path { cost: own, order: 0, used: Vec::new() };
        let (mut plain, mut merged) = (none.clone(), (order > 0).then_some(Path { order, ..none }));
        for (node, times) in &self.below {
            let paths = node.paths(ask, wish);
            if let Some(path) = cheapest(&paths, 1.0, 0) {
                plain.cost.total += times * path.cost.total;
                plain.used = united(&plain.used, &path.used);
            }
            merged = merged.zip(cheapest(&paths, wish.share, order)).map(|(all, path)| Path {
                cost: Cost { startup: all.cost.startup + path.cost.startup, total: all.cost.total + path.cost.total },
                order,
                used: united(&all.used, &path.used),
            });
        }
        let merged = merged.map(|path| Path { cost: Cost { total: path.cost.total + merge, ..path.cost }, ..path });
        [plain].into_iter().chain(merged).collect()
    }

    /// Sorted, or read in that order; of what comes in part of the order each group is sorted
    /// (`cost_incremental_sort`, half of the saving counted as groups differ in size).
    fn sorted(&self, ask: &Question<'_>, below: &Node, keys: Option<&[OrderKey]>, own: Cost, share: f64) -> Vec<Path> {
        let keys = keys.unwrap_or_default();
        let mut found = Vec::new();
        let rows = below.rows(ask.set);
        let limit = if ask.set == GENERIC { rows } else { (share * rows).max(1.0) };
        let kept = ask.costs.first_sorted(rows, self.width, limit);
        let own = Cost { startup: own.startup * kept, total: own.total * kept };
        for path in below.paths(ask, Wish { order: keys, is_required: false, share }) {
            let order = keys.len();
            if order > 0 && path.order >= order {
                add(&mut found, Path { order, ..path });
                continue;
            }
            let cost = Cost { startup: path.cost.total + own.startup, total: path.cost.total + own.total };
            if let Some(first) = keys.first().filter(|_| path.order > 0) {
                let groups = below.distinct(&first.operand(), below.rows(ask.set)).max(1.0);
                let first = (path.cost.run() + 1.5 * own.total) / groups;
                let cost = Cost { startup: path.cost.startup + first, total: path.cost.total + 1.5 * own.total };
                add(&mut found, Path { cost, order, used: path.used.clone() });
            }
            add(&mut found, Path { cost, order, used: path.used });
        }
        found
    }
}

fn blocked(path: Path, own: Cost) -> Option<Path> {
    let startup = path.cost.total + own.startup;
    Some(Path { cost: Cost { startup, total: path.cost.total + own.total }, order: 0, used: path.used })
}

fn streamed(paths: Vec<Path>, own: Cost) -> Vec<Path> {
    let more = |path: Path| {
        let cost = Cost { startup: path.cost.startup + own.startup, total: path.cost.total + own.total };
        Path { cost, ..path }
    };
    paths.into_iter().map(more).collect()
}

fn limited(ask: &Question<'_>, below: &Node, (from, until, rows): (f64, f64, f64), wish: Wish<'_>) -> Vec<Path> {
    // Without a value the planner takes it for a tenth of all.
    let until = if ask.set == GENERIC { until } else { (rows / below.rows(ask.set)).min(1.0) };
    let from = from.min(until);
    let path = below.best(ask, Wish { share: until, ..wish });
    let cost = Cost { startup: path.cost.until(from), total: path.cost.until(until) };
    vec![Path { cost, ..path }]
}

/// As it is, or the first row of an index (`planagg.c`).
fn extreme(ask: &Question<'_>, below: &Node, key: &OrderKey, own: Cost) -> Vec<Path> {
    let order = std::slice::from_ref(key);
    let share = 1.0 / below.rows(ask.set);
    let first = |path: Path| {
        let total = path.cost.until(share) + ask.costs.tuple;
        Path { cost: Cost { startup: total, total }, order: 0, used: path.used }
    };
    let in_order: Vec<Path> =
        below.paths(ask, Wish { order, is_required: false, share }).into_iter().filter(|path| path.order > 0).collect();
    let whole = blocked(below.best(ask, Wish::ALL), own);
    let all: Vec<Path> = in_order.into_iter().map(first).chain(whole).collect();
    cheapest(&all, 1.0, 0).cloned().into_iter().collect()
}

/// With workers, or by one process, which needs not gather and keeps the order.
fn gathered(ask: &Question<'_>, below: &Node, workers: f64, own: Cost, wish: Wish<'_>) -> Vec<Path> {
    let mut found = Vec::new();
    let with = Question { workers: Some(workers), ..*ask };
    for path in streamed(below.paths(&with, Wish { order: &[], is_required: false, ..wish }), own) {
        add(&mut found, Path { order: 0, ..path });
    }
    for path in below.paths(&Question { workers: None, ..*ask }, wish) {
        add(&mut found, path);
    }
    found
}
