//! The server that all tests of a run share. The first test that needs it starts it, under a lock that the others wait
//! for; a script beside it (`shared_postgres.sh`) stops it when the process that runs the tests has exited.

use std::fs::{self, File};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::Binaries;
use super::data_folder::ClusterFolder;
use super::{free_port, is_ready, log, server_command, spawn};
use crate::wait;

/// Tests are about statements and transactions, never about what a power failure leaves: nothing is synced to disk.
const OPTIONS: [&str; 4] = ["max_connections=500", "fsync=off", "full_page_writes=off", "autovacuum=off"];

/// Returns the server's folder and port.
pub(super) fn find_or_start(binaries: &Binaries) -> (PathBuf, u16) {
    let owner = Owner::find();
    let path = std::env::temp_dir().join(format!("pilotlight-pg-{}-{}", owner.process, owner.started_at));
    fs::create_dir_all(&path).expect("the folder for temporary files can be written");
    let lock = File::create(path.join("lock")).expect("our own folder");
    lock.lock().expect("files there can be locked");

    let port_file = path.join("port");
    let port = match fs::read_to_string(&port_file) {
        Ok(text) => text.parse().expect("we wrote a number"),
        Err(_) => {
            let port = start(binaries, &owner, &path);
            fs::write(&port_file, port.to_string()).expect("our own folder");
            port
        }
    };
    (path, port)
}

fn start(binaries: &Binaries, owner: &Owner, path: &Path) -> u16 {
    let folder = ClusterFolder::permanent(path, binaries);
    let port = free_port();
    let server = server_command(binaries, folder.path(), port, &OPTIONS.map(str::to_owned));
    // In a session of its own: it is not killed with the test that happened to be the first.
    let mut command = Command::new("setsid");
    command.args(["sh", concat!(env!("CARGO_MANIFEST_DIR"), "/src/shared_postgres.sh")]);
    command.arg(owner.process.to_string()).arg(folder.path());
    command.arg(server.get_program()).args(server.get_args()).stdin(Stdio::null());
    command.env_clear().envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // It ends after this process, so nobody here waits for it.
    drop(spawn(command, path));
    let ready = wait::try_wait_for(|| is_ready(binaries, path, port).then_some(()));
    assert!(ready.is_some(), "PostgreSQL does not start:\n{}", log(path));
    port
}

/// The process with which the server ends.
struct Owner {
    process: u32,
    /// Distinguishes it from an earlier process with the same id.
    started_at: String,
}

impl Owner {
    /// The runner that starts a process for each test, or else this process.
    fn find() -> Self {
        let process = if std::env::var_os("NEXTEST").is_some() { parent_id() } else { std::process::id() };
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
        // After the program's name, which is in brackets and may hold anything, follow fields 3 to 52.
        let started_at = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(19));
        Self { process, started_at: started_at.expect("field 22 is the start time").to_owned() }
    }
}
