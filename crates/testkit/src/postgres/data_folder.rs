//! The folder of a server, with its data. `initdb` takes as long as a hundred tests: its result is kept beside the test
//! programs, and every server starts from a copy.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::binaries::{Binaries, User};
use super::{PASSWORD, USER};
use crate::temp_dir::short_path;

/// A folder that only the server's user can read, with data in `data/`.
pub(super) struct ClusterFolder {
    path: PathBuf,
    user: Option<User>,
    is_temporary: bool,
}

impl ClusterFolder {
    /// Removed on drop.
    pub(super) fn temporary(binaries: &Binaries) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = short_path(&format!("pg-{}-{count}", std::process::id()));
        fs::create_dir(&path).expect("the folder for temporary files can be written");
        let folder = Self { path, user: binaries.user, is_temporary: true };
        folder.fill(binaries);
        folder
    }

    /// Stays until somebody else removes it.
    pub(super) fn permanent(path: &Path, binaries: &Binaries) -> Self {
        let folder = Self { path: path.to_owned(), user: binaries.user, is_temporary: false };
        folder.fill(binaries);
        folder
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only the server's user can read.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        fs::write(&path, text).expect("our own folder");
        give(&path, 0o600, self.user);
    }

    fn fill(&self, binaries: &Binaries) {
        give(&self.path, 0o700, self.user);
        let data = self.path.join("data");
        let template = template(binaries);
        if template.exists() {
            copy(&template, &data, self.user);
        } else {
            self.init(binaries);
            self.keep_as_template(&data, &template);
        }
    }

    /// `--no-sync` leaves out only the syncs of `initdb` itself.
    fn init(&self, binaries: &Binaries) {
        self.write("password", PASSWORD);
        let mut command = binaries.server_command("initdb");
        command.args(["--no-sync", "--no-instructions", "--wal-segsize=1", "--locale=C", "--encoding=UTF8"]);
        command.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username", USER]);
        command.arg("--pwfile").arg(self.path.join("password"));
        command.arg("--pgdata").arg(self.path.join("data"));
        let output = command.output().expect("the requirement `postgresql` is met");
        assert!(output.status.success(), "initdb says: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The first of several tests that try it at once succeeds.
    fn keep_as_template(&self, data: &Path, template: &Path) {
        let name = self.path.file_name().expect("our own folder").to_string_lossy();
        let draft = template.with_file_name(format!("{name}.draft"));
        copy(data, &draft, None);
        if fs::rename(&draft, template).is_err() {
            fs::remove_dir_all(&draft).expect("our own folder");
        }
    }
}

impl Drop for ClusterFolder {
    fn drop(&mut self) {
        if self.is_temporary {
            // What is left over lies in the folder for temporary files.
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// In the folder that `cargo clean` removes. The number changes with the arguments of `initdb`.
fn template(binaries: &Binaries) -> PathBuf {
    let program = std::env::current_exe().expect("a test is a program");
    let build = program.parent().and_then(Path::parent).expect("cargo puts it into a folder of a folder");
    build.join(format!("pilotlight-postgresql-{}-1", binaries.version()))
}

fn copy(from: &Path, to: &Path, user: Option<User>) {
    fs::create_dir(to).expect("the folder can be written");
    give(to, 0o700, user);
    for entry in fs::read_dir(from).expect("a cluster is a folder") {
        let from = entry.expect("a cluster is a folder").path();
        let to = to.join(from.file_name().expect("it is not the root"));
        if from.is_dir() {
            copy(&from, &to, user);
        } else {
            fs::copy(&from, &to).expect("the disk has room for a cluster");
            give(&to, 0o600, user);
        }
    }
}

fn give(path: &Path, mode: u32, user: Option<User>) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own folder");
    if let Some(User { uid, gid }) = user {
        chown(path, Some(uid), Some(gid)).expect("root may give a file away");
    }
}
