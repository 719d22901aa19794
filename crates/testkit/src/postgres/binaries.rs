//! Where the server's programs are, and as which user they run: they refuse to run as root.

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
        Self { folder, user: is_root.then(user_besides_root) }
    }

    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// The version's number in Debian's folders, or nothing.
    pub(super) fn version(&self) -> String {
        let version = self.folder.parent().and_then(Path::file_name).unwrap_or_default();
        version.to_string_lossy().into_owned()
    }

    /// A command that never runs as root, and that the kernel stops at once (the server's meaning of QUIT) when the
    /// thread or process that started it has ended.
    pub(super) fn server_command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(User { uid, gid }) = self.user {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command.arg("--pdeathsig=QUIT").arg(self.path(program));
        // Without a language its messages are those that tests look for.
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

/// The user that Debian's package creates, or nobody.
fn user_besides_root() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("users are listed there");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).expect("there is a user besides root")
}
