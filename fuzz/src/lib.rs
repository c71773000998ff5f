//! Fuzz targets: one for each parser of foreign input (R4, L1). A target takes any bytes; it must not panic, hang, or
//! take memory without bound, and it checks what must hold of the result.
//!
//! `cargo xtask fuzz` runs them under libFuzzer. The tests here run each seed through its target once, so that what a
//! fuzzer has found stays found; put the bytes of a crash into `seeds/<target>/`.

mod golden;
mod targets;

pub use golden::{golden, golden_seeds};
pub use targets::{TARGETS, Target, find};
