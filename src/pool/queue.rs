//! Queues of many servers: how long one waits for one of them.
//!
//! Erlang C gives the probability and the mean of the wait where arrivals are random and times of service
//! exponential, M/M/c (L. Kleinrock, *Queueing Systems* I, 1975, § 3.5). Other queues, G/G/c, wait by the
//! correction of Allen and Cunneen longer by (Ca² + Cs²) ÷ 2, half the sum of the squared coefficients of
//! variation of the times between arrivals and of the times of service (A. O. Allen, *Probability, Statistics,
//! and Queueing Theory*, 1990, § 5.2). The correction is exact for M/M/c and for M/G/1, and an approximation else.

/// The work that is wanted of the servers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Arrivals a second.
    pub rate: f64,
    /// Mean time of service, in seconds.
    pub service_seconds: f64,
    /// (Ca² + Cs²) ÷ 2: 1 for M/M/c, ½ where every service takes the same time.
    pub variability: f64,
}

impl Demand {
    /// Offered load, in erlangs: the servers that are busy on average if there are enough of them.
    #[must_use]
    pub fn offered(&self) -> f64 {
        self.rate * self.service_seconds
    }

    /// Mean wait for one of so many servers, in seconds; none where the queue would grow without end.
    #[must_use]
    pub fn mean_wait(&self, servers: u32) -> Option<f64> {
        let (offered, count) = (self.offered(), f64::from(servers));
        let spare = count - offered;
        (spare > 0.0).then(|| waiting_probability(servers, offered) * self.service_seconds / spare * self.variability)
    }
}

/// Erlang C: the share of arrivals that find all servers busy, for an offered load in erlangs. Made from
/// Erlang B by its recursion, which neither overflows nor loses digits.
#[must_use]
pub fn waiting_probability(servers: u32, offered: f64) -> f64 {
    let count = f64::from(servers);
    if offered <= 0.0 {
        return 0.0;
    }
    if offered >= count {
        return 1.0;
    }
    let mut blocked = 1.0;
    for server in 1..=servers {
        blocked = offered * blocked / (f64::from(server) + offered * blocked);
    }
    blocked / (1.0 - offered / count * (1.0 - blocked))
}

#[cfg(test)]
mod tests;
