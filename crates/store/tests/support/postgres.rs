//! A real PostgreSQL of the test's own: made, started and removed by the test, on a port and a socket that nobody
//! else knows, with the server's own caution (`fsync`) on. It ends with its test, also when that panics or is killed.
//!
//! Other crates' tests include this file by its path; it needs nothing but the standard library.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Who may sign in, with [`PASSWORD`] over TCP and without over the socket.
pub(crate) const USER: &str = "pilotlight";
/// With a character that an address has to escape.
pub(crate) const PASSWORD: &str = "s3cret/word";

/// The server lets more in than a test has.
const CONNECTIONS: &str = "max_connections=200";

/// After this a start or a stop hangs. A loaded machine needs a small part of it.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running server. It ends with the thread that started it, at the latest.
pub(crate) struct Server {
    server_folder: ServerFolder,
    port: u16,
    process: Child,
    options: Vec<String>,
    made: AtomicU32,
}

impl Server {
    /// Makes one and starts it.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// The same, for connections that are sealed with this certificate and key (PEM).
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(|server_folder| {
            server_folder.write("server.crt", certificate);
            server_folder.write("server.key", key);
            ["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"].map(str::to_owned).into()
        })
    }

    fn start_with(options: impl FnOnce(&ServerFolder) -> Vec<String>) -> Self {
        let server_folder = ServerFolder::new(ServerPrograms::find());
        make_cluster(&server_folder);
        let options = options(&server_folder);
        let port = free_port();
        let process = spawn(&server_folder, port, &options);
        let mut server = Self { server_folder, port, process, options, made: AtomicU32::new(0) };
        server.wait_until_it_answers();
        server
    }

    /// A database without anything in it, another each time: its address over the socket.
    pub(crate) fn database(&self) -> String {
        let name = self.create();
        let folder = self.server_folder.folder.to_str().expect("paths here are text").replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/{name}", self.port)
    }

    /// The same: its address over TCP, with the password.
    pub(crate) fn database_over_tcp(&self) -> String {
        let name = self.create();
        let password = PASSWORD.replace('/', "%2F");
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{name}", self.port)
    }

    /// Its port on the loopback address.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in the database of that address to its good end and returns what `psql` prints, values only.
    pub(crate) fn sql(&self, address: &str, sql: &str) -> String {
        self.psql(database_of(address), sql)
    }

    /// The same of a server that may not answer just now, as while it repairs itself.
    pub(crate) fn try_sql(&self, address: &str, sql: &str) -> Option<String> {
        let output = self.try_psql(database_of(address), sql);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs SQL that begins a transaction and finds something, and stays in it.
    pub(crate) fn hold(&self, address: &str, sql: &str) -> LockHolder {
        let mut command = self.psql_command(database_of(address));
        let mut psql = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`psql` is there");
        let mut stdin = psql.stdin.take().expect("the pipe was just asked for");
        writeln!(stdin, "{sql};").expect("it listens");
        let mut found = String::new();
        let stdout = psql.stdout.take().expect("the pipe was just asked for");
        BufReader::new(stdout).read_line(&mut found).expect("it speaks");
        assert!(!found.is_empty(), "`{sql}` finds nothing");
        LockHolder { psql, _stdin: stdin }
    }

    /// Stops it as a person would (`fast`): connections are told, everything is written.
    pub(crate) fn stop(&mut self) {
        self.end_with_signal("INT");
    }

    /// Stops it as a fault would: nobody is told, and the next start repairs.
    pub(crate) fn crash(&mut self) {
        self.end_with_signal("QUIT");
    }

    /// Starts it again after it was stopped.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.server_folder, self.port, &self.options);
        self.wait_until_it_answers();
    }

    /// Every server has one to begin with.
    fn create(&self) -> String {
        match self.made.fetch_add(1, Ordering::Relaxed) {
            0 => "postgres".to_owned(),
            number => {
                let name = format!("test_{number}");
                self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
                name
            }
        }
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.try_psql(database, sql);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "`{sql}` says: {stderr}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn try_psql(&self, database: &str, sql: &str) -> Output {
        let mut command = self.psql_command(database);
        command.args(["--command", sql]).stdin(Stdio::null());
        command.output().expect("the need `postgresql` is met")
    }

    fn psql_command(&self, database: &str) -> Command {
        let mut command = Command::new(self.server_folder.programs.path("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        command.arg("--host").arg(&self.server_folder.folder).args(["--port", &self.port.to_string()]);
        command.args(["--username", USER, "--dbname", database]).env_clear();
        command
    }

    fn wait_until_it_answers(&mut self) {
        let started = Instant::now();
        while !self.try_psql("postgres", "SELECT 1").status.success() {
            let ended = self.process.try_wait().expect("our own child");
            let is_late = started.elapsed() >= DEADLINE;
            assert!(ended.is_none() && !is_late, "PostgreSQL does not start ({ended:?}):\n{}", self.log());
            pause_before_retry();
        }
    }

    fn end_with_signal(&mut self, signal: &str) {
        signal_to(&self.process, signal);
        let started = Instant::now();
        while self.process.try_wait().expect("our own child").is_none() {
            assert!(started.elapsed() < DEADLINE, "PostgreSQL does not stop:\n{}", self.log());
            pause_before_retry();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.server_folder.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped.
        if matches!(self.process.try_wait(), Ok(None)) {
            signal_to(&self.process, "QUIT");
            _ = self.process.wait();
        }
    }
}

fn database_of(address: &str) -> &str {
    address
        .split('?')
        .next()
        .and_then(|authority| authority.rsplit('/').next())
        .expect("an address names a database")
}

/// Somebody in the middle of a transaction.
pub(crate) struct LockHolder {
    psql: Child,
    _stdin: ChildStdin,
}

impl Drop for LockHolder {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.psql.kill();
        _ = self.psql.wait();
    }
}

/// A folder for one server. It goes with it.
struct ServerFolder {
    folder: PathBuf,
    programs: ServerPrograms,
}

impl ServerFolder {
    /// Its name is short: the path of a socket has at most 107 bytes.
    fn new(programs: ServerPrograms) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("pilotlight-pg-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder for temporary files can be written");
        set_owner(&folder, 0o700, programs.user);
        Self { folder, programs }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("our own folder");
        set_owner(&path, 0o600, self.programs.user);
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        // What is left over lies in the folder for temporary files.
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where the server's programs are, and as whom they run: they refuse root.
struct ServerPrograms {
    folder: PathBuf,
    user: Option<User>,
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl ServerPrograms {
    fn find() -> Self {
        let folder = find_programs().expect("the need `postgresql` is met");
        let is_root =
            fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
        Self { folder, user: is_root.then(other_user) }
    }

    fn path(&self, tool: &str) -> PathBuf {
        self.folder.join(tool)
    }

    /// A command that ends with the thread that starts it, and never runs as root. The signal is the server's word
    /// for "stop at once".
    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Some(User { uid, gid }) = self.user {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command.arg("--pdeathsig=QUIT").arg(self.path(tool));
        // Its messages are read by nobody who speaks another language.
        command
            .env_clear()
            .env("PATH", search_path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }
}

/// The newest of Debian's folders, or wherever the search path leads.
fn find_programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_all_programs(folder))
        .collect();
    found.sort();
    found.pop().map(|(_, folder)| folder).or_else(in_search_path)
}

fn in_search_path() -> Option<PathBuf> {
    std::env::split_paths(&search_path()).find(|folder| has_all_programs(folder))
}

fn has_all_programs(folder: &Path) -> bool {
    ["initdb", "postgres", "psql"].iter().all(|tool| folder.join(tool).exists())
}

fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The user that Debian's package makes, or nobody.
fn other_user() -> User {
    let users = fs::read_to_string("/etc/passwd").expect("users are listed there");
    let of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    };
    of("postgres").or_else(|| of("nobody")).expect("there is a user besides root")
}

fn set_owner(path: &Path, mode: u32, user: Option<User>) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own folder");
    if let Some(User { uid, gid }) = user {
        chown(path, Some(uid), Some(gid)).expect("root may give");
    }
}

