//! The table of all keys, by section. Source of truth: the `KEYS` table of each section file.

use crate::config::key::KeySpec;
use crate::config::{auth, jobs, log, server, store, telemetry, warm_start};

/// Every section with its rows, in the order in which they are documented.
pub(super) const SECTIONS: [(&str, &[KeySpec]); 8] = [
    ("server", server::KEYS),
    ("auth", auth::KEYS),
    ("warm_start", warm_start::KEYS),
    ("jobs", jobs::KEYS),
    ("jobs.limits", jobs::LIMITS),
    ("store", store::KEYS),
    ("log", log::KEYS),
    ("telemetry", telemetry::KEYS),
];

/// Every known key, in the order in which they are documented.
pub(super) fn keys() -> impl Iterator<Item = &'static KeySpec> + Clone {
    SECTIONS.into_iter().flat_map(|(_, rows)| rows)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::Config;
    use crate::config::job_types;
    use crate::config::key::{ENV_NON_KEYS, QualifiedKey, into_fields, tree};

    #[test]
    fn every_allowed_value_fills_its_config_field() {
        let of_type = |key| QualifiedKey::of_type(key, "a.b".to_owned());
        let rows = || keys().map(QualifiedKey::from).chain(job_types::KEYS.iter().map(of_type));
        for changed in rows() {
            let allowed = changed.spec.value_type.to_string() + " 127.0.0.1 ::1";
            let choices = allowed.split([' ', ',']).chain([changed.spec.default]);
            for value in choices.filter_map(|choice| changed.spec.value_type.parse(choice)) {
                let value_of = |key: &QualifiedKey| match *key == changed {
                    true => value.clone(),
                    false => key.spec.default_value(),
                };
                let _: Config = into_fields(tree(rows().map(|key| (key.clone(), value_of(&key)))));
            }
        }
    }

    #[test]
    fn no_name_is_used_twice_and_each_belongs_to_its_section() {
        let names: Vec<_> =
            keys().flat_map(KeySpec::env_names).chain(ENV_NON_KEYS.map(str::to_owned)).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for (section, rows) in SECTIONS {
            let sections = rows.iter().map(|key| key.name.rsplit_once('.'));
            assert!(sections.flatten().all(|(name, _)| name == section), "{section}");
        }
    }
}
