//! `docs/api.md` is made from `docs/openapi.json`, for people: one section a call, one for each body. What the document
//! does not say is not said here.
#![allow(clippy::unwrap_used, reason = "a test: what cannot be ends it")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde_json::{Map, Value};

const MARK: &str = "<!-- What follows is made from openapi.json. -->\n\n";

/// After a change of a call, and once `openapi.json` is made: `PILOTLIGHT_BLESS=1 cargo test -p pilotlight --test
/// api_reference`.
#[test]
fn the_reference_says_what_the_openapi_document_says() {
    let text = std::fs::read_to_string(document("api.md")).unwrap();
    let (written, made) = text.split_once(MARK).expect("the mark parts the written from the made");
    let reference = Api::read().reference();
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        std::fs::write(document("api.md"), format!("{written}{MARK}{reference}")).unwrap();
    } else {
        assert!(made == reference, "docs/api.md is another one; PILOTLIGHT_BLESS=1 makes it anew");
    }
}

#[test]
fn every_call_and_every_body_has_its_section_and_every_link_its_target() {
    let api = Api::read();
    let text = api.reference();
    for (method, path, _) in api.calls() {
        assert!(text.contains(&format!("### `{method} {path}`\n")), "{method} {path}");
    }
    let headings: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let links = text.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap());
    for link in links {
        assert!(headings.iter().any(|heading| heading.to_lowercase() == link), "no section {link}");
    }
}

fn document(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(name)
}

struct Api(Value);

