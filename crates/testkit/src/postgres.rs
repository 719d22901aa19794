//! Real PostgreSQL servers for tests.
//!
//! Most tests share one server, in which each test has its own database ([`PostgresCluster::shared`]). The first test
//! of a run starts the server; it is stopped when the process that runs the tests has exited, for any reason. A test
//! that stops, breaks or configures its server starts its own ([`PostgresCluster::start`]), which ends with the test,
//! also when the test panics or is killed.

mod binaries;
mod data_folder;
mod shared;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::send_signal;
use crate::wait;

use self::binaries::Binaries;
use self::data_folder::ClusterFolder;

/// The role in every database address. It needs [`PASSWORD`] over TCP, and no password over the Unix socket.
pub const USER: &str = "pilotlight";
/// The password of [`USER`]. It has a character that must be escaped in an address.
pub const PASSWORD: &str = "s3cret/word";

/// More connections than a single test needs.
const CONNECTIONS: &str = "max_connections=200";

/// A running server, and the databases that were created through this value.
pub struct PostgresCluster {
    folder: PathBuf,
    port: u16,
    binaries: Binaries,
    own: Option<OwnServer>,
    /// Names of databases in a shared server that are dropped with this value.
    shared_databases: Mutex<Vec<String>>,
}

/// A server that belongs to one test.
struct OwnServer {
    process: Child,
    options: Vec<String>,
    /// Number of databases that were requested.
    databases: AtomicU32,
    // The folder is removed after the process has exited.
    _folder: ClusterFolder,
}

impl PostgresCluster {
    /// The server that all tests of a run share; it does not sync to disk. A test must not stop or configure it, and
    /// must read its statistics for the test's own database only.
    pub fn shared() -> Self {
        let binaries = Binaries::find();
        let (folder, port) = shared::find_or_start(&binaries);
        Self { folder, port, binaries, own: None, shared_databases: Mutex::default() }
    }

