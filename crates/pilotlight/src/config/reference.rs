//! Writes the table of known keys as Markdown, for `docs/configuration.md` and for people without it.
//!
//! It never says what the rows do not say.

use super::key::{Key, SECTIONS};

/// Every key with its environment names, default, what is allowed and what it is: one Markdown table a section.
pub fn reference() -> String {
    SECTIONS.map(|(name, rows)| section(name, rows)).join("\n")
}

fn section(name: &str, rows: &[Key]) -> String {
    let rows: String = rows.iter().map(row).collect();
    format!(
        "## `[{name}]`\n\n| Key | Environment | Default | Allowed | What it is |\n|---|---|---|---|---|\n{rows}"
    )
}

fn row(key: &Key) -> String {
    let legacy = key.legacy_name().map_or_else(String::new, |legacy| format!(", `{legacy}`"));
    let file = if key.secret { "; either with `_FILE` names a file that holds it" } else { "" };
    let (name, env) = (key.name, key.env_name());
    let default = if key.default.is_empty() { "(none)".to_owned() } else { format!("`{}`", key.default) };
    format!("| `{name}` | `{env}`{legacy}{file} | {default} | {} | {} |\n", key.takes, key.help)
}
