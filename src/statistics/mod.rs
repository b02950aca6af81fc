//! Tests that need no distribution: two lots of values, a trend over time, many tests at once. Pure; knows no units.

mod normal;
mod ranks;
mod trend;

pub use ranks::{Ranks, rank_sum};
pub use trend::{Kendall, mann_kendall, theil_sen};

/// The median; of an even number the mean of the two in the middle.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
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

/// Of many tests each p-value as the share of false alarms one accepts by taking it, and all smaller ones, for real
/// (Benjamini and Hochberg, *J. R. Stat. Soc. B* 57, 1995).
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a number of tests")]
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
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
    }
}
