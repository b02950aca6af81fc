//! A throwaway server with a shop in it: for `pgassay demo` and for the tests.
//!
//! Starts, loads, works and stops servers of its own and never touches another.

mod binaries;
mod cluster;
mod shop;
mod workload;

pub use binaries::{Binaries, find_binaries};
pub use cluster::{Cluster, DemoError, Setup};
pub use shop::{CONFIG, SUPERUSER, Shop, ShopError};
pub use workload::{Holders, Workload};
