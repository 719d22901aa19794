//! `install.sh` against the files of a release, served from a loopback port. The binary in the archives is a script that
//! prints a version.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what failed by failing there")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];
const LATEST: &str = "0.2.0";
/// What the script needs from the system, except for a client of HTTP.
const TOOLS: [&str; 14] = [
    "cat",
    "chmod",
    "cp",
    "cut",
    "gzip",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sed",
    "sh",
    "sha256sum",
    "tail",
    "tar",
];

#[test]
fn the_latest_version_is_installed() {
    let Some(release) = Release::new("curl") else { return };
    let output = release.install(&[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(release.installed_version(), format!("pilotlight {LATEST}\n"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = release.folder.join("bin/pilotlight");
    assert!(stdout.contains(&format!("installed pilotlight {LATEST} as {}", path.display())), "{stdout}");
    assert!(stdout.contains("is not in your PATH"), "{stdout}");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(release.folder.join("bin")).unwrap().count(), 1, "nothing else is left");
    assert_eq!(fs::read_dir(release.folder.join("tmp")).unwrap().count(), 0, "nothing else is left");
}

#[test]
fn the_same_works_with_wget() {
    let Some(release) = Release::new("wget") else { return };
    let output = release.install(&[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(release.installed_version(), format!("pilotlight {LATEST}\n"));
    release.remove("download/v0.1.0/SHA256SUMS");
    release.fails(&["--version", "0.1.0"], "failed to download");
}

#[test]
fn a_version_is_installed_over_another() {
    let Some(release) = Release::new("curl") else { return };
    release.machine("aarch64");
    for version in ["0.2.0", "0.1.0", "v0.2.0"] {
        assert!(release.install(&["--version", version]).status.success(), "{version}");
        let expected = format!("pilotlight {}\n", version.trim_start_matches('v'));
        assert_eq!(release.installed_version(), expected);
    }
}

#[test]
fn an_archive_with_another_checksum_is_not_installed() {
    let Some(release) = Release::new("curl") else { return };
    let archive = release.archive("latest/download", LATEST);
    let mut bytes = fs::read(&archive).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&archive, bytes).unwrap();
    release.fails(&[], "the checksum of pilotlight-0.2.0-x86_64-unknown-linux-musl.tar.gz is");
}

#[test]
fn an_archive_that_is_not_there_is_named_with_the_answer() {
    let Some(release) = Release::new("curl") else { return };
    fs::remove_file(release.archive("latest/download", LATEST)).unwrap();
    release.fails(
        &[],
        "0.2.0-x86_64-unknown-linux-musl.tar.gz (curl: (22) The requested URL returned error: 404",
    );
}

#[test]
fn a_version_that_is_not_there_is_named_with_the_answer() {
    let Some(release) = Release::new("curl") else { return };
    release.fails(
        &["--version", "9.9.9"],
        "/download/v9.9.9/SHA256SUMS (curl: (22) The requested URL returned error: 404",
    );
}

#[test]
fn an_unknown_machine_is_named() {
    let Some(release) = Release::new("curl") else { return };
    release.machine("riscv64");
    release.fails(&[], "there is no binary for the processor riscv64; build it from the sources with cargo");
    release.system("Darwin", "arm64");
    release.fails(&[], "there is no binary for Darwin; build it from the sources with cargo");
}

#[test]
fn a_release_without_an_archive_for_this_machine_says_so() {
    let Some(release) = Release::new("curl") else { return };
    fs::write(release.served("latest/download/SHA256SUMS"), "<html>\n").unwrap();
    release.fails(&[], "the release has no archive for x86_64-unknown-linux-musl");
}

#[test]
fn a_binary_that_does_not_start_is_not_installed() {
    let Some(release) = Release::new("curl") else { return };
    release.write("latest/download", LATEST, "#!/bin/sh\nexit 1\n");
    release.fails(&[], "the binary does not start on this machine");
}

#[test]
fn what_is_missing_on_the_machine_is_named() {
    let Some(release) = Release::new("curl") else { return };
    fs::remove_file(release.folder.join("path/curl")).unwrap();
    release.fails(&[], "curl or wget is needed, and neither is installed");
    fs::remove_file(release.folder.join("path/tar")).unwrap();
    release.fails(&[], "tar is needed, and it is not installed");
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    let Some(release) = Release::new("curl") else { return };
    release.fails(&["--no-such-option"], "--no-such-option is not an option; --help lists them");
    release.fails(&["--version"], "--version needs a value");
    release.fails(&["--version", "../1"], "../1 is not a version");
    release.fails(&["--from", ""], "where are the releases?");
}

/// A folder with the files of two versions, a server for it, and a machine to install on.
struct Release {
    folder: PathBuf,
    address: String,
}

impl Release {
    /// None, with a line in the skip log, where the client of HTTP is not installed.
    fn new(client: &str) -> Option<Self> {
        let Some(client_path) = find(client) else {
            skip(client);
            return None;
        };
        let folder = temporary_folder();
        for name in ["path", "tmp", "served/latest/download"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        for tool in TOOLS {
            symlink(
                find(tool).unwrap_or_else(|| panic!("{tool} is installed")),
                folder.join("path").join(tool),
            )
            .unwrap();
        }
        symlink(client_path, folder.join("path").join(client)).unwrap();
        let release = Self { address: serve(folder.join("served")), folder };
        release.machine("x86_64");
        for version in ["0.1.0", LATEST] {
            let script = format!("#!/bin/sh\necho pilotlight {version}\n");
            release.write(&format!("download/v{version}"), version, &script);
        }
        release.write("latest/download", LATEST, &format!("#!/bin/sh\necho pilotlight {LATEST}\n"));
        Some(release)
    }

    /// Archives of this binary for all targets, and their checksums.
    fn write(&self, place: &str, version: &str, binary: &str) {
        let folder = self.served(place);
        fs::create_dir_all(&folder).unwrap();
        let mut names = Vec::new();
        for target in TARGETS {
            let name = format!("pilotlight-{version}-{target}");
            let content = self.folder.join("archive").join(&name);
            fs::create_dir_all(&content).unwrap();
            fs::write(content.join("pilotlight"), binary).unwrap();
            let archive = folder.join(format!("{name}.tar.gz"));
            let mut tar = Command::new("tar");
            tar.arg("-czf").arg(&archive).arg("-C").arg(self.folder.join("archive")).arg(&name);
            assert!(tar.status().unwrap().success());
            names.push(format!("{name}.tar.gz"));
        }
        let sums = Command::new("sha256sum").current_dir(&folder).args(&names).output().unwrap();
        assert!(sums.status.success());
        fs::write(folder.join("SHA256SUMS"), sums.stdout).unwrap();
    }

    fn machine(&self, machine: &str) {
        self.system("Linux", machine);
    }

    /// What `uname` prints.
    fn system(&self, system: &str, machine: &str) {
        let uname = self.folder.join("path/uname");
        let script = format!("#!/bin/sh\ncase $1 in -s) echo {system};; -m) echo {machine};; esac\n");
        fs::write(&uname, script).unwrap();
        fs::set_permissions(&uname, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn served(&self, path: &str) -> PathBuf {
        self.folder.join("served").join(path)
    }

    fn archive(&self, place: &str, version: &str) -> PathBuf {
        self.served(place).join(format!("pilotlight-{version}-{}.tar.gz", TARGETS[0]))
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.served(path)).unwrap();
    }

    fn install(&self, options: &[&str]) -> Output {
        let path = |name: &str| self.folder.join(name);
        Command::new(path("path/sh"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../install.sh"))
            .arg("--to")
            .arg(path("bin"))
            .args(options)
            .env_clear()
            .env("PATH", path("path"))
            .env("TMPDIR", path("tmp"))
            .env("PILOTLIGHT_RELEASES_URL", &self.address)
            .output()
            .unwrap()
    }

    /// It ends with exit code 1 and this sentence, and what was installed before is still there.
    fn fails(&self, options: &[&str], sentence: &str) {
        let before = fs::read(self.folder.join("bin/pilotlight")).ok();
        let output = self.install(options);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(stderr.starts_with("install.sh: ") && stderr.contains(sentence), "{stderr}");
        assert_eq!(fs::read(self.folder.join("bin/pilotlight")).ok(), before);
        assert!(!self.folder.join("bin/.pilotlight.new").exists());
        assert_eq!(fs::read_dir(self.folder.join("tmp")).unwrap().count(), 0);
    }

    fn installed_version(&self) -> String {
        let output = Command::new(self.folder.join("bin/pilotlight")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Answers GET with files of this folder, until the test ends.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            // A client that went away asks again, or fails its own test.
            _ = connection.and_then(|connection| answer(connection, &folder));
        }
    });
    address
}

fn answer(mut connection: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match fs::read(folder.join(path.trim_start_matches('/'))) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(connection, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
    connection.write_all(&body)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn temporary_folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("pilotlight-install-{}-{number}", std::process::id()))
}

/// `cargo xtask test` counts the lines of this file as skipped tests.
fn skip(requirement: &str) {
    let test = thread::current().name().unwrap_or("install_script").to_owned();
    println!("skipped: {test}: {requirement} is missing");
    let Some(path) = std::env::var_os("PILOTLIGHT_SKIP_LOG") else { return };
    let mut log = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    log.write_all(format!("{test}: {requirement} is missing\n").as_bytes()).unwrap();
}