/// Making a cluster takes as long as a hundred tests do without it: the first one is kept beside the test programs,
/// and the others are copies.
fn make_cluster(server_folder: &ServerFolder) {
    let data = server_folder.folder.join("data");
    let cached = cached_cluster(&server_folder.programs);
    if cached.exists() {
        copy(&cached, &data, server_folder.programs.user);
        return;
    }
    init_cluster(server_folder);
    cache_cluster(&data, &cached, &server_folder.folder);
}

/// In the folder that `cargo clean` removes. The number changes with the words of [`init_cluster`].
fn cached_cluster(programs: &ServerPrograms) -> PathBuf {
    let program = std::env::current_exe().expect("a test is a program");
    let build = program.parent().and_then(Path::parent).expect("cargo puts it into a folder of a folder");
    let version = programs.folder.parent().and_then(Path::file_name).unwrap_or_default();
    build.join(format!("pilotlight-postgresql-{}-1", version.to_string_lossy()))
}

/// Whoever is the first to put it there wins.
fn cache_cluster(data: &Path, cached: &Path, folder: &Path) {
    let name = folder.file_name().expect("our own folder").to_string_lossy();
    let draft = cached.with_file_name(format!("{name}.draft"));
    copy(data, &draft, None);
    if fs::rename(&draft, cached).is_err() {
        fs::remove_dir_all(&draft).expect("our own folder");
    }
}

fn copy(from: &Path, to: &Path, user: Option<User>) {
    fs::create_dir(to).expect("the folder can be written");
    set_owner(to, 0o700, user);
    for entry in fs::read_dir(from).expect("a cluster is a folder") {
        let from = entry.expect("a cluster is a folder").path();
        let to = to.join(from.file_name().expect("it is not the root"));
        if from.is_dir() {
            copy(&from, &to, user);
        } else {
            fs::copy(&from, &to).expect("there is room for a cluster");
            set_owner(&to, 0o600, user);
        }
    }
}

/// `--no-sync` leaves out only the syncs of the making itself.
fn init_cluster(server_folder: &ServerFolder) {
    server_folder.write("password", PASSWORD);
    let mut command = server_folder.programs.command("initdb");
    command.args(["--no-sync", "--no-instructions", "--wal-segsize=1", "--locale=C", "--encoding=UTF8"]);
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--username", USER]);
    command.arg("--pwfile").arg(server_folder.folder.join("password"));
    command.arg("--pgdata").arg(server_folder.folder.join("data"));
    let output = command.output().expect("the need `postgresql` is met");
    assert!(output.status.success(), "initdb says: {}", String::from_utf8_lossy(&output.stderr));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback address has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn spawn(server_folder: &ServerFolder, port: u16, options: &[String]) -> Child {
    let ServerFolder { folder, programs } = server_folder;
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log = log.expect("our own folder");
    let mut command = programs.command("postgres");
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    for option in
        ["listen_addresses=127.0.0.1", CONNECTIONS].into_iter().chain(options.iter().map(String::as_str))
    {
        command.args(["-c", option]);
    }
    command.stdout(log.try_clone().expect("a file can be written twice")).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"))
}

fn signal_to(process: &Child, name: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill is everywhere");
    assert!(sent.success(), "failed to send {name} to {pid}");
}

fn pause_before_retry() {
    std::thread::sleep(Duration::from_millis(5));
}
