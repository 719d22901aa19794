//! The software bill of materials of one binary, as CycloneDX 1.5 JSON: every package that is compiled into it or that
//! runs while it is built (`"scope": "excluded"`), with version, licence, checksum and what it depends on.
//!
//! cargo decides which packages those are (`cargo tree`, with the features and the target of the binary); the rest comes
//! from `cargo metadata` and `Cargo.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::child;

/// Name and version: cargo's lock file holds each pair once.
type Package = (String, String);

/// Writes the document for a binary of this target, built at this time (ISO 8601).
pub(crate) fn document(triple: &str, built_at: &str) -> anyhow::Result<Value> {
    let all = packages(triple, "normal,build")?;
    let in_the_binary = packages(triple, "normal,no-proc-macro")?;
    let metadata = metadata(triple)?;
    let checksums = checksums(&fs::read_to_string(child::root().join("Cargo.lock"))?);
    let graph = Graph::of(&metadata, &all)?;

    let mut components = Vec::new();
    let mut product = None;
    for (package, details) in &graph.details {
        let component = component(package, details, &checksums, in_the_binary.contains(package));
        if package.0 == "pilotlight" { product = Some(component) } else { components.push(component) }
    }
    let Some(mut product) = product else { bail!("failed to find the package pilotlight") };
    product["type"] = json!("application");
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": built_at,
            "component": product,
            "properties": [{ "name": "rust:target", "value": triple }],
        },
        "components": components,
        "dependencies": graph.dependencies(),
    }))
}

/// The packages that `cargo tree` lists for the product along these edges.
fn packages(triple: &str, edges: &str) -> anyhow::Result<BTreeSet<Package>> {
    let tree = child::output(
        child::cargo()
            .args(["tree", "--locked", "-p", "pilotlight", "--target", triple, "--edges", edges])
            .args(["--prefix", "none", "--format", "{p}"]),
    )
    .map_err(anyhow::Error::msg)?;
    Ok(tree.lines().filter_map(parse_tree_line).collect())
}

/// `bytes v1.12.2`, `clap_derive v4.6.9 (proc-macro)` or `pilotlight v0.1.0 (/a/path)`.
fn parse_tree_line(line: &str) -> Option<Package> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    Some((name.to_owned(), version.strip_prefix('v')?.to_owned()))
}

fn metadata(triple: &str) -> anyhow::Result<Value> {
    let arguments = ["metadata", "--locked", "--format-version", "1", "--filter-platform", triple];
    let text = child::output(child::cargo().args(arguments)).map_err(anyhow::Error::msg)?;
    serde_json::from_str(&text).context("failed to read what `cargo metadata` prints")
}

/// The checksum of each package of the registry, from `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Package, String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let blocks = lock.split("[[package]]\n").skip(1);
    blocks
        .filter_map(|block| {
            Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
        })
        .collect()
}

/// The packages of the binary with their details, and which of them depends on which.
struct Graph<'a> {
    details: BTreeMap<Package, &'a Value>,
    edges: BTreeMap<String, Vec<String>>,
}

impl<'a> Graph<'a> {
    fn of(metadata: &'a Value, packages: &BTreeSet<Package>) -> anyhow::Result<Self> {
        let list = metadata["packages"].as_array().context("`cargo metadata` has no packages")?;
        let nodes = metadata["resolve"]["nodes"].as_array().context("`cargo metadata` has no nodes")?;
        let mut details = BTreeMap::new();
        let mut references = BTreeMap::new();
        for package in list {
            let key = (text(package, "name"), text(package, "version"));
            if packages.contains(&key) {
                references.insert(text(package, "id"), reference(&key));
                details.insert(key, package);
            }
        }
        let mut edges = BTreeMap::new();
        for node in nodes {
            let Some(from) = references.get(&text(node, "id")) else { continue };
            let uses = node["deps"].as_array().into_iter().flatten().filter(|edge| is_used_in_builds(edge));
            let mut uses: Vec<_> =
                uses.filter_map(|edge| references.get(&text(edge, "pkg")).cloned()).collect();
            uses.sort_unstable();
            uses.dedup();
            edges.insert(from.clone(), uses);
        }
        Ok(Self { details, edges })
    }

