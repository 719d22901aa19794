//! A configuration file, for settings that have no environment variable.

use crate::temp_dir::TempDir;

/// The file; it is removed on drop.
pub struct ConfigFile {
    path: String,
    _folder: TempDir,
}

impl ConfigFile {
    /// A file with this content.
    pub fn new(toml: &str) -> Self {
        let folder = TempDir::new();
        let path = folder.path().join("pilotlight.toml");
        std::fs::write(&path, toml).expect("our own folder");
        Self { path: path.to_str().expect("a plain path").to_owned(), _folder: folder }
    }

    /// The environment variable that names the file, and its value.
    pub fn setting(&self) -> (&str, &str) {
        ("PILOTLIGHT_CONFIG", &self.path)
    }
}
