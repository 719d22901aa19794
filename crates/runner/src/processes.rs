//! Information about processes from `/proc`. On platforms without `/proc` the functions return nothing.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The process ids of this process's children.
pub(super) fn children() -> Vec<i32> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| list.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>();
    lists.flat_map(numbers).collect()
}

/// Resident memory of a process in bytes; 0 if it is not known.
pub(super) fn resident_bytes(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

/// The path of the running program. On Linux it stays the same program when the file is replaced.
pub(super) fn this_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn children_and_memory_are_read_from_proc() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = i32::try_from(child.id()).unwrap();
        assert!(children().contains(&id));
        assert!(resident_bytes(i32::try_from(std::process::id()).unwrap()) > 100_000);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(resident_bytes(id), 0);
    }
}
