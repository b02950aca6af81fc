//! What clients want of a pool, from what they got.
//!
//! A full pool throttles its clients: who waits asks for nothing meanwhile, so the arrivals seen are fewer than
//! the arrivals wanted. The interactive response-time law (P. J. Denning, J. P. Buzen, *The Operational Analysis
//! of Queueing Network Models*, ACM Computing Surveys 10, 1978) tells how long clients think between two
//! transactions, and with that how many they would ask for if nobody waited.

/// What was seen of a pool's clients, as means over the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Clients connected, whether they are served, wait or think.
    pub clients: f64,
    /// Transactions ended a second.
    pub rate: f64,
    /// Wait for a server connection, in seconds a transaction.
    pub wait_seconds: f64,
    /// Time that a transaction holds its server connection, in seconds.
    pub service_seconds: f64,
}

impl Observed {
    /// Time between the end of a client's transaction and its next, in seconds: N ÷ X − W − S.
    #[must_use]
    pub fn think_seconds(&self) -> f64 {
        if self.rate > 0.0 {
            (self.clients / self.rate - self.wait_seconds - self.service_seconds).max(0.0)
        } else {
            f64::INFINITY
        }
    }

    /// Transactions a second that the same clients would ask for if nobody waited: N ÷ (Z + S), and never
    /// fewer than were seen.
    #[must_use]
    pub fn wanted_rate(&self) -> f64 {
        let cycle = self.think_seconds() + self.service_seconds;
        if cycle > 0.0 && cycle.is_finite() { (self.clients / cycle).max(self.rate) } else { self.rate }
    }
}

/// Squared coefficient of variation of times of service, from how old transactions were when they were looked
/// at: a transaction found at a random moment is on average E\[S²\] ÷ 2E\[S\] old (the inspection paradox;
/// Kleinrock I, § 5.2). In seconds both.
#[must_use]
pub fn service_variation(mean_age: f64, mean_service: f64) -> Option<f64> {
    (mean_service > 0.0).then(|| (2.0 * mean_age / mean_service - 1.0).clamp(0.0, MOST_VARIATION))
}

/// More than this is a few outliers, and no property of the workload.
const MOST_VARIATION: f64 = 25.0;

/// Squared coefficient of variation of the times between arrivals, from how many came in each of several equal
/// intervals: the index of dispersion of counts, variance ÷ mean (D. R. Cox, P. A. W. Lewis, *The Statistical
/// Analysis of Series of Events*, 1966, § 4.5). None where too few came to tell.
#[must_use]
pub fn arrival_variation(counts: &[f64]) -> Option<f64> {
    let (number, sum): (f64, f64) = counts.iter().fold((0.0, 0.0), |(number, sum), count| (number + 1.0, sum + count));
    if number < LEAST_INTERVALS || sum < number {
        return None;
    }
    let mean = sum / number;
    let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / (number - 1.0);
    Some((variance / mean).clamp(0.0, MOST_VARIATION))
}

/// Of fewer intervals the variance says nothing.
const LEAST_INTERVALS: f64 = 8.0;

#[cfg(test)]
mod tests;
