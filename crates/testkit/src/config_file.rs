//! A configuration file, for settings that have no environment variable.

use crate::temp_dir::TempDir;

/// A configuration file in its own folder; both are removed on drop.
pub struct ConfigFile {
    path: String,
    _folder: TempDir,
}

impl ConfigFile {
    /// Writes a file with this content.
    pub fn new(toml: &str) -> Self {
        let folder = TempDir::new();
        let path = folder.path().join("pilotlight.toml");
        std::fs::write(&path, toml).expect("the test's folder is writable");
        Self { path: path.to_str().expect("the path is UTF-8").to_owned(), _folder: folder }
    }

    /// The environment variable that names the file, and its value.
    pub fn setting(&self) -> (&str, &str) {
        ("PILOTLIGHT_CONFIG", &self.path)
    }
}
