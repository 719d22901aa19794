//! A configuration file of the test's own, for what cannot be said in the environment.

use super::process::Folder;

/// The file; it is removed on drop.
pub(crate) struct File {
    path: String,
    _folder: Folder,
}

impl File {
    /// With this in it.
    pub(crate) fn with(toml: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path().join("pilotlight.toml");
        std::fs::write(&path, toml).expect("our own folder");
        Self { path: path.to_str().expect("a plain path").to_owned(), _folder: folder }
    }

    /// The setting that names it.
    pub(crate) fn named(&self) -> (&str, &str) {
        ("PILOTLIGHT_CONFIG", &self.path)
    }
}
