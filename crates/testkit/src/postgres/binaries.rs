//! Finds the programs of PostgreSQL, and the user that runs them: they refuse to run as root.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The installed programs.
pub(super) struct Binaries {
    folder: PathBuf,
    pub(super) user: Option<User>,
}

#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Binaries {
    pub(super) fn find() -> Self {
        let folder = newest_debian().or_else(in_search_path).expect("the requirement `postgresql` is met");
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        Self { folder, user: is_root.then(unprivileged_user) }
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// The version number in the path of Debian's folders; otherwise another part of the path.
    pub(super) fn version(&self) -> String {
        let version = self.folder.parent().and_then(Path::file_name).unwrap_or_default();
        version.to_string_lossy().into_owned()
    }

    /// A command that never runs as root. When the thread or process that started it has ended, the kernel sends it
    /// SIGQUIT, and the server stops at once.
    pub(super) fn server_command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(User { uid, gid }) = self.user {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command.arg("--pdeathsig=QUIT").arg(self.path(program));
        // In the locale `C` the messages are English; tests search for them.
        command.env_clear().env("PATH", search_path()).env("LC_ALL", "C").env("TZ", "UTC");
        command.stdin(Stdio::null());
        command
    }
}

/// The newest version in Debian's folders.
fn newest_debian() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    versions.filter(|(_, folder)| has_all(folder)).max().map(|(_, folder)| folder)
}

fn in_search_path() -> Option<PathBuf> {
    std::env::split_paths(&search_path()).find(|folder| has_all(folder))
}

fn has_all(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).exists())
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The user `postgres`, which Debian's package creates, or the user `nobody`.
fn unprivileged_user() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("the system has the user `postgres` or `nobody`")
}
