//! The normal distribution, as far as a test of ranks needs it.

use std::f64::consts::{PI, SQRT_2};

/// Quantile of 97.5 %.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Probability of a value at least so far from the middle, on either side: erfc(z ÷ √2).
pub(super) fn two_sided(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    // The series loses digits where the continued fraction begins to hold.
    if x < 2.0 { (1.0 - series(x)).max(0.0) } else { fraction(x) }
}

/// erf by its series (Abramowitz and Stegun 7.1.6).
fn series(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term > 1e-17 * sum {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// erfc by its continued fraction (Abramowitz and Stegun 7.1.14), from the inside out.
fn fraction(x: f64) -> f64 {
    let inner = (1..=60).rev().fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    (-x * x).exp() / (PI.sqrt() * inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_c_library() {
        // Twice the upper tail, by erfc of the C library.
        for (z, p) in [
            (0.0, 1.0),
            (1.0, 0.317_310_507_862_914),
            (Z, 0.05),
            (2.5, 0.012_419_330_651_552),
            (2.9, 0.003_731_626_600_768),
            (3.5, 0.000_465_258_158_071),
            (5.0, 5.733_031_437_58e-7),
        ] {
            let found = two_sided(z);
            assert!((found - p).abs() <= 1e-9 * p.max(1e-3), "{z}: {found}");
            assert_eq!(found, two_sided(-z));
        }
    }
}
