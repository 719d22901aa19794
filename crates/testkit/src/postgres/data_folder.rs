//! The folder of a server, with its data. `initdb` takes as long as a hundred tests, so its result is stored as a
//! template in the build folder, and every server starts with a copy of it.

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
    /// Creates a folder that is removed on drop.
    pub(super) fn temporary(binaries: &Binaries) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = short_path(&format!("pg-{}-{count}", std::process::id()));
        fs::create_dir(&path).expect("the folder for temporary files can be written");
        let folder = Self { path, user: binaries.user, is_temporary: true };
        folder.fill(binaries);
        folder
    }

    /// Uses an existing folder, which is not removed on drop.
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
        fs::write(&path, text).expect("the server's folder is writable");
        set_owner(&path, 0o600, self.user);
    }

    fn fill(&self, binaries: &Binaries) {
        set_owner(&self.path, 0o700, self.user);
        let data = self.path.join("data");
        let template = template(binaries);
        if template.exists() {
            copy(&template, &data, self.user);
        } else {
            self.init(binaries);
            self.save_template(&data, &template);
        }
    }

    /// Runs `initdb`. `--no-sync` omits only the syncs of `initdb` itself.
    fn init(&self, binaries: &Binaries) {
        self.write("password", PASSWORD);
        let mut command = binaries.server_command("initdb");
        command.args(["--no-sync", "--no-instructions", "--wal-segsize=1", "--locale=C", "--encoding=UTF8"]);
        command.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username", USER]);
        command.arg("--pwfile").arg(self.path.join("password"));
        command.arg("--pgdata").arg(self.path.join("data"));
        let output = command.output().expect("the requirement `postgresql` is met");
        assert!(output.status.success(), "failed to run initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Stores the data as the template. When several tests do this concurrently, the first one succeeds.
    fn save_template(&self, data: &Path, template: &Path) {
        let name = self.path.file_name().expect("the folder has a name").to_string_lossy();
        let draft = template.with_file_name(format!("{name}.draft"));
        copy(data, &draft, None);
        if fs::rename(&draft, template).is_err() {
            fs::remove_dir_all(&draft).expect("the draft can be removed");
        }
    }
}

impl Drop for ClusterFolder {
    fn drop(&mut self) {
        if self.is_temporary {
            // When this fails, the files remain in the folder for temporary files.
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The path of the template, in the folder that `cargo clean` removes. The number at its end must change with the
/// arguments of `initdb`.
fn template(binaries: &Binaries) -> PathBuf {
    let program = std::env::current_exe().expect("the path of the test binary is readable");
    let build =
        program.parent().and_then(Path::parent).expect("cargo builds tests in `target/<profile>/deps`");
    build.join(format!("pilotlight-postgresql-{}-1", binaries.version()))
}

fn copy(from: &Path, to: &Path, user: Option<User>) {
    fs::create_dir(to).expect("the folder can be written");
    set_owner(to, 0o700, user);
    for entry in fs::read_dir(from).expect("the data folder is readable") {
        let from = entry.expect("the data folder is readable").path();
        let to = to.join(from.file_name().expect("an entry has a name"));
        if from.is_dir() {
            copy(&from, &to, user);
        } else {
            fs::copy(&from, &to).expect("the disk has space for the data");
            set_owner(&to, 0o600, user);
        }
    }
}

fn set_owner(path: &Path, mode: u32, user: Option<User>) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the file belongs to this process");
    if let Some(User { uid, gid }) = user {
        chown(path, Some(uid), Some(gid)).expect("root may change the owner of a file");
    }
}
