//! Tests that need no distribution: Mann–Kendall and Theil–Sen for a trend over time, the rank-sum test for two
//! groups, Benjamini–Hochberg for many tests at once. P-values are two-sided.
//!
//! Sources: Mann, *Econometrica* 13 (1945); Kendall, *Rank Correlation Methods* (1975); Sen, *JASA* 63 (1968); Mann and
//! Whitney, *Ann. Math. Stat.* 18 (1947); Benjamini and Hochberg, *J. R. Stat. Soc. B* 57 (1995); Abramowitz and
//! Stegun, *Handbook of Mathematical Functions*, 26.2.
#![allow(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^53")]

/// Up to so many values without ties the distribution is counted out; beyond, and with ties, it is taken for normal.
const EXACT: usize = 30;

/// A Mann–Kendall test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kendall {
    /// Pairs that rise less pairs that fall.
    pub(super) s: i64,
    /// Kendall's tau-a: `s` over all pairs, −1 to 1.
    pub(super) tau: f64,
    /// How probable an `s` this far from 0 is where there is no trend.
    pub(super) p: f64,
}

/// Tests values in the order of time for a trend; none for fewer than three.
pub(super) fn mann_kendall(values: &[f64]) -> Option<Kendall> {
    let count = values.len();
    if count < 3 {
        return None;
    }
    let mut s = 0;
    for (at, earlier) in values.iter().enumerate() {
        for later in values.iter().skip(at + 1) {
            s += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    let n = count as f64;
    let pairs = n * (n - 1.0) / 2.0;
    let ties = ties(values);
    let p = if ties.is_empty() && count <= EXACT {
        inversions_beyond(count, s.unsigned_abs())
    } else {
        let tied: f64 = ties.iter().map(|t| t * (t - 1.0) * (2.0 * t + 5.0)).sum();
        normal(s as f64, (n * (n - 1.0) * (2.0 * n + 5.0) - tied) / 18.0, 1.0)
    };
    Some(Kendall { s, tau: s as f64 / pairs, p })
}

/// The median of the slopes between all pairs of points, (time, value), in values per unit of time; none without two
/// times.
pub(super) fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (at, (from, before)) in points.iter().enumerate() {
        let later = points.iter().skip(at + 1).filter(|(to, _)| to != from);
        slopes.extend(later.map(|(to, after)| (after - before) / (to - from)));
    }
    median(&mut slopes)
}

/// How probable it is that two groups of values lie this far apart where they come from the same distribution; none
/// where a group is empty.
pub(super) fn rank_sum(one: &[f64], other: &[f64]) -> Option<f64> {
    if one.is_empty() || other.is_empty() {
        return None;
    }
    // Twice U, so that a tie is a whole number.
    let beats = |a: &f64| -> u64 { other.iter().map(|b| u64::from(a > b) * 2 + u64::from(a == b)).sum() };
    let u = one.iter().map(beats).sum::<u64>() as f64 / 2.0;
    let (m, n) = (one.len() as f64, other.len() as f64);
    let all: Vec<f64> = one.iter().chain(other).copied().collect();
    let ties = ties(&all);
    let from_middle = u - m * n / 2.0;
    if ties.is_empty() && all.len() <= EXACT {
        return Some(ranks_beyond(one.len(), other.len(), from_middle.abs()));
    }
    let tied: f64 = ties.iter().map(|t| t.powi(3) - t).sum();
    let total = m + n;
    let variance = m * n / 12.0 * (total + 1.0 - tied / (total * (total - 1.0)));
    Some(normal(from_middle, variance, 0.5))
}

/// Of many tests each p-value as the share of false alarms one accepts by taking it, and all smaller ones, for real.
pub(super) fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len() as f64;
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*b].total_cmp(&p_values[*a]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least: f64 = 1.0;
    for (place, at) in order.into_iter().enumerate() {
        let rank = count - place as f64;
        least = least.min(p_values[at] * (count / rank));
        adjusted[at] = least;
    }
    adjusted
}

/// The median; of an even number the mean of the two in the middle.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return Some(*upper);
    }
    below.iter().copied().max_by(f64::total_cmp).map(|lower| f64::midpoint(lower, *upper))
}

/// Sizes of the groups of equal values.
fn ties(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|group| group.len() as f64).filter(|size| *size > 1.0).collect()
}

