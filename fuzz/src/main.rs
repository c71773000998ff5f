//! The fuzzer's process: libFuzzer calls the target that `ZONEGATE_FUZZ_TARGET` names, again and again. Before it begins,
//! seeds from recorded data are written into the folder `ZONEGATE_FUZZ_GOLDEN`.

#![no_main]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a developer's tool, started by `cargo xtask fuzz`, which sets the variables"
)]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use zonegate_fuzz::{Target, find, golden, golden_seeds};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("ZONEGATE_FUZZ_TARGET").expect("ZONEGATE_FUZZ_TARGET names a target");
    find(&name).expect("the name of a target: see fuzz/src/targets.rs")
});

fn write_golden_seeds() {
    let (Ok(folder), Some(golden)) = (std::env::var("ZONEGATE_FUZZ_GOLDEN"), golden()) else { return };
    std::fs::create_dir_all(&folder).expect("the folder of seeds can be made");
    let seeds = golden_seeds(&golden);
    for (number, (_, bytes)) in seeds.iter().filter(|(target, _)| *target == TARGET.name).enumerate() {
        std::fs::write(Path::new(&folder).join(number.to_string()), bytes).expect("a seed can be written");
    }
}

fuzz_target!(init: write_golden_seeds(), |bytes: &[u8]| (TARGET.run)(bytes));
