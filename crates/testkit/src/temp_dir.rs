//! Folders that are removed when their test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that only this test uses; it is removed on drop.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
    is_mounted: bool,
}

impl TempDir {
    /// Creates an empty folder in the system's folder for temporary files.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = short_path(&format!("test-{}-{count}", std::process::id()));
        fs::create_dir(&path).expect("the folder for temporary files can be written");
        Self { path, is_mounted: false }
    }

    /// Creates a folder that is a separate file system of `kib` KiB. `None` when this process may not mount.
    pub fn mounted(kib: u32) -> Option<Self> {
        let mut folder = Self::new();
        let options = format!("size={kib}k");
        folder.is_mounted = mount(&["-t", "tmpfs", "-o", &options, "pilotlight", folder.text()]);
        folder.is_mounted.then_some(folder)
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's path as text.
    pub fn text(&self) -> &str {
        self.path.to_str().expect("paths of temporary files are text")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if self.is_mounted {
            _ = Command::new("umount").args(["-l", self.text()]).status();
        }
        // When this fails, the files remain in the folder for temporary files.
        _ = fs::remove_dir_all(&self.path);
    }
}

/// A path for temporary files. Names are short because the path of a socket has at most 107 bytes.
pub(crate) fn short_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("pilotlight-{name}"))
}

/// Runs `mount` and returns whether it succeeded.
pub fn mount(arguments: &[&str]) -> bool {
    let output = Command::new("mount").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}
