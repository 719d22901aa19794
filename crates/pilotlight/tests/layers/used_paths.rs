//! The paths that a Rust source uses, each in full: `use crate::{net, http::error as e}` uses `crate::net` and
//! `crate::http::error`. Comments and strings are ignored; items under `#[cfg(test)]` can be excluded.
//!
//! The module reads tokens, not types: a method call uses only the method's name, and the output of a macro is not
//! seen.

use std::fmt;
use std::slice;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path in a source, made absolute, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsedPath {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl UsedPath {
    /// Whether the path contains these segments next to each other.
    pub(crate) fn contains(&self, segments: &[&str]) -> bool {
        self.segments.windows(segments.len()).any(|window| window == segments)
    }
}

impl fmt::Display for UsedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments.join("::"))
    }
}

/// Whether items under `#[cfg(test)]` are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestCode {
    Included,
    Excluded,
}

/// Every path in the text. `module` is the file's module path in its crate, where `super` starts.
///
/// # Errors
///
/// If the text is not Rust.
pub(crate) fn used_paths(text: &str, module: &[String], tests: TestCode) -> Result<Vec<UsedPath>, String> {
    let stream: TokenStream = text.parse().map_err(|error| format!("is not Rust: {error}"))?;
    let mut reader = Reader { module: module.to_vec(), tests, paths: Vec::new() };
    reader.read(stream, &[]);
    Ok(reader.paths)
}

struct Reader {
    module: Vec<String>,
    tests: TestCode,
    paths: Vec<UsedPath>,
}

type Trees<'a> = slice::Iter<'a, TokenTree>;

impl Reader {
    /// Reads the tokens. `prefix` is the path before the braces of a `use`, and empty elsewhere.
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
                TokenTree::Ident(ident) if ident == "as" && !prefix.is_empty() => {
                    rest.next();
                }
                TokenTree::Ident(ident) if ident == "mod" => self.read_module(&mut rest, tree),
                TokenTree::Ident(_) => self.read_path(tree, &mut rest, prefix),
                TokenTree::Group(group) => self.read(group.stream(), &[]),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Records `#::ignore` for `#[ignore]`, and one such path for each identifier of a `cfg_attr`.
    fn read_attribute(&mut self, rest: &mut Trees<'_>) -> Attribute {
        let Some(TokenTree::Group(group)) = rest.as_slice().first() else { return Attribute::Other };
        rest.next();
        let identifiers = identifiers(group.stream());
        if self.tests == TestCode::Excluded && is_test_only(&identifiers) {
            return Attribute::Test;
        }
        let count =
            if identifiers.first().is_some_and(|ident| ident == "cfg_attr") { identifiers.len() } else { 1 };
        for ident in identifiers.into_iter().take(count) {
            self.paths.push(UsedPath { segments: vec!["#".to_owned(), ident], line: line_of_group(group) });
        }
        self.read(group.stream(), &[]);
        Attribute::Other
    }

    /// Records `mod::name` and reads the module's braces, inside which `super` starts at this module.
    fn read_module(&mut self, rest: &mut Trees<'_>, at: &TokenTree) {
        let Some(TokenTree::Ident(name)) = rest.as_slice().first() else { return };
        rest.next();
        self.paths.push(UsedPath { segments: vec!["mod".to_owned(), name.to_string()], line: line_of(at) });
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
            let is_ident = matches!(next, TokenTree::Ident(_));
            let is_star = matches!(next, TokenTree::Punct(mark) if mark.as_char() == '*');
            if !is_ident && !is_star {
                break;
            }
            path.push(next.to_string());
            rest.next();
        }
        if path.len() > 1 && path.last().is_some_and(|ident| ident == "self") {
            path.pop();
        }
        let renamed = matches!(rest.as_slice().first(), Some(TokenTree::Ident(ident)) if ident == "as");
        if renamed && path == ["crate"] {
            path.push("*".to_owned());
        }
        self.push(path, first);
    }

    fn push(&mut self, path: Vec<String>, at: &TokenTree) {
        self.paths.push(UsedPath { segments: self.absolute(path), line: line_of(at) });
    }

    /// The path from `crate`, if it starts with `self`, `super` or this crate's own name.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let relative = path.iter().take_while(|ident| matches!(ident.as_str(), "self" | "super")).count();
        let is_path = path.len() > 1;
        if is_path && path[0] == "pilotlight" {
            return from_crate(&[], &path[1..]);
        }
        if !is_path || relative == 0 {
            return path;
        }
        let climbs = path[..relative].iter().filter(|ident| *ident == "super").count();
        let remaining = self.module.len().saturating_sub(climbs);
        from_crate(&self.module[..remaining], &path[relative..])
    }
}

#[derive(PartialEq, Eq)]
enum Attribute {
    /// The item after the attribute is compiled only for tests.
    Test,
    Other,
}