impl Api {
    fn read() -> Self {
        let text = std::fs::read_to_string(document("openapi.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn reference(&self) -> String {
        let common = self.common();
        let mut text =
            String::from("## What any call may answer\n\n| Status | Means | Body |\n|---|---|---|\n");
        let (_, _, first) = self.calls().next().unwrap();
        for (status, answer) in
            object(&first["responses"]).iter().filter(|(status, _)| common.contains(*status))
        {
            text += &self.answer(status, answer);
        }
        for tag in self.0["tags"].as_array().unwrap() {
            let (name, tells) = (words(&tag["name"]), words(&tag["description"]));
            _ = write!(text, "\n## `/api/{}`\n\n{tells}\n", name);
            for (method, path, call) in self.calls().filter(|(_, _, call)| call["tags"][0] == tag["name"]) {
                self.call(&format!("{method} {path}"), call, &common, &mut text);
            }
        }
        text += "\n## Bodies\n\nA field that is not called optional is always there.\n";
        for (name, schema) in object(&self.0["components"]["schemas"]) {
            self.schema(name, schema, &mut text);
        }
        text
    }

    fn calls(&self) -> impl Iterator<Item = (String, &str, &Value)> {
        object(&self.0["paths"]).iter().flat_map(|(path, item)| {
            object(item).iter().map(move |(method, call)| (method.to_uppercase(), path.as_str(), call))
        })
    }

    /// Statuses that mean the same for every call.
    fn common(&self) -> BTreeSet<String> {
        let (_, _, first) = self.calls().next().unwrap();
        let is_common = |status: &String, answer: &Value| {
            self.calls().all(|(_, _, call)| call["responses"][status] == *answer)
        };
        let all = object(&first["responses"]).iter();
        all.filter(|(status, answer)| is_common(status, answer)).map(|(status, _)| status.clone()).collect()
    }

    fn call(&self, name: &str, call: &Value, common: &BTreeSet<String>, text: &mut String) {
        _ = write!(text, "\n### `{name}`\n\n{} {}\n", sentence(words(&call["summary"])), who(call));
        if let Some(parameters) = call["parameters"].as_array() {
            *text += "\n| Parameter | In | Is | Means |\n|---|---|---|---|\n";
            for parameter in parameters {
                let (name, place) = (words(&parameter["name"]), words(&parameter["in"]));
                let is = self.is(&parameter["schema"], parameter["required"] == true);
                _ = writeln!(text, "| `{name}` | {place} | {is} | {} |", words(&parameter["description"]));
            }
        }
        let body = &call["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            _ = write!(text, "\nBody: {}.", self.kind(body));
            let example = &self.resolved(body)["example"];
            if !example.is_null() {
                _ = write!(text, " For example:\n\n```json\n{example}\n```");
            }
            *text += "\n";
        }
        *text += "\n| Answer | Means | Body |\n|---|---|---|\n";
        for (status, answer) in
            object(&call["responses"]).iter().filter(|(status, _)| !common.contains(*status))
        {
            *text += &self.answer(status, answer);
        }
    }

    fn answer(&self, status: &str, answer: &Value) -> String {
        let content = answer["content"].as_object().and_then(|content| content.iter().next());
        let body = content.map_or_else(String::new, |(kind, body)| {
            let stream = if kind == "text/event-stream" { "server-sent events: " } else { "" };
            format!("{stream}{}", self.kind(&body["schema"]))
        });
        let headers = answer["headers"].as_object().into_iter().flatten();
        let headers: String =
            headers.map(|(name, header)| format!(" `{name}`: {}", words(&header["description"]))).collect();
        format!("| `{status}` | {}{headers} | {body} |\n", words(&answer["description"]))
    }

    fn schema(&self, name: &str, schema: &Value, text: &mut String) {
        _ = write!(text, "\n### {name}\n");
        if let Some(tells) = schema["description"].as_str() {
            _ = write!(text, "\n{tells}\n");
        }
        if let Some(known) = schema["enum"].as_array() {
            let known: Vec<_> = known.iter().map(|one| format!("`{}`", words(one))).collect();
            _ = write!(text, "\nOne of {}.\n", known.join(", "));
            return;
        }
        let parts: Vec<&Value> = match schema["allOf"].as_array() {
            Some(parts) => parts.iter().collect(),
            None => vec![schema],
        };
        let rows: String = parts.into_iter().map(|part| self.fields(part)).collect();
        if !rows.is_empty() {
            _ = write!(text, "\n| Field | Is | Means |\n|---|---|---|\n{rows}");
        } else if schema["properties"].is_null() && schema["description"].is_null() {
            _ = write!(text, "\n{}.\n", self.is(schema, true));
        }
    }

    /// The fields of a part that another body holds are told with it.
    fn fields(&self, part: &Value) -> String {
        let schema = self.resolved(part);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let Some(fields) = schema["properties"].as_object() else { return String::new() };
        let row = |(name, field): (&String, &Value)| {
            let is = self.is(field, required.iter().any(|one| one == name));
            format!("| `{name}` | {is} | {} |\n", words(&field["description"]))
        };
        fields.iter().map(row).collect()
    }

    fn is(&self, schema: &Value, is_required: bool) -> String {
        let optional = if is_required { "" } else { "optional " };
        let (least, most) = (&schema["minimum"], &schema["maximum"]);
        let range = match (least.is_null(), most.is_null()) {
            (false, false) => format!(", {least} to {most}"),
            (true, false) => format!(", at most {most}"),
            (false, true) if *least != 0 => format!(", at least {least}"),
            (_, true) => String::new(),
        };
        let (least, most) = (schema["minLength"].as_u64().unwrap_or(0), &schema["maxLength"]);
        let length = if most.is_null() { String::new() } else { format!(", {least} to {most} bytes") };
        let most = &schema["maxItems"];
        let count = if most.is_null() { String::new() } else { format!(", at most {most}") };
        let kind = self.kind(schema);
        let kind = if is_required { kind.as_str() } else { kind.trim_end_matches(" or null") };
        format!("{optional}{kind}{range}{length}{count}")
    }

    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = named(schema) {
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(either) = schema["oneOf"].as_array() {
            let either: Vec<_> =
                either.iter().filter(|one| one["type"] != "null").map(|one| self.kind(one)).collect();
            return either.join(" or ");
        }
        if schema["type"] == "array" {
            return format!("list of {}", self.kind(&schema["items"]));
        }
        let Some(kinds) = schema["type"].as_array() else { return words(&schema["type"]).to_owned() };
        let named: Vec<_> = kinds.iter().filter(|kind| *kind != "null").map(words).collect();
        named.join(" or ") + if named.len() < kinds.len() { " or null" } else { "" }
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        named(schema).map_or(schema, |name| &self.0["components"]["schemas"][name])
    }
}

fn named(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// The last requirement stands for a service without keys.
fn who(call: &Value) -> String {
    let keys = call["security"].as_array().unwrap().iter().flat_map(|one| object(one).keys());
    let keys = keys.map(|key| key.replace('_', " "));
    let keys: Vec<_> =
        keys.map(|key| if key.starts_with('a') { format!("an {key}") } else { format!("a {key}") }).collect();
    format!("Takes {}.", keys.join(" or "))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn words(text: &Value) -> &str {
    text.as_str().unwrap_or_default()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object"))
}
