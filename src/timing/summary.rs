//! Figures of one lot of times.

use crate::model::measurement::Figures;

/// The figures; all 0 of none. Percentiles are those of PostgreSQL's `percentile_cont`: linear interpolation between
/// the closest ranks, definition 7 of Hyndman and Fan, *Sample Quantiles in Statistical Packages* (1996).
#[must_use]
pub fn figures(times: &[f64]) -> Figures {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return Figures::default() };
    let mean = mean(&sorted);
    Figures {
        min: *min,
        mean,
        median: percentile(&sorted, 0.5),
        p95: percentile(&sorted, 0.95),
        p99: percentile(&sorted, 0.99),
        max: *max,
        deviation: deviation(&sorted, mean),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn deviation(times: &[f64], mean: f64) -> f64 {
    if times.len() < 2 {
        return 0.0;
    }
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    (squares / (times.len() - 1) as f64).sqrt()
}

/// Of sorted times; 0 of none.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank within a list"
)]
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * sorted.len().saturating_sub(1) as f64;
    let at = |rank: f64| sorted.get(rank as usize).copied().unwrap_or_default();
    let (below, above) = (at(rank.floor()), at(rank.ceil()));
    below + (rank - rank.floor()) * (above - below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_those_of_the_server() {
        // select percentile_cont(array[0.5, 0.95, 0.99]) within group (order by x), avg(x), stddev_samp(x)
        // from unnest(array[15, 20, 35, 40, 50]) x, on 16: {35,48,49.6}, 32, 14.40486...
        let found = figures(&[40.0, 15.0, 50.0, 20.0, 35.0]);
        assert_eq!((found.min, found.max, found.mean, found.median), (15.0, 50.0, 32.0, 35.0));
        assert!((found.p95 - 48.0).abs() < 1e-9 && (found.p99 - 49.6).abs() < 1e-9, "{found:?}");
        assert!((found.deviation - 14.404_860_290_887_934).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn few_times_have_figures_too() {
        assert_eq!(figures(&[]), Figures::default());
        let one = figures(&[3.0]);
        assert_eq!((one.min, one.median, one.p99, one.deviation), (3.0, 3.0, 3.0, 0.0));
    }

    proptest! {
        #[test]
        fn figures_are_in_order(times in prop::collection::vec(0.0..1e6f64, 1..200)) {
            let found = figures(&times);
            let all = [found.min, found.median, found.p95, found.p99, found.max];
            prop_assert!(all.windows(2).all(|pair| pair[0] <= pair[1] + 1e-6), "{found:?}");
            prop_assert!(found.min <= found.mean + 1e-6 && found.mean <= found.max + 1e-6, "{found:?}");
        }
    }
}
