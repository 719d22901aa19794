//! Decides how a JSON text is written when only its value counts: RFC 8785, except that no number is rounded. Two texts
//! have the same canonical form only when they mean the same value; what has more than one meaning, or none, has no form.
//!
//! In reading order:

mod writer;
pub use writer::canonical;

mod number;

mod tokenizer;
pub use tokenizer::BadJson;

#[cfg(test)]
mod tests;
