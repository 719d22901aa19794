//! The known inputs of each fuzz target: the files in `corpus/<target>/`, whose names say what they test. They are
//! tested unchanged, and with random mutations.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::mutate::mutate;
use crate::panics::without_output;
use crate::shrink::shrink;

/// Tests one input; it panics when a rule does not hold.
pub type Target = fn(&[u8]);

/// The known inputs of a target.
#[derive(Debug)]
pub struct Corpus {
    target: Target,
    inputs: Vec<Input>,
    dictionary: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Input {
    name: PathBuf,
    bytes: Vec<u8>,
}

/// Shrinking stops after this time. The input is then printed as short as it is.
const SHRINK_TIME: Duration = Duration::from_secs(60);

impl Corpus {
    /// Reads the target's folder.
    ///
    /// # Panics
    /// When the folder is missing or empty.
    #[must_use]
    pub fn of(name: &str, target: Target) -> Self {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        let inputs = paths_in(&corpus.join(name)).into_iter().map(Input::read).collect();
        Self { target, inputs, dictionary: dictionary(&corpus.join("words.dict")) }
    }

    /// Tests the known inputs.
    ///
    /// # Panics
    /// When a rule does not hold; the message names the input.
    pub fn replay(&self) {
        for input in &self.inputs {
            self.check(&input.bytes, &input.name.display().to_string());
        }
    }

    /// Tests `times` mutations of each known input.
    ///
    /// # Panics
    /// When a rule does not hold; the message has the shrunk input.
    pub fn mutate(&self, seed: u64, times: u64) {
        let mut rng = Rng::with_seed(seed);
        for index in 0..times {
            for input in &self.inputs {
                let other = &self.inputs[rng.usize(..self.inputs.len())];
                let bytes = mutate(&mut rng, &input.bytes, &other.bytes, &self.dictionary);
                self.check(&bytes, &format!("mutation {index} of {}, seed {seed}", input.name.display()));
            }
        }
    }

    fn check(&self, bytes: &[u8], input_name: &str) {
        if self.fails(bytes) {
            let until = Instant::now() + SHRINK_TIME;
            let shrunk =
                without_output(|| shrink(bytes, |bytes| Instant::now() < until && self.fails(bytes)));
            panic!("{input_name} fails; shrunk: b\"{}\"", shrunk.escape_ascii());
        }
    }

    fn fails(&self, bytes: &[u8]) -> bool {
        catch_unwind(AssertUnwindSafe(|| (self.target)(bytes))).is_err()
    }
}

impl Input {
    fn read(name: PathBuf) -> Self {
        let bytes = fs::read(&name).unwrap_or_else(|error| panic!("failed to read {name:?}: {error}"));
        Self { name, bytes }
    }
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("failed to list {folder:?}: {error}"));
    let mut paths: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder:?} is empty");
    paths
}

/// Reads the tokens that have a meaning in some format. Mutations that insert a token reach code that mutations of
/// single bytes rarely reach. The file has one quoted token per line, in libFuzzer's format.
fn dictionary(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {path:?}: {error}"));
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(|token| unescape(token).unwrap_or_else(|| panic!("{path:?}: {token}"))).collect()
}

fn unescape(token: &str) -> Option<Vec<u8>> {
    let mut bytes = token.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next()? } else { 0 };
        decoded.push(match (byte, escaped) {
            (b'\\', b'x') => hex(bytes.next()?)? * 16 + hex(bytes.next()?)?,
            (b'\\', _) => escaped,
            _ => byte,
        });
    }
    Some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_tokens_are_unescaped_as_libfuzzer_does() {
        assert_eq!(unescape(r#"a\"\xFF\x0d\\"#).as_deref(), Some(b"a\"\xff\r\\".as_slice()));
        assert_eq!(unescape(r"a\xF").as_deref(), None);
    }
}