/// P(|S| ≥ s) over all orders of `n` different values: S is all pairs less twice the inversions, which are counted by
/// putting in one value after the other.
fn inversions_beyond(n: usize, s: u64) -> f64 {
    let mut share = vec![1.0];
    for size in 2..=n {
        let mut next = vec![0.0; share.len() + size - 1];
        for (inversions, part) in share.iter().enumerate() {
            for more in 0..size {
                next[inversions + more] += part / size as f64;
            }
        }
        share = next;
    }
    let pairs = (n * n.saturating_sub(1) / 2) as i64;
    let is_beyond = |inversions: usize| (pairs - 2 * inversions as i64).unsigned_abs() >= s;
    share
        .iter()
        .enumerate()
        .filter(|(inversions, _)| is_beyond(*inversions))
        .map(|(_, part)| part)
        .sum::<f64>()
        .min(1.0)
}

/// P(|U − mn/2| ≥ distance) over all ways to rank `m` and `n` different values: the largest value is of the first group
/// with m/(m+n), and then beats all n.
fn ranks_beyond(m: usize, n: usize, distance: f64) -> f64 {
    // Row of the first group's size: distributions by the other's.
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for first in 1..=m {
        let mut next: Vec<Vec<f64>> = vec![vec![1.0]];
        for second in 1..=n {
            let own = first as f64 / (first + second) as f64;
            let mut share = vec![0.0; first * second + 1];
            for (u, part) in rows[second].iter().enumerate() {
                share[u + second] += own * part;
            }
            for (u, part) in next[second - 1].iter().enumerate() {
                share[u] += (1.0 - own) * part;
            }
            next.push(share);
        }
        rows = next;
    }
    let middle = (m * n) as f64 / 2.0;
    let share = rows.get(n).map_or(&[][..], Vec::as_slice);
    // Halves are exact.
    let beyond = share.iter().enumerate().filter(|(u, _)| (*u as f64 - middle).abs() >= distance);
    beyond.map(|(_, part)| part).sum::<f64>().min(1.0)
}

/// The two-sided p-value of a whole-numbered statistic with mean 0, taken for normal; `step` is half the distance
/// between its values, the continuity correction.
fn normal(statistic: f64, variance: f64, step: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    (2.0 * upper_tail((statistic.abs() - step).max(0.0) / variance.sqrt())).min(1.0)
}

