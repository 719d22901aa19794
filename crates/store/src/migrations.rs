//! Decides which migrations a store still needs. It never runs one: each store runs its own, each in one transaction
//! that also writes the new schema number.

use crate::error::Error;

/// One step of a schema. After a release, its SQL never changes.
#[derive(Debug)]
pub(crate) struct Migration {
    /// Its position in the order, from 1 without gaps; also the schema number of a store on which it has run.
    pub(crate) number: u32,
    /// The SQL statements of the step.
    pub(crate) sql: &'static str,
}

/// The migrations that a store with this schema number still needs; 0 is an empty store.
///
/// # Errors
/// [`Error::SchemaTooNew`] when a newer program has written the store.
pub(crate) fn missing(known: &'static [Migration], found: u32) -> Result<&'static [Migration], Error> {
    let newest = newest(known);
    if found > newest {
        return Err(Error::SchemaTooNew { found, known: newest });
    }
    let first = known.iter().position(|migration| migration.number > found).unwrap_or(known.len());
    Ok(&known[first..])
}

/// The version of a store that two versions of the program may use at the same time. Both numbers are 0 for an empty
/// store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaVersion {
    /// Its schema number.
    pub(crate) schema: u32,
    /// The oldest schema number whose programs may still use the store.
    pub(crate) readable_from: u32,
}

/// The migrations that such a store still needs: none when its schema is newer but still usable by this program.
///
/// # Errors
/// [`Error::SchemaTooNew`] when this program is too old for the store.
pub(crate) fn missing_for_shared_schema(
    known: &'static [Migration],
    found: SchemaVersion,
) -> Result<&'static [Migration], Error> {
    let newest = newest(known);
    if found.schema > newest && found.readable_from <= newest {
        return Ok(&[]);
    }
    missing(known, found.schema)
}

/// The number of the newest known schema; 0 when there is none.
pub(crate) fn newest(known: &[Migration]) -> u32 {
    known.last().map_or(0, |migration| migration.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] = &[Migration { number: 1, sql: "one" }, Migration { number: 2, sql: "two" }];

    #[test]
    fn applied_migrations_are_skipped() {
        let numbers = |found| missing(KNOWN, found).unwrap().iter().map(|it| it.number).collect::<Vec<_>>();
        assert_eq!(numbers(0), [1, 2]);
        assert_eq!(numbers(1), [2]);
        assert_eq!(numbers(2), [0; 0]);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        assert!(matches!(missing(KNOWN, 3), Err(Error::SchemaTooNew { found: 3, known: 2 })));
    }

    #[test]
    fn a_newer_schema_that_this_version_can_read_is_used() {
        let missing =
            |schema, readable_from| missing_for_shared_schema(KNOWN, SchemaVersion { schema, readable_from });
        assert!(missing(3, 2).unwrap().is_empty());
        assert!(matches!(missing(3, 3), Err(Error::SchemaTooNew { found: 3, known: 2 })));
        assert_eq!(missing(1, 1).unwrap().len(), 1);
        assert_eq!(missing(0, 0).unwrap().len(), 2);
    }
}
