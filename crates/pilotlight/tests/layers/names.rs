//! The names that a source speaks, each as its whole path: `use crate::{net, http::error as e}` speaks `crate::net`
//! and `crate::http::error`. Comments and strings speak nothing; items under `#[cfg(test)]` can be left out.
//!
//! It reads tokens, not types: a method call speaks only the method's name, and what a macro makes is not seen.

use std::fmt;
use std::slice;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path as it was written, made absolute, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

impl Name {
    /// Whether the words stand next to each other somewhere in the path.
    pub(crate) fn speaks(&self, words: &[&str]) -> bool {
        self.path.windows(words.len()).any(|window| window == words)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("::"))
    }
}

/// What becomes of items under `#[cfg(test)]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tests {
    Included,
    LeftOut,
}

/// Every name in the text. `module` is the file's place in its crate: `super` starts there.
pub(crate) fn names(text: &str, module: &[String], tests: Tests) -> Result<Vec<Name>, String> {
    let stream: TokenStream = text.parse().map_err(|error| format!("is not Rust: {error}"))?;
    let mut reader = Reader { module: module.to_vec(), tests, names: Vec::new() };
    reader.read(stream, &[]);
    Ok(reader.names)
}

struct Reader {
    module: Vec<String>,
    tests: Tests,
    names: Vec<Name>,
}

type Trees<'a> = slice::Iter<'a, TokenTree>;

impl Reader {
    /// `prefix` is the path before the braces of a `use`; empty elsewhere.
    fn read(&mut self, stream: TokenStream, prefix: &[String]) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = trees.iter();
        while let Some(tree) = rest.next() {
            match tree {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    let inner = skip_mark(&mut rest, '!');
                    if self.read_attribute(&mut rest) == Attribute::Test {
                        if inner {
                            return;
                        }
                        skip_item(&mut rest);
                    }
                }
                TokenTree::Punct(mark) if mark.as_char() == '*' && !prefix.is_empty() => {
                    self.push(joined(prefix, "*"), tree);
                }
                TokenTree::Ident(word) if word == "as" && !prefix.is_empty() => {
                    rest.next();
                }
                TokenTree::Ident(word) if word == "mod" => self.read_module(&mut rest, tree),
                TokenTree::Ident(_) => self.read_path(tree, &mut rest, prefix),
                TokenTree::Group(group) => self.read(group.stream(), &[]),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Speaks `#::ignore` for `#[ignore]`, and the words of a conditional attribute likewise.
    fn read_attribute(&mut self, rest: &mut Trees<'_>) -> Attribute {
        let Some(TokenTree::Group(group)) = rest.as_slice().first() else { return Attribute::Other };
        rest.next();
        let words = words(group.stream());
        if self.tests == Tests::LeftOut && is_test_only(&words) {
            return Attribute::Test;
        }
        let spoken = if words.first().is_some_and(|word| word == "cfg_attr") { words.len() } else { 1 };
        for word in words.into_iter().take(spoken) {
            self.names.push(Name { path: vec!["#".to_owned(), word], line: line_of_group(group) });
        }
        self.read(group.stream(), &[]);
        Attribute::Other
    }

    /// Speaks `mod::name`; inside its braces `super` is this module.
    fn read_module(&mut self, rest: &mut Trees<'_>, at: &TokenTree) {
        let Some(TokenTree::Ident(name)) = rest.as_slice().first() else { return };
        rest.next();
        self.names.push(Name { path: vec!["mod".to_owned(), name.to_string()], line: line_of(at) });
        if let Some(group) = next_braces(rest) {
            self.module.push(name.to_string());
            self.read(group.stream(), &[]);
            self.module.pop();
        }
    }

    fn read_path(&mut self, first: &TokenTree, rest: &mut Trees<'_>, prefix: &[String]) {
        let mut path = joined(prefix, &first.to_string());
        while skip_colons(rest) {
            if let Some(group) = next_braces(rest) {
                return self.read(group.stream(), &path);
            }
            let Some(next) = rest.as_slice().first() else { break };
            let is_word = matches!(next, TokenTree::Ident(_));
            let is_star = matches!(next, TokenTree::Punct(mark) if mark.as_char() == '*');
            if !is_word && !is_star {
                break;
            }
            path.push(next.to_string());
            rest.next();
        }
        if path.len() > 1 && path.last().is_some_and(|word| word == "self") {
            path.pop();
        }
        let renamed = matches!(rest.as_slice().first(), Some(TokenTree::Ident(word)) if word == "as");
        if renamed && path == ["crate"] {
            path.push("*".to_owned());
        }
        self.push(path, first);
    }

    fn push(&mut self, path: Vec<String>, at: &TokenTree) {
        self.names.push(Name { path: self.absolute(path), line: line_of(at) });
    }

    /// `self`, `super` and this crate's own name all start at `crate`.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let relative = path.iter().take_while(|word| matches!(word.as_str(), "self" | "super")).count();
        let is_path = path.len() > 1;
        if is_path && path[0] == "pilotlight" {
            return from_crate(&[], &path[1..]);
        }
        if !is_path || relative == 0 {
            return path;
        }
        let climbs = path[..relative].iter().filter(|word| *word == "super").count();
        let kept = self.module.len().saturating_sub(climbs);
        from_crate(&self.module[..kept], &path[relative..])
    }
}

