//! Each seed once through its target; golden data too, where it is.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use zonegate_fuzz::{TARGETS, find};

fn run(target: &str, bytes: &[u8]) {
    (find(target).unwrap().run)(bytes);
}

#[test]
fn r4_every_seed_passes_through_its_target() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target.name);
        let seeds: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            run(target.name, &bytes);
            // Cut off anywhere, it is hostile input of the likeliest kind.
            for end in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
                run(target.name, &bytes[..end]);
            }
        }
    }
}

#[test]
fn r4_golden_rows_pass_through_every_target() {
    let Some(golden) = zonegate_fuzz::golden() else {
        println!("skipped: ../shared/golden is not there");
        return;
    };
    for (target, bytes) in zonegate_fuzz::golden_seeds(&golden) {
        run(target, &bytes);
    }
}
