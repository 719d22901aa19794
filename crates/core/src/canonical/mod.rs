//! The canonical form of a JSON text, which depends only on its value: RFC 8785, except that no number is rounded. Two
//! texts have the same canonical form only when they have the same value. A text that is ambiguous or invalid has no
//! canonical form.
//!
//! In reading order:

mod writer;
pub use writer::canonical;

mod number;

mod tokenizer;
pub use tokenizer::BadJson;

#[cfg(test)]
mod tests;