/// The standard normal distribution beyond z ≥ 0: its series (26.2.11) near 0, its continued fraction (26.2.14) beyond.
fn upper_tail(z: f64) -> f64 {
    const TERMS: i32 = 80;
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for k in 1..TERMS {
            term *= z * z / f64::from(2 * k + 1);
            sum += term;
        }
        0.5 - density * sum
    } else {
        density / (1..TERMS).rev().fold(z, |below, k| z + f64::from(k) / below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(one: f64, other: f64, by: f64) -> bool {
        (one - other).abs() <= by
    }

    /// Gilbert, *Statistical Methods for Environmental Pollution Monitoring* (1987), Table A18, after Kendall (1975):
    /// one-sided probabilities.
    #[test]
    fn exact_probabilities_are_those_of_the_published_table() {
        for (n, s, p) in [
            (4, 4, 0.167),
            (4, 6, 0.042),
            (5, 8, 0.042),
            (5, 10, 0.0083),
            (6, 9, 0.068),
            (6, 15, 0.0014),
            (7, 11, 0.068),
            (7, 15, 0.015),
            (8, 16, 0.031),
            (8, 20, 0.0071),
            (9, 18, 0.038),
            (9, 24, 0.0063),
            (10, 21, 0.036),
            (10, 23, 0.023),
            (10, 33, 0.0011),
        ] {
            let own = inversions_beyond(n, s) / 2.0;
            // The table rounds to two digits that count.
            assert!(close(own, p, 0.0006), "n={n} S={s}: {own}, not {p}");
        }
    }

    /// With a tie: mathcs.holycross.edu/~little/Montserrat/MannKendallByHand.txt has S = 54, Z = 2.9058, p = 0.0018 one-sided.
    #[test]
    fn the_worked_example_with_a_tie() {
        let values = [12.9, 14.8, 13.2, 15.7, 13.8, 15.6, 12.9, 11.0, 17.3, 15.9, 19.0, 18.3, 20.1, 21.7];
        let test = mann_kendall(&values).expect("a test");
        assert_eq!(test.s, 54);
        assert!(close(test.p, 2.0 * 0.0018, 0.0001), "{test:?}");
        assert!(close(upper_tail(2.9058), 0.0018, 0.00005));
    }

    /// Helsel and Hirsch, *Statistical Methods in Water Resources* (USGS), 10.1: an outlier does not move the slope.
    #[test]
    fn the_median_slope_ignores_an_outlier() {
        let points: Vec<(f64, f64)> =
            [1.0, 2.0, 3.0, 4.0, 5.0, 16.0, 7.0].iter().enumerate().map(|(at, y)| (at as f64 + 1.0, *y)).collect();
        assert_eq!(theil_sen(&points), Some(1.0));
        assert_eq!(theil_sen(&[(1.0, 2.0)]), None);
        assert_eq!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)]), None, "no two times");
    }

    /// Hollander and Wolfe (1973), p. 69, permeability of the human chorioamnion; R's wilcox.test gives W = 35,
    /// p = 0.1272 one-sided.
    #[test]
    fn the_rank_sum_of_the_textbook() {
        let at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let early = [1.15, 0.88, 0.90, 0.74, 1.21];
        let p = rank_sum(&at_term, &early).expect("a test");
        assert!(close(p, 2.0 * 0.1272, 0.0001), "{p}");
        assert_eq!(rank_sum(&[], &early), None);
    }

    /// Benjamini and Hochberg (1995), 3.2: of fifteen tests at 0.05 four are rejected, where Bonferroni rejects three.
    #[test]
    fn many_tests_at_once() {
        let p_values = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        assert_eq!(adjusted(&p_values).iter().filter(|q| **q <= 0.05).count(), 4);
        assert_eq!(adjusted(&[]), Vec::<f64>::new());
    }

    /// Abramowitz and Stegun, table 26.1 and 26.2.
    #[test]
    fn the_normal_tail() {
        for (z, tail) in
            [(0.0, 0.5), (1.0, 0.158_655_254), (1.96, 0.024_997_895), (3.0, 1.349_898e-3), (5.0, 2.866_516e-7)]
        {
            assert!(close(upper_tail(z) / tail, 1.0, 1e-6), "{z}: {}", upper_tail(z));
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((-20i32..20).prop_map(f64::from), 3..40)
    }

    proptest! {
        #[test]
        fn a_trend_turns_with_time_and_with_sign(values in values()) {
            let own = mann_kendall(&values).expect("a test");
            let reversed: Vec<f64> = values.iter().rev().copied().collect();
            let negated: Vec<f64> = values.iter().map(|value| -value).collect();
            for other in [reversed, negated] {
                let other = mann_kendall(&other).expect("a test");
                prop_assert_eq!(other.s, -own.s);
                prop_assert!(close(other.p, own.p, 1e-12));
            }
            prop_assert!((0.0..=1.0).contains(&own.p) && own.tau.abs() <= 1.0);
        }

        #[test]
        fn a_trend_does_not_care_for_scale_and_the_slope_follows_it(values in values(), by in 0.1f64..9.0) {
            let cubed: Vec<f64> = values.iter().map(|value| value.powi(3)).collect();
            prop_assert_eq!(mann_kendall(&cubed), mann_kendall(&values), "any rising function leaves ranks alone");
            let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(at, y)| (at as f64, *y)).collect();
            let tilted: Vec<(f64, f64)> = points.iter().map(|(t, y)| (*t, y + by * t)).collect();
            let (own, other) = (theil_sen(&points).expect("a slope"), theil_sen(&tilted).expect("a slope"));
            prop_assert!(close(other, own + by, 1e-9));
        }

        #[test]
        fn two_groups_may_change_places(one in values(), other in values(), by in -9.0f64..9.0) {
            let own = rank_sum(&one, &other).expect("a test");
            prop_assert!((0.0..=1.0).contains(&own));
            prop_assert!(close(own, rank_sum(&other, &one).expect("a test"), 1e-9));
            let shift = |values: &[f64]| values.iter().map(|value| value + by.round()).collect::<Vec<_>>();
            prop_assert!(close(own, rank_sum(&shift(&one), &shift(&other)).expect("a test"), 1e-9));
        }

        #[test]
        fn adjusting_makes_no_test_stronger_and_keeps_their_order(p_values in proptest::collection::vec(0.0f64..=1.0, 0..50)) {
            let adjusted = adjusted(&p_values);
            for (at, p) in p_values.iter().enumerate() {
                prop_assert!(adjusted[at] >= *p && adjusted[at] <= 1.0);
                for (other, q) in p_values.iter().enumerate() {
                    prop_assert!(p > q || adjusted[at] <= adjusted[other]);
                }
            }
        }

        /// Where there are no ties, counting out and the normal distribution agree.
        #[test]
        fn the_normal_distribution_comes_near_the_exact_one(n in 15usize..30, share in 0.0f64..0.8) {
            let count = n as f64;
            let pairs = n * (n - 1) / 2;
            let s = ((pairs as f64 * share) as u64 / 2) * 2 + (pairs as u64 % 2);
            let near = normal(s as f64, count * (count - 1.0) * (2.0 * count + 5.0) / 18.0, 1.0);
            prop_assert!(close(inversions_beyond(n, s), near, 0.012));
        }
    }
}
