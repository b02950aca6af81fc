//! Whether values rise or fall over time, and how fast: Mann–Kendall and Theil–Sen. P-values are two-sided.
//!
//! Sources: Mann, *Econometrica* 13 (1945); Kendall, *Rank Correlation Methods* (1975); Sen, *JASA* 63 (1968).
#![allow(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^53")]

use super::median;
use super::normal::two_sided;
use super::ranks::ties;

/// Up to so many values without ties the distribution is counted out; beyond, and with ties, it is taken for normal.
const EXACT: usize = 30;

/// A Mann–Kendall test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kendall {
    /// Pairs that rise less pairs that fall.
    pub s: i64,
    /// Kendall's tau-a: `s` over all pairs, −1 to 1.
    pub tau: f64,
    /// How probable an `s` this far from 0 is where there is no trend.
    pub p: f64,
}

/// Tests values in the order of time for a trend; none for fewer than three.
#[must_use]
pub fn mann_kendall(values: &[f64]) -> Option<Kendall> {
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
        by_normal(s as f64, (n * (n - 1.0) * (2.0 * n + 5.0) - tied) / 18.0)
    };
    Some(Kendall { s, tau: s as f64 / pairs, p })
}

/// The median of the slopes between all pairs of points, (time, value), in values per unit of time; none without two
/// times.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (at, (from, before)) in points.iter().enumerate() {
        let later = points.iter().skip(at + 1).filter(|(to, _)| to != from);
        slopes.extend(later.map(|(to, after)| (after - before) / (to - from)));
    }
    median(&mut slopes)
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

/// The two-sided p-value of a whole-numbered statistic with mean 0, taken for normal, with the correction for continuity.
fn by_normal(statistic: f64, variance: f64) -> f64 {
    if variance > 0.0 { two_sided((statistic.abs() - 1.0).max(0.0) / variance.sqrt()) } else { 1.0 }
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
        assert!(close(two_sided(2.9058), 0.0036, 0.0001));
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

        /// Where there are no ties, counting out and the normal distribution agree.
        #[test]
        fn the_normal_distribution_comes_near_the_exact_one(n in 15usize..30, share in 0.0f64..0.8) {
            let count = n as f64;
            let pairs = n * (n - 1) / 2;
            let s = ((pairs as f64 * share) as u64 / 2) * 2 + (pairs as u64 % 2);
            let near = by_normal(s as f64, count * (count - 1.0) * (2.0 * count + 5.0) / 18.0);
            prop_assert!(close(inversions_beyond(n, s), near, 0.012));
        }
    }
}
