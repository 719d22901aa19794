//! Reads the values of columns from rows, and converts numbers for `SMALLINT` columns.

use tokio_postgres::Row as PgRow;

use crate::columns::corrupt_column;
use crate::error::Error;

/// A column's value; [`Error::Corrupt`] when it has another type.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a PgRow,
    at: usize,
) -> Result<T, Error> {
    row.try_get(at)
        .map_err(|_| corrupt_column(row.columns().get(at).map_or("column", |column| column.name())))
}

/// A text that is stored as `BYTEA`.
pub(super) fn text(row: &PgRow, at: usize) -> Result<String, Error> {
    maybe_text(row, at)?
        .ok_or_else(|| corrupt_column(row.columns().get(at).map_or("column", |column| column.name())))
}

/// A text that is stored as `BYTEA` and may be NULL.
pub(super) fn maybe_text(row: &PgRow, at: usize) -> Result<Option<String>, Error> {
    let Some(bytes) = column::<Option<Vec<u8>>>(row, at)? else { return Ok(None) };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| corrupt_column(row.columns().get(at).map_or("column", |column| column.name())))
}

/// The number of a stored status or failure as `SMALLINT`.
pub(super) fn small_int(number: i64) -> i16 {
    i16::try_from(number).expect("the numbers of statuses and failures are below 8")
}
