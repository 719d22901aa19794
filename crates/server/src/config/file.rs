//! Reads the values of known keys from a TOML file, and reports every name in it that is not a known key.
//!
//! It continues after an error, so that all errors are reported together. It must never decide whether a value is
//! allowed: `value_type` does.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pilotlight_core::ids::JobType;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::errors::{Problem, one_line};
use crate::config::key::{JOB_TYPES_SECTION, KeySpec, QualifiedKey};
use crate::config::origin::Origin;
use crate::config::sections::{SECTIONS, keys};
use crate::config::sources::{Entry, ParsedEntry, ParsedSources};
use crate::config::{job_types, secret_file, suggest};

/// A configuration is about a page of text; a larger file was named by accident (a log, a device).
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the file at `path`. `named_by` is the flag or variable that named the file: the origin of the error if it
/// cannot be read.
pub(super) fn collect(path: &Path, named_by: Origin, sources: &mut ParsedSources) {
    match read(path) {
        Ok(text) => Document::new(path, &text).collect(sources),
        Err(reason) => {
            let path = path.display().to_string();
            sources.add(Err(Problem::File { path, reason }.at(named_by)));
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("it is larger than 1 MiB, which no configuration is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = line_at(error.as_bytes(), error.utf8_error().valid_up_to());
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })
}

fn line_at(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
    /// Lines with a syntax error. Keys that the parser recovered from them are skipped, so that a line is reported
    /// once.
    broken_lines: Vec<usize>,
}

impl<'a> Document<'a> {
    fn new(path: &'a Path, text: &'a str) -> Self {
        let broken_lines = Vec::new();
        Self { path, text, broken_lines }
    }

    fn collect(mut self, sources: &mut ParsedSources) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let line = self.line(error.span().unwrap_or_default().start);
            self.broken_lines.push(line);
            sources.add(Err(self.not_toml(line, error.message()).at(self.origin(line))));
        }
        self.walk("", table.get_ref(), sources);
    }

    /// The parser's message, preceded by the key on that line. The text after the `=` is left out: it could be a
    /// secret.
    fn not_toml(&self, line: usize, message: &str) -> Problem {
        let name = self.text.lines().nth(line - 1).and_then(|text| text.split_once('='));
        let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        let name = name.map(|(name, _)| name.trim()).filter(is_name);
        let name = name.map_or_else(String::new, |name| format!("`{}`: ", one_line(name)));
        Problem::Syntax(format!("{name}{message}"))
    }

    fn walk(&self, section: &str, table: &DeTable<'_>, sources: &mut ParsedSources) {
        let prefix = if section.is_empty() { "" } else { &format!("{section}.") };
        for (name, value) in table {
            let line = self.line(name.span().start);
            if !self.broken_lines.contains(&line) {
                self.visit(&format!("{prefix}{}", name.get_ref()), line, value, sources);
            }
        }
    }

    fn visit(&self, name: &str, line: usize, value: &Spanned<DeValue<'_>>, sources: &mut ParsedSources) {
        if let Some(entry) = self.read_entry(name, keys(), QualifiedKey::from, (line, value)) {
            return sources.add(entry);
        }
        let problem = match (is_section(name), value.get_ref().as_table()) {
            (true, Some(inner)) if name == JOB_TYPES_SECTION => return self.walk_types(inner, sources),
            (true, Some(inner)) => return self.walk(name, inner, sources),
            (true, None) => Problem::Section { name: name.to_owned() },
            (false, table) => Problem::Unknown { name: one_line(name), suggestion: suggestion(name, table) },
        };
        sources.add(Err(problem.at(self.origin(line))));
    }

    /// The value of the row of `rows` named `name`, or the secret in the file that `name` (a row's name with `_file`)
    /// names.
    /// `None` if no row has this name.
    fn read_entry(
        &self,
        name: &str,
        mut rows: impl Iterator<Item = &'static KeySpec> + Clone,
        qualify: impl Fn(&'static KeySpec) -> QualifiedKey,
        (line, value): (usize, &Spanned<DeValue<'_>>),
    ) -> Option<ParsedEntry> {
        if let Some(key) = rows.clone().find(|key| key.name == name) {
            let text = if key.value_type.is_list() { self.joined(value) } else { self.plain(value) };
            return Some(Ok(Entry { key: qualify(key), text, origin: self.origin(line) }));
        }
        let key = rows.find(|key| key.secret_file_name(key.name).as_deref() == Some(name))?;
        Some(secret_file::read_entry(qualify(key), Path::new(&self.plain(value)), self.origin(line)))
    }

    /// Reads `[jobs.types.NAME]`: one table per job type.
    fn walk_types(&self, types: &DeTable<'_>, sources: &mut ParsedSources) {
        for (name, value) in types {
            let (line, name) = (self.line(name.span().start), name.get_ref());
            let problem = match (JobType::parse(name), value.get_ref().as_table()) {
                (Ok(_), Some(rows)) => {
                    self.walk_type(name, rows, sources);
                    continue;
                }
                (Err(why), _) => Problem::BadType { name: one_line(name), why: why.to_string() },
                (Ok(_), None) => Problem::Section { name: format!("{JOB_TYPES_SECTION}.{}", one_line(name)) },
            };
            sources.add(Err(problem.at(self.origin(line))));
        }
    }

    fn walk_type(&self, job_type: &str, rows: &DeTable<'_>, sources: &mut ParsedSources) {
        let qualify = |key| QualifiedKey::of_type(key, job_type.to_owned());
        for (name, value) in rows {
            let (line, name) = (self.line(name.span().start), name.get_ref());
            let entry = self.read_entry(name, job_types::KEYS.iter(), qualify, (line, value));
            sources.add(entry.unwrap_or_else(|| {
                let suggestion = suggest::job_type_key(name).map(|key| qualify(key).to_string());
                let name = one_line(&format!("{JOB_TYPES_SECTION}.{job_type}.{name}"));
                Err(Problem::Unknown { name, suggestion }.at(self.origin(line)))
            }));
        }
    }

    /// The value as text, as an environment variable would spell it: strings without quotes, integers in decimal. Any
    /// other value is its source text.
    fn plain(&self, value: &Spanned<DeValue<'_>>) -> String {
        if let Some(text) = value.get_ref().as_str() {
            return text.to_owned();
        }
        let integer = value.get_ref().as_integer();
        let decimal = integer.and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        let source = || self.text.get(value.span()).unwrap_or_default().to_owned();
        decimal.map_or_else(source, |decimal| decimal.to_string())
    }

    /// The elements of a list joined by commas, as an environment variable would spell them.
    fn joined(&self, value: &Spanned<DeValue<'_>>) -> String {
        let Some(parts) = value.get_ref().as_array() else { return self.plain(value) };
        parts.iter().map(|part| self.plain(part)).collect::<Vec<_>>().join(",")
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File(self.path.to_owned(), line)
    }

    fn line(&self, offset: usize) -> usize {
        line_at(self.text.as_bytes(), offset)
    }
}

fn is_section(name: &str) -> bool {
    name == JOB_TYPES_SECTION || SECTIONS.into_iter().any(|(section, _)| section == name)
}

fn suggestion(name: &str, table: Option<&DeTable<'_>>) -> Option<String> {
    match table {
        Some(_) => suggest::section(name).map(|section| format!("[{section}]")),
        None => suggest::key(name).map(|key| key.name.to_owned()),
    }
}
