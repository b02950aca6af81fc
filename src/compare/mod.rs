//! One verdict beside another: what is new since a baseline. Pure; reads no files.

mod baseline;

pub use baseline::Baseline;