#[derive(PartialEq, Eq)]
enum Attribute {
    /// What follows is compiled for tests alone.
    Test,
    Other,
}

/// `cfg(test)` and `cfg(all(test, ..))`; neither `not(test)` nor `any(test, ..)`.
fn is_test_only(words: &[String]) -> bool {
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    words.first().is_some_and(|word| word == "cfg") && has("test") && !has("not") && !has("any")
}

/// Every identifier, however deep.
fn words(stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Group(group) => found.extend(words(group.stream())),
            TokenTree::Ident(word) => found.push(word.to_string()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// Past the item after an attribute: to its braces or its semicolon; a field or a variant ends at its comma.
fn skip_item(rest: &mut Trees<'_>) {
    const ITEMS: &[&str] = &[
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "let",
        "macro_rules",
        "mod",
        "pub",
        "static",
        "struct",
        "trait",
        "type",
        "union",
        "unsafe",
        "use",
    ];
    while skip_mark(rest, '#') {
        rest.next();
    }
    let is_item = matches!(rest.as_slice().first(), Some(TokenTree::Ident(word)) if ITEMS.iter().any(|item| word == item));
    let mut is_use = false;
    for tree in rest {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => return,
            TokenTree::Punct(mark) if mark.as_char() == ';' => return,
            TokenTree::Punct(mark) if mark.as_char() == ',' && !is_item => return,
            TokenTree::Ident(word) => is_use |= word == "use",
            TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn skip_mark(rest: &mut Trees<'_>, mark: char) -> bool {
    let found = matches!(rest.as_slice().first(), Some(TokenTree::Punct(next)) if next.as_char() == mark);
    if found {
        rest.next();
    }
    found
}

fn skip_colons(rest: &mut Trees<'_>) -> bool {
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ':');
    let found = rest.as_slice().iter().take(2).filter(|tree| is_colon(tree)).count() == 2;
    if found {
        rest.nth(1);
    }
    found
}

fn next_braces<'a>(rest: &mut Trees<'a>) -> Option<&'a Group> {
    let Some(TokenTree::Group(group)) = rest.as_slice().first() else { return None };
    if group.delimiter() != Delimiter::Brace {
        return None;
    }
    rest.next();
    Some(group)
}

fn joined(prefix: &[String], word: &str) -> Vec<String> {
    prefix.iter().cloned().chain([word.to_owned()]).collect()
}

fn from_crate(module: &[String], rest: &[String]) -> Vec<String> {
    ["crate".to_owned()].iter().chain(module).chain(rest).cloned().collect()
}

fn line_of(tree: &TokenTree) -> usize {
    tree.span().start().line
}

fn line_of_group(group: &Group) -> usize {
    group.span_open().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<_> = module.iter().map(|&part| part.to_owned()).collect();
        let names = names(text, &module, Tests::LeftOut).expect("the example is Rust");
        names.iter().map(ToString::to_string).filter(|name| name.contains("::")).collect()
    }

    #[test]
    fn a_use_speaks_every_path_in_its_braces() {
        let text = "use crate::{net::{self, ack::Proof}, http::error as net, x::*};";
        let expected = ["crate::net", "crate::net::ack::Proof", "crate::http::error", "crate::x::*"];
        assert_eq!(spoken(text, &[]), expected);
    }

    #[test]
    fn super_and_self_start_where_the_file_stands() {
        let module = &["dispatch", "driver"];
        assert_eq!(spoken("use super::super::http;", module), ["crate::http"]);
        assert_eq!(spoken("fn f() { super::pool() }", module), ["crate::dispatch::pool"]);
        assert_eq!(spoken("use self::own;", module), ["crate::dispatch::driver::own"]);
        assert_eq!(spoken("use super::super::{http, net};", module), ["crate::http", "crate::net"]);
        assert_eq!(spoken("mod inner { use super::own; }", module)[1..], ["crate::dispatch::driver::own"]);
    }

    #[test]
    fn the_crate_by_its_own_name_is_the_crate() {
        assert_eq!(
            spoken("use pilotlight::app; fn f() { pilotlight::cli::main() }", &[]),
            ["crate::app", "crate::cli::main"]
        );
    }

    #[test]
    fn a_renamed_crate_speaks_everything() {
        assert_eq!(spoken("use crate as c;", &[]), ["crate::*"]);
        assert_eq!(spoken("use super::*;", &["net"]), ["crate::*"]);
    }

    #[test]
    fn comments_and_texts_speak_nothing() {
        let text = r###"
            //! a::b
            /* a::b /* a::b */ */ // a::b
            /// a::b
            const X: &str = "a::b \" a::b"; const Y: &str = r#"a::b"#; const Z: &[u8] = b"a::b"; const C: char = '"';
            fn f<'a>(x: &'a str) {}
        "###;
        assert_eq!(spoken(text, &[]), ["#::doc", "#::doc"]);
    }

    #[test]
    fn macros_speak_what_they_are_given() {
        assert_eq!(spoken("fn f() { select! { x = a::b() => {} } }", &[]), ["a::b"]);
    }

    #[test]
    fn items_for_tests_are_left_out() {
        for text in [
            "#[cfg(test)] mod tests { use a::b; }",
            "#[cfg(test)] mod tests;",
            "#[cfg(test)] #[path = \"x.rs\"] mod tests;",
            "#[cfg(all(test, unix))] fn f<A, B>() { a::b() }",
            "#[cfg(test)] use a::{b, c};",
            "#[cfg(test)] pub(crate) use a::{b, c};",
            "struct S { #[cfg(test)] x: a::B, y: u8 }",
            "#![cfg(test)] use a::b;",
        ] {
            assert!(spoken(text, &[]).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_follows_an_item_for_tests_is_read_again() {
        for text in [
            "#[cfg(test)] mod tests {} fn f() { a::b() }",
            "#[cfg(test)] use x::{y}; fn f() { a::b() }",
            "struct S { #[cfg(test)] x: X, y: a::b }",
            "#[cfg(not(test))] fn f() { a::b() }",
            "#[cfg(any(test, unix))] fn f() { a::b() }",
        ] {
            let spoken = spoken(text, &[]);
            assert!(spoken.contains(&"a::b".to_owned()), "{text}: {spoken:?}");
        }
    }

    #[test]
    fn a_name_knows_its_line() {
        let names = names("\n\nfn f() {\n    a::b()\n}\n", &[], Tests::LeftOut).expect("the example is Rust");
        let line = names.iter().find(|name| name.speaks(&["a", "b"])).map(|name| name.line);
        assert_eq!(line, Some(4));
    }

    #[test]
    fn a_text_that_is_not_rust_is_refused() {
        assert!(names("fn f( {", &[], Tests::LeftOut).is_err());
    }
}
