//! Mutates known inputs: flips a byte, removes, repeats or copies a part, inserts a token. It does not
//! measure which code an input reaches; the fuzzer in `fuzz/` does.

use std::ops::Range;

use fastrand::Rng;

/// Maximum size of a mutated input in bytes. Longer inputs take time and find no more errors.
const MAX_BYTES: usize = 64 * 1024;

/// Mutates `input` a few times. Parts may be copied from `other`, tokens from `tokens`.
pub fn mutate(rng: &mut Rng, input: &[u8], other: &[u8], tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.u8(..6) {
        bytes = mutate_once(rng, bytes, other, tokens);
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn mutate_once(rng: &mut Rng, mut bytes: Vec<u8>, other: &[u8], tokens: &[Vec<u8>]) -> Vec<u8> {
    match rng.u8(..8) {
        0 => flip(rng, &mut bytes),
        1 => {
            let byte = rng.u8(..);
            insert(rng, &mut bytes, &[byte]);
        }
        2 => drop(bytes.drain(random_range(rng, bytes.len()))),
        3 => {
            let copied = other[random_range(rng, other.len())].to_vec();
            insert(rng, &mut bytes, &copied);
        }
        4 => {
            let from = rng.usize(..=bytes.len());
            bytes.truncate(from);
            bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
        }
        5 => repeat(rng, &mut bytes),
        _ if tokens.is_empty() => flip(rng, &mut bytes),
        6 => {
            let token = &tokens[rng.usize(..tokens.len())];
            insert(rng, &mut bytes, token);
        }
        _ => {
            let replaced = random_range(rng, bytes.len());
            bytes.splice(replaced, tokens[rng.usize(..tokens.len())].iter().copied());
        }
    }
    bytes
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) {
    let at = rng.usize(..bytes.len().max(1));
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.u8(..8);
    }
}

fn insert(rng: &mut Rng, bytes: &mut Vec<u8>, new: &[u8]) {
    let at = rng.usize(..=bytes.len());
    bytes.splice(at..at, new.iter().copied());
}

fn repeat(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let random_range = random_range(rng, bytes.len());
    let at = random_range.end;
    let repeated = bytes[random_range].repeat(1 << rng.u8(..7));
    bytes.splice(at..at, repeated);
}

/// A random range. Half of the ranges are short.
fn random_range(rng: &mut Rng, length: usize) -> Range<usize> {
    let start = rng.usize(..=length);
    let max_length = if rng.bool() { 8 } else { length };
    start..length.min(start + rng.usize(..=max_length))
}
