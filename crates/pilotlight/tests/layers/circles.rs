//! Finds circles of imports: files of a crate that use each other, directly or through others. A module and the files
//! in its folder are one unit and may use each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::used_paths::{TestCode, used_paths};
use crate::workspace::{File, Workspace};

/// The files of each circle, by path. Tests are not read.
pub(crate) fn circles(workspace: &Workspace) -> Vec<Vec<String>> {
    let mut crates: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in workspace.files().filter(|file| file.is_product()) {
        let name = file.path().split("/src/").next().unwrap_or_default();
        crates.entry(name).or_default().push(file);
    }
    crates.values().flat_map(|files| circles_of_crate(files)).collect()
}

type Module = Vec<String>;

fn circles_of_crate(files: &[&File]) -> Vec<Vec<String>> {
    let modules: BTreeMap<Module, &File> = files.iter().map(|file| (file.module(), *file)).collect();
    let uses: BTreeMap<&Module, BTreeSet<&Module>> =
        modules.iter().map(|(module, file)| (module, used_modules(module, file, &modules))).collect();
    let reachable: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reachable_from(module, &uses))).collect();
    let mut found = BTreeSet::new();
    for (module, reached) in &reachable {
        let circle: Vec<_> = reached
            .iter()
            .filter(|other| reachable[*other].contains(module))
            .map(|other| modules[*other].path().to_owned())
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The other modules whose files this file uses: for each path the deepest module that it names.
fn used_modules<'a>(
    module: &Module,
    file: &File,
    modules: &'a BTreeMap<Module, &File>,
) -> BTreeSet<&'a Module> {
    let paths = used_paths(file.text(), module, TestCode::Excluded).unwrap_or_default();
    let inside = paths.iter().filter_map(|path| path.segments.strip_prefix(&["crate".to_owned()][..]));
    let deepest = |path: &[String]| {
        (1..=path.len()).rev().find_map(|length| modules.get_key_value(&path[..length]).map(|(name, _)| name))
    };
    inside.filter_map(deepest).filter(|other| !is_same_unit(module, other)).collect()
}

/// Whether one of the two is in the other's folder.
fn is_same_unit(one: &Module, other: &Module) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn reachable_from<'a>(
    start: &Module,
    uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&'a Module> = uses[start].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&uses[module]);
        }
    }
    reached
}

#[test]
fn files_that_use_each_other_are_a_circle_and_a_module_with_its_parts_is_none() {
    let circles_of = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| File::new(&format!("crates/a/src/{path}"), text));
        circles(&Workspace::of(files.collect()))
    };
    let circle = circles_of(&[
        ("one.rs", "use crate::two::X;"),
        ("two.rs", "use crate::three::X;"),
        ("three.rs", "fn f() { crate::one::f() }"),
        ("four.rs", "use crate::one::X;"),
    ]);
    assert_eq!(circle, [["crates/a/src/one.rs", "crates/a/src/three.rs", "crates/a/src/two.rs"]]);
    assert!(circles_of(&[("one/mod.rs", "mod part;"), ("one/part.rs", "use crate::one::X;")]).is_empty());
    assert!(
        circles_of(&[
            ("one.rs", "#[cfg(test)] mod tests { use crate::two::X; }"),
            ("two.rs", "use crate::one::X;")
        ])
        .is_empty()
    );
}
