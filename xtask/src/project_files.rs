//! Tests of files that nothing compiles: commands that documents and workflows name exist, versions that are written in
//! several places agree, and workflows name the exact version of every action.

use std::fs;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use crate::{Cli, child};

const COMMAND: &str = "cargo xtask ";

fn read(path: &str) -> String {
    let read = fs::read_to_string(child::root().join(path));
    read.unwrap_or_else(|error| panic!("failed to read {path}: {error}"))
}

/// Files of this folder with this ending, as paths from the root.
fn list(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(child::root().join(folder)).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let with_ending = paths.iter().filter(|path| path.to_string_lossy().ends_with(ending));
    let from_root = with_ending.map(|path| path.strip_prefix(child::root()).unwrap().display().to_string());
    from_root.collect()
}

fn workflows() -> Vec<String> {
    list(".github/workflows", ".yml")
}

/// What follows `key` on its own line, without quotation marks.
fn value(path: &str, key: &str) -> String {
    let text = read(path);
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key));
    value.unwrap_or_else(|| panic!("{path} has no line `{key}`")).trim().trim_matches('"').to_owned()
}

#[test]
fn commands_in_documents_exist() {
    let mut documents = [".ci/run", "Dockerfile"].map(str::to_owned).to_vec();
    for folder in ["", "docs", "docs/decisions", ".github", "fuzz", "deploy"] {
        documents.extend(list(folder, ".md"));
    }
    let mut found = 0;
    for document in &documents {
        for rest in read(document).split(COMMAND).skip(1) {
            let word: String = rest.chars().take_while(|letter| letter.is_ascii_lowercase()).collect();
            assert!(Cli::command().find_subcommand(&word).is_some(), "{document}: cargo xtask {word}");
            found += 1;
        }
    }
    assert!(found > 5, "{documents:?}");
}

#[test]
fn commands_in_workflows_have_these_options() {
    let mut found = 0;
    for workflow in workflows() {
        for line in read(&workflow).lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((_, arguments)) = line.split_once(COMMAND) else { continue };
            let words = arguments.split_whitespace().map(|word| word.trim_matches('"'));
            if let Err(error) = Cli::try_parse_from(std::iter::once("xtask").chain(words)) {
                panic!("{workflow}: {line}\n{error}");
            }
            found += 1;
        }
    }
    assert!(found >= 2, "the workflows call nothing");
}

#[test]
fn workflows_name_the_exact_version_of_every_action() {
    for workflow in workflows() {
        for line in read(&workflow).lines() {
            let Some((_, action)) = line.split_once("uses: ") else { continue };
            let version = action.split_once("@v").map_or("", |(_, version)| version.trim());
            let numbers: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
            assert!(numbers.len() == 3 && numbers.iter().all(Result::is_ok), "{workflow}: {action}");
        }
    }
}

#[test]
fn every_place_names_the_same_compiler() {
    let version = value("Cargo.toml", "rust-version = ");
    let toolchain = value("rust-toolchain.toml", "channel = ");
    assert_eq!(toolchain, format!("{version}.0"));
    assert_eq!(value("Dockerfile", "FROM rust:"), format!("{version} AS build"));
    assert_eq!(value(".github/workflows/ci.yml", "image: rust:"), format!("{toolchain}-bookworm"));
}
