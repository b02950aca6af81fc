//! Erlang C against published tables and against simulated queues.

use super::super::simulation::{Times, open_queue};
use super::*;
use proptest::prelude::*;

/// Mean wait in times of service.
fn wait(servers: u32, offered: f64, variability: f64) -> f64 {
    Demand { rate: offered, service_seconds: 1.0, variability }.mean_wait(servers).expect("it is stable")
}

#[test]
fn probabilities_of_waiting_are_those_of_the_tables() {
    // Closed forms for one, two and three servers, and D. Gross et al., Fundamentals of Queueing Theory.
    for (servers, offered, expected) in
        [(1, 0.7, 0.7), (2, 1.0, 1.0 / 3.0), (2, 1.8, 0.852_632), (3, 2.0, 4.0 / 9.0), (3, 2.7, 0.817_061)]
    {
        let found = waiting_probability(servers, offered);
        assert!((found - expected).abs() < 1e-6, "{servers} {offered}: {found}");
    }
}

#[test]
fn lengths_of_queues_are_those_of_the_tables() {
    // Lq = λ·Wq of M/M/c by servers and utilisation, as tabulated in F. S. Hillier and O. S. Yu, Queueing Tables
    // and Graphs, 1981.
    for (servers, used, expected) in [
        (1, 0.9, 8.1),
        (2, 0.9, 7.674),
        (3, 0.9, 7.354),
        (5, 0.9, 6.862),
        (10, 0.9, 6.019),
        (20, 0.9, 4.957),
        (2, 0.8, 2.844),
        (3, 0.8, 2.589),
        (5, 0.8, 2.216),
        (10, 0.8, 1.637),
        (20, 0.8, 1.024),
        (5, 0.5, 0.130),
        (10, 0.5, 0.036),
    ] {
        let offered = used * f64::from(servers);
        let found = offered * wait(servers, offered, 1.0);
        assert!((found - expected).abs() < 0.001, "{servers} {used}: {found}, expected {expected}");
    }
}

#[test]
fn a_simulated_queue_of_random_arrivals_waits_as_long() {
    for (servers, used) in [(1, 0.6), (2, 0.7), (5, 0.8), (20, 0.85)] {
        let offered = used * f64::from(servers);
        let simulated = open_queue(servers, offered, Times::Exponential, Times::Exponential, 3_000_000);
        let by_formula = wait(servers, offered, 1.0);
        let error = by_formula / simulated - 1.0;
        assert!(error.abs() < 0.02, "{servers} {used}: {by_formula} against {simulated}");
    }
}

#[test]
fn the_correction_errs_no_more_than_it_is_known_to() {
    // Exact for one server and random arrivals; with several servers about a tenth off, by W. Whitt,
    // Approximations for the GI/G/m queue, 1993, and more where arrivals are regular or in bursts.
    for (servers, used, arrivals, services, most) in [
        (1, 0.7, Times::Exponential, Times::Constant, 0.02),
        (1, 0.7, Times::Exponential, Times::Hyper(4.0), 0.02),
        (5, 0.8, Times::Exponential, Times::Constant, 0.1),
        (5, 0.8, Times::Exponential, Times::Erlang2, 0.05),
        (5, 0.8, Times::Exponential, Times::Hyper(4.0), 0.15),
        (10, 0.9, Times::Exponential, Times::Constant, 0.1),
        (10, 0.9, Times::Exponential, Times::Hyper(4.0), 0.15),
        (5, 0.8, Times::Erlang2, Times::Exponential, 0.15),
        (5, 0.8, Times::Hyper(4.0), Times::Exponential, 0.25),
    ] {
        let offered = used * f64::from(servers);
        let simulated = open_queue(servers, offered, arrivals, services, 2_000_000);
        let by_formula = wait(servers, offered, f64::midpoint(arrivals.scv(), services.scv()));
        let error = by_formula / simulated - 1.0;
        assert!(error.abs() < most, "{servers} {used} {arrivals:?} {services:?}: off by {error:.3}");
    }
}

#[test]
fn a_queue_that_is_never_served_is_no_number() {
    for (servers, offered) in [(0, 0.0), (0, 1.0), (3, 3.0), (3, 4.0)] {
        assert_eq!(Demand { rate: offered, service_seconds: 1.0, variability: 1.0 }.mean_wait(servers), None);
    }
    assert_eq!(waiting_probability(3, 0.0), 0.0);
    assert!(waiting_probability(100_000, 90_000.0).is_finite());
}

proptest! {
    #[test]
    fn more_servers_never_wait_longer(servers in 1_u32..2_000, used in 0.01_f64..0.999, variability in 0.0_f64..20.0) {
        let offered = used * f64::from(servers);
        let (one, more) = (wait(servers, offered, variability), wait(servers + 1, offered, variability));
        prop_assert!(one.is_finite() && more >= 0.0 && more <= one);
        prop_assert!((0.0..=1.0).contains(&waiting_probability(servers, offered)));
    }
}
