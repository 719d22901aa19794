//! Status names, colours and tables. Colours are used on terminals only; NO_COLOR is respected.

use console::{StyledObject, style};
use pilotlight_wire::jobs::Status;

use super::output;

/// The status as spelled in the API.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Claimed => "claimed",
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Expired => "expired",
    }
}

/// All statuses.
pub(super) const STATUSES: [Status; 6] = [
    Status::Pending,
    Status::Claimed,
    Status::InProgress,
    Status::Completed,
    Status::Failed,
    Status::Expired,
];

/// `text` (the status's name, perhaps padded) in the status's colour, for stdout.
pub(super) fn colored_status(of: Status, text: String) -> StyledObject<String> {
    let text = style(text);
    match of {
        Status::Pending => text.yellow(),
        Status::Claimed | Status::InProgress => text.cyan(),
        Status::Completed => text.green(),
        Status::Failed => text.red(),
        Status::Expired => text.dim(),
    }
}

/// Formats rows under their heads. Each column is as wide as its widest cell; line breaks in cells are made visible.
/// `paint` colours a padded cell, given its row number and column.
pub(super) fn table<const N: usize>(
    heads: [&str; N],
    rows: &[[String; N]],
    paint: impl Fn(usize, usize, String) -> String,
) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| output::sanitize_line(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heads[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let padded = |column: usize, text: &str| {
        // The last column needs no padding.
        if column + 1 == N { text.to_owned() } else { format!("{text:width$}", width = widths[column]) }
    };
    let head: [String; N] =
        std::array::from_fn(|column| style(padded(column, heads[column])).dim().to_string());
    let mut lines = vec![head.join("  ")];
    for (number, row) in rows.iter().enumerate() {
        let cells: [String; N] =
            std::array::from_fn(|column| paint(number, column, padded(column, &row[column])));
        lines.push(cells.join("  "));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_columns_are_aligned() {
        let rows = [["1".to_owned(), "a\nb".to_owned()], ["22222".to_owned(), "\u{e9}".to_owned()]];
        let table = table(["ID", "NAME"], &rows, |_, _, text| text);
        assert_eq!(console::strip_ansi_codes(&table), "ID     NAME\n1      a\u{240a}b\n22222  \u{e9}");
    }

    #[test]
    fn a_status_is_spelled_as_on_the_wire() {
        for one in STATUSES {
            assert_eq!(serde_json::to_string(&one).unwrap(), format!("{:?}", status(one)));
        }
    }
}
