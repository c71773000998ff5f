//! Where things lie: the workspace, its `.zonegate` folder, and one folder per running server.
//!
//! A server's folder is named after the process that made it, so that folders left behind by a process that was killed
//! are recognised and removed by the next one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

/// The root of the workspace that we run in, or, started without cargo, that this crate was compiled in.
///
/// Clones that share a target folder share what was compiled, so what cargo says when it runs us comes first.
#[must_use]
pub fn workspace() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
        let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = |folder: &Path| {
            folder.ancestors().find(|folder| folder.join("crates/testkit").is_dir()).map(Path::to_owned)
        };
        running.as_deref().and_then(root).or_else(|| root(compiled)).unwrap_or_else(|| compiled.to_owned())
    });
    &ROOT
}

/// The folder in the clone that everything installed and everything temporary goes to. Ignored by git.
#[must_use]
pub fn state() -> PathBuf {
    workspace().join(".zonegate")
}

/// Like [`state`], for what an unprivileged user must be able to read while we are root.
///
/// PostgreSQL refuses to run as root. Below a home folder that others cannot enter, a folder in `/tmp` takes its place.
#[must_use]
pub fn state_for_everybody() -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let inside = state();
    let enterable =
        |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    if !is_root() || workspace().ancestors().all(enterable) {
        return inside;
    }
    let name: String = workspace()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    PathBuf::from(format!("/tmp/zonegate{name}"))
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that belongs to one running server and is removed with it.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes an empty folder below [`state`]; `name` says what for.
    pub fn create(name: &str) -> io::Result<Self> {
        Self::create_below(&state(), name)
    }

    /// Makes an empty folder below `base`/run; `name` says what for.
    pub fn create_below(base: &Path, name: &str) -> io::Result<Self> {
        static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = base.join("run");
        fs::create_dir_all(&run)?;
        if SWEPT.lock().is_ok_and(|mut swept| swept.insert(run.clone())) {
            sweep(&run);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = run.join(format!("{}-{number}-{name}", std::process::id()));
        if path.exists() {
            // Left by an earlier process with the same id.
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A failing test leaves its logs for whoever has to find out why; the next run removes them.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes the folders of processes that are no more.
fn sweep(run: &Path) {
    let Ok(entries) = fs::read_dir(run) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_folder_is_there_until_it_is_dropped() {
        let folder = RunFolder::create("folder-test").unwrap();
        let path = folder.path().to_owned();
        assert!(path.starts_with(state()) && path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn folders_of_processes_that_are_no_more_are_swept_and_others_are_not() {
        let base = RunFolder::create("sweep-test").unwrap();
        let gone = base.path().join(format!("{}-0-redis", u32::MAX));
        let alive = base.path().join(format!("{}-0-redis", std::process::id()));
        fs::create_dir_all(&gone).unwrap();
        fs::create_dir_all(&alive).unwrap();
        sweep(base.path());
        assert!(!gone.exists() && alive.exists());
    }
}
