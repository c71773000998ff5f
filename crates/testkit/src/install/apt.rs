//! Debian packages: downloaded with apt lists of our own, unpacked into a folder.
//!
//! Works without root and changes nothing on the machine. Packages of another Debian release are had by copying the
//! machine's own sources with the release's name changed.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::{InstallError, Progress, failed, run};
use crate::folders;

const HINT: &str = "is the machine's Debian archive reachable (does `apt-get update` work)?";

/// Downloads packages of `release` (the machine's own if `None`) and unpacks them into `target`.
pub(super) fn unpack(
    packages: &[&str],
    release: Option<&str>,
    target: &Path,
    progress: Progress<'_>,
) -> Result<(), InstallError> {
    let own = own_release();
    let release = release.unwrap_or(&own);
    let folder = folders::state().join("apt").join(release);
    for part in ["sources", "lists/partial", "cache/archives/partial"] {
        let part = folder.join(part);
        fs::create_dir_all(&part).map_err(failed("create", &part))?;
    }
    // Installations for root and for everybody have different folders and locks; these lists are for both.
    let lock_path = folder.join("lock");
    let lock = File::create(&lock_path).map_err(failed("create", &lock_path))?;
    lock.lock().map_err(failed("lock", &lock_path))?;
    write_sources(&own, release, &folder.join("sources"))?;

    let debs = target.join("debs");
    fs::create_dir_all(&debs).map_err(failed("create", &debs))?;
    progress(&format!("downloading {} from Debian {release}", packages.join(", ")));
    let download = || run(apt_get(&folder).current_dir(&debs).arg("download").args(packages), HINT);
    // Lists of an earlier run may be there and may be too old; ask for new ones only then.
    if download().is_err() {
        progress(&format!("reading the package lists of Debian {release}"));
        // One list of several may be missing (a retired release has no updates): what counts is the download.
        let updated = run(apt_get(&folder).arg("update"), HINT);
        download().map_err(|error| updated.err().unwrap_or(error))?;
    }
    let entries = fs::read_dir(&debs).map_err(failed("read", &debs))?;
    for deb in entries.flatten() {
        run(Command::new("dpkg-deb").arg("--extract").arg(deb.path()).arg(target), "is the disk full?")?;
    }
    fs::remove_dir_all(&debs).map_err(failed("remove", &debs))
}

fn apt_get(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let mut set = |key: &str, value: &str| {
        command.arg("-o").arg(format!("{key}={value}"));
    };
    set("Dir::Etc::sourcelist", "/dev/null");
    set("Dir::Etc::sourceparts", &folder.join("sources").to_string_lossy());
    set("Dir::State::lists", &folder.join("lists").to_string_lossy());
    set("Dir::Cache", &folder.join("cache").to_string_lossy());
    set("Acquire::Languages", "none");
    set("Acquire::Retries", "3");
    set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false");
    // The user that apt would drop to may not be able to enter the clone.
    set("APT::Sandbox::User", "root");
    command.env("LC_ALL", "C");
    command
}

/// The code name of the machine's release, such as `bookworm`.
fn own_release() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    name.map_or_else(|| "bookworm".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn write_sources(own: &str, wanted: &str, target: &Path) -> Result<(), InstallError> {
    let mut files = vec![Path::new("/etc/apt/sources.list").to_owned()];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    let mut found = false;
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let deb822 = file.extension().is_some_and(|extension| extension == "sources");
        let text = if deb822 { paragraphs(&text, own, wanted) } else { lines(&text, own, wanted) };
        if text.is_empty() {
            continue;
        }
        found = true;
        let name = file.file_name().unwrap_or_default();
        let path = target.join(name);
        fs::write(&path, text).map_err(failed("write", &path))?;
    }
    if found { Ok(()) } else { Err(InstallError::NoDebianArchive { codename: own.to_owned() }) }
}

/// `bookworm-security` with `own` = bookworm becomes `bullseye-security`. `None` for a suite of somebody else's archive.
fn suite(suite: &str, own: &str, wanted: &str) -> Option<String> {
    let rest = suite.strip_prefix(own).or_else(|| suite.strip_prefix("stable"))?;
    matches!(rest, "" | "-updates" | "-security" | "/updates").then(|| format!("{wanted}{rest}"))
}

/// Sources in apt's older format, one a line: `deb [options] URI SUITE COMPONENT…`.
fn lines(text: &str, own: &str, wanted: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else { continue };
        let (options, rest) = match rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'))
        {
            Some((options, rest)) => (format!("[{options}] "), rest),
            None => (String::new(), rest),
        };
        let mut words = rest.split_whitespace();
        if let (Some(uri), Some(suite)) =
            (words.next(), words.next().and_then(|name| suite(name, own, wanted)))
        {
            kept.extend(["deb ", &options, uri, " ", &suite, " main\n"]);
        }
    }
    kept
}

/// Sources in deb822 format: paragraphs of fields, continued on lines that start with white space.
fn paragraphs(text: &str, own: &str, wanted: &str) -> String {
    let mut kept = String::new();
    for paragraph in text.split("\n\n") {
        let fields: Vec<&str> =
            paragraph.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
        let value = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name)).map(str::trim);
        let suites: Vec<String> = value("Suites:")
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|name| suite(name, own, wanted))
            .collect();
        if suites.is_empty()
            || !value("Types:").is_some_and(|types| types.split_whitespace().any(|kind| kind == "deb"))
        {
            continue;
        }
        kept.extend(["Types: deb\nSuites: ", &suites.join(" "), "\nComponents: main\n"]);
        let ours = ["Types:", "Suites:", "Components:"];
        for field in fields.iter().filter(|field| !ours.iter().any(|name| field.starts_with(name))) {
            kept.push_str(field);
            kept.push('\n');
        }
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_debian_archive_is_taken_from_one_line_sources_and_its_release_is_changed() {
        let text = "# deb http://a.example/debian bookworm main\n\
                    deb [signed-by=/k.gpg arch=amd64] http://a.example/debian bookworm-updates main contrib\n\
                    deb-src http://a.example/debian bookworm main\n\
                    deb http://b.example/apt cloud-sdk-bookworm main\n\
                    deb http://s.example/debian-security bookworm-security main\n";
        assert_eq!(
            lines(text, "bookworm", "bullseye"),
            "deb [signed-by=/k.gpg arch=amd64] http://a.example/debian bullseye-updates main\n\
             deb http://s.example/debian-security bullseye-security main\n"
        );
    }

    #[test]
    fn only_the_debian_archive_is_taken_from_deb822_sources_and_its_release_is_changed() {
        let text = "Types: deb deb-src\n# a comment\nURIs: http://a.example/debian\nSuites: bookworm bookworm-backports bookworm-updates\n\
                    Components: main\nSigned-By:\n -----BEGIN\n .\n -----END\n\n\
                    Types: deb\nURIs: http://b.example\nSuites: nodistro\nComponents: main\n";
        assert_eq!(
            paragraphs(text, "bookworm", "bullseye"),
            "Types: deb\nSuites: bullseye bullseye-updates\nComponents: main\n\
             URIs: http://a.example/debian\nSigned-By:\n -----BEGIN\n .\n -----END\n\n"
        );
    }
}
