//! Finds the known name that a misspelled name probably meant. It only suggests; it never corrects.

use crate::config::job_types;
use crate::config::key::{JOB_TYPES_SECTION, KeySpec};
use crate::config::sections::{SECTIONS, keys};

/// Names that differ by more letters than this are not suggested.
const MAX_DISTANCE: usize = 2;

/// The key that `wrong` probably meant. `wrong` may be written as a TOML path or as an environment name.
pub(super) fn key(wrong: &str) -> Option<&'static KeySpec> {
    let wrong = wrong.to_lowercase().replace('.', "_");
    let names = keys().map(|key| (key, key.name.replace('.', "_")));
    nearest(&wrong, names).or_else(|| key_within(&wrong))
}

/// The section that `wrong` probably meant.
pub(super) fn section(wrong: &str) -> Option<&'static str> {
    let names = SECTIONS.into_iter().map(|(name, _)| name).chain([JOB_TYPES_SECTION]);
    nearest(wrong, names.map(|name| (name, name.to_owned())))
}

/// The key of a job type that `wrong` probably meant.
pub(super) fn job_type_key(wrong: &str) -> Option<&'static KeySpec> {
    nearest(wrong, job_types::KEYS.iter().map(|key| (key, key.name.to_owned())))
}

/// The key whose last part occurs in `wrong` as whole words: `pilotlight_port` and `port` mean `server.port`.
fn key_within(wrong: &str) -> Option<&'static KeySpec> {
    let framed = format!("_{wrong}_");
    let last = |key: &KeySpec| key.name.rsplit('.').next().map_or(0, str::len);
    keys()
        .filter(|key| framed.contains(&format!("_{}_", &key.name[key.name.len() - last(key)..])))
        .max_by_key(|key| last(key))
}

fn nearest<T>(wrong: &str, known: impl Iterator<Item = (T, String)>) -> Option<T> {
    let most = (wrong.len() / 3).clamp(1, MAX_DISTANCE);
    let measured = known.map(|(item, name)| (strsim::levenshtein(wrong, &name), item));
    let near = measured.filter(|(distance, _)| *distance <= most);
    near.min_by_key(|(distance, _)| *distance).map(|(_, item)| item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_or_a_missing_section_is_recognised() {
        for (wrong, suggestion) in [
            ("SERVER_PROT", "server.port"),
            ("server.prot", "server.port"),
            ("port", "server.port"),
            ("warm-start.order", "warm_start.order"),
            ("server.keepalive_ms", "warm_start.keepalive"),
            ("WARM_ACK_DEADLINE", "warm_start.ack_deadline"),
            ("log.lvl", "log.level"),
            ("BACKUP", ""),
            ("jobs.presets", "jobs.preset"),
            ("", ""),
        ] {
            assert_eq!(key(wrong).map_or("", |key| key.name), suggestion, "{wrong}");
        }
        for (wrong, suggestion) in
            [("serve", "server"), ("warm-start", "warm_start"), ("job", "jobs"), ("jub", "")]
        {
            assert_eq!(section(wrong).unwrap_or_default(), suggestion, "{wrong}");
        }
    }
}
