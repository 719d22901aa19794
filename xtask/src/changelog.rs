//! CHANGELOG.md: what a release contains is its section there.

use std::fs;

use anyhow::{Context, bail};

use crate::child;

/// The text of a version's section, without its heading.
pub(crate) fn section(version: &str) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(child::root().join("CHANGELOG.md")).context("failed to read CHANGELOG.md")?;
    match find_section(&text, version) {
        Some(section) if !section.is_empty() => Ok(section.to_owned()),
        Some(_) => bail!("the section of version {version} in CHANGELOG.md is empty"),
        None => bail!("CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`"),
    }
}

fn find_section<'a>(text: &'a str, version: &str) -> Option<&'a str> {
    let heading = format!("\n## [{version}] - ");
    let (_, rest) = text.split_once(&heading)?;
    let (date, rest) = rest.split_once('\n')?;
    let section = rest.split_once("\n## ").map_or(rest, |(section, _)| section);
    is_date(date).then(|| section.trim())
}

/// `2026-11-29`
fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.trim_end().split('-').collect();
    let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.iter().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_workspace_has_a_section() {
        section(env!("CARGO_PKG_VERSION")).unwrap();
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let text = "# Changelog\n\n## [Unreleased]\n\n- c\n\n## [0.2.0] - 2026-12-24\n\n### Added\n\n- b\n\n\
                    ## [0.1.0] - 2026-11-29\n\n- a\n";
        assert_eq!(find_section(text, "0.2.0"), Some("### Added\n\n- b"));
        assert_eq!(find_section(text, "0.1.0"), Some("- a"));
        assert_eq!(find_section(text, "0.3.0"), None);
        assert_eq!(find_section("\n## [0.1.0] - soon\n\n- a\n", "0.1.0"), None);
    }
}