    /// Starts a server for this test alone. It syncs to disk as usual.
    pub fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// Starts a server for this test alone that offers TLS, with this certificate and key (PEM).
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(|folder| {
            folder.write("server.crt", certificate);
            folder.write("server.key", key);
            ["ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key"].map(str::to_owned).into()
        })
    }

    fn start_with(options: impl FnOnce(&ClusterFolder) -> Vec<String>) -> Self {
        let binaries = Binaries::find();
        let folder = ClusterFolder::temporary(&binaries);
        let mut options = options(&folder);
        options.push(CONNECTIONS.to_owned());
        let port = free_port();
        let path = folder.path().to_owned();
        let process = spawn(server_command(&binaries, &path, port, &options), &path);
        let own = OwnServer { process, options, databases: AtomicU32::new(0), _folder: folder };
        let mut cluster =
            Self { folder: path, port, binaries, own: Some(own), shared_databases: Mutex::default() };
        cluster.wait_until_ready();
        cluster
    }

    /// Creates an empty database and returns its address over the Unix socket.
    pub fn database(&self) -> String {
        let name = self.create_database();
        let folder = self.folder.to_str().expect("paths of temporary files are text").replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/{name}", self.port)
    }

    /// Creates an empty database and returns its address over TCP, with the password.
    pub fn database_over_tcp(&self) -> String {
        let name = self.create_database();
        let password = PASSWORD.replace('/', "%2F");
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{name}", self.port)
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in the database of that address and returns the values that `psql` prints. The SQL must succeed.
    pub fn sql(&self, address: &str, sql: &str) -> String {
        self.psql(database_name(address), sql)
    }

    /// Runs SQL in the database of that address; `None` when it fails, for example because the server does not answer.
    pub fn try_sql(&self, address: &str, sql: &str) -> Option<String> {
        let output = self.try_psql(database_name(address), sql);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs SQL that begins a transaction and returns a row. The transaction stays open until the result is dropped.
    pub fn open_transaction(&self, address: &str, sql: &str) -> OpenTransaction {
        let mut command = self.psql_command(database_name(address));
        let mut psql = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the requirement `postgresql` is met");
        let mut stdin = psql.stdin.take().expect("the pipe was requested");
        writeln!(stdin, "{sql};").expect("psql reads");
        let mut row = String::new();
        let stdout = psql.stdout.take().expect("the pipe was requested");
        BufReader::new(stdout).read_line(&mut row).expect("psql answers");
        assert!(!row.is_empty(), "`{sql}` returns no row");
        OpenTransaction { psql, _stdin: stdin }
    }

    /// Stops the server cleanly (PostgreSQL's `fast` mode): it notifies clients and writes all data.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Stops the server like a crash: clients get no notice, and the next start must recover.
    pub fn crash(&mut self) {
        self.end("QUIT");
    }

    /// Starts the server again after it was stopped.
    pub fn restart(&mut self) {
        let own = self.own.as_mut().expect(SHARED);
        let command = server_command(&self.binaries, &self.folder, self.port, &own.options);
        own.process = spawn(command, &self.folder);
        self.wait_until_ready();
    }

    /// Returns the name of an empty database. In a server of one test, the first one is `postgres`, which every server
    /// has.
    fn create_database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if self.own.as_ref().is_some_and(|own| own.databases.fetch_add(1, Ordering::Relaxed) == 0) {
            return "postgres".to_owned();
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{count}", std::process::id());
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        if self.own.is_none() {
            self.shared_databases.lock().expect("nothing panics under the lock").push(name.clone());
        }
        name
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.try_psql(database, sql);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "failed to run `{sql}`: {stderr}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn try_psql(&self, database: &str, sql: &str) -> Output {
        let mut command = self.psql_command(database);
        command.args(["--command", sql]).stdin(Stdio::null());
        command.output().expect("the requirement `postgresql` is met")
    }

    fn psql_command(&self, database: &str) -> Command {
        psql_command(&self.binaries, &self.folder, self.port, database)
    }

    fn wait_until_ready(&mut self) {
        let ready = wait::try_wait_for(|| {
            let own = self.own.as_mut().expect(SHARED);
            let exited = own.process.try_wait().expect("our own child");
            assert!(exited.is_none(), "PostgreSQL exited ({exited:?}):\n{}", log(&self.folder));
            is_ready(&self.binaries, &self.folder, self.port).then_some(())
        });
        assert!(ready.is_some(), "PostgreSQL does not start:\n{}", self.log());
    }

    fn end(&mut self, signal: &str) {
        let own = self.own.as_mut().expect(SHARED);
        send_signal(own.process.id(), signal);
        let exited = wait::try_wait_for(|| own.process.try_wait().expect("our own child"));
        assert!(exited.is_some(), "PostgreSQL does not stop:\n{}", self.log());
    }

    fn log(&self) -> String {
        log(&self.folder)
    }
}

const SHARED: &str = "only a test's own server is stopped and started";

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            // It may have been stopped.
            if matches!(own.process.try_wait(), Ok(None)) {
                send_signal(own.process.id(), "QUIT");
                _ = own.process.wait();
            }
        }
        let databases = self.shared_databases.get_mut().map(std::mem::take).unwrap_or_default();
        for name in databases {
            // A database that is not dropped is removed with the server.
            _ = self.try_psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// A client in the middle of a transaction.
pub struct OpenTransaction {
    psql: Child,
    _stdin: ChildStdin,
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        // It may have exited by itself.
        _ = self.psql.kill();
        _ = self.psql.wait();
    }
}

fn database_name(address: &str) -> &str {
    address.split('?').next().and_then(|path| path.rsplit('/').next()).expect("an address names a database")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback address has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn psql_command(binaries: &Binaries, folder: &Path, port: u16, database: &str) -> Command {
    let mut command = Command::new(binaries.path("psql"));
    command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    command.arg("--host").arg(folder).args(["--port", &port.to_string()]);
    command.args(["--username", USER, "--dbname", database]).env_clear();
    command
}

fn is_ready(binaries: &Binaries, folder: &Path, port: u16) -> bool {
    let mut command = psql_command(binaries, folder, port, "postgres");
    let output = command.args(["--command", "SELECT 1"]).stdin(Stdio::null()).output();
    output.expect("the requirement `postgresql` is met").status.success()
}

fn server_command(binaries: &Binaries, folder: &Path, port: u16, options: &[String]) -> Command {
    let mut command = binaries.server_command("postgres");
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    command.args(["-c", "listen_addresses=127.0.0.1"]);
    for option in options {
        command.args(["-c", option]);
    }
    command
}

fn spawn(mut command: Command, folder: &Path) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log = log.expect("the server's folder is writable");
    command.stdout(log.try_clone().expect("a descriptor is free")).stderr(log);
    command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"))
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}
