//! What is wanted, against simulated clients that think, ask and wait.

use super::super::queue::Demand;
use super::super::simulation::{Closed, Seen, Times, closed_queue};
use super::*;
use proptest::prelude::*;

fn system(servers: u32, services: Times) -> Closed {
    Closed { clients: 30, servers, think_seconds: 0.1, service_seconds: 0.02, services }
}

/// What a sample between two looks shows.
fn observed(system: Closed, seen: &[Seen]) -> Observed {
    let (first, last) = (seen.first().expect("looks"), seen.last().expect("looks"));
    let count = f64::from(last.transactions - first.transactions);
    let wait = last.wait_seconds - first.wait_seconds;
    Observed {
        clients: f64::from(system.clients),
        rate: count / (last.at - first.at),
        wait_seconds: wait / count,
        service_seconds: (last.transaction_seconds - first.transaction_seconds - wait) / count,
    }
}

#[test]
fn a_full_pool_hides_what_is_wanted_and_the_law_finds_it() {
    // 30 clients that think 100 ms and are served 20 ms want 30 ÷ 120 ms = 250 a second; two servers give 100.
    for services in [Times::Constant, Times::Exponential, Times::Hyper(4.0)] {
        let full = system(2, services);
        let seen = observed(full, &closed_queue(full, 20.0, 120.0, 0.25));
        assert!((seen.rate / 100.0 - 1.0).abs() < 0.05, "{seen:?}");
        assert!((seen.service_seconds / 0.02 - 1.0).abs() < 0.05, "{seen:?}");
        assert!((seen.think_seconds() / 0.1 - 1.0).abs() < 0.1, "{seen:?}: {}", seen.think_seconds());
        assert!((seen.wanted_rate() / 250.0 - 1.0).abs() < 0.05, "{seen:?}: {}", seen.wanted_rate());
    }
}

#[test]
fn with_the_servers_that_are_wanted_hardly_anybody_waits() {
    for services in [Times::Constant, Times::Exponential, Times::Hyper(4.0)] {
        let full = system(2, services);
        let wanted = observed(full, &closed_queue(full, 20.0, 120.0, 0.25)).wanted_rate();
        let demand = Demand { rate: wanted, service_seconds: 0.02, variability: f64::midpoint(1.0, services.scv()) };
        let servers = (1..30).find(|servers| demand.mean_wait(*servers).is_some_and(|wait| wait <= 0.01));
        let enough = system(servers.expect("so many are enough"), services);
        let waits = observed(enough, &closed_queue(enough, 20.0, 120.0, 0.25)).wait_seconds;
        assert!(waits <= 0.01, "{services:?}: {servers:?} servers, {waits}");
        let seen_alone = Demand { rate: 100.0, ..demand };
        let too_few = (1..30).find(|servers| seen_alone.mean_wait(*servers).is_some_and(|wait| wait <= 0.01));
        assert!(too_few < servers, "sized on what was seen, the pool stays too small");
    }
}

#[test]
fn ages_tell_how_much_times_of_service_vary() {
    for services in [Times::Constant, Times::Exponential, Times::Hyper(4.0)] {
        let plenty = system(30, services);
        let seen = closed_queue(plenty, 20.0, 2_020.0, 0.25);
        let busy: f64 = seen.iter().map(|look| f64::from(look.busy)).sum();
        let age = seen.iter().map(|look| look.age_seconds).sum::<f64>() / busy;
        let found = service_variation(age, 0.02).expect("it is served");
        assert!((found - services.scv()).abs() < 0.1 + 0.15 * services.scv(), "{services:?}: {found}");
    }
    assert_eq!(service_variation(1.0, 0.0), None);
    assert_eq!(service_variation(1e9, 0.01), Some(MOST_VARIATION));
}

#[test]
fn counts_tell_how_much_arrivals_vary() {
    assert_eq!(arrival_variation(&[10.0; 20]), Some(0.0));
    assert_eq!(arrival_variation(&[10.0; 3]), None, "too few intervals");
    assert_eq!(arrival_variation(&[0.0; 20]), None, "nobody came");
    let bursts = [0.0, 40.0].repeat(10);
    assert!(arrival_variation(&bursts).is_some_and(|found| found > 15.0));
}

proptest! {
    #[test]
    fn whatever_was_seen_the_wish_is_a_number(
        clients in 0.0_f64..5_000.0, rate in 0.0_f64..50_000.0, wait in 0.0_f64..100.0, service in 0.0_f64..100.0,
    ) {
        let seen = Observed { clients, rate, wait_seconds: wait, service_seconds: service };
        prop_assert!(seen.wanted_rate().is_finite() && seen.wanted_rate() >= rate);
        prop_assert!(seen.think_seconds() >= 0.0);
    }
}