/// Whether the attribute is `cfg(test)` or `cfg(all(test, ..))`, and not `not(test)` or `any(test, ..)`.
fn is_test_only(identifiers: &[String]) -> bool {
    let has = |wanted: &str| identifiers.iter().any(|ident| ident == wanted);
    identifiers.first().is_some_and(|ident| ident == "cfg") && has("test") && !has("not") && !has("any")
}

/// Every identifier of the tokens, also those in nested groups.
fn identifiers(stream: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for tree in stream {
        match tree {
            TokenTree::Group(group) => found.extend(identifiers(group.stream())),
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    found
}

/// Skips the item after an attribute. An item ends with its braces or its semicolon, a field or a variant with its
/// comma.
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
    let is_item = matches!(rest.as_slice().first(), Some(TokenTree::Ident(ident)) if ITEMS.iter().any(|item| ident == item));
    let mut is_use = false;
    for tree in rest {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => return,
            TokenTree::Punct(mark) if mark.as_char() == ';' => return,
            TokenTree::Punct(mark) if mark.as_char() == ',' && !is_item => return,
            TokenTree::Ident(ident) => is_use |= ident == "use",
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

fn joined(prefix: &[String], ident: &str) -> Vec<String> {
    prefix.iter().cloned().chain([ident.to_owned()]).collect()
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

    /// The used paths that have more than one segment.
    fn paths_in(text: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<_> = module.iter().map(|&part| part.to_owned()).collect();
        let paths = used_paths(text, &module, TestCode::Excluded).expect("the example is Rust");
        paths.iter().map(ToString::to_string).filter(|path| path.contains("::")).collect()
    }

    #[test]
    fn a_use_declaration_uses_every_path_in_its_braces() {
        let text = "use crate::{net::{self, ack::AckMode}, http::error as net, x::*};";
        let expected = ["crate::net", "crate::net::ack::AckMode", "crate::http::error", "crate::x::*"];
        assert_eq!(paths_in(text, &[]), expected);
    }

    #[test]
    fn super_and_self_start_at_the_module_of_the_file() {
        let module = &["dispatch", "driver"];
        assert_eq!(paths_in("use super::super::http;", module), ["crate::http"]);
        assert_eq!(paths_in("fn f() { super::pool() }", module), ["crate::dispatch::pool"]);
        assert_eq!(paths_in("use self::own;", module), ["crate::dispatch::driver::own"]);
        assert_eq!(paths_in("use super::super::{http, net};", module), ["crate::http", "crate::net"]);
        assert_eq!(paths_in("mod inner { use super::own; }", module)[1..], ["crate::dispatch::driver::own"]);
    }

    #[test]
    fn the_name_of_this_crate_means_crate() {
        assert_eq!(
            paths_in("use pilotlight::app; fn f() { pilotlight::cli::main() }", &[]),
            ["crate::app", "crate::cli::main"]
        );
    }

    #[test]
    fn a_renamed_crate_uses_everything() {
        assert_eq!(paths_in("use crate as c;", &[]), ["crate::*"]);
        assert_eq!(paths_in("use super::*;", &["net"]), ["crate::*"]);
    }

    #[test]
    fn comments_and_strings_use_no_path() {
        let text = r###"
            //! a::b
            /* a::b /* a::b */ */ // a::b
            /// a::b
            const X: &str = "a::b \" a::b"; const Y: &str = r#"a::b"#; const Z: &[u8] = b"a::b"; const C: char = '"';
            fn f<'a>(x: &'a str) {}
        "###;
        assert_eq!(paths_in(text, &[]), ["#::doc", "#::doc"]);
    }

    #[test]
    fn the_arguments_of_a_macro_are_read() {
        assert_eq!(paths_in("fn f() { select! { x = a::b() => {} } }", &[]), ["a::b"]);
    }

    #[test]
    fn items_for_tests_are_excluded() {
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
            assert!(paths_in(text, &[]).is_empty(), "{text}");
        }
    }

    #[test]
    fn code_after_an_item_for_tests_is_read() {
        for text in [
            "#[cfg(test)] mod tests {} fn f() { a::b() }",
            "#[cfg(test)] use x::{y}; fn f() { a::b() }",
            "struct S { #[cfg(test)] x: X, y: a::b }",
            "#[cfg(not(test))] fn f() { a::b() }",
            "#[cfg(any(test, unix))] fn f() { a::b() }",
        ] {
            let paths = paths_in(text, &[]);
            assert!(paths.contains(&"a::b".to_owned()), "{text}: {paths:?}");
        }
    }

    #[test]
    fn a_path_has_its_line() {
        let paths = used_paths("\n\nfn f() {\n    a::b()\n}\n", &[], TestCode::Excluded)
            .expect("the example is Rust");
        let line = paths.iter().find(|path| path.contains(&["a", "b"])).map(|path| path.line);
        assert_eq!(line, Some(4));
    }

    #[test]
    fn a_text_that_is_not_rust_is_refused() {
        assert!(used_paths("fn f( {", &[], TestCode::Excluded).is_err());
    }
}
