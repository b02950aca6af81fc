//! Whether two lots of values differ: Mann and Whitney's U, and Hodges and Lehmann's estimate of the difference with
//! its interval. Both ask only which of two values is larger, so that one outlier decides nothing, and values
//! need not be normal, which times never are (Hollander and Wolfe, *Nonparametric Statistical Methods*, chapter 4).

use super::normal::{Z, two_sided};

/// Below this many values in all, and without ties, probabilities are exact.
const EXACT: usize = 50;

/// What the ranks say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranks {
    /// Pairs in which the second is longer, ties half.
    pub u: f64,
    /// Probability of a U so far from the middle if both were the same.
    pub p: f64,
    /// Median of all differences, second less first.
    pub difference: f64,
    /// 95 % confidence interval of that.
    pub interval: Option<[f64; 2]>,
    /// The least that p can be, where the two lie wholly apart.
    pub least_p: f64,
}

/// Compares two lots of values; none where one is empty.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "counts of pairs, well below 2^53")]
pub fn rank_sum(first: &[f64], second: &[f64]) -> Option<Ranks> {
    let (first, second) = (sorted(first), sorted(second));
    let pairs = first.len() * second.len();
    if pairs == 0 {
        return None;
    }
    let (shorter, not_longer) = (below(&second, &first, false), below(&second, &first, true));
    let u = (shorter + not_longer) as f64 / 2.0;
    let ties = ties(&[first.as_slice(), &second].concat());
    let exact = (ties.is_empty() && first.len() + second.len() < EXACT).then(|| lower_tails(first.len(), second.len()));
    let (p, cut, least) = match &exact {
        Some(tails) => {
            let tail = |at: usize| tails.get(at).copied().unwrap_or(1.0);
            // U is whole where there are no ties.
            let p = (2.0 * tail(shorter.min(pairs - shorter))).min(1.0);
            (p, tails.iter().take_while(|tail| 2.0 * **tail <= 0.05).count(), 2.0 * tail(0))
        }
        None => by_normal(u, first.len(), second.len(), &ties),
    };
    Some(Ranks {
        u,
        p,
        difference: (ranked(&first, &second, (pairs - 1) / 2) + ranked(&first, &second, pairs / 2)) / 2.0,
        interval: (cut > 0).then(|| [ranked(&first, &second, cut - 1), ranked(&first, &second, pairs - cut)]),
        least_p: least,
    })
}

fn sorted(times: &[f64]) -> Vec<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Pairs in which the other is below a time, or also as long.
fn below(times: &[f64], others: &[f64], or_equal: bool) -> usize {
    times.iter().map(|time| others.partition_point(|other| other < time || (or_equal && other == time))).sum()
}

/// How many values are the same, for each that several are.
pub(super) fn ties(values: &[f64]) -> Vec<f64> {
    let all = sorted(values);
    let groups = all.chunk_by(|one, next| one == next).map(<[f64]>::len).filter(|count| *count > 1);
    groups.map(|count| u32::try_from(count).map_or(f64::MAX, f64::from)).collect()
}

/// P(U ≤ u) for each u, if both lots are the same and nothing ties: U of m and n is counted by those of m - 1 and n,
/// and of m and n - 1 (Mann and Whitney 1947).
#[allow(clippy::cast_precision_loss, reason = "counts of pairs")]
fn lower_tails(m: usize, n: usize) -> Vec<f64> {
    // Density of U for `row` times on one side, over 0 to `row` × `column`, kept for each `column`.
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for row in 1..=m {
        let mut next: Vec<Vec<f64>> = vec![vec![1.0]];
        for column in 1..=n {
            let (share, rest) = (row as f64 / (row + column) as f64, column as f64 / (row + column) as f64);
            let (fewer_rows, fewer_columns) = (rows.get(column), next.get(column - 1));
            let density = (0..=row * column).map(|u| {
                // The longest of all is on one side or the other: there it beats every one of the other side.
                let of = |list: Option<&Vec<f64>>, at: Option<usize>| {
                    at.and_then(|at| list.and_then(|list| list.get(at))).copied().unwrap_or_default()
                };
                share * of(fewer_rows, u.checked_sub(column)) + rest * of(fewer_columns, Some(u))
            });
            next.push(density.collect());
        }
        rows = next;
    }
    let mut sum = 0.0;
    rows.pop()
        .unwrap_or_default()
        .iter()
        .map(|density| {
            sum += density;
            sum
        })
        .collect()
}

/// p with corrections for ties and continuity, the rank at which the interval begins, and the least p there can be.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of pairs, well below 2^53"
)]
fn by_normal(u: f64, m: usize, n: usize, ties: &[f64]) -> (f64, usize, f64) {
    let (m, n) = (m as f64, n as f64);
    let (all, middle) = (m + n, m * n / 2.0);
    let tied: f64 = ties.iter().map(|count| count.powi(3) - count).sum();
    let deviation = (m * n / 12.0 * (all + 1.0 - tied / (all * (all - 1.0)))).max(0.0).sqrt();
    let p_of = |distance: f64| {
        if deviation > 0.0 { two_sided((distance - 0.5).max(0.0) / deviation) } else { 1.0 }
    };
    let cut = middle - Z * (m * n * (all + 1.0) / 12.0).sqrt();
    (p_of((u - middle).abs()), cut.max(0.0).floor() as usize, p_of(middle))
}

/// The difference, second less first, that this many are not longer than: found by halving the range of values, as
/// the differences may be too many to keep.
fn ranked(first: &[f64], second: &[f64], rank: usize) -> f64 {
    let ends = (first.first(), first.last(), second.first(), second.last());
    let (Some(first_min), Some(first_max), Some(second_min), Some(second_max)) = ends else { return 0.0 };
    let (mut low, mut high) = (second_min - first_max, second_max - first_min);
    // `count(high) > rank` holds always; 100 halvings leave nothing between the two.
    for _ in 0..100 {
        let middle = low + (high - low) / 2.0;
        if not_above(first, second, middle) > rank { high = middle } else { low = middle }
    }
    nearest(first, second, high)
}