    fn dependencies(&self) -> Vec<Value> {
        self.edges.iter().map(|(from, uses)| json!({ "ref": from, "dependsOn": uses })).collect()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// A development dependency belongs to tests.
fn is_used_in_builds(edge: &Value) -> bool {
    edge["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"] != "dev")
}

/// The package URL, which is also its name inside the document.
fn reference((name, version): &Package) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn component(
    package: &Package,
    details: &Value,
    checksums: &BTreeMap<Package, String>,
    in_the_binary: bool,
) -> Value {
    let reference = reference(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": package.0,
        "version": package.1,
        "scope": if in_the_binary { "required" } else { "excluded" },
        "purl": reference,
    });
    if let Some(licence) = details["license"].as_str() {
        // Some packages still write the old form of `OR`.
        component["licenses"] = json!([{ "expression": licence.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksums.get(package) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(address) = details["repository"].as_str() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": address }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_binary;

    #[test]
    fn the_document_has_the_fields_of_cyclone_dx() {
        let document = document(&static_binary::native_triple(), "2026-11-29T00:00:00+00:00").unwrap();
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["specVersion"], "1.5");
        let product = &document["metadata"]["component"];
        assert_eq!(product["type"], "application");
        assert_eq!(product["bom-ref"], concat!("pkg:cargo/pilotlight@", env!("CARGO_PKG_VERSION")));
        for component in document["components"].as_array().unwrap() {
            for key in ["type", "bom-ref", "name", "version", "purl", "scope"] {
                assert!(!text(component, key).is_empty(), "{key} of {component}");
            }
            assert!(component["licenses"][0]["expression"].is_string(), "{component}");
            let ours = text(component, "name").starts_with("pilotlight-");
            assert_eq!(component["hashes"].is_null(), ours, "{component}");
        }
    }

    #[test]
    fn the_document_names_each_package_once_and_every_dependency_is_in_it() {
        let document = document(&static_binary::native_triple(), "2026-11-29T00:00:00+00:00").unwrap();
        let list = |key: &str| document[key].as_array().unwrap().clone();
        let mut known: Vec<_> =
            list("components").iter().map(|component| text(component, "bom-ref")).collect();
        known.push(text(&document["metadata"]["component"], "bom-ref"));
        let unique: BTreeSet<_> = known.iter().cloned().collect();
        assert_eq!(unique.len(), known.len());
        for dependency in list("dependencies") {
            assert!(unique.contains(&text(&dependency, "ref")), "{dependency}");
            for used in dependency["dependsOn"].as_array().unwrap() {
                assert!(unique.contains(used.as_str().unwrap()), "{dependency}");
            }
        }
    }

    #[test]
    fn what_runs_only_during_the_build_is_excluded_and_tests_are_left_out() {
        let document = document(&static_binary::native_triple(), "2026-11-29T00:00:00+00:00").unwrap();
        let scope = |name: &str| {
            let components = document["components"].as_array().unwrap();
            components.iter().find(|component| component["name"] == name).map(|found| text(found, "scope"))
        };
        assert_eq!(scope("tokio").as_deref(), Some("required"));
        assert_eq!(scope("serde_derive").as_deref(), Some("excluded"));
        assert_eq!(scope("cc").as_deref(), Some("excluded"));
        assert_eq!(scope("proptest"), None);
        assert_eq!(scope("pilotlight-sim"), None);
    }

    #[test]
    fn checksums_are_read_from_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"s\"\nchecksum = \
                    \"beef\"\ndependencies = [\n \"b\",\n]\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\n";
        let package = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(checksums(lock), BTreeMap::from([(package("a", "1.0.0"), "beef".to_owned())]));
    }

    #[test]
    fn a_line_of_cargo_tree_names_a_package() {
        let package = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(parse_tree_line("bytes v1.12.2"), package("bytes", "1.12.2"));
        assert_eq!(parse_tree_line("clap_derive v4.6.9 (proc-macro) (*)"), package("clap_derive", "4.6.9"));
        assert_eq!(parse_tree_line("pilotlight v0.1.0 (/a/path)"), package("pilotlight", "0.1.0"));
        assert_eq!(parse_tree_line(""), None);
    }
}
