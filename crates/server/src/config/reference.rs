//! Prints the table of known keys as Markdown, for `docs/configuration.md`.
//!
//! It must not add facts of its own: all text about a key comes from the key's row.

use crate::config::job_types;
use crate::config::key::{JOB_TYPES_SECTION, KeySpec};
use crate::config::sections::SECTIONS;

/// Every key with its environment names, default, allowed values and help text: one Markdown table per section.
pub fn reference() -> String {
    SECTIONS.map(|(name, rows)| section(name, rows)).join("\n") + &types()
}

fn section(name: &str, rows: &[KeySpec]) -> String {
    let rows: String = rows.iter().map(row).collect();
    format!(
        "## `[{name}]`\n\n| Key | Environment | Default | Allowed | What it is |\n|---|---|---|---|---|\n{rows}"
    )
}

/// The keys of job types, which can be set only in the file.
fn types() -> String {
    let rows: String = job_types::KEYS.iter().map(type_row).collect();
    format!(
        "\n## `[{JOB_TYPES_SECTION}.NAME]`\n\nSettings of the job type `NAME`, in the file only. Put the name in quotes if it has other \
         characters than letters, digits, `_` and `-`.\n\n| Key | Default | Allowed | What it is |\n|---|---|---|---|\n{rows}"
    )
}

fn type_row(key: &KeySpec) -> String {
    let file = if key.secret {
        format!("; `{}_file` names a file that contains it", key.name)
    } else {
        String::new()
    };
    format!("| `{}`{file} | {} | {} | {} |\n", key.name, default(key), key.value_type, key.help)
}

fn default(key: &KeySpec) -> String {
    if key.default.is_empty() { "(none)".to_owned() } else { format!("`{}`", key.default) }
}

fn row(key: &KeySpec) -> String {
    let legacy = key.legacy_name().map_or_else(String::new, |legacy| format!(", `{legacy}`"));
    let file = if key.secret { "; either with `_FILE` names a file that contains it" } else { "" };
    let (name, env) = (key.name, key.env_name());
    let default = default(key);
    format!("| `{name}` | `{env}`{legacy}{file} | {default} | {} | {} |\n", key.value_type, key.help)
}
