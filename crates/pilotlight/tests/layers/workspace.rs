//! The Rust sources and manifests of the workspace: text, and paths relative to the workspace's root.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The capabilities: the folders of the crate `server` that have a file `capability.rs`.
pub(crate) static CAPABILITIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let source = root().join("crates/server/src");
    let entries = fs::read_dir(&source).expect("the sources of the crate `server` can be listed");
    let folders = entries.map(|entry| entry.expect("a folder that was opened can be listed"));
    let capabilities = folders.filter(|folder| folder.path().join("capability.rs").exists());
    capabilities.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect()
});

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All source files and manifests of the workspace, or the files of an example.
pub(crate) struct Workspace {
    files: Vec<File>,
}

/// A source file or a manifest.
pub(crate) struct File {
    path: String,
    text: String,
}

impl Workspace {
    pub(crate) fn of(files: Vec<File>) -> Self {
        Self { files }
    }

    /// Reads the workspace of this test from disk.
    pub(crate) fn read() -> Self {
        let root = root();
        let mut files = vec![File::read(&root, Path::new("Cargo.toml"))];
        for folder in ["crates", "xtask"] {
            collect(&root, Path::new(folder), &mut files);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(root.join(path))
            .unwrap_or_else(|error| panic!("failed to read {path:?}: {error}"));
        Self::new(&path.to_string_lossy(), &text)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn is_source(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file is a source under a `src` folder and not a module of tests.
    pub(crate) fn is_product(&self) -> bool {
        self.is_source()
            && self.path.contains("/src/")
            && !self.path.contains("/tests/")
            && self.name() != "tests.rs"
    }

    /// Whether the file is the module itself (`net.rs`) or in its folder (`net/..`).
    pub(crate) fn is_within(&self, module: &str) -> bool {
        self.path
            .strip_prefix(module)
            .is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// Whether the file belongs to this module of the crate `server`.
    pub(crate) fn is_in_module(&self, module: &str) -> bool {
        self.is_within(&format!("crates/server/src/{module}"))
    }

    /// The capability that the file belongs to, if any.
    pub(crate) fn capability(&self) -> Option<&'static str> {
        CAPABILITIES.iter().map(String::as_str).find(|name| self.is_in_module(name))
    }

    /// The file's module path in its crate: `src/net/ack.rs` is `["net", "ack"]`, `src/net/mod.rs` is `["net"]`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside);
        let mut parts: Vec<_> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main" | "")) {
            parts.pop();
        }
        parts
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    let entries =
        fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("failed to list {folder:?}: {error}"));
    for entry in entries {
        let entry = entry.expect("a folder that was opened can be listed");
        let path = folder.join(entry.file_name());
        let is_folder = entry.file_type().expect("a listed entry has a type").is_dir();
        if is_folder && !matches!(entry.file_name().to_str(), Some("node_modules" | "target")) {
            collect(root, &path, files);
        } else if !is_folder && is_source_or_manifest(&path) {
            files.push(File::read(root, &path));
        }
    }
}

fn is_source_or_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs") || path.ends_with("Cargo.toml")
}

#[test]
fn a_module_has_its_own_file_and_the_files_in_its_folder() {
    for (path, within) in [
        ("crates/server/src/jobs.rs", true),
        ("crates/server/src/jobs/mod.rs", true),
        ("crates/server/src/jobs/http/admin.rs", true),
        ("crates/server/src/jobset.rs", false),
        ("crates/server/src/http/jobs.rs", false),
    ] {
        assert_eq!(File::new(path, "").is_in_module("jobs"), within, "{path}");
    }
}

#[test]
fn the_module_path_follows_from_the_file_path() {
    for (path, module) in [
        ("crates/core/src/pool/list.rs", &["pool", "list"] as &[&str]),
        ("crates/core/src/pool.rs", &["pool"]),
        ("crates/net/src/net/mod.rs", &["net"]),
        ("crates/core/src/lib.rs", &[]),
        ("crates/pilotlight/tests/layers.rs", &[]),
    ] {
        assert_eq!(File::new(path, "").module(), module, "{path}");
    }
}

#[test]
fn tests_are_not_product_code() {
    for (path, product) in [
        ("crates/core/src/pool.rs", true),
        ("crates/core/src/pool/tests.rs", false),
        ("crates/core/src/pool/tests/order.rs", false),
        ("crates/pilotlight/tests/layers.rs", false),
        ("crates/core/Cargo.toml", false),
    ] {
        assert_eq!(File::new(path, "").is_product(), product, "{path}");
    }
}