/// Differences that are at most this long.
fn not_above(first: &[f64], second: &[f64], limit: f64) -> usize {
    // The longer the second, the fewer of the first leave so short a difference.
    let (mut skipped, mut count) = (0, 0);
    for time in second {
        while first.get(skipped).is_some_and(|other| time - other > limit) {
            skipped += 1;
        }
        count += first.len() - skipped;
    }
    count
}

/// The difference closest to a value.
fn nearest(first: &[f64], second: &[f64], value: f64) -> f64 {
    let mut best = f64::INFINITY;
    for time in second {
        let at = first.partition_point(|other| time - other > value);
        for other in first.iter().skip(at.saturating_sub(1)).take(2) {
            let difference = time - other;
            if (difference - value).abs() < (best - value).abs() {
                best = difference;
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
    }

    /// Permeability of the human chorioamnion, Hollander and Wolfe (1973), page 69; the example of R's `wilcox.test`.
    const TERM: [f64; 10] = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
    const EARLY: [f64; 5] = [1.15, 0.88, 0.90, 0.74, 1.21];

    #[test]
    fn exact_probabilities_are_those_that_are_published() {
        // W = 35, one-sided p = 0.1272.
        let found = rank_sum(&EARLY, &TERM).expect("ranks");
        assert_eq!(found.u, 35.0);
        close(found.p, 2.0 * 0.1272, 1e-4);
        // Ages of men and women at the diagnosis of diabetes, the example of SciPy's `mannwhitneyu`: U1 = 17, p = 1/9.
        let found = rank_sum(&[20.0, 11.0, 17.0, 12.0], &[19.0, 22.0, 16.0, 29.0, 24.0]).expect("ranks");
        assert_eq!(found.u, 17.0);
        close(found.p, 1.0 / 9.0, 1e-12);
    }

    #[test]
    fn probabilities_with_ties_are_those_that_are_published() {
        // R's `wilcox.test` with continuity correction: W = 51.5, p = 0.5966; then W = 0, p = 0.001364.
        let x = [1.0, 5.0, 9.0, 24.0, 56.0, 21.0, 3.0, 7.0, 21.0, 4.0];
        let y = [12.0, 15.0, 5.0, 9.0, 9.0, 14.0, 56.0, 22.0, 3.0, 7.0, 32.0, 5.0];
        let found = rank_sum(&y, &x).expect("ranks");
        assert_eq!(found.u, 51.5);
        close(found.p, 0.5966, 5e-5);
        let far = [1233.0, 4356.0, 987.0, 39999.0, 1111.0, 200_000.0];
        close(rank_sum(&far, &x).expect("ranks").p, 0.001_364, 5e-7);
    }

    #[test]
    fn the_normal_distribution_meets_the_exact_one() {
        // SciPy's example by its asymptotic method: 0.11134688653314041.
        let (p, _, _) = by_normal(17.0, 5, 4, &[]);
        close(p, 0.111_346_886_533_140_41, 1e-12);
    }

    #[test]
    fn too_few_times_say_so() {
        let apart = |m: usize, n: usize| {
            let lot =
                |count: usize, from: f64| (0..u8::try_from(count).unwrap()).map(|at| from + f64::from(at)).collect();
            let (first, second): (Vec<f64>, Vec<f64>) = (lot(m, 0.0), lot(n, 100.0));
            rank_sum(&first, &second).expect("ranks")
        };
        assert!(apart(3, 3).least_p > 0.05 && apart(1, 20).least_p > 0.05);
        assert_eq!(apart(3, 3).interval, None);
        assert!(apart(4, 4).least_p < 0.05 && apart(4, 4).interval.is_some());
        assert!(apart(40, 40).least_p < 0.05);
        assert_eq!(rank_sum(&[], &[1.0]), None);
    }

    proptest! {
        #[test]
        fn the_difference_is_the_median_of_all(
            first in prop::collection::vec(0u16..500, 1..12), second in prop::collection::vec(0u16..500, 1..12)
        ) {
            let lot = |values: &[u16]| values.iter().map(|value| f64::from(*value) / 8.0).collect::<Vec<_>>();
            let (first, second) = (lot(&first), lot(&second));
            let mut all: Vec<f64> = second.iter().flat_map(|time| first.iter().map(move |other| time - other)).collect();
            all.sort_by(f64::total_cmp);
            for (rank, wanted) in all.iter().enumerate() {
                prop_assert_eq!(ranked(&sorted(&first), &sorted(&second), rank), *wanted);
            }
            let found = rank_sum(&first, &second).expect("ranks");
            prop_assert_eq!(found.difference, super::super::median(&mut all).expect("a median"));
            if let Some([low, high]) = found.interval {
                prop_assert!(low <= found.difference && found.difference <= high);
            }
        }

        #[test]
        fn sides_change_places(first in prop::collection::vec(0u16..50, 1..30), second in prop::collection::vec(0u16..50, 1..30)) {
            let lot = |values: &[u16]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
            let (first, second) = (lot(&first), lot(&second));
            let (there, back) = (rank_sum(&first, &second).expect("ranks"), rank_sum(&second, &first).expect("ranks"));
            prop_assert!((there.p - back.p).abs() < 1e-12 && (0.0..=1.0).contains(&there.p));
            prop_assert_eq!(there.difference, -back.difference);
            prop_assert_eq!(there.interval, back.interval.map(|[low, high]| [-high, -low]));
        }
    }
}
