//! Discrete-event simulation of queues, for the tests: what the formulas should say. Draws the same numbers in every run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Random numbers by SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Above 0, below 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits")]
    pub(super) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 4.0
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }
}

/// A distribution of times with mean 1.
#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    Constant,
    /// Sum of two exponentials: squared coefficient of variation ½.
    Erlang2,
    Exponential,
    /// Two exponentials, mixed with balanced means, of this squared coefficient of variation above 1.
    Hyper(f64),
}

impl Times {
    pub(super) fn draw(self, dice: &mut Dice) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Erlang2 => dice.exponential(0.5) + dice.exponential(0.5),
            Self::Exponential => dice.exponential(1.0),
            Self::Hyper(scv) => {
                let first = 0.5 * (1.0 + ((scv - 1.0) / (scv + 1.0)).sqrt());
                let share = if dice.uniform() < first { first } else { 1.0 - first };
                dice.exponential(0.5 / share)
            }
        }
    }

    /// Squared coefficient of variation.
    pub(super) fn scv(self) -> f64 {
        match self {
            Self::Constant => 0.0,
            Self::Erlang2 => 0.5,
            Self::Exponential => 1.0,
            Self::Hyper(scv) => scv,
        }
    }
}

/// Mean wait in a queue that serves who came first, in times of service: each takes the server that is free
/// first (Kiefer and Wolfowitz 1955).
pub(super) fn open_queue(servers: u32, offered: f64, arrivals: Times, services: Times, customers: u32) -> f64 {
    let mut dice = Dice(1);
    let mut free = vec![0.0_f64; servers as usize];
    let (mut now, mut waited) = (0.0, 0.0);
    for _ in 0..customers {
        now += arrivals.draw(&mut dice) / offered;
        let first = free.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("a server");
        let begins = first.max(now);
        waited += begins - now;
        *first = begins + services.draw(&mut dice);
    }
    waited / f64::from(customers)
}

/// Clients who think, ask, wait for one of the servers, are served, and think again.
#[derive(Clone, Copy)]
pub(super) struct Closed {
    pub(super) clients: u32,
    pub(super) servers: u32,
    pub(super) think_seconds: f64,
    pub(super) service_seconds: f64,
    pub(super) services: Times,
}

/// What a console would show at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) at: f64,
    pub(super) busy: u32,
    pub(super) waiting: u32,
    /// Ended so far.
    pub(super) transactions: u32,
    /// Time of those, with their wait, as PgBouncer counts.
    pub(super) transaction_seconds: f64,
    /// Waits of those that got a server.
    pub(super) wait_seconds: f64,
    /// Ages of the transactions under way, added up.
    pub(super) age_seconds: f64,
}

/// Something that happens; times in nanoseconds, so that they can be ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Asks,
    Ends { asked: u64, began: u64 },
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of some minutes")]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[allow(clippy::cast_precision_loss, reason = "nanoseconds of some minutes")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// Runs it, and looks every `between` seconds from `from` to `until`.
pub(super) fn closed_queue(system: Closed, from: f64, until: f64, between: f64) -> Vec<Seen> {
    let mut dice = Dice(2);
    let mut events = BinaryHeap::new();
    for _ in 0..system.clients {
        events.push(Reverse((nanos(dice.exponential(system.think_seconds)), Event::Asks)));
    }
    let (mut now, mut looks_at) = (Seen::default(), from);
    let (mut queue, mut began, mut seen) = (VecDeque::new(), Vec::new(), Vec::new());
    while let Some(Reverse((at, event))) = events.pop() {
        while seconds(at) >= looks_at && looks_at <= until {
            let age_seconds = began.iter().map(|since| looks_at - seconds(*since)).sum();
            seen.push(Seen { at: looks_at, waiting: queue.len() as u32, age_seconds, ..now });
            looks_at += between;
        }
        if looks_at > until {
            break;
        }
        match event {
            Event::Asks => queue.push_back(at),
            Event::Ends { asked, began: since } => {
                now.busy -= 1;
                now.transactions += 1;
                now.transaction_seconds += seconds(at - asked);
                began.remove(began.iter().position(|one| *one == since).expect("it began"));
                events.push(Reverse((at + nanos(dice.exponential(system.think_seconds)), Event::Asks)));
            }
        }
        while now.busy < system.servers {
            let Some(asked) = queue.pop_front() else { break };
            now.busy += 1;
            now.wait_seconds += seconds(at - asked);
            began.push(at);
            let takes = system.services.draw(&mut dice) * system.service_seconds;
            events.push(Reverse((at + nanos(takes), Event::Ends { asked, began: at })));
        }
    }
    seen
}
