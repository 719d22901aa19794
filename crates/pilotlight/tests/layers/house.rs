//! The sources and manifests of the workspace, as text with paths that start at its root.

use std::fs;
use std::path::Path;

/// Every source file and manifest, or the few of an example.
pub(crate) struct House {
    files: Vec<File>,
}

/// One file.
pub(crate) struct File {
    path: String,
    text: String,
}

impl House {
    pub(crate) fn of(files: Vec<File>) -> Self {
        Self { files }
    }

    /// Reads the workspace that this test belongs to.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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

    /// Under a `src` folder, and not a module of tests.
    pub(crate) fn is_product(&self) -> bool {
        self.is_source()
            && self.path.contains("/src/")
            && !self.path.contains("/tests/")
            && self.name() != "tests.rs"
    }

    /// The module itself (`net.rs`) or anything in its folder (`net/..`).
    pub(crate) fn is_within(&self, module: &str) -> bool {
        self.path
            .strip_prefix(module)
            .is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// In one of these modules of the binary's crate.
    pub(crate) fn acts_in(&self, modules: &[&str]) -> bool {
        modules.iter().any(|module| self.is_within(&format!("crates/pilotlight/src/{module}")))
    }

    /// The file's place in its crate: `src/net/ack.rs` is `["net", "ack"]`, `src/net/mod.rs` is `["net"]`.
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
        let entry = entry.expect("a folder that could be opened can be listed");
        let path = folder.join(entry.file_name());
        let is_folder = entry.file_type().expect("a listed entry has a type").is_dir();
        if is_folder && !matches!(entry.file_name().to_str(), Some("node_modules" | "target")) {
            collect(root, &path, files);
        } else if !is_folder && is_read(&path) {
            files.push(File::read(root, &path));
        }
    }
}

fn is_read(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rs") || path.ends_with("Cargo.toml")
}

#[test]
fn a_module_is_its_file_or_its_folder() {
    for (path, within) in [
        ("crates/pilotlight/src/net.rs", true),
        ("crates/pilotlight/src/net/mod.rs", true),
        ("crates/pilotlight/src/net/ack.rs", true),
        ("crates/pilotlight/src/network.rs", false),
        ("crates/pilotlight/src/http/net.rs", false),
    ] {
        assert_eq!(File::new(path, "").acts_in(&["net"]), within, "{path}");
    }
}

#[test]
fn a_path_says_the_module() {
    for (path, module) in [
        ("crates/core/src/pool/list.rs", &["pool", "list"] as &[&str]),
        ("crates/core/src/pool.rs", &["pool"]),
        ("crates/pilotlight/src/net/mod.rs", &["net"]),
        ("crates/core/src/lib.rs", &[]),
        ("crates/pilotlight/tests/layers.rs", &[]),
    ] {
        assert_eq!(File::new(path, "").module(), module, "{path}");
    }
}

#[test]
fn tests_beside_the_product_are_not_the_product() {
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
